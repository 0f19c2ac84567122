"""CORS: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html."""

from __future__ import annotations

import pytest

from blueprints.local.http.api import Cors, Iam, Mock
from tests.local.http.harness import Serve, Stub, http_api, rest_api, route

CORS = Cors(("https://a.example",), ("GET", "PUT"), ("authorization", "x-a"), ("x-b",), 600, True)
ASKED = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("key", ["GET /x", "ANY /x", "$default", "OPTIONS /x"])
def test_the_gateway_answers_a_preflight(serve: Serve, key: str) -> None:
    served = serve(http_api(route(key), cors=CORS))
    reply = served.send("OPTIONS", "/x", ASKED)
    given = {name: values for name, values in reply.headers.items() if name.startswith("access-control")}
    assert (reply.status, reply.body, served.stub.events) == (204, b"", [])
    assert given == {
        "access-control-allow-origin": ["https://a.example"],
        "access-control-allow-credentials": ["true"],
        "access-control-allow-methods": ["GET,PUT"],
        "access-control-allow-headers": ["authorization,x-a"],
        "access-control-max-age": ["600"],
    }


@pytest.mark.parametrize("key", ["ANY /x", "$default"])
def test_a_route_that_catches_options_has_its_authorizer_asked(serve: Serve, key: str) -> None:
    served = serve(http_api(route(key, authorizer=Iam()), cors=CORS))
    assert served.send("OPTIONS", "/x", ASKED).status == 403


def test_a_stranger_gets_no_permission(serve: Serve) -> None:
    reply = serve(http_api(cors=CORS)).send("OPTIONS", "/x", ASKED | {"Origin": "https://b.example"})
    assert reply.status == 204
    assert not any(name.startswith("access-control") for name in reply.headers)


def test_options_that_are_no_preflight_are_routed(serve: Serve) -> None:
    served = serve(http_api(route("GET /x"), cors=CORS))
    assert served.send("OPTIONS", "/x").status == 404
    assert served.send("OPTIONS", "/x", {"Origin": "https://a.example"}).status == 404


def test_headers_of_the_function_are_replaced(serve: Serve) -> None:
    own = {"Access-Control-Allow-Origin": "*", "access-control-allow-methods": "*", "X-Own": "1"}
    served = serve(http_api(cors=CORS), Stub({"statusCode": 200, "headers": own}))
    reply = served.send("GET", "/x", {"Origin": "https://a.example"})
    assert reply.header("access-control-allow-origin") == "https://a.example"
    assert reply.header("access-control-expose-headers") == "x-b"
    assert reply.header("access-control-allow-methods") is None
    assert reply.header("x-own") == "1"
    reply = served.send("GET", "/x")
    assert not any(name.startswith("access-control") for name in reply.headers)


def test_without_a_configuration_the_function_speaks_for_itself(serve: Serve) -> None:
    own = {"Access-Control-Allow-Origin": "https://own.example"}
    served = serve(http_api(), Stub({"statusCode": 200, "headers": own}))
    reply = served.send("OPTIONS", "/x", ASKED)
    assert reply.header("access-control-allow-origin") == "https://own.example"
    assert len(served.stub.events) == 1


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", "https://a.example", "*"),
        ("https://*", "https://a.example", "https://a.example"),
        ("https://*", "http://a.example", None),
        ("http://*", "http://a.example:8080", "http://a.example:8080"),
        ("https://a.example", "https://A.example", "https://A.example"),
        ("https://a.example", "https://a.example.evil", None),
        ("https://a.example", "https://a.example:444", None),
    ],
)
def test_origins(serve: Serve, pattern: str, origin: str, allowed: str | None) -> None:
    reply = serve(http_api(cors=Cors((pattern,)))).send("GET", "/x", {"Origin": origin})
    assert reply.header("access-control-allow-origin") == allowed


def test_a_rest_api_answers_with_its_mock(serve: Serve) -> None:
    headers = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET,PUT"))
    mock = route("OPTIONS /x", integration=Mock(200, headers, "{}\n"))
    served = serve(rest_api(mock, route("GET /x", "1.0")))
    reply = served.send("OPTIONS", "/test/x", ASKED)
    assert (reply.status, reply.body, served.stub.events) == (200, b"{}\n", [])
    assert reply.header("access-control-allow-origin") == "*"
    assert reply.header("access-control-allow-methods") == "GET,PUT"
    assert reply.header("content-type") == "application/json"
    assert "access-control-allow-origin" not in served.send("GET", "/test/x").headers
