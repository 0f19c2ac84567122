"""HTTP/1.1 on a socket: one request in, one response out, as RFC 9112 has it and no more lenient than it must be.

Not http.server: it gives each line its own time, so that a trickling client meets no deadline, takes a header line that
is none for the end of the headers, and knows no chunked bodies.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import quote

from .message import Request, Response

# Bytes: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
BODY = 10 * 1024 * 1024
# API Gateway's limit for headers is below; this one only ends what never ends.
_HEAD = 65_536

_REASONS = {each.value: each.phrase for each in HTTPStatus}

_CHUNK_LINE = 4096
_READ = 65_536
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(
    rb"(?:https?://[^/?#]*)?(?P<path>/[^?#\x00-\x20\x7f]*)(?:\?(?P<query>[^#\x00-\x20\x7f]*))?", re.I
)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")


class Malformed(Exception):  # noqa: N818 - says what it is
    """Bytes that are no request of ours; `name` is that of the refusal."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Patience:
    """Seconds: between requests, for a whole head after its first byte, for a whole body."""

    idle: float = 65.0
    head: float = 10.0
    body: float = 60.0


@dataclass(frozen=True)
class _Head:
    method: str
    path: str
    query: str
    protocol: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Connection:
    """One client's connection. Raises TimeoutError and OSError as sockets do."""

    def __init__(self, client: socket.socket, source_ip: str, port: int, patience: Patience) -> None:
        self._socket = client
        self._source_ip = source_ip
        self._port = port
        self._patience = patience
        self._buffer = bytearray()

    def request(self) -> Request | None:
        """The next request; None when the client has gone. Raises Malformed."""
        head = self._head()
        if head is None:
            return None
        body = self._body(head)
        return Request(
            head.method, head.path, head.query, head.protocol, head.headers, body, self._source_ip, self._port
        )

    def respond(self, response: Response, *, to: Request | None, close: bool) -> None:
        """`to` is the request if one could be read; a HEAD gets no body."""
        status = response.status
        reason = _REASONS.get(status, "")
        lines = [f"HTTP/1.1 {status} {reason}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        bare = status in (204, 304)
        if not bare:
            lines.append(f"Content-Length: {len(response.body)}")
        lines.append("Connection: " + ("close" if close else "keep-alive"))
        without = bare or (to is not None and to.method == "HEAD")
        self._socket.settimeout(self._patience.body)
        self._socket.sendall(
            "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + (b"" if without else response.body)
        )

    def linger(self) -> None:
        """Let the client read the answer though it is still sending: a reset would take it away."""
        self._socket.shutdown(socket.SHUT_WR)
        ends = time.monotonic() + min(2.0, self._patience.body)
        while self._receive(ends):
            pass

    def _receive(self, ends: float) -> bytes:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv(_READ)

    def _fill(self, ends: float) -> None:
        more = self._receive(ends)
        if not more:
            raise ConnectionError("the client ended within a request")
        self._buffer += more

    def _head(self) -> _Head | None:
        if not self._buffer:
            try:
                self._buffer += self._receive(time.monotonic() + self._patience.idle)
            except TimeoutError:
                return None
        if not self._buffer:
            return None
        ends = time.monotonic() + self._patience.head
        searched = 0
        while True:
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
            at = self._buffer.find(b"\r\n\r\n", searched)
            if at >= 0:
                break
            if len(self._buffer) > _HEAD:
                raise Malformed("headers too large")
            if b"\n\n" in self._buffer:
                raise Malformed("bad request")
            searched = max(0, len(self._buffer) - 3)
            self._fill(ends)
        lines = bytes(self._buffer[:at]).split(b"\r\n")
        del self._buffer[: at + 4]
        if at > _HEAD:
            raise Malformed("headers too large")
        return _parsed(lines)

    def _body(self, head: _Head) -> bytes:
        length, chunked = _framing(head)
        if length > BODY:
            raise Malformed("body too large")
        ends = time.monotonic() + self._patience.body
        if (length or chunked) and any(each.lower() == "100-continue" for each in head.all("expect")):
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._chunks(ends) if chunked else self._exactly(length, ends)

    def _exactly(self, length: int, ends: float) -> bytes:
        while len(self._buffer) < length:
            self._fill(ends)
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found

    def _line(self, ends: float) -> bytes:
        while (at := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _CHUNK_LINE:
                raise Malformed("bad request")
            self._fill(ends)
        found = bytes(self._buffer[:at])
        del self._buffer[: at + 2]
        return found

    def _chunks(self, ends: float) -> bytes:
        body = bytearray()
        while True:
            size = self._line(ends).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
                raise Malformed("bad request")
            if len(body) + int(size, 16) > BODY:
                raise Malformed("body too large")
            if int(size, 16) == 0:
                break
            body += self._exactly(int(size, 16), ends)
            if self._line(ends):
                raise Malformed("bad request")
        for _ in range(100):  # trailers are read and forgotten
            if not self._line(ends):
                return bytes(body)
        raise Malformed("headers too large")


def stays_open(request: Request) -> bool:
    """Whether the client wants the connection kept."""
    wishes = ",".join(value for name, value in request.headers if name.lower() == "connection").lower()
    if request.protocol == "HTTP/1.0":
        return "keep-alive" in wishes
    return "close" not in wishes


def _parsed(lines: list[bytes]) -> _Head:
    parts = lines[0].split(b" ")
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]) or parts[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Malformed("bad request")
    target = _TARGET.fullmatch(parts[1])
    if target is None:
        raise Malformed("bad request")
    path = quote(target["path"], safe="/%!$&'()*+,;=:@-._~[]|\"<>\\^`{}")
    if _BAD_ESCAPE.search(path):
        raise Malformed("bad request")
    query = quote(target["query"] or b"", safe="/%!$&'()*+,;=:@-._~[]|\"<>\\^`{}?")
    head = _Head(
        parts[0].decode(), path, query, parts[2].decode(), tuple(_header(line) for line in lines[1:])
    )
    hosts = head.all("host")
    if len(hosts) > 1 or (not hosts and head.protocol == "HTTP/1.1"):
        raise Malformed("bad request")
    return head


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
        raise Malformed("bad request")
    value = value.strip(b" \t")
    try:
        return name.decode(), value.decode()
    except UnicodeDecodeError:
        return name.decode(), value.decode("latin-1")


def _framing(head: _Head) -> tuple[int, bool]:
    """Length and whether the body is chunked. What could be read in two ways is malformed."""
    lengths, codings = (
        set(head.all("content-length")),
        [each.lower() for each in head.all("transfer-encoding")],
    )
    if codings:
        if codings != ["chunked"] or lengths or head.protocol == "HTTP/1.0":
            raise Malformed("bad request")
        return 0, True
    if len(lengths) > 1 or any(not re.fullmatch(r"[0-9]{1,18}", each) for each in lengths):
        raise Malformed("bad request")
    return int(next(iter(lengths), "0")), False
