"""What API Gateway answers by itself, in the words of HTTP APIs and of REST APIs.

Sources:
- REST: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
- a function that fails or answers out of form is a 502, an invocation that Lambda refuses a 500 (REST):
  https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
- HTTP: {"message":"Not Found"}, https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
  and {"message":"Internal Server Error"}, .../http-api-troubleshooting-lambda.html
- REST IAM: https://repost.aws/knowledge-center/api-gateway-iam-sigv4-mismatch
Not documented, taken from reports of what was seen: HTTP APIs answer 503 for a time-out and for a throttled function
(https://github.com/serverless/serverless/issues/11222), the words for 413 and 431. The 501 is this front's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .api import Kind
from .message import Headers, Response

_JSON = ("content-type", "application/json")
_TEXT = ("content-type", "text/plain")

# name: (status, body of an HTTP API), (status, body of a REST API, x-amzn-ErrorType)
_NO_FUNCTION = "Internal server error"
_WORDS: dict[str, tuple[tuple[int, str], tuple[int, str, str]]] = {
    "no route": (
        (404, "Not Found"),
        (403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
    ),
    "no stage": ((404, "Not Found"), (403, "Forbidden", "ForbiddenException")),
    "bad request": ((400, "Bad Request"), (400, "Bad Request", "BadRequestException")),
    "slow": ((408, "Request Timeout"), (408, "Request Timeout", "RequestTimeoutException")),
    "unauthorized": ((401, "Unauthorized"), (401, "Unauthorized", "UnauthorizedException")),
    "forbidden": ((403, "Forbidden"), (403, "Forbidden", "ForbiddenException")),
    "unsigned": (
        (403, "Forbidden"),
        (403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
    ),
    "signature": ((403, "Forbidden"), (403, "", "InvalidSignatureException")),
    "throttled": ((429, "Too Many Requests"), (429, "Too Many Requests", "TooManyRequestsException")),
    "event too large": (
        (413, "Request Entity Too Large"),
        (413, "Request Too Long", "RequestTooLargeException"),
    ),
    "body too large": (
        (413, "Request Entity Too Large"),
        (413, "HTTP content length exceeded 10485760 bytes.", ""),
    ),
    "headers too large": (
        (431, "Request Header Fields Too Large"),
        (431, "HTTP header is larger than 10240 bytes.", ""),
    ),
    "function failed": ((500, "Internal Server Error"), (502, _NO_FUNCTION, "InternalServerErrorException")),
    "not invoked": ((500, "Internal Server Error"), (500, _NO_FUNCTION, "InternalServerErrorException")),
    "function throttled": ((503, "Service Unavailable"), (500, _NO_FUNCTION, "InternalServerErrorException")),
    "timed out": (
        (503, "Service Unavailable"),
        (504, "Endpoint request timed out", "InternalServerErrorException"),
    ),
    "bug": ((500, "Internal Server Error"), (500, _NO_FUNCTION, "InternalServerErrorException")),
    "not emulated": ((501, "Not Emulated"), (501, "Not Emulated", "NotEmulatedException")),
}


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """The gateway answers without the function's word. `detail` is for the access log, and REST APIs tell it to who
    signed wrong."""

    name: str
    detail: str = ""
    headers: Headers = ()
    error_type: str = ""

    def response(self, kind: Kind) -> Response:
        http, rest = _WORDS[self.name]
        if kind == "HTTP":
            status, words = http
            body = json.dumps({"message": words}, separators=(",", ":"), ensure_ascii=False)
            return Response(status, (_JSON, *self.headers), body.encode())
        status, words, error_type = rest
        if not error_type:  # refused before it is known which API is meant
            return Response(status, (_TEXT,), words.encode())
        named = ("x-amzn-ErrorType", self.error_type or error_type)
        body = json.dumps({"message": words or self.detail}, ensure_ascii=False)
        return Response(status, (_JSON, named, *self.headers), body.encode())
