"""One HTTP request as it came, one response as it goes."""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """`path` and `query` are still percent-encoded; header names keep the client's capitals, values its order."""

    method: str
    path: str
    query: str
    protocol: str
    headers: Headers
    body: bytes
    source_ip: str
    port: int

    def header(self, name: str) -> str | None:
        """The first value of a header; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True)
class Response:
    """The server adds what belongs to the connection: date, length, connection."""

    status: int
    headers: Headers
    body: bytes
