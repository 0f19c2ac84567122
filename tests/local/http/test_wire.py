"""HTTP/1.1 itself: what is malformed, slow or unusual, byte by byte."""

from __future__ import annotations

import contextlib

import pytest

from blueprints.local.http import server as server_module
from blueprints.local.http.wire import Patience
from tests.local.http.harness import Serve, Served, Stub, echo_query, http_api, rest_api, route


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(http_api(route("ANY /{proxy+}")))


def only_answer(served: Served, data: bytes) -> int:
    """The status of the one answer, after which the connection has to be closed."""
    with served.wire() as wire:
        wire.send(data)
        reply = wire.read()
        assert reply.header("connection") == "close"
        assert wire.ended()
    return reply.status


GET = b"GET /x HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",  # TLS
        b"nonsense\r\n\r\n",
        b"GET /x\r\n\r\n",
        b"GET  /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x y HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x#y HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GE\tT /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",  # no Host
        GET + b"Host: y\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        GET + b"Spaced : x\r\n\r\n",
        GET + b": x\r\n\r\n",
        GET + b"A: x\r\n folded\r\n\r\n",
        GET + b"A: x\ry\r\n\r\n",
        GET + b"A: x\x00y\r\n\r\n",
        b"GET /x HTTP/1.1\nHost: x\n\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: +1\r\n\r\n",
        POST + b"Content-Length: 1, 1\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nz\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 9000,
        b"POST /x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_malformed_requests(served: Served, data: bytes) -> None:
    assert only_answer(served, data) == 400
    assert served.stub.events == []
    assert served.send("GET", "/x").status == 200


@pytest.mark.parametrize("data", [GET + b"X: " + b"v" * 100_000 + b"\r\n\r\n", b"GET /" + b"a" * 100_000])
def test_heads_without_end(served: Served, data: bytes) -> None:
    assert only_answer(served, data) == 431
    assert served.send("GET", "/x").status == 200


def test_the_words_of_a_rest_api(serve: Serve) -> None:
    served = serve(rest_api())
    assert only_answer(served, b"nonsense\r\n\r\n") == 400


def test_chunks_with_extensions_and_trailers(served: Served) -> None:
    with served.wire() as wire:
        wire.send(POST + b"Transfer-Encoding: Chunked\r\nContent-Type: text/plain\r\n\r\n")
        wire.send(b"5;name=value\r\nhello\r\n")
        wire.send(b"06\r\n world\r\n0\r\nX-Trailer: x\r\n\r\n" + GET + b"\r\n")
        assert [wire.read().status, wire.read().status] == [200, 200]
    first = served.stub.events[0]
    assert (first["body"], first["headers"]["content-length"]) == ("hello world", "11")
    assert not {"transfer-encoding", "x-trailer"} & first["headers"].keys()


def test_a_client_that_waits_for_100_continue(served: Served) -> None:
    with served.wire() as wire:
        wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert wire.read().status == 100
        wire.send(b"hi")
        assert wire.read().status == 200
    assert "expect" not in served.stub.event["headers"]


def test_a_body_that_is_too_large_is_not_asked_for(served: Served) -> None:
    assert only_answer(served, POST + b"Expect: 100-continue\r\nContent-Length: 10485761\r\n\r\n") == 413


def test_requests_one_after_the_other_on_one_connection(served: Served) -> None:
    with served.wire() as wire:
        wire.send((GET + b"\r\n") * 2 + b"\r\n" + GET + b"\r\n")  # an empty line before a request is nothing
        assert [wire.read().header("connection") for _ in range(3)] == ["keep-alive"] * 3


def test_a_request_in_single_bytes(served: Served) -> None:
    with served.wire() as wire:
        for byte in POST + b"Content-Length: 2\r\n\r\nhi":
            wire.send(bytes([byte]))
        assert wire.read().status == 200


@pytest.mark.parametrize(
    ("request_line", "header", "close"),
    [
        (b"GET /x HTTP/1.1", b"Connection: close", True),
        (b"GET /x HTTP/1.1", b"Connection: x, Close", True),
        (b"GET /x HTTP/1.1", b"Connection: keep-alive", False),
        (b"GET /x HTTP/1.0", b"X: y", True),
        (b"GET /x HTTP/1.0", b"Connection: Keep-Alive", False),
    ],
)
def test_who_closes(served: Served, request_line: bytes, header: bytes, close: bool) -> None:
    with served.wire() as wire:
        wire.send(request_line + b"\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert wire.read().header("connection") == ("close" if close else "keep-alive")
        if close:
            assert wire.ended()
    assert served.stub.event["requestContext"]["http"]["protocol"] == request_line[-8:].decode()


def test_a_whole_address_in_the_request_line(served: Served) -> None:
    with served.wire() as wire:
        wire.send(b"GET http://x.example/x?y=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read().status == 200
    assert (served.stub.event["rawPath"], served.stub.event["rawQueryString"]) == ("/x", "y=1")


def test_headers_that_are_not_ascii(served: Served) -> None:
    with served.wire() as wire:
        wire.send(GET + "X-Utf8: é\r\n".encode() + "X-Latin: é\r\n\r\n".encode("latin-1"))
        assert wire.read().status == 200
    headers = served.stub.event["headers"]
    assert (headers["x-utf8"], headers["x-latin"]) == ("é", "é")


def test_a_client_that_goes_away_within_a_request(served: Served) -> None:
    for data in (
        b"GET",
        GET,
        POST + b"Content-Length: 10\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ):
        with served.wire() as wire:
            wire.send(data)
    assert served.send("GET", "/x").status == 200
    assert len(served.stub.events) == 1
    assert served.log == []


def test_a_client_that_goes_away_before_the_answer(serve: Serve) -> None:
    served = serve(http_api(), Stub({"statusCode": 200, "body": "x" * 5_000_000}))
    for _ in range(5):
        with served.wire() as wire:
            wire.send(GET + b"\r\n")
    assert served.send("GET", "/").status == 200
    assert served.log == []


@pytest.fixture
def impatient(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr(server_module, "Patience", lambda: Patience(idle=0.2, head=0.2, body=0.2))
    return serve(http_api())


@pytest.mark.parametrize(
    "data",
    [
        b"GET",
        GET,
        POST + b"Content-Length: 10\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_slow_clients_are_told_and_left(impatient: Served, data: bytes) -> None:
    assert only_answer(impatient, data) == 408


def test_a_trickle_does_not_extend_the_deadline(impatient: Served) -> None:
    with impatient.wire() as wire, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(200):
            wire.send(b"G")
            with contextlib.suppress(TimeoutError):
                wire._socket.settimeout(0.02)  # pyright: ignore[reportPrivateUsage]
                assert wire.read().status == 408
                return
    pytest.fail("the connection was never ended")


def test_an_idle_connection_is_closed_without_a_word(impatient: Served) -> None:
    with impatient.wire() as wire:
        assert wire.ended()


def test_many_slow_clients_do_not_keep_others_waiting(served: Served) -> None:
    wires = [served.wire() for _ in range(100)]
    try:
        for wire in wires:
            wire.send(b"GET /x HTTP/1.1\r\nHost:")
        assert served.send("GET", "/x").status == 200
        for wire in wires:
            wire.send(b" x\r\n\r\n")
        assert {wire.read().status for wire in wires} == {200}
    finally:
        for wire in wires:
            wire.__exit__()


def test_answers_to_many_requests_are_not_mixed_up(serve: Serve) -> None:
    served = serve(http_api(), Stub(echo_query))
    with served.wire() as wire:
        for number in range(50):
            wire.send(f"GET /?{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert [int(wire.read().body) for _ in range(50)] == list(range(50))
