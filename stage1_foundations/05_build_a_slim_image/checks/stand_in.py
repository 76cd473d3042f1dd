"""Runs inside the sandbox in the service's place. `PUT /503` makes its `/healthz` say 503; `PUT /0`, nothing at all."""

import http.server
import time

HANGS = 0


class Handler(http.server.BaseHTTPRequestHandler):
    status = 503
    hanging = 0

    def do_PUT(self):
        Handler.status = int(self.path.strip("/"))
        self.answer(200)

    def do_GET(self):
        if self.path == "/hanging":
            return self.answer(200, str(Handler.hanging).encode())
        if not self.path.startswith("/healthz"):
            return self.answer(200)
        if Handler.status == HANGS:
            Handler.hanging += 1
            time.sleep(60)
        return self.answer(Handler.status)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
