"""The WSGI gate in front of moto: every call is identified, recorded, made to fail if so told, and answered.

moto's server has a thread for each request and DynamoDB tables without locks. Bare moto 5.2.5 lost 8 of 960 `ADD`s
and 3 of 960 conditional increments by 32 threads (`python tests/local/bare_moto_races.py` shows it again). Items are
written atomically on AWS, so here DynamoDB takes one call at a time. Other services stay parallel, since SQS and
Step Functions wait inside calls.
"""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from http.client import HTTPConnection
from http.client import responses as reasons
from typing import Any
from urllib.parse import urlsplit

from .answer import Answer, AwsError, Headers, error, result
from .control import PREFIX, Control
from .faults import Rule
from .request import Call, Environ, identify, read_body, with_body

Application = Callable[[Environ, Any], Iterable[bytes]]

_ONE_AT_A_TIME = ("dynamodb", "dynamodbstreams")

# moto answers these with success and runs Docker, or with an error in the body where there is none.
_NEVER_MOTO = {"lambda:Invoke": "no function executor is given to forward it to"}

# Headers that belong to one connection and not to the message: RFC 9110, section 7.6.1.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length"}
)


class Gate:
    """A WSGI application: moto's, with what this package adds."""

    def __init__(self, moto: Application, control: Control) -> None:
        self._moto = moto
        self._control = control
        self._dynamodb = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        body = read_body(environ)
        answer = self._answer(environ, body)
        start_response(f"{answer.status} {reasons.get(answer.status, 'Unknown')}", answer.headers)
        return [answer.body]

    def _answer(self, environ: Environ, body: bytes) -> Answer:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            return self._control.answer(environ["REQUEST_METHOD"], path, body)
        call = None if path.startswith(("/moto-api/", "/latest/")) else identify(with_body(environ, body))
        if call is None:
            return self._from_moto(environ, body)
        rule = self._control.faults.draw(call)
        if rule is not None and rule.kind == "delay":
            time.sleep(rule.seconds)
        elif rule is not None and rule.kind == "drop":
            self._close(environ, call, rule)
        elif rule is not None and rule.kind != "lose":
            return self._recorded(call, error(call, rule.error(call)), rule)
        answer = self._carried_out(call, environ, body)
        if rule is not None and rule.kind == "lose":
            self._close(environ, call, rule)
        return self._recorded(call, answer, rule)

    def _recorded(self, call: Call, answer: Answer, rule: Rule | None) -> Answer:
        self._control.journal.record(call, answer.status, rule.kind if rule else "")
        return answer

    def _close(self, environ: Environ, call: Call, rule: Rule) -> None:
        """End the connection without an answer; the server takes the error for a client that has gone."""
        self._control.journal.record(call, 0, rule.kind)
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(f"{rule.kind} of {call.api}")

    def _carried_out(self, call: Call, environ: Environ, body: bytes) -> Answer:
        if call.api in self._control.operations:
            return self._by_stand_in(call)
        if call.api in self._control.forwards:
            return self._forwarded(call, environ, body)
        if call.api in _NEVER_MOTO:
            return self._gap(call, _NEVER_MOTO[call.api])
        if call.operation is None and call.service != "s3":  # uploads by form are in no model of S3
            return self._gap(call, f"{call.service} has no such operation")
        return self._by_moto(call, environ, body)

    def _by_stand_in(self, call: Call) -> Answer:
        try:
            return result(call, self._control.operations[call.api](call, call.parameters()))
        except AwsError as refusal:
            return error(call, refusal)

    def _forwarded(self, call: Call, environ: Environ, body: bytes) -> Answer:
        base = self._control.forwards[call.api]
        try:
            return _forward(base, environ, body)
        except OSError as failure:
            return self._gap(call, f"{base} does not answer: {failure}")

    def _by_moto(self, call: Call, environ: Environ, body: bytes) -> Answer:
        with self._lock(call):
            try:
                answer = self._from_moto(environ, body)
            except NotImplementedError:
                return self._gap(call, "moto does not implement it")
            except Exception as failure:  # whatever moto stumbles over is a gap of moto's
                traceback.print_exc()  # into the server's log
                return self._gap(call, f"moto failed: {type(failure).__name__}: {failure}")
        return self._gap(call, "moto has no route for it") if _is_no_route(call, answer) else answer

    def _lock(self, call: Call) -> AbstractContextManager[Any]:
        return self._dynamodb if call.service in _ONE_AT_A_TIME else nullcontext()

    def _gap(self, call: Call, why: str) -> Answer:
        self._control.journal.gap(call, why)
        return error(call, AwsError("NotImplemented", f"{call.api} is not emulated: {why}", 501))

    def _from_moto(self, environ: Environ, body: bytes) -> Answer:
        begun: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, _: Any = None) -> None:
            begun.append((status, headers))

        chunks = self._moto(with_body(environ, body), start_response)
        try:
            content = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        status, headers = begun[-1]
        return Answer(int(status.split(" ", 1)[0]), headers, content)


def _is_no_route(call: Call, answer: Answer) -> bool:
    """Flask's own page, or nothing at all; no service answers like that, but to HEAD."""
    if answer.status not in (404, 405) or call.request.method == "HEAD":
        return False
    return not answer.body or answer.body.lstrip().lower().startswith(b"<!doctype html")


def _forward(base: str, environ: Environ, body: bytes) -> Answer:
    """The answer of the server at `base`, which is given the request as it came."""
    target = urlsplit(base)
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and name[5:].replace("_", "-").lower() not in _HOP_BY_HOP
    }
    headers["Content-Type"] = environ.get("CONTENT_TYPE") or "application/json"
    path = environ.get("RAW_URI") or environ.get("PATH_INFO", "/")
    connection = HTTPConnection(target.hostname or "127.0.0.1", target.port)
    try:
        connection.request(environ["REQUEST_METHOD"], path, body, headers)
        response = connection.getresponse()
        kept = [(key, value) for key, value in response.getheaders() if key.lower() not in _HOP_BY_HOP]
        return Answer(response.status, kept, response.read())
    finally:
        connection.close()
