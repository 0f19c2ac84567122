"""Limits, time-outs and failures, in the words of each kind of API."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from blueprints.local.http import Answer, Api
from tests.local.http.harness import DEADLINE, Serve, Stub, http_api, rest_api, route

MEGABYTE = 1024 * 1024
INTERNAL_HTTP = b'{"message":"Internal Server Error"}'
INTERNAL_REST = b'{"message": "Internal server error"}'
UNAVAILABLE = b'{"message":"Service Unavailable"}'


class BoomError(Exception):
    pass


def boom(_: Any) -> Any:
    raise BoomError("no such function")


@pytest.mark.parametrize(
    ("api", "path", "says", "status", "body"),
    [
        (http_api(), "/", Answer(b"", "Unhandled"), 500, INTERNAL_HTTP),
        (rest_api(), "/test/x", Answer(b"", "Unhandled"), 502, INTERNAL_REST),
        (http_api(), "/", Answer(b"", throttled=True), 503, UNAVAILABLE),
        (rest_api(), "/test/x", Answer(b"", throttled=True), 500, INTERNAL_REST),
        (http_api(), "/", boom, 500, INTERNAL_HTTP),
        (rest_api(), "/test/x", boom, 500, INTERNAL_REST),
    ],
)
def test_functions_that_fail(serve: Serve, api: Api, path: str, says: Any, status: int, body: bytes) -> None:
    served = serve(api, Stub(says))
    reply = served.send("GET", path)
    assert (reply.status, reply.body) == (status, body)
    assert reply.header("content-type") == "application/json"
    told = [line for line in served.log if "BoomError: no such function" in line]
    assert len(told) == (1 if says is boom else 0)


@pytest.mark.parametrize(
    ("api", "path", "status", "body"),
    [
        (http_api(route(timeout=0.05)), "/", 503, UNAVAILABLE),
        (
            rest_api(route("ANY /{proxy+}", "1.0", timeout=0.05)),
            "/test/x",
            504,
            b'{"message": "Endpoint request timed out"}',
        ),
    ],
)
def test_functions_that_are_late(serve: Serve, api: Api, path: str, status: int, body: bytes) -> None:
    go_on = threading.Event()

    def late(_: Any) -> Any:
        go_on.wait(DEADLINE)
        return {"statusCode": 200}

    try:
        reply = serve(api, Stub(late)).send("GET", path)
        assert (reply.status, reply.body) == (status, body)
    finally:
        go_on.set()


@pytest.mark.parametrize(
    ("api", "path", "body", "content_type"),
    [
        (http_api(), "/", b'{"message":"Request Entity Too Large"}', "application/json"),
        (rest_api(), "/test/x", b"HTTP content length exceeded 10485760 bytes.", "text/plain"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_10_mb(
    serve: Serve, api: Api, path: str, body: bytes, content_type: str, chunked: bool
) -> None:
    served = serve(api)
    data = bytes(10 * MEGABYTE + 1)
    if chunked:
        with served.wire() as wire:
            wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            wire.send(f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n")
            reply = wire.read()
    else:
        reply = served.send("POST", path, {}, data)  # all of it is sent before the answer is read
    assert (reply.status, reply.body, served.stub.events) == (413, body, [])
    assert reply.header("content-type") == content_type
    assert served.send("GET", path).status == 200


def test_what_lambda_does_not_take_is_refused_before(serve: Serve) -> None:
    served = serve(http_api())
    text = {"Content-Type": "text/plain"}
    assert (
        served.send("POST", "/", text, b"x" * 6 * MEGABYTE).status == 413
    )  # 6,291,456 with the rest of the event
    assert served.stub.events == []
    assert served.send("POST", "/", text, b"x" * 5 * MEGABYTE).status == 200
    reply = serve(rest_api()).send("POST", "/test/x", {}, b"x" * 6 * MEGABYTE)
    assert (reply.status, reply.json) == (413, {"message": "Request Too Long"})


@pytest.mark.parametrize(("api", "path"), [(http_api(), "/"), (rest_api(), "/test/x")])
@pytest.mark.parametrize("count", [1, 20])
def test_headers_over_10240_bytes(serve: Serve, api: Api, path: str, count: int) -> None:
    served = serve(api)
    many = [(f"X-{number}", "v" * (10_000 // count)) for number in range(count)]
    assert served.send("GET", path, many).status == 200
    reply = served.send("GET", path, [*many, ("X-More", "v" * 300)])
    assert (reply.status, len(served.stub.events)) == (431, 1)


def test_the_request_line_counts_for_http_apis_alone(serve: Serve) -> None:
    query = "x=" + "v" * 10_240
    assert serve(http_api()).send("GET", f"/?{query}").status == 431
    assert serve(rest_api()).send("GET", f"/test/x?{query}").status == 200


def test_every_answer_has_the_gateways_ids(serve: Serve) -> None:
    served = serve(http_api(route("GET /a")))
    for path in ("/a", "/b"):
        assert len(served.send("GET", path).headers["apigw-requestid"]) == 1
    assert (
        served.send("GET", "/a").header("apigw-requestid") == served.stub.event["requestContext"]["requestId"]
    )
    served = serve(rest_api(route("GET /a", "1.0")))
    for path in ("/test/a", "/test/b"):
        assert {"x-amzn-requestid", "x-amz-apigw-id"} <= served.send("GET", path).headers.keys()


def test_a_defect_is_a_500_and_a_line_and_the_server_goes_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(http_api())

    def defect(*_: Any) -> Any:
        raise KeyError("forgotten\nkey")

    with monkeypatch.context() as patch:
        patch.setattr("blueprints.local.http.events.event", defect)
        reply = served.send("GET", "/")
    assert (reply.status, reply.body) == (500, INTERNAL_HTTP)
    assert served.log == ["HttpApi: defect: KeyError: 'forgotten\\nkey'"]
    assert served.send("GET", "/").status == 200
