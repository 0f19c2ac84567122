"""How the outside steers the gate: JSON over HTTP below /compute-blueprints/ on the server's own port."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import notifications
from .answer import Answer
from .faults import Faults
from .journal import Journal
from .launches import Launches
from .placement_groups import PlacementGroups
from .signals import Signals

PREFIX = "/compute-blueprints/"


class Control:
    """The state of one server: faults, journal, stand-ins, and operations that another server carries out."""

    def __init__(self, seed: int = 0) -> None:
        self.faults = Faults(seed)
        self.journal = Journal()
        self.signals = Signals()
        self.placement_groups = PlacementGroups()
        self.launches = Launches()
        self.forwards: dict[str, str] = {}
        self._stand_ins = (self.signals, self.placement_groups, self.launches)
        self.operations = {name: do for each in self._stand_ins for name, do in each.operations.items()}
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "faults"): lambda _: self.faults.plain(),
            ("POST", "faults"): self.faults.add,
            ("DELETE", "faults"): lambda _: self.faults.clear(),
            ("GET", "calls"): lambda _: self.journal.calls(),
            ("DELETE", "calls"): lambda _: self.journal.clear(),
            ("GET", "gaps"): lambda _: self.journal.gaps(),
            ("GET", "signals"): lambda _: self.signals.plain(),
            ("POST", "signals"): lambda given: self.signals.expect(**given),
            ("POST", "launches"): lambda given: self.launches.limit(**given),
            ("POST", "forwards"): self.forward,
            ("POST", "reset"): lambda _: self.reset(),
        }

    def reset(self) -> None:
        """As at the start; operations stay with whom they are forwarded to."""
        for each in (self.faults, self.journal, *self._stand_ins):
            each.clear()

    def forward(self, given: dict[str, str]) -> None:
        """Operations, or notifications, go to other servers from now on."""
        self.forwards.update(given)
        notifications.install(self.forwards)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Carry out one request of the steering kind."""
        route = self._routes.get((method, path.removeprefix(PREFIX)))
        if route is None:
            return _json(404, {"message": f"no {method} {path} here"})
        try:
            return _json(200, route(json.loads(body) if body else None))
        except (ValueError, TypeError) as error:
            return _json(400, {"message": str(error)})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(value).encode())
