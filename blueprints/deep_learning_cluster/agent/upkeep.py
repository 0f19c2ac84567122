"""What a node does beside keeping its place, once in a lease and in a thread of its own: a call that hangs holds up
nothing. The node on watch tells how many nodes there are; GPUs are cared for where the stack asks for it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .aws import CallError
from .registry import lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from .capacity import Capacity
    from .care import Care
    from .registry import Member


class Upkeep:
    """One node's."""

    def __init__(
        self,
        capacity: Capacity,
        care: Care | None,
        period: float,
        clock: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._capacity, self._care, self._lease, self._clock, self._log = (
            capacity,
            care,
            lease(period),
            clock,
            log,
        )
        self._watched: tuple[float, list[Member]] | None = None

    def watched(self, members: list[Member]) -> None:
        """What this node has just seen, on watch."""
        self._watched = self._clock(), members

    def start(self) -> None:
        """Go on beside the agent's own work, for as long as that runs."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not threading.Event().wait(self._lease):
            self.step()

    def step(self) -> None:
        """Once. What AWS does not do is tried again the next time."""
        for each in (self._care.look, self._keep) if self._care else (self._keep,):
            try:
                each()
            except (CallError, OSError) as error:
                self._log(f"tried again later: {error}")

    def _keep(self) -> None:
        if self._watched is None or self._clock() - self._watched[0] > self._lease:
            return
        present = [each for each in self._watched[1] if not each.gone]
        groups = self._capacity.groups()
        standing = self._capacity.tell(groups, len(present))
        if self._care:
            self._care.keep(groups, present, standing)
