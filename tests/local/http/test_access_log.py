"""Access logs, by the format of the stage."""

from __future__ import annotations

import json

import pytest

from blueprints.local.http.api import Iam, Stage
from tests.local.http.harness import Serve, Served, Stub, http_api, rest_api, route

VARIABLES = {
    "id": "requestId",
    "time": "requestTime",
    "epoch": "requestTimeEpoch",
    "ip": "identity.sourceIp",
    "route": "routeKey",
    "path": "path",
    "status": "status",
    "length": "responseLength",
    "method": "httpMethod",
    "stage": "stage",
    "protocol": "protocol",
    "agent": "identity.userAgent",
    "error": "error.message",
    "authorizer": "authorizer.error",
    "integration": "integrationErrorMessage",
    "integrationStatus": "integration.status",
    "unknown": "no.such.variable",
}
FORMAT = json.dumps({name: f"$context.{variable}" for name, variable in VARIABLES.items()})


def entry(served: Served) -> dict[str, str]:
    (line,) = served.log
    served.log.clear()
    return json.loads(line)


def served_with(serve: Serve, stub: Stub | None = None, **settings: object) -> Served:
    routes = (route("GET /pets/{id}"), route("GET /signed", authorizer=Iam()))
    return serve(http_api(*routes, stages=(Stage("$default", log_format=FORMAT),)), stub, **settings)


def test_one_json_line_a_request(serve: Serve) -> None:
    served = served_with(serve)
    reply = served.send("GET", "/pets/1?x=1", {"User-Agent": "a"})
    assert entry(served) == {
        "id": reply.header("apigw-requestid"),
        "time": "04/Mar/2020:19:03:58 +0000",
        "epoch": "1583348638390",
        "ip": "127.0.0.1",
        "route": "GET /pets/{id}",
        "path": "/pets/1",
        "status": "200",
        "length": "2",
        "method": "GET",
        "stage": "$default",
        "protocol": "HTTP/1.1",
        "agent": "a",
        "error": "-",
        "authorizer": "-",
        "integration": "-",
        "integrationStatus": "200",
        "unknown": "-",
    }


def test_what_failed_is_said(serve: Serve) -> None:
    served = served_with(serve, Stub(b"no json"))
    served.send("GET", "/pets/1")
    given = entry(served)
    assert (given["status"], given["integration"]) == ("500", "Malformed Lambda proxy response: not JSON")
    served.send("GET", "/signed")
    given = entry(served)
    assert (given["status"], given["authorizer"]) == ("403", "The request bears no signature")
    served.send("GET", "/nowhere")
    given = entry(served)
    assert (given["status"], given["route"], given["error"]) == ("404", "-", "No route for GET /nowhere")


def test_a_value_cannot_break_the_line(serve: Serve) -> None:
    served = served_with(serve)
    served.send("GET", "/pets/1", {"User-Agent": '", "status": "999'})
    given = entry(served)
    assert (given["agent"], given["status"]) == ('", "status": "999', "200")


@pytest.mark.parametrize(
    "line", ["$context.requestId\n", "$context.identity.sourceIp [$context.requestTime]"]
)
def test_other_formats(serve: Serve, line: str) -> None:
    served = serve(rest_api(stages=(Stage("test", log_format=line),)))
    reply = served.send("GET", "/test/x")
    wanted = {"$context.requestId": reply.header("x-amzn-requestid")}
    assert served.log == [wanted.get(line.strip(), "127.0.0.1 [04/Mar/2020:19:03:58 +0000]")]


def test_no_format_no_line(serve: Serve) -> None:
    served = serve(http_api())
    served.send("GET", "/")
    assert served.log == []


def test_no_stage_no_line(serve: Serve) -> None:
    served = serve(http_api(stages=(Stage("dev", log_format=FORMAT),)))
    assert served.send("GET", "/x").status == 404
    assert served.log == []
