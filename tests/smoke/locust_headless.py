"""locust: a headless run of the command against a local server counts what was answered."""

import csv
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
Path("locustfile.py").write_text(
    "from locust import HttpUser, constant, task\n"
    "class Payer(HttpUser):\n"
    "    wait_time = constant(0.01)\n"
    "    @task\n"
    "    def pay(self):\n"
    "        self.client.get('/')\n"
)
done = subprocess.run(
    [sys.executable, "-m", "locust", "--headless", "--users", "2", "--spawn-rate", "2", "--run-time", "6s"]
    + ["--host", f"http://127.0.0.1:{server.server_port}", "--csv", "out", "--only-summary"],
    capture_output=True,
    text=True,
    timeout=60,
)
assert done.returncode == 0, done.stderr
total = list(csv.DictReader(Path("out_stats.csv").read_text().splitlines()))[-1]
assert int(total["Request Count"]) > 10 and int(total["Failure Count"]) == 0, total
