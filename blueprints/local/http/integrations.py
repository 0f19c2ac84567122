"""What a route calls, from an OpenAPI extension or from the properties of a resource.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html
and https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html.
"""

from __future__ import annotations

import json
import re

from .api import Function, Integration, Kind, Mock, NotEmulated, PayloadFormat
from .reading import Values, items, mapping, number, pick, texts

# Seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html, and 29 for REST APIs:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_LONGEST: dict[Kind, float] = {"HTTP": 30.0, "REST": 29.0}

_URI = re.compile(r".*:lambda:path/[^/]+/functions/(?P<arn>.+)/invocations")
_HEADER = "method.response.header."


def integration(spec: Values, kind: Kind) -> Integration:
    """`spec` is an x-amazon-apigateway-integration, or Properties of an Integration in either API version."""
    type_name = str(pick(spec, "type", "Type", "IntegrationType")).upper()
    if kind == "REST" and type_name == "MOCK":
        return _mock(spec)
    if type_name != "AWS_PROXY":
        return NotEmulated(f"integration {type_name}")
    for name in ("subtype", "IntegrationSubtype", "integrationSubtype"):
        if spec.get(name):
            return NotEmulated(f"integration {spec[name]}")
    if str(pick(spec, "responseTransferMode", "ResponseTransferMode")).upper() == "STREAM":
        return NotEmulated("response streaming")
    if kind == "HTTP" and pick(
        spec, "requestParameters", "RequestParameters", "responseParameters", "ResponseParameters"
    ):
        return NotEmulated("parameter mapping")
    return _function(spec, kind)


def _function(spec: Values, kind: Kind) -> Integration:
    uri = str(pick(spec, "uri", "Uri", "IntegrationUri"))
    found = _URI.fullmatch(uri)
    arn = found["arn"] if found else uri
    if "${" in arn:
        return NotEmulated("stage variables in the integration's URI")
    if ":lambda:" not in arn:
        return NotEmulated(f"integration with {uri}")
    milliseconds = number(pick(spec, "timeoutInMillis", "TimeoutInMillis"))
    longest = _LONGEST[kind]
    timeout = longest if milliseconds is None else milliseconds / 1000
    version = str(pick(spec, "payloadFormatVersion", "PayloadFormatVersion") or "1.0")
    if version not in ("1.0", "2.0"):
        return NotEmulated(f"payload format {version}")
    payload: PayloadFormat = "1.0" if kind == "REST" else version
    return Function(arn, payload, timeout)


def _mock(spec: Values) -> Integration:
    """The answer of a MOCK integration, if none of its templates needs an interpreter."""
    request = _template(mapping(pick(spec, "requestTemplates", "RequestTemplates")), '{"statusCode": 200}')
    try:
        status = str(mapping(json.loads(request)).get("statusCode"))
    except ValueError:
        return NotEmulated("mapping templates (VTL)")
    answer = _response(spec, status)
    if answer is None:
        return NotEmulated(f"a MOCK integration without an answer for status {status}")
    body = _template(mapping(pick(answer, "responseTemplates", "ResponseTemplates")), "")
    parameters = mapping(pick(answer, "responseParameters", "ResponseParameters"))
    if "$" in body or "#" in body:
        return NotEmulated("mapping templates (VTL)")
    headers: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if not name.startswith(_HEADER) or not re.fullmatch("'[^']*'", str(value)):
            return NotEmulated(f"response parameter {value}")
        headers.append((name.removeprefix(_HEADER), str(value)[1:-1]))
    return Mock(int(str(pick(answer, "statusCode", "StatusCode") or status)), tuple(headers), body)


def _response(spec: Values, status: str) -> Values | None:
    """The integration response whose pattern the status matches, else the one without a pattern."""
    answers = [(pattern, mapping(each)) for pattern, each in mapping(spec.get("responses")).items()]
    answers += [
        (str(mapping(each).get("SelectionPattern") or "default"), mapping(each))
        for each in items(spec.get("IntegrationResponses"))
    ]
    matching = [each for pattern, each in answers if pattern != "default" and re.fullmatch(pattern, status)]
    default = [each for pattern, each in answers if pattern == "default"]
    return next(iter(matching + default), None)


def _template(templates: Values, otherwise: str) -> str:
    return str(templates.get("application/json", next(iter(texts(list(templates.values()))), otherwise)))
