"""Lambda's Runtime API, version 2018-06-01, over HTTP on loopback: one server for each execution environment.

Developer Guide, "Using the Lambda runtime API for custom runtimes".
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import ClassVar, Protocol

from .invocation import RESPONSE_LIMIT, Job

_ANSWER = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")


class ProtocolError(Exception):
    """The runtime asked for what is not its turn to ask; sent as status, errorType and errorMessage."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Environment(Protocol):
    """The execution environment that a server speaks for."""

    def next(self, listening: Callable[[], bool]) -> Job | None:
        """Wait for an event; None when there will be none, or when the runtime is no longer `listening`."""
        ...

    def answer(self, request_id: str, payload: bytes, *, failed: bool) -> None:
        """Take the handler's result, or its error."""
        ...

    def fail_init(self, payload: bytes) -> None:
        """Take the error that ended the init phase."""
        ...


class RuntimeApi:
    """Serves one environment until closed."""

    def __init__(self, environment: Environment) -> None:
        self._server = _Server(environment)
        self._closed = False
        threading.Thread(target=self._accept, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has them."""
        host, port = self._server.socket.getsockname()
        return f"{host}:{port}"

    def _accept(self) -> None:
        while not self._closed:
            self._server.handle_request()
        self._server.server_close()

    def close(self) -> None:
        """Accept no more. A connection that waits for an event ends with its environment."""
        self._closed = True
        with suppress(OSError):  # wakes the thread that accepts
            socket.create_connection(self._server.socket.getsockname(), timeout=1).close()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.environment = environment

    def handle_error(self, request: object, client_address: object) -> None:
        # The process died while it was spoken to: its keeper finds out why.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]


class _Connection(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    _types: ClassVar = {"Content-Type": "application/json"}

    def do_GET(self) -> None:
        if self.path != "/2018-06-01/runtime/invocation/next":
            self._refuse(ProtocolError(404, "NotFound", self.path))
            return
        try:
            job = self.server.environment.next(self._listening)
        except ProtocolError as error:
            self._refuse(error)
            return
        if job is None:
            self.close_connection = True
        else:
            self._send(200, job.event, _head(job))

    def _listening(self) -> bool:
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def do_POST(self) -> None:
        try:
            self._take(self._body())
        except ProtocolError as error:
            self._refuse(error)

    def _take(self, body: bytes) -> None:
        environment = self.server.environment
        found = _ANSWER.fullmatch(self.path)
        if found:
            environment.answer(found[1], body, failed=found[2] == "error")
        elif self.path == "/2018-06-01/runtime/init/error":
            environment.fail_init(body)
        else:
            raise ProtocolError(404, "NotFound", self.path)
        if len(body) > RESPONSE_LIMIT:
            message = f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            raise ProtocolError(413, "RequestEntityTooLarge", message)
        self._send(202, b'{"status":"OK"}\n', {})

    def _body(self) -> bytes:
        """The body; of one that is too large only so much that its size shows."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            raise ProtocolError(411, "LengthRequired", "Content-Length is missing")
        body = self.rfile.read(min(int(length), RESPONSE_LIMIT + 1))
        remaining = int(length) - len(body)
        while remaining > 0:
            dropped = len(self.rfile.read(min(remaining, 65536)))
            if not dropped:
                break
            remaining -= dropped
        return body

    def _refuse(self, error: ProtocolError) -> None:
        body = json.dumps({"errorMessage": str(error), "errorType": error.kind}).encode()
        self._send(error.status, body, {})

    def _send(self, status: int, body: bytes, head: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {**self._types, **head}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name upstream
        """Requests of the runtime are no news."""


def _head(job: Job) -> dict[str, str]:
    head = {
        "Lambda-Runtime-Aws-Request-Id": job.request_id,
        "Lambda-Runtime-Deadline-Ms": str(job.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": job.arn,
        "Lambda-Runtime-Trace-Id": job.trace_id,
    }
    if job.client_context is not None:
        # JSON may be laid out over lines, a header may not.
        head["Lambda-Runtime-Client-Context"] = b" ".join(job.client_context.splitlines()).decode("latin-1")
    return head
