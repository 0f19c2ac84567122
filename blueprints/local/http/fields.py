"""Headers and query strings as events have them: many values to a name."""

from __future__ import annotations

from urllib.parse import parse_qsl

from .call import Call
from .message import Headers

# Those of one connection end at the gateway, the others it writes itself.
_HOP_BY_HOP = (
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
)
_WRITTEN = ("content-length", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto")
_OWN = frozenset((*_HOP_BY_HOP, *_WRITTEN))


def http_headers(call: Call) -> Headers:
    """Headers of HTTP APIs: names in lower case, a length even where there is no body."""
    added = (
        ("content-length", str(len(call.request.body))),
        ("x-amzn-trace-id", call.trace_id),
        ("x-forwarded-for", _forwarded(call)),
        ("x-forwarded-port", str(call.request.port)),
        ("x-forwarded-proto", "http"),
    )
    return (*_passed(call), *added)


def rest_headers(call: Call) -> Headers:
    """Headers of REST APIs: names as the client spelt them, and no length."""
    added = (
        ("X-Amzn-Trace-Id", call.trace_id),
        ("X-Forwarded-For", _forwarded(call)),
        ("X-Forwarded-Port", str(call.request.port)),
        ("X-Forwarded-Proto", "http"),
    )
    return (*_passed(call), *added)


def _passed(call: Call) -> Headers:
    """The client's headers, without those of the connection and those that the gateway writes."""
    return tuple(each for each in call.request.headers if each[0].lower() not in _OWN)


def _forwarded(call: Call) -> str:
    said = [value for name, value in call.request.headers if name.lower() == "x-forwarded-for"]
    return ", ".join([*said, call.request.source_ip])


def grouped(headers: Headers, *, lower: bool = True) -> dict[str, list[str]]:
    """Values by name; names that differ in capitals are one, under the first spelling."""
    names: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for name, value in headers:
        key = names.setdefault(name.lower(), name.lower() if lower else name)
        found.setdefault(key, []).append(value)
    return found


def query_values(call: Call) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(call.request.query, keep_blank_values=True, max_num_fields=None):
        found.setdefault(name, []).append(value)
    return found
