"""Events as Docker tells them: earlier ones later, at the same instant, and once more after a stream was resumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .world import Daemon, Ours, World, container


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(Daemon(container(1), container(2)), monkeypatch)
    yield made
    made.close()


def event(number: int, time: int, action: str = "start") -> dict[str, Any]:
    return {"Action": action, "timeNano": time, "Actor": {"ID": f"{number:064x}", "Attributes": {}}}


@pytest.mark.parametrize("times", [(2, 1), (1, 1), (1, 2)])
def test_of_two_that_start_at_once_both_are_found(world: World, times: tuple[int, int]) -> None:
    registrar = Ours(world).registrar
    registrar.next_resync = registrar.clock() + 300
    for number, time in enumerate(times, 1):
        registrar.take("event", event(number, time))
    registrar.work()
    assert len(world.services()) == 2
    assert registrar.seen == max(times)


def test_what_is_told_again_is_not_done_again(world: World) -> None:
    registrar = Ours(world).registrar
    registrar.next_resync = registrar.clock() + 300
    for each in (event(1, 1), event(1, 2, "die"), event(1, 3)):
        registrar.take("event", each)
    registrar.take("event", event(1, 2, "die"))
    registrar.work()
    assert len(world.services()) == 1


def test_what_is_remembered_has_an_end(world: World) -> None:
    registrar = Ours(world).registrar
    for number in range(2000):
        registrar.take("event", event(number + 10, number))
    assert len(registrar.recent) < 1000
    assert registrar.table == registrar.stopping == {}
