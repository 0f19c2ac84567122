"""Events as the developer guide has them, field by field, for requests that would cause them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
What a run alone can know (ids, ports) is compared by form.
"""

from __future__ import annotations

import re
from typing import Any, cast

import pytest

from blueprints.local.http.api import Stage
from tests.local.http.harness import Serve, http_api, rest_api, route

VARIABLES = {"stageVariable1": "value1", "stageVariable2": "value2"}
HEADERS = [
    ("User-Agent", "agent"),
    ("Header1", "value1"),
    ("Header2", "value1"),
    ("Header2", "value2"),
    ("Content-Type", "text/plain"),
]
QUERY = "parameter1=value1&parameter1=value2&parameter2=value"


def checked(event: dict[str, Any], place: str, pattern: str) -> None:
    """Takes a value that no golden event can hold out of an event, after a look at its form."""
    *path, last = place.split("/")
    for step in path:
        event = event[step]
    value: Any = event.pop(last)
    for each in cast("list[str]", value if isinstance(value, list) else [value]):
        assert re.fullmatch(pattern, each), (place, each)


def test_format_2(serve: Serve) -> None:
    served = serve(http_api(stages=(Stage("$default", VARIABLES),)))
    headers = [*HEADERS, ("Cookie", "cookie1; cookie2")]
    served.send("POST", f"/my/path?{QUERY}", headers, b"Hello from Lambda")
    event = served.stub.event
    checked(event, "requestContext/requestId", r"[A-Za-z0-9]{15}=")
    checked(event, "headers/x-amzn-trace-id", r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
    checked(event, "headers/x-forwarded-port", str(served.port))
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
        "cookies": ["cookie1", "cookie2"],
        "headers": {
            "host": "api.example",
            "user-agent": "agent",
            "header1": "value1",
            "header2": "value1,value2",
            "content-type": "text/plain",
            "content-length": "17",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "agent",
            },
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": "Hello from Lambda",
        "isBase64Encoded": False,
        "stageVariables": {"stageVariable1": "value1", "stageVariable2": "value2"},
    }


def test_format_2_without_what_a_request_may_lack(serve: Serve) -> None:
    served = serve(http_api(route("GET /pets/{petID}")))
    served.send("GET", "/pets/6")
    assert served.stub.event["pathParameters"] == {"petID": "6"}
    assert served.stub.event["rawQueryString"] == ""
    assert served.stub.event["headers"]["content-length"] == "0"
    absent = {"cookies", "queryStringParameters", "body", "stageVariables"}
    assert not absent & served.stub.event.keys()
    assert "authorizer" not in served.stub.event["requestContext"]


def test_format_1_of_http_apis(serve: Serve) -> None:
    served = serve(http_api(route("POST /my/path", "1.0")))
    served.send("POST", f"/my/path?{QUERY}", HEADERS, b"Hello from Lambda!")
    event = served.stub.event
    checked(event, "requestContext/requestId", r"[A-Za-z0-9]{15}=")
    checked(event, "requestContext/extendedRequestId", r"[A-Za-z0-9]{15}=")
    for place in ("headers", "multiValueHeaders"):
        checked(event, f"{place}/x-amzn-trace-id", r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
        checked(event, f"{place}/x-forwarded-port", str(served.port))
    assert event == {
        "version": "1.0",
        "resource": "/my/path",
        "path": "/my/path",
        "httpMethod": "POST",
        "headers": {
            "host": "api.example",
            "user-agent": "agent",
            "header1": "value1",
            "header2": "value2",
            "content-type": "text/plain",
            "content-length": "18",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
        },
        "multiValueHeaders": {
            "host": ["api.example"],
            "user-agent": ["agent"],
            "header1": ["value1"],
            "header2": ["value1", "value2"],
            "content-type": ["text/plain"],
            "content-length": ["18"],
            "x-forwarded-for": ["127.0.0.1"],
            "x-forwarded-proto": ["http"],
        },
        "queryStringParameters": {"parameter1": "value1", "parameter2": "value"},
        "multiValueQueryStringParameters": {"parameter1": ["value1", "value2"], "parameter2": ["value"]},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "authorizer": {"claims": None, "scopes": None},
            "domainName": "api.example",
            "domainPrefix": "api",
            "httpMethod": "POST",
            "identity": IDENTITY | {"userAgent": "agent"},
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "requestTime": "04/Mar/2020:19:03:58 +0000",
            "requestTimeEpoch": 1583348638390,
            "resourceId": None,
            "resourcePath": "/my/path",
            "stage": "$default",
        },
        "pathParameters": None,
        "stageVariables": None,
        "body": "Hello from Lambda!",
        "isBase64Encoded": False,
    }


IDENTITY = {
    "accessKey": None,
    "accountId": None,
    "caller": None,
    "cognitoAuthenticationProvider": None,
    "cognitoAuthenticationType": None,
    "cognitoIdentityId": None,
    "cognitoIdentityPoolId": None,
    "principalOrgId": None,
    "sourceIp": "127.0.0.1",
    "user": None,
    "userAgent": None,
    "userArn": None,
}


def test_rest_event(serve: Serve) -> None:
    stage = Stage("testStage", {"stageVariableName": "stageVariableValue"})
    served = serve(rest_api(route("ANY /{proxy+}", "1.0"), stages=(stage,)))
    target = "/testStage/hello/world?name=me&multivalueName=you&multivalueName=me"
    headers = {"Content-Type": "application/json", "headerName": "headerValue"}
    served.send("POST", target, headers, b'{\r\n\t"a": 1\r\n}')
    event = served.stub.event
    checked(event, "requestContext/requestId", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    checked(event, "requestContext/extendedRequestId", r"[A-Za-z0-9]{15}=")
    checked(event, "requestContext/resourceId", r"[0-9a-z]{6}")
    for place in ("headers", "multiValueHeaders"):
        checked(event, f"{place}/X-Amzn-Trace-Id", r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
        checked(event, f"{place}/X-Forwarded-Port", str(served.port))
    assert event == {
        "resource": "/{proxy+}",
        "path": "/hello/world",
        "httpMethod": "POST",
        "headers": {
            "Host": "api.example",
            "Content-Type": "application/json",
            "headerName": "headerValue",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "http",
        },
        "multiValueHeaders": {
            "Host": ["api.example"],
            "Content-Type": ["application/json"],
            "headerName": ["headerValue"],
            "X-Forwarded-For": ["127.0.0.1"],
            "X-Forwarded-Proto": ["http"],
        },
        "queryStringParameters": {"name": "me", "multivalueName": "me"},
        "multiValueQueryStringParameters": {"name": ["me"], "multivalueName": ["you", "me"]},
        "pathParameters": {"proxy": "hello/world"},
        "stageVariables": {"stageVariableName": "stageVariableValue"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "api.example",
            "domainPrefix": "api",
            "httpMethod": "POST",
            "identity": IDENTITY,
            "path": "/testStage/hello/world",
            "protocol": "HTTP/1.1",
            "requestTime": "04/Mar/2020:19:03:58 +0000",
            "requestTimeEpoch": 1583348638390,
            "resourcePath": "/{proxy+}",
            "stage": "testStage",
        },
        "body": '{\r\n\t"a": 1\r\n}',
        "isBase64Encoded": False,
    }


def test_rest_event_has_null_for_what_is_absent(serve: Serve) -> None:
    served = serve(rest_api(route("GET /pets", "1.0")))
    served.send("GET", "/test/pets")
    nulls = (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    )
    assert {name: served.stub.event[name] for name in nulls} == dict.fromkeys(nulls)


@pytest.mark.parametrize(
    ("path", "stage", "raw", "inside"),
    [
        ("/dev/pets", "dev", "/dev/pets", "/pets"),
        ("/pets", "$default", "/pets", "/pets"),
        ("/developer", "$default", "/developer", "/developer"),
        ("/dev", "dev", "/dev", "/"),
    ],
)
def test_a_named_stage_is_the_first_part_of_the_path(
    serve: Serve, path: str, stage: str, raw: str, inside: str
) -> None:
    routes = [route(f"GET {each}") for each in ("/pets", "/developer", "/")]
    served = serve(http_api(*routes, stages=(Stage("dev"), Stage("$default"))))
    assert served.send("GET", path).status == 200
    event = served.stub.event
    context = event["requestContext"]
    assert (context["stage"], event["rawPath"], context["http"]["path"]) == (stage, raw, raw)
    assert event["routeKey"] == f"GET {inside}"


def test_forwarded_for_and_capitals(serve: Serve) -> None:
    served = serve(rest_api())
    headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Two", "a"), ("x-two", "b"), ("Connection", "close")]
    served.send("GET", "/test/x", headers)
    given = served.stub.event["multiValueHeaders"]
    assert given["X-Forwarded-For"] == ["192.0.2.1, 127.0.0.1"]
    assert given["X-Two"] == ["a", "b"]
    assert "x-two" not in given
    assert "Connection" not in given


TYPES = [
    ("text/plain", False),
    ("text/html; charset=utf-8", False),
    ("application/json", False),
    ("Application/JSON;charset=UTF-8", False),
    ("application/xml", False),
    ("application/javascript", False),
    ("application/x-www-form-urlencoded", True),
    ("multipart/form-data; boundary=x", True),
    ("application/octet-stream", True),
    ("image/png", True),
    (None, True),
]


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
@pytest.mark.parametrize(("content_type", "binary"), TYPES)
def test_bodies_of_http_apis(serve: Serve, payload: Any, content_type: str | None, binary: bool) -> None:
    served = serve(http_api(route(payload=payload)))
    served.send("POST", "/", {"Content-Type": content_type} if content_type else {}, b"hello")
    event = served.stub.event
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if binary else ("hello", False))


@pytest.mark.parametrize(
    ("declared", "content_type", "binary"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/png",), "image/jpeg", False),
        (("image/*",), "image/jpeg", True),
        (("*/*",), "application/json", True),
        (("*/*",), None, True),
        (("application/octet-stream",), None, False),
    ],
)
def test_bodies_of_rest_apis(
    serve: Serve, declared: tuple[str, ...], content_type: str | None, binary: bool
) -> None:
    served = serve(rest_api(binary_types=declared))
    served.send("POST", "/test/x", {"Content-Type": content_type} if content_type else {}, b"hello")
    event = served.stub.event
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if binary else ("hello", False))
