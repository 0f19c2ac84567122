"""Token buckets, on a clock of our own."""

from __future__ import annotations

import pytest

from blueprints.local.http import Api
from blueprints.local.http.api import Stage, Throttle
from tests.local.http.harness import NOW, Serve, Served, http_api, rest_api, route


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def statuses(served: Served, count: int, path: str) -> list[int]:
    return [served.send("GET", path).status for _ in range(count)]


STAGE = Stage("$default", throttle=Throttle(2, 3))


def test_a_burst_then_the_rate(serve: Serve) -> None:
    clock = Clock()
    served = serve(http_api(stages=(STAGE,)), clock=clock)
    assert statuses(served, 5, "/") == [200, 200, 200, 429, 429]
    clock.now += 0.5
    assert statuses(served, 2, "/") == [200, 429]
    clock.now += 3600
    assert statuses(served, 4, "/") == [200, 200, 200, 429]
    assert len(served.stub.events) == 7
    clock.now -= 10  # a clock that is set back gives nothing and takes nothing
    assert statuses(served, 1, "/") == [429]
    clock.now += 0.5
    assert statuses(served, 1, "/") == [200]


@pytest.mark.parametrize(
    ("api", "path", "body"),
    [
        (
            http_api(stages=(Stage("$default", throttle=Throttle(0, 0)),)),
            "/",
            b'{"message":"Too Many Requests"}',
        ),
        (
            rest_api(stages=(Stage("test", throttle=Throttle(0, 0)),)),
            "/test/x",
            b'{"message": "Too Many Requests"}',
        ),
    ],
)
def test_the_words(serve: Serve, api: Api, path: str, body: bytes) -> None:
    reply = serve(api).send("GET", path)
    assert (reply.status, reply.body) == (429, body)


def test_a_route_has_its_own_limit(serve: Serve) -> None:
    stage = Stage("$default", throttle=Throttle(1, 2), throttles={"GET /a": Throttle(1, 1)})
    served = serve(http_api(route("GET /a"), route("GET /b"), stages=(stage,)))
    assert statuses(served, 2, "/a") == [200, 429]
    assert statuses(served, 3, "/b") == [200, 200, 429]  # and no route takes another's tokens


def test_a_method_setting_of_a_rest_api(serve: Serve) -> None:
    stage = Stage("test", throttles={"ANY /a": Throttle(1, 1), "GET /*": Throttle(1, 2)})
    served = serve(rest_api(route("GET /a", "1.0"), route("GET /b", "1.0"), stages=(stage,)))
    assert statuses(served, 2, "/test/a") == [200, 429]
    assert statuses(served, 3, "/test/b") == [200, 200, 429]


@pytest.mark.parametrize("limit", [None, Throttle(None, 5)])
def test_without_a_rate_nothing_is_throttled(serve: Serve, limit: Throttle | None) -> None:
    served = serve(http_api(stages=(Stage("$default", throttle=limit),)))
    assert statuses(served, 10, "/") == [200] * 10


def test_a_route_that_does_not_exist_costs_nothing(serve: Serve) -> None:
    served = serve(http_api(route("GET /a"), stages=(Stage("$default", throttle=Throttle(1, 1)),)))
    assert statuses(served, 3, "/b") == [404] * 3
    assert statuses(served, 2, "/a") == [200, 429]
