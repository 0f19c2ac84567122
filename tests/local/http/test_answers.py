"""What becomes of a function's answer."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from blueprints.local.http import Answer
from tests.local.http.harness import Serve, Stub, http_api, rest_api, route

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
BYTES = bytes(range(256))
ENCODED = base64.b64encode(BYTES).decode()


@pytest.mark.parametrize(
    ("said", "status", "content_type", "body"),
    [
        # As the documentation has them, "Lambda function response for format 2.0".
        (b'"Hello from Lambda!"', 200, JSON, b"Hello from Lambda!"),
        (b'{ "message": "Hello from Lambda!" }', 200, JSON, b'{ "message": "Hello from Lambda!" }'),
        # And what follows from "valid JSON without a statusCode".
        (b"[1, 2]", 200, JSON, b"[1, 2]"),
        (b"null", 200, JSON, b"null"),
        (b'{"body": "x"}', 200, JSON, b'{"body": "x"}'),
        (b'{"statusCode": 201}', 201, PLAIN, b""),
        (b'{"statusCode": "404", "body": "gone"}', 404, PLAIN, b"gone"),
        (
            b'{"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "x"}',
            200,
            "text/html",
            b"x",
        ),
        (b'{"statusCode": 200, "body": null}', 200, PLAIN, b""),
        (b'{"statusCode": 200, "body": "\\u00e9"}', 200, PLAIN, "é".encode()),
        (b'{"statusCode": 200, "unknown": 1, "body": "x"}', 200, PLAIN, b"x"),
        (f'{{"statusCode":200,"isBase64Encoded":true,"body":"{ENCODED}"}}'.encode(), 200, PLAIN, BYTES),
    ],
)
def test_format_2(serve: Serve, said: bytes, status: int, content_type: str, body: bytes) -> None:
    reply = serve(http_api(), Stub(said)).send("GET", "/")
    assert (reply.status, reply.header("content-type"), reply.body) == (status, content_type, body)


def test_cookies_and_values_that_are_no_text(serve: Serve) -> None:
    said = {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "headers": {"X-N": 1, "X-B": True}}
    reply = serve(http_api(), Stub(said)).send("GET", "/")
    assert reply.headers["set-cookie"] == ["a=1; Path=/", "b=2"]
    assert (reply.header("x-n"), reply.header("x-b")) == ("1", "true")


@pytest.mark.parametrize("kind", ["HTTP", "REST"])
def test_headers_of_format_1_are_merged(serve: Serve, kind: str) -> None:
    said = {
        "statusCode": 200,
        "headers": {"X-One": "a", "X-Two": "b"},
        "multiValueHeaders": {"X-One": ["a"], "X-Two": ["c", "d"], "Set-Cookie": ["a=1", "b=2"]},
        "body": "x",
    }
    api = http_api(route(payload="1.0")) if kind == "HTTP" else rest_api()
    reply = serve(api, Stub(said)).send("GET", "/test/x" if kind == "REST" else "/x")
    assert reply.headers["x-one"] == ["a"]  # the same pair in both is there once
    assert reply.headers["x-two"] == ["c", "d", "b"]
    assert reply.headers["set-cookie"] == ["a=1", "b=2"]
    assert reply.header("content-type") == (JSON if kind == "REST" else PLAIN)


MALFORMED: list[Any] = [
    b"not json",
    {"statusCode": "two hundred"},
    {"statusCode": 99},
    {"statusCode": 600},
    {"statusCode": 101},
    {"statusCode": None, "body": "x"},
    {"statusCode": True},
    {"statusCode": 200, "body": {"a": 1}},
    {"statusCode": 200, "body": 1},
    {"statusCode": 200, "headers": ["a"]},
    {"statusCode": 200, "headers": {"X": ["a"]}},
    {"statusCode": 200, "headers": {"X Y": "a"}},
    {"statusCode": 200, "headers": {"X": "a\r\nInjected: b"}},
    {"statusCode": 200, "body": "x", "isBase64Encoded": "yes"},
    Answer(b'{"errorMessage": "boom"}', "Unhandled"),
]
ONLY_1: list[Any] = [
    {"message": "x"},
    [1],
    "text",
    None,
    {"statusCode": 200, "multiValueHeaders": {"X": "a"}},
]
ONLY_2: list[Any] = [{"statusCode": 200, "cookies": "a=1"}]
ONLY_REST: list[Any] = [{"statusCode": 200, "body": "x", "unknown": 1}]


@pytest.mark.parametrize("said", MALFORMED + ONLY_2)
def test_malformed_format_2(serve: Serve, said: Any) -> None:
    reply = serve(http_api(), Stub(said)).send("GET", "/")
    assert (reply.status, reply.body) == (500, b'{"message":"Internal Server Error"}')
    assert reply.header("injected") is None


@pytest.mark.parametrize("said", MALFORMED + ONLY_1)
def test_malformed_format_1_of_http_apis(serve: Serve, said: Any) -> None:
    reply = serve(http_api(route(payload="1.0")), Stub(said)).send("GET", "/")
    assert (reply.status, reply.body) == (500, b'{"message":"Internal Server Error"}')


@pytest.mark.parametrize("said", MALFORMED + ONLY_1 + ONLY_REST)
def test_malformed_answer_to_a_rest_api(serve: Serve, said: Any) -> None:
    reply = serve(rest_api(), Stub(said)).send("GET", "/test/x")
    assert (reply.status, reply.body) == (502, b'{"message": "Internal server error"}')
    assert reply.header("x-amzn-errortype") == "InternalServerErrorException"


@pytest.mark.parametrize(
    ("declared", "accept", "decoded"),
    [
        (("image/png",), "image/png", True),
        (("image/png",), "image/png,*/*", True),
        (("image/png",), "*/*,image/png", False),  # the first type alone counts
        (("image/png",), None, False),
        (("*/*",), None, True),
        ((), "image/png", False),
    ],
)
def test_binary_answers_of_rest_apis(
    serve: Serve, declared: tuple[str, ...], accept: str | None, decoded: bool
) -> None:
    said = {
        "statusCode": 200,
        "isBase64Encoded": True,
        "body": ENCODED,
        "headers": {"Content-Type": "image/png"},
    }
    served = serve(rest_api(binary_types=declared), Stub(said))
    reply = served.send("GET", "/test/x", {"Accept": accept} if accept else {})
    assert reply.body == (BYTES if decoded else ENCODED.encode())


@pytest.mark.parametrize("kind", ["HTTP", "REST"])
def test_a_body_that_is_not_base64(serve: Serve, kind: str) -> None:
    said = {"statusCode": 200, "isBase64Encoded": True, "body": "!"}
    api = http_api() if kind == "HTTP" else rest_api(binary_types=("*/*",))
    assert serve(api, Stub(said)).send("GET", "/test/x").status == 500


def test_headers_that_only_the_gateway_sets(serve: Serve) -> None:
    said = {
        "statusCode": 401,
        "headers": {"WWW-Authenticate": "Basic", "Date": "never", "Content-Length": "9"},
    }
    reply = serve(rest_api(), Stub(said)).send("GET", "/test/x")
    assert reply.header("x-amzn-remapped-www-authenticate") == "Basic"
    assert reply.header("x-amzn-remapped-date") == "never"
    assert reply.headers["content-length"] == ["0"]
    reply = serve(http_api(), Stub(said)).send("GET", "/")
    assert reply.header("www-authenticate") == "Basic"
    assert reply.headers["content-length"] == ["0"]
    assert reply.headers["date"] != ["never"]


@pytest.mark.parametrize(("status", "length"), [(200, "1"), (204, None), (304, None)])
def test_statuses_without_a_body(serve: Serve, status: int, length: str | None) -> None:
    served = serve(http_api(), Stub({"statusCode": status, "body": "x"}))
    with served.wire() as wire:
        for _ in range(2):  # a second answer on the connection shows where the first one ended
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            reply = wire.read()
            assert (reply.status, reply.header("content-length")) == (status, length)


def test_head_has_the_length_and_no_body(serve: Serve) -> None:
    served = serve(http_api(), Stub({"statusCode": 200, "body": "hello"}))
    with served.wire() as wire:
        wire.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read(head=True).header("content-length") == "5"
        assert wire.read().body == b"hello"
    assert served.stub.events[0]["requestContext"]["http"]["method"] == "HEAD"
