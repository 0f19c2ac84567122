"""CORS of HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html.

The gateway answers preflights itself and ignores CORS headers of the integration. REST APIs know nothing of it; their
preflight is an OPTIONS method with a MOCK integration.
"""

from __future__ import annotations

from .api import Cors
from .message import Headers, Request, Response

_PREFIX = "access-control-"


def preflight(cors: Cors, request: Request) -> Response | None:
    """The gateway's answer to a preflight; None for any other request. A stranger's gets no CORS headers."""
    if request.method != "OPTIONS" or request.header("access-control-request-method") is None:
        return None
    if request.header("origin") is None:
        return None
    origin = _origin(cors, request)
    if not origin:
        return Response(204, (), b"")
    allowed = [("access-control-allow-methods", cors.methods), ("access-control-allow-headers", cors.headers)]
    headers = [(name, ",".join(values)) for name, values in allowed if values]
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    return Response(204, (*origin, *headers), b"")


def decorated(cors: Cors, request: Request, response: Response) -> Response:
    """The integration's response with the configured CORS headers in place of its own."""
    kept = tuple(each for each in response.headers if not each[0].lower().startswith(_PREFIX))
    return Response(
        response.status, (*kept, *_origin(cors, request), *_exposed(cors, request)), response.body
    )


def _exposed(cors: Cors, request: Request) -> Headers:
    wanted = cors.exposed and _origin(cors, request)
    return (("access-control-expose-headers", ",".join(cors.exposed)),) if wanted else ()


def _origin(cors: Cors, request: Request) -> Headers:
    origin = request.header("origin")
    if origin is None:
        return ()
    if "*" in cors.origins:
        allowed = "*"
    elif any(_allows(each, origin) for each in cors.origins):
        allowed = origin
    else:
        return ()
    credentials = (("access-control-allow-credentials", "true"),) if cors.credentials else ()
    return (("access-control-allow-origin", allowed), *credentials)


def _allows(pattern: str, origin: str) -> bool:
    if pattern in ("http://*", "https://*"):
        return origin.startswith(pattern[:-1])
    return pattern.lower() == origin.lower()
