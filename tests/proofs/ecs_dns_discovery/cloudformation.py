"""CloudFormation's side of a custom resource."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CloudFormation:
    """Where custom resources answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def request(self, kind: str, resource: str) -> bytes:
        """An event of a custom resource."""
        url = f"http://127.0.0.1:{self.port}/{resource}"
        event = {
            "RequestType": kind,
            "ResponseURL": url,
            "StackId": "s",
            "RequestId": f"{kind}-{len(self.answers)}",
        }
        return json.dumps({**event, "LogicalResourceId": resource}).encode()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
