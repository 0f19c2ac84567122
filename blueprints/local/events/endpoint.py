"""The loopback server to which the emulated AWS hands what is carried out here."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .invoke import Reply

_HOST = "127.0.0.1"

Answer = Callable[[str, Mapping[str, str], bytes], Reply]
"""`answer(target, headers, body)`: the path with its query, headers with names in lower case."""


class Endpoint:
    """Serves POST from now until closed, a connection for each request."""

    def __init__(self, answer: Answer) -> None:
        self._server = _Server(answer)
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True, name="endpoint")
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{_HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Take no more requests; those in progress go on."""
        self._closing = True
        with suppress(OSError):
            socket.create_connection((_HOST, self._server.server_port)).close()  # wakes whoever waits for one
        self._thread.join()
        self._server.server_close()

    def _listen(self) -> None:
        while not self._closing:  # not serve_forever, which looks for its end by the clock
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    block_on_close = False
    request_queue_size = 512

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__((_HOST, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - made by no other

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self.server.answer(self.path, headers, body)
        except Exception as error:  # a defect is told to the caller, who sees it first
            reply = Reply(500, json.dumps({"Message": f"{type(error).__name__}: {error}"}).encode())
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Calls are in the journal of the emulated AWS."""
