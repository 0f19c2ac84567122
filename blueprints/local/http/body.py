"""Which bodies are text and which are base64, for requests.

HTTP APIs, seen on AWS (https://github.com/ministackorg/ministack/pull/766): text is text/* and JSON, XML and JavaScript
by their application types; everything else, a form or no type at all, is base64. REST APIs ask binaryMediaTypes:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html.
"""

from __future__ import annotations

import base64

from .api import Api
from .call import Call

_TEXT = frozenset({"application/json", "application/xml", "application/javascript"})


def encoded(call: Call) -> tuple[str | None, bool]:
    """The body as the event has it, and whether that is base64. No body is None, never base64."""
    body = call.request.body
    if not body:
        return None, False
    if _is_binary(call.api, media_type(call.request.header("content-type"))):
        return base64.b64encode(body).decode(), True
    return body.decode("utf-8", "replace"), False


def media_type(value: str | None) -> str:
    """`image/png` of `Image/PNG; q=1, text/html`: the first type, without parameters."""
    return (value or "").partition(",")[0].partition(";")[0].strip().lower()


def matches(media: str, declared: tuple[str, ...]) -> bool:
    """Whether a media type is one of binaryMediaTypes, which may be `*/*` or `image/*`."""
    return any(
        each == "*/*"
        or each.lower() == media
        or (each.endswith("/*") and media.startswith(each[:-1].lower()))
        for each in declared
    )


def _is_binary(api: Api, media: str) -> bool:
    if api.kind == "REST":
        # Without a type a REST API reads JSON.
        return matches(media or "application/json", api.binary_types)
    return not (media.startswith("text/") or media in _TEXT)
