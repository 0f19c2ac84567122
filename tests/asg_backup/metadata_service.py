"""The instance metadata service, version 2: no answer without a token. Started as: INSTANCE_ID REGION."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_TOKEN = "token-of-the-metadata-service"  # noqa: S105 - known to this file alone
_ANSWERS = {
    "/latest/meta-data/instance-id": sys.argv[1] if len(sys.argv) > 1 else "",
    "/latest/meta-data/placement/region": sys.argv[2] if len(sys.argv) > 2 else "",
}


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        asked = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self._answer(200 if asked else 400, _TOKEN if asked else "")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != _TOKEN:
            self._answer(401, "")
        elif self.path in _ANSWERS:
            self._answer(200, _ANSWERS[self.path])
        else:
            self._answer(404, "")

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("169.254.169.254", 80), _Handler).serve_forever()
