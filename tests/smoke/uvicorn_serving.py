"""uvicorn with uvloop and httptools: serves on a socket that it was handed, ends cleanly on SIGTERM; orjson speaks."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httptools  # noqa: F401
import httpx
import orjson

Path("app.py").write_text(
    "import orjson\n"
    "async def app(scope, receive, send):\n"
    "    if scope['type'] != 'http':\n"
    "        return\n"
    "    body = orjson.dumps({'path': scope['path']})\n"
    "    head = [(b'content-length', b'%d' % len(body))]\n"
    "    await send({'type': 'http.response.start', 'status': 200, 'headers': head})\n"
    "    await send({'type': 'http.response.body', 'body': body})\n"
)
assert orjson.loads(orjson.dumps({"x": [1, 2.5, None]})) == {"x": [1, 2.5, None]}
listener = socket.socket(socket.AF_UNIX)
listener.bind("s")
listener.listen()
command = [sys.executable, "-m", "uvicorn", "app:app", "--fd", str(listener.fileno())]
command += ["--http", "httptools", "--loop", "uvloop", "--log-level", "warning", "--lifespan", "off"]
service = subprocess.Popen(command, pass_fds=[listener.fileno()])
try:
    with httpx.Client(transport=httpx.HTTPTransport(uds="s"), base_url="http://unix", timeout=20) as client:
        for _ in range(20):
            assert client.get("/a").json() == {"path": "/a"}
    asked = time.monotonic()
    service.send_signal(signal.SIGTERM)
    service.wait(10)
    assert time.monotonic() - asked < 5
finally:
    service.kill()
    service.wait()
