"""Lambda's operation Invoke, so that every client of the emulated AWS runs the functions of this machine.

Source: Lambda API Reference, "Invoke".
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..functions import FunctionClosed, RequestTooLarge, TooManyRequests
from .asynchronous import Asynchronous
from .directory import LATEST, Directory, Found

PREFIX, SUFFIX = "/2015-03-31/functions/", "/invocations"

# Developer Guide, "Lambda quotas", "Invocation payload": 1 MB for asynchronous invocations.
_EVENT_LIMIT = 1_048_576


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class RefusedError(Exception):
    """A request that Lambda answers with an error: HTTP status, the exception's name, its fields."""

    def __init__(self, status: int, kind: str, **fields: str) -> None:
        super().__init__(f"{kind}: {fields}")
        self.reply = Reply(
            status,
            json.dumps({"Type": "User" if status < 500 else "Service", **fields}).encode(),
            {
                "Content-Type": "application/json",
                "x-amzn-ErrorType": kind,
                "x-amzn-RequestId": str(uuid.uuid4()),
            },
        )


class Invoke:
    """Answers requests of the operation."""

    def __init__(self, directory: Directory, asynchronous: Asynchronous, arn_of: str) -> None:
        self._directory = directory
        self._asynchronous = asynchronous
        self._arn_of = arn_of  # what comes before a function's name in an ARN of this account

    def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to a POST: `target` is its path with the query, names of headers are in lower case."""
        try:
            return self._answer(target, headers, body)
        except RefusedError as refusal:
            return refusal.reply

    def _answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        url = urlsplit(target)
        name = unquote(url.path.removeprefix(PREFIX).removesuffix(SUFFIX))
        qualifier = parse_qs(url.query).get("Qualifier", [""])[0]
        to = self._directory.find(name, qualifier)
        if to is None:
            arn = name if name.startswith("arn:") else f"{self._arn_of}{name}"
            missing = f"{arn}:{qualifier}" if qualifier else arn
            raise RefusedError(404, "ResourceNotFoundException", Message=f"Function not found: {missing}")
        event = _event(body)
        context = _client_context(headers.get("x-amz-client-context"))
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return Reply(204)
        if kind == "Event":
            return self._later(to, event, context)
        if kind != "RequestResponse":
            message = f"Value '{kind}' at 'invocationType' is none of Event, RequestResponse, DryRun"
            raise RefusedError(400, "InvalidParameterValueException", message=message)
        return _now(to, event, context, headers.get("x-amz-log-type") == "Tail")

    def _later(self, to: Found, event: bytes, context: bytes | None) -> Reply:
        if len(event) > _EVENT_LIMIT:
            size = f"{len(event)} byte payload is too large for the Event invocation type"
            message = f"{size} (limit {_EVENT_LIMIT} bytes)"
            raise RefusedError(413, "RequestTooLargeException", message=message)
        return Reply(202, headers={"x-amzn-RequestId": self._asynchronous.accept(to, event, context)})


def _now(to: Found, event: bytes, context: bytes | None, tail: bool) -> Reply:
    try:
        done = to.function.invoke(event, client_context=context)
    except TooManyRequests as refusal:
        raise RefusedError(
            429, "TooManyRequestsException", Reason=refusal.reason, message=str(refusal)
        ) from refusal
    except RequestTooLarge as refusal:
        raise RefusedError(413, "RequestTooLargeException", message=str(refusal)) from refusal
    except FunctionClosed as refusal:
        raise RefusedError(500, "ServiceException", Message="the function is being closed") from refusal
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": done.request_id}
    headers["X-Amz-Executed-Version"] = LATEST
    if done.error:
        headers["X-Amz-Function-Error"] = done.error
    if tail:
        headers["X-Amz-Log-Result"] = base64.b64encode(done.log_tail.encode()).decode()
    return Reply(200, done.payload, headers)


def _event(body: bytes) -> bytes:
    """A JSON document; nothing stands for an empty object."""
    try:
        json.loads(body or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise RefusedError(400, "InvalidRequestContentException", message=message) from error
    return body or b"{}"


def _client_context(header: str | None) -> bytes | None:
    if header is None:
        return None
    try:
        context = base64.b64decode(header, validate=True)
        _: Any = json.loads(context)
    except (binascii.Error, ValueError) as error:
        message = "Client context must be a valid Base64-encoded JSON object."
        raise RefusedError(400, "InvalidRequestContentException", message=message) from error
    return context
