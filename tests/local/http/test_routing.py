"""Which route a request takes."""

from __future__ import annotations

import pytest

from blueprints.local.http.api import Stage
from tests.local.http.harness import Serve, http_api, rest_api, route

NOT_FOUND = b'{"message":"Not Found"}'
NO_TOKEN = b'{"message": "Missing Authentication Token"}'


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        # The table of http-api-develop-routes.html, "Routing API requests".
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
    ],
)
def test_the_documented_example(serve: Serve, method: str, path: str, key: str) -> None:
    keys = ["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"]
    for order in (keys, keys[::-1]):
        served = serve(http_api(*map(route, order)))
        assert served.send(method, path).status == 200
        assert served.stub.event["routeKey"] == key


@pytest.mark.parametrize(
    ("keys", "request_line", "key"),
    [
        (["ANY /a", "GET /a"], "GET /a", "GET /a"),
        (["ANY /a", "GET /a"], "PUT /a", "ANY /a"),
        (["GET /a/{x}", "ANY /{proxy+}"], "PUT /a/1", "ANY /{proxy+}"),
        (["GET /a", "$default"], "PUT /a", "$default"),
        (["GET /{x}/b", "GET /a/{proxy+}"], "GET /a/b", "GET /{x}/b"),  # full before greedy
        (["GET /{x}/b", "GET /a/{y}"], "GET /a/b", "GET /a/{y}"),
        (["GET /{proxy+}"], "GET /", "GET /{proxy+}"),
        (["GET /"], "GET /", "GET /"),
        (["GET /a"], "GET /%61", "GET /a"),
    ],
)
def test_precedence(serve: Serve, keys: list[str], request_line: str, key: str) -> None:
    served = serve(http_api(*map(route, keys)))
    method, path = request_line.split(" ", 1)
    assert served.send(method, path).status == 200
    assert served.stub.event["routeKey"] == key


@pytest.mark.parametrize(
    ("keys", "request_line"),
    [
        (["GET /a"], "GET /b"),
        (["GET /a"], "PUT /a"),
        (["GET /a"], "GET /a/"),
        (["GET /a"], "GET /A"),
        (["GET /a/{x}"], "GET /a"),
        (["GET /a/{x}"], "GET /a/"),
        (["GET /a/{x}"], "GET /a/1/2"),
        (["GET /a/{x}"], "GET //a/1"),
        (["GET /a/{proxy+}"], "GET /a"),
        (["$default"], None),
        (["ANY /a"], "TRACE /a"),
    ],
)
def test_http_api_not_found(serve: Serve, keys: list[str], request_line: str | None) -> None:
    stages = (Stage("dev"),) if request_line is None else (Stage("$default"),)
    served = serve(http_api(*map(route, keys), stages=stages))
    method, path = (request_line or "GET /a").split(" ", 1)
    reply = served.send(method, path)
    assert (reply.status, reply.body, served.stub.events) == (404, NOT_FOUND, [])


def test_a_route_for_get_does_not_answer_head(serve: Serve) -> None:
    served = serve(http_api(route("GET /a"), route("ANY /b")))
    assert served.send("HEAD", "/a").status == 404
    assert served.send("HEAD", "/b").status == 200


@pytest.mark.parametrize(
    ("keys", "request_line"),
    [
        (["GET /a"], "GET /test/b"),
        (["GET /a"], "PUT /test/a"),
        (["GET /a/{x}", "ANY /{proxy+}"], "PUT /test/a/1"),  # the resource is chosen before its method
        (["GET /a/b", "ANY /{proxy+}"], "GET /test/a"),  # a resource without methods hides a greedy one
        (["ANY /{proxy+}"], "GET /test"),
        (["ANY /{proxy+}"], "GET /test/"),
    ],
)
def test_rest_api_without_a_method(serve: Serve, keys: list[str], request_line: str) -> None:
    served = serve(rest_api(*(route(key, "1.0") for key in keys)))
    method, path = request_line.split(" ", 1)
    reply = served.send(method, path)
    assert (reply.status, reply.body, served.stub.events) == (403, NO_TOKEN, [])
    assert reply.header("x-amzn-errortype") == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("path", ["/", "/a", "/wrong/a"])
def test_rest_api_without_the_stage(serve: Serve, path: str) -> None:
    reply = serve(rest_api(route("GET /a", "1.0"))).send("GET", path)
    assert (reply.status, reply.json) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("path", "resource", "event_path"),
    [
        ("/test/thing/", "/thing", "/thing/"),
        ("/test/thing", "/thing", "/thing"),
        ("/test/x/y%20z", "/{proxy+}", "/x/y%20z"),
    ],
)
def test_rest_paths_stay_as_they_came(serve: Serve, path: str, resource: str, event_path: str) -> None:
    served = serve(rest_api(route("GET /thing", "1.0"), route("GET /{proxy+}", "1.0")))
    assert served.send("GET", path).status == 200
    event = served.stub.event
    assert (event["resource"], event["path"], event["requestContext"]["path"]) == (resource, event_path, path)


@pytest.mark.parametrize(
    ("path", "raw", "value"),
    [
        ("/a/b%20c", "/a/b c", "b c"),
        ("/a/b%2Fc", "/a/b/c", "b/c"),
        ("/a/%C3%A9", "/a/é", "é"),
        ("/a/é", "/a/é", "é"),
        ("/a/..", "/a/..", ".."),
        ("/a/b+c", "/a/b+c", "b+c"),
        ("/a/%2525", "/a/%25", "%25"),
        ("/a/%FF", "/a/\ufffd", "\ufffd"),
    ],
)
def test_http_api_paths_are_decoded(serve: Serve, path: str, raw: str, value: str) -> None:
    served = serve(http_api(route("GET /a/{id}")))
    assert served.send("GET", path).status == 200
    assert (served.stub.event["rawPath"], served.stub.event["pathParameters"]) == (raw, {"id": value})


def test_a_greedy_variable_keeps_empty_segments(serve: Serve) -> None:
    served = serve(http_api(route("GET /a/{proxy+}")))
    for path, value in {"/a/b//c": "b//c", "/a/../b": "../b", "/a/": "", "/a/b/": "b/"}.items():
        assert served.send("GET", path).status == 200
        assert served.stub.event.get("pathParameters") == {"proxy": value}
