"""What a function is given: payload format 2.0, format 1.0 of HTTP APIs, and the event of REST APIs.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
Observed on AWS: HTTP APIs decode `rawPath` and `path`, REST APIs do not
(https://github.com/middleapi/standard-server/pull/93); cookies leave the headers of format 2.0
(https://github.com/Kludex/mangum/pull/153).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from .api import PayloadFormat
from .body import encoded
from .call import Bearer, Call, Signer
from .fields import grouped, http_headers, query_values, rest_headers

# Belong to one connection, so they end at the gateway.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_NOBODY = (
    "cognitoIdentityPoolId",
    "cognitoIdentityId",
    "principalOrgId",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
)


def event(call: Call, payload: PayloadFormat) -> dict[str, Any]:
    """The event, ready for json.dumps."""
    if call.api.kind == "REST":
        return _rest(call)
    return _version_2(call) if payload == "2.0" else _version_1(call)


def _version_2(call: Call) -> dict[str, Any]:
    request, match = call.request, call.matched
    path = unquote(request.path, errors="replace")
    headers = {
        name: ",".join(values) for name, values in grouped(http_headers(call)).items() if name != "cookie"
    }
    cookies = [
        part.strip()
        for name, value in request.headers
        if name.lower() == "cookie"
        for part in value.split(";")
    ]
    query = {name: ",".join(values) for name, values in query_values(call).items()}
    text, is_binary = encoded(call)
    optional = {
        "cookies": cookies,
        "queryStringParameters": query,
        "pathParameters": match.parameters,
        "stageVariables": dict(match.stage.variables),
        "body": text,
    }
    return {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context_2(call, path),
        "isBase64Encoded": is_binary,
        **{name: value for name, value in optional.items() if value},
    }


def _context_2(call: Call, path: str) -> dict[str, Any]:
    request, match = call.request, call.matched
    context: dict[str, Any] = {
        "accountId": call.api.account,
        "apiId": call.api.id,
        "domainName": call.host,
        "domainPrefix": call.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": call.id,
        "routeKey": match.route.key,
        "stage": match.stage.name,
        "time": call.clf_time,
        "timeEpoch": call.epoch_ms,
    }
    if isinstance(call.caller, Bearer):
        context["authorizer"] = {"jwt": _jwt(call.caller)}
    if isinstance(call.caller, Signer):
        context["authorizer"] = {"iam": _iam(call.caller)}
    return context


def _iam(caller: Signer) -> dict[str, Any]:
    return {
        "accessKey": caller.access_key,
        "accountId": caller.account,
        "callerId": caller.account,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.account,
    }


def _jwt(caller: Bearer) -> dict[str, Any]:
    claims = {name: _flat(value) for name, value in caller.claims.items()}
    return {"claims": claims, "scopes": None if caller.scopes is None else list(caller.scopes)}


def _flat(value: Any) -> str:
    """Claims reach the function as text; a list as `[a b]`."""
    if isinstance(value, list):
        return "[" + " ".join(_flat(each) for each in value) + "]"  # pyright: ignore[reportUnknownVariableType]
    return value if isinstance(value, str) else json.dumps(value)


def _version_1(call: Call) -> dict[str, Any]:
    """Format 1.0 of HTTP APIs. Of several values the single-value map has the last header and the first parameter."""
    path = unquote(call.request.path, errors="replace")
    headers, query = grouped(http_headers(call)), query_values(call)
    context = _context_1(call, path)
    caller = call.caller
    authorizer = _jwt(caller) if isinstance(caller, Bearer) else {"claims": None, "scopes": None}
    return {
        "version": "1.0",
        **_common(call, path, headers),
        "queryStringParameters": {name: values[0] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {**context, "authorizer": authorizer, "resourceId": None},
    }


def _rest(call: Call) -> dict[str, Any]:
    """The event of a REST API: names keep their capitals, paths their encoding, the last value stands alone."""
    headers = grouped(rest_headers(call), lower=False)
    query = query_values(call)
    context = _context_1(call, call.request.path)
    return {
        **_common(call, call.matched.path, headers),
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {**context, "resourceId": _resource_id(call.matched.route.path)},
    }


def _common(call: Call, path: str, headers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    match = call.matched
    text, is_binary = encoded(call)
    return {
        "resource": match.route.path,
        "path": path,
        "httpMethod": call.request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "pathParameters": match.parameters or None,
        "stageVariables": dict(match.stage.variables) or None,
        "body": text,
        "isBase64Encoded": is_binary,
    }


def _context_1(call: Call, path: str) -> dict[str, Any]:
    request, match = call.request, call.matched
    signer = call.caller if isinstance(call.caller, Signer) else None
    account = signer.account if signer else None
    return {
        "accountId": call.api.account,
        "apiId": call.api.id,
        "domainName": call.host,
        "domainPrefix": call.host.partition(".")[0],
        "extendedRequestId": call.extended_id,
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys(_NOBODY),
            "accessKey": signer.access_key if signer else None,
            "accountId": account,
            "caller": account,
            "sourceIp": request.source_ip,
            "user": account,
            "userAgent": request.header("user-agent"),
            "userArn": signer.arn if signer else None,
        },
        "path": path,
        "protocol": request.protocol,
        "requestId": call.id,
        "requestTime": call.clf_time,
        "requestTimeEpoch": call.epoch_ms,
        "resourcePath": match.route.path,
        "stage": match.stage.name,
    }


def _resource_id(path: str) -> str:
    """Six characters, always the same for one path."""
    import hashlib

    return hashlib.sha256(path.encode()).hexdigest()[:6]
