"""Access logs: a stage's format with its $context variables filled in.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
and https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html.
A variable without a value is written as `-`. Values are escaped as JSON, which is what formats are in practice.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .call import Bearer, Call, Signer
from .message import Response

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_:-]+)*)")


def line(template: str, call: Call, response: Response, latency: float) -> str:
    """One line. `latency` in seconds."""
    values = _values(call, response, latency)

    def fill(found: re.Match[str]) -> str:
        value = values.get(found[1])
        return "-" if value in (None, "") else json.dumps(str(value), ensure_ascii=False)[1:-1]

    return _VARIABLE.sub(fill, template).replace("\n", " ").strip()


def _values(call: Call, response: Response, latency: float) -> dict[str, Any]:
    request, match = call.request, call.match
    message = call.notes.get("error.message")
    return {
        "accountId": call.api.account,
        "apiId": call.api.id,
        "dataProcessed": len(request.body) + len(response.body),
        "domainName": call.host,
        "domainPrefix": call.host.partition(".")[0],
        "error.messageString": json.dumps(message) if message else None,
        "extendedRequestId": call.extended_id,
        "httpMethod": request.method,
        "identity.sourceIp": request.source_ip,
        "identity.userAgent": request.header("user-agent"),
        "path": request.path,
        "protocol": request.protocol,
        "requestId": call.id,
        "requestTime": call.clf_time,
        "requestTimeEpoch": call.epoch_ms,
        "resourcePath": match.route.path if match else None,
        "responseLatency": round(latency * 1000),
        "responseLength": len(response.body),
        "routeKey": match.route.key if match else None,
        "stage": call.stage.name if call.stage else None,
        "status": response.status,
        "xrayTraceId": call.trace_id,
        **_caller(call),
        **call.notes,
    }


def _caller(call: Call) -> dict[str, Any]:
    caller = call.caller
    if isinstance(caller, Bearer):
        return {f"authorizer.claims.{name}": value for name, value in caller.claims.items()}
    if isinstance(caller, Signer):
        account = dict.fromkeys(("identity.accountId", "identity.caller", "identity.user"), caller.account)
        return {**account, "identity.accessKey": caller.access_key, "identity.userArn": caller.arn}
    return {}
