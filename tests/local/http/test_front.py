"""The front as a whole: several APIs, many clients, an end."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from blueprints.local.http import Front, PortError
from blueprints.local.http.api import Stage
from tests.local.http.harness import DEADLINE, Serve, Stub, Wire, at_once, echo_query, http_api, rest_api


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


def get(port: int, path: str) -> Any:
    with Wire(port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return wire.read()


def test_each_api_has_a_port() -> None:
    http, rest = http_api(), rest_api()
    named = replace(http, logical_id="Named", id="named-id", stages=(Stage("dev"), Stage("live")))
    stub = Stub()
    with Front([http, rest, named], stub) as front:
        urls = [front.url(each) for each in (http, rest, named)]
        assert [url.split(":")[2].partition("/")[2] for url in urls] == ["", "test", "dev"]
        for url, api in zip(urls, (http, rest, named), strict=True):
            assert (
                get(port_of(url), f"/{url.split(':')[2].partition('/')[2]}/x".replace("//", "/")).status
                == 200
            )
            assert stub.event["requestContext"]["apiId"] == api.id


def free_ports() -> int:
    """The first of two ports that nobody uses."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


def test_ports_that_are_asked_for() -> None:
    port = free_ports()
    with Front([http_api(), rest_api()], Stub(), port=port) as front:
        assert front.url(http_api()) == f"http://127.0.0.1:{port}"
        assert front.url(rest_api()) == f"http://127.0.0.1:{port + 1}/test"


def test_a_port_that_is_taken() -> None:
    port = free_ports()
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        pytest.raises(PortError, match=f"^port {port + 1}, for .*: Address already in use; choose another$"),
    ):
        Front([http_api(), rest_api()], Stub(), port=port)
    socket.create_server(("127.0.0.1", port)).close()  # the first was given back


def test_a_port_beyond_the_last() -> None:
    with pytest.raises(PortError, match=r"^port 6553[56], "):  # somebody may have 65535
        Front([http_api(), rest_api()], Stub(), port=65535)


def test_200_clients_at_once(serve: Serve) -> None:
    served = serve(http_api(), Stub(echo_query))

    def call(number: int) -> list[bytes]:
        with served.wire() as wire:
            bodies: list[bytes] = []
            for turn in range(3):
                wire.send(f"GET /?{number}-{turn} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                bodies.append(wire.read().body)
            return bodies

    wanted = [[f"{number}-{turn}".encode() for turn in range(3)] for number in range(200)]
    assert at_once(200, call) == wanted
    assert len(served.stub.events) == 600
    assert len({event["requestContext"]["requestId"] for event in served.stub.events}) == 600


def test_functions_run_beside_each_other(serve: Serve) -> None:
    """32 requests are within the function at the same time, or the barrier breaks."""
    barrier = threading.Barrier(32)

    def together(_: Any) -> Any:
        barrier.wait(DEADLINE)
        return {"statusCode": 200}

    served = serve(http_api(), Stub(together))
    assert [reply.status for reply in at_once(32, lambda _: served.send("GET", "/"))] == [200] * 32


def test_closing_ends_connections_and_frees_the_port() -> None:
    front = Front([http_api()], Stub())
    port = port_of(front.url(http_api()))
    with Wire(port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read().status == 200
        front.close()
        assert wire.ended()
    front.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    with Front([http_api()], Stub(), port=port) as again:
        assert get(port_of(again.url(http_api())), "/").status == 200


def test_closing_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Front([http_api(), rest_api()], Stub()) as front:
        for api, path in ((http_api(), "/"), (rest_api(), "/test/x")):
            port = port_of(front.url(api))
            at_once(8, lambda _, port=port, path=path: get(port, path))
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE)
    assert set(threading.enumerate()) - before == set()
