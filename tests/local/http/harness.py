"""A front over a function that is a plain Python callable, and clients that send exactly what they are told."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from blueprints.checks.finding import Source
from blueprints.checks.sam import expand
from blueprints.local.http import Answer, Api, Front, apis
from blueprints.local.http.api import Authorizer, Function, Integration, PayloadFormat, Route, Stage

ARN = "arn:aws:lambda:us-east-1:123456789012:function:handler"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{ARN}/invocations"
NOW = 1_583_348_638.390  # 04/Mar/2020:19:03:58 +0000, of the documentation's example

DEADLINE = 10.0  # seconds, only to end a hang


def echo_query(event: dict[str, Any]) -> dict[str, Any]:
    """A function that answers with its query string."""
    return {"statusCode": 200, "body": event["rawQueryString"]}


@dataclass
class Stub:
    """The function: records events, answers with `says`, or with what a callable makes of the event."""

    says: Any = field(default_factory=lambda: {"statusCode": 200, "body": "ok"})
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    arns: list[str] = field(default_factory=list[str])

    def __call__(self, arn: str, event: bytes) -> Answer:
        self.arns.append(arn)
        self.events.append(json.loads(event))
        said = self.says(self.events[-1]) if callable(self.says) else self.says
        if isinstance(said, Answer):
            return said
        return Answer(said if isinstance(said, bytes) else json.dumps(said).encode())

    @property
    def event(self) -> dict[str, Any]:
        """The last event."""
        return self.events[-1]


@dataclass(frozen=True)
class Reply:
    """A response as it came: header names in lower case, values in order."""

    status: int
    headers: Mapping[str, list[str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return ", ".join(self.headers[name]) if name in self.headers else None


class Wire:
    """A socket to a front."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, *, head: bool = False) -> Reply:
        """The next response; `head` says that it has no body."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = raw.decode().split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        status = int(first.split(" ")[1])
        length = 0 if head or status < 200 else int(headers.get("content-length", ["0"])[0])
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Reply(status, headers, body)

    def ended(self) -> bool:
        """Whether the server has closed the connection and sent nothing more."""
        return self._buffer == b"" and self._socket.recv(1) == b""

    def _more(self) -> None:
        data = self._socket.recv(65536)
        assert data, f"the server closed the connection after {self._buffer!r}"
        self._buffer += data


@dataclass
class Served:
    """One API behind a front."""

    front: Front
    api: Api
    stub: Stub
    log: list[str]

    @property
    def url(self) -> str:
        return self.front.url(self.api)

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    def wire(self) -> Wire:
        return Wire(self.port)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """One request; `target` goes out as it stands, and Host is the only header that is added."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        length = [("Content-Length", str(len(body)))] if body else []
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: api.example",
            *(f"{n}: {v}" for n, v in [*pairs, *length]),
        ]
        with self.wire() as wire:
            wire.send("\r\n".join([*lines, "", ""]).encode() + body)
            return wire.read(head=method == "HEAD")


Serve = Callable[..., Served]


def route(
    key: str = "$default",
    payload: PayloadFormat = "2.0",
    *,
    timeout: float = 30.0,
    integration: Integration | None = None,
    authorizer: Authorizer | None = None,
    scopes: tuple[str, ...] = (),
) -> Route:
    method, _, path = ("ANY $default" if key == "$default" else key).partition(" ")
    return Route(method, path, integration or Function(ARN, payload, timeout), authorizer, scopes)


def http_api(*routes: Route, stages: tuple[Stage, ...] = (Stage("$default"),), **more: Any) -> Api:
    return Api("HttpApi", "api-id", "HTTP", routes or (route(),), stages, **more)


def rest_api(*routes: Route, stages: tuple[Stage, ...] = (Stage("test"),), **more: Any) -> Api:
    return Api("RestApi", "api-id", "REST", routes or (route("ANY /{proxy+}", "1.0"),), stages, **more)


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Results of `count` calls that begin together, in the order of their numbers."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        barrier.wait(DEADLINE)
        results[number] = call(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    return results


def only_api(resources: dict[str, Any], ids: dict[str, str] | None = None) -> Api:
    """The API of a template that has one."""
    (found,) = apis({"Resources": resources}, ids)
    return found


def resource(type_name: str, **properties: Any) -> dict[str, Any]:
    """A resource of a resolved template."""
    return {"Type": f"AWS::{type_name}", "Properties": properties}


@cache
def expanded(text: str, **values: str) -> dict[str, Any]:
    """A SAM template, expanded and with its references filled in: `Ref` by name, ARNs in the usual form."""
    name = "template.yaml"
    expansion = expand([Source(name, text)])[name]
    assert expansion.text is not None, expansion.errors
    return cast("dict[str, Any]", _filled(json.loads(expansion.text), values))


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled(each, values) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, Any]", value)
    if set(entries) == {"Ref"}:
        return values.get(entries["Ref"], entries["Ref"])
    if set(entries) == {"Fn::GetAtt"}:
        return _arn(str(entries["Fn::GetAtt"][0]))
    if set(entries) == {"Fn::Sub"}:
        text = (
            str(entries["Fn::Sub"]).replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "us-east-1")
        )
        return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _arn(found[1]), text)
    return {name: _filled(each, values) for name, each in entries.items()}


def _arn(logical_id: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{logical_id}"
