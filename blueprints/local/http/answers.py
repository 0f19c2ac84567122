"""What a function's answer becomes: status, headers and body, or the gateway's refusal of an answer out of form.

Sources: as in events.py; unknown keys are an error for REST APIs alone (https://github.com/aws/aws-sam-cli/pull/2941),
the content types that are assumed are those AWS's own test tool expects of a deployed API
(https://github.com/aws/aws-lambda-dotnet, LambdaTestTool-v2, ApiGatewayResponseExtensions).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from .api import Answer, PayloadFormat
from .body import matches, media_type
from .call import Call
from .message import Headers, Response
from .refusals import Refusal

_PLAIN = ("content-type", "text/plain; charset=utf-8")
_JSON = ("content-type", "application/json")
_REST_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# Set by the gateway alone. REST APIs pass what the function said under another name:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_RESERVED = frozenset(
    {
        *("authorization", "connection", "content-length", "content-md5", "date", "expect", "host"),
        *("keep-alive", "max-forwards", "proxy-authenticate", "server", "te", "trailer", "transfer-encoding"),
        *("upgrade", "user-agent", "www-authenticate"),
    }
)
_DROPPED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"}
)


def response(call: Call, payload: PayloadFormat, answer: Answer) -> Response:
    """Raises Refusal."""
    if answer.throttled:
        raise Refusal("function throttled", "The function was throttled")
    if answer.error is not None:
        raise Refusal("function failed", f"The function ended with an error: {answer.error}")
    try:
        said: Any = json.loads(answer.payload)
    except ValueError:
        raise _malformed("not JSON") from None
    inferred = payload == "2.0" and not (isinstance(said, dict) and "statusCode" in said)
    if inferred:
        text = said if isinstance(said, str) else answer.payload.decode()
        return Response(200, (_JSON,), text.encode("utf-8", "replace"))
    if not isinstance(said, dict):
        raise _malformed("not an object")
    return _structured(call, payload, cast("dict[str, Any]", said))


def _malformed(why: str) -> Refusal:
    return Refusal("function failed", f"Malformed Lambda proxy response: {why}")


def _structured(call: Call, payload: PayloadFormat, said: Mapping[str, Any]) -> Response:
    rest = call.api.kind == "REST"
    if rest and (unknown := said.keys() - _REST_KEYS):
        raise _malformed(f"unknown key {sorted(unknown)[0]}")
    headers = _headers(said, multiple=payload == "1.0")
    headers = (
        _renamed(headers) if rest else tuple(each for each in headers if each[0].lower() not in _DROPPED)
    )
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, _JSON if rest else _PLAIN)
    if payload == "2.0":
        cookies: list[Any] = said.get("cookies") or []
        if not isinstance(cookies, list):  # pyright: ignore[reportUnnecessaryIsInstance] - it is what a function said
            raise _malformed("cookies are not a list")
        headers = (*headers, *(("set-cookie", _value("a cookie", each)) for each in cookies))
    return Response(_status(said.get("statusCode")), headers, _body(call, said))


def _status(value: object) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | str)
        or not re.fullmatch(r"[1-5]\d\d", str(value))
    ):
        raise _malformed(f"status code {value!r}")
    if int(value) < 200:
        raise _malformed(f"status code {value}, which ends no exchange")
    return int(value)


def _headers(said: Mapping[str, Any], *, multiple: bool) -> Headers:
    """`headers` and `multiValueHeaders` in one list; what is in both is there once."""
    single: Any = said.get("headers") or {}
    several: Any = (said.get("multiValueHeaders") or {}) if multiple else {}
    if not isinstance(single, dict) or not isinstance(several, dict):
        raise _malformed("headers are not an object")
    found: list[tuple[str, str]] = []
    for name, values in cast("dict[str, Any]", several).items():
        if not isinstance(values, list):
            raise _malformed(f"values of {name} are not a list")
        found += [(_name(name), _value(name, each)) for each in cast("list[Any]", values)]
    for name, value in cast("dict[str, Any]", single).items():
        pair = (_name(name), _value(name, value))
        if pair not in found:
            found.append(pair)
    return tuple(found)


def _name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise _malformed(f"header name {name!r}")
    return name


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise _malformed(f"value of {name} is no text")
    if any(each in str(value) for each in "\r\n\0"):
        raise _malformed(f"value of {name} has a line break")
    return str(value)


def _renamed(headers: Headers) -> Headers:
    return tuple(
        (f"x-amzn-Remapped-{name}" if name.lower() in _RESERVED else name, value) for name, value in headers
    )


def _body(call: Call, said: Mapping[str, Any]) -> bytes:
    text = said.get("body")
    if text is None:
        return b""
    if not isinstance(text, str):
        raise _malformed("the body is no text")
    encoded = said.get("isBase64Encoded", False)
    if not isinstance(encoded, bool):
        raise _malformed("isBase64Encoded is no boolean")
    if not encoded or (call.api.kind == "REST" and not _accepts_binary(call)):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("not invoked", "The body is not base64") from None


def _accepts_binary(call: Call) -> bool:
    """REST APIs ask the first media type of the Accept header, whatever the answer's own type is."""
    wanted = media_type(call.request.header("accept")) or "application/json"
    return matches(wanted, call.api.binary_types)
