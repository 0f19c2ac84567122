"""What a node does once each period: stay alive, hear of changes, and look for nodes that have stopped."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

from .aws import CallError
from .registry import MASTER, Watch, lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from .registry import Epoch, Facts, Member, Registry

    Clock = Callable[[], float]
    Publish = Callable[[int, int, list[Member]], None]
    Watched = Callable[[list[Member]], None]


class Cycle:
    """One node of a cluster of `nodes`. `publish` is given epoch, own slot and members after each change, `watched`
    what this node sees in each round of its watch.

    The master watches over the others. Workers watch when nobody does, the lowest first; of the master's slot only
    a master disposes.
    """

    def __init__(
        self,
        registry: Registry,
        facts: Facts,
        *,
        master: bool,
        nodes: int,
        period: float,
        clock: Clock,
        publish: Publish,
        watched: Watched | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self._registry, self._facts, self._master, self._nodes = registry, facts, master, nodes
        self._period, self._clock, self._publish, self._log = period, clock, publish, log
        self._watched = watched
        self._watch = Watch(period)
        self._joining = Watch(period)
        self._published = -1
        self._rounds, self._round_at = -1, clock()
        self._own_rounds = -1
        self._position = 0
        self._told: list[Member] = []
        self._untold: list[Member] = []
        self.slot: int | None = None

    def pause(self) -> float:
        """Seconds until the next step; not the same for every node."""
        return self._period * random.uniform(0.9, 1.1)  # noqa: S311 - no secret

    def step(self) -> bool:
        """One period; whether all of it was done. What AWS does not do is tried again, and files stay as they are."""
        try:
            if self.slot is None or not self._registry.beat(self.slot):
                if self.slot is not None:
                    self._log(f"slot {self.slot} has been taken by another node")
                self.slot = self._join()
            if self.slot is not None:
                self._follow(self.slot)
        except (CallError, OSError) as error:
            self._log(f"tried again later: {error}")
            return False
        return self.slot is not None

    # Joining

    def _join(self) -> int | None:
        """A slot: the own, one whose holder is gone, a free one; None if there is none yet."""
        members = self._registry.members()
        silent = self._joining.silent(members, self._clock())
        own = [each for each in members if each.facts.Node == self._facts.Node]
        held = {each.slot: each for each in members}
        slots = [MASTER] if self._master else range(MASTER + 1, self._nodes + 1)
        dead = [each.slot for each in members if (each.gone or each in silent) and each.slot in slots]
        free = [slot for slot in slots if slot not in held]
        for slot in [*(each.slot for each in own), *self._rotated(dead), *self._rotated(free)]:
            if self._registry.claim(slot, held.get(slot)):
                self._log(f"slot {slot} is this node's")
                return slot
        self._log(f"all {len(slots)} slots are held; waiting for one")
        return None

    def _rotated(self, slots: list[int]) -> list[int]:
        """All of them, from one that other nodes hardly begin with too."""
        start = zlib.crc32(self._facts.Node.encode()) % len(slots) if slots else 0
        return slots[start:] + slots[:start]

    # Following

    def _follow(self, slot: int) -> None:
        watching = self._on_watch()
        epoch = self._registry.round() if watching else self._registry.epoch()
        if watching and not self._master and self._own_rounds not in (-1, epoch.rounds - 1):
            watching = False  # somebody else has begun as well
        self._own_rounds = epoch.rounds if watching else -1
        if epoch.rounds != self._rounds:
            self._rounds, self._round_at = epoch.rounds, self._clock()
        if watching or epoch.changes != self._published:
            members = self._registry.members()
            if watching:
                self._expel(members)
                if self._watched:
                    self._watched(members)
            self._hear(slot, epoch, members)

    def _on_watch(self) -> bool:
        if self._master or self._own_rounds != -1:
            return True
        return self._clock() - self._round_at > lease(self._period) * (1 + self._position)

    def _expel(self, members: list[Member]) -> None:
        for each in self._watch.silent(members, self._clock()):
            if not each.gone and (self._master or each.slot != MASTER):
                self._log(f"slot {each.slot}, {each.facts.Node}, is silent")
                self._registry.expel(each)

    def _hear(self, slot: int, epoch: Epoch, members: list[Member]) -> None:
        present = [each for each in members if not each.gone]
        if slot not in [each.slot for each in present]:
            return  # taken for gone since it moved; the next step mends that
        others = [each.slot for each in present if each.slot != MASTER]
        self._position = others.index(slot) if slot in others else 0
        if epoch.changes != self._published:
            self._publish(epoch.changes, slot, present)
            self._published, self._told, self._untold = epoch.changes, present, present
        elif present not in (self._told, self._untold):
            self._untold = present  # whoever has changed it is about to tell
        elif present != self._told:
            self._registry.tell()
