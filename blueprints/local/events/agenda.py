"""Jobs that are done now or later, each in a thread of its own."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

Job = Callable[[], None]
Log = Callable[[str, str], None]


class Clock:
    """Seconds since the epoch, and waiting for them. Tests give one that they move themselves."""

    def now(self) -> float:
        """The time."""
        return time.time()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait on a held condition, at most until a time."""
        condition.wait(None if until is None else max(0.0, until - self.now()))


class Agenda:
    """Does what is put until closed. `log(name, line)` is told of jobs that raise, which are defects."""

    def __init__(self, clock: Clock, log: Log) -> None:
        self.clock = clock
        self._log = log
        self._changed = threading.Condition()
        self._later: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._closed = False
        threading.Thread(target=self._wait, daemon=True, name="agenda").start()

    @property
    def due(self) -> list[float]:
        """When the jobs that wait are due, the next one first."""
        with self._changed:
            return sorted(time for time, _, _ in self._later)

    def put(self, job: Job, at: float | None = None) -> None:
        """One more job: for now, or for a time. Nothing happens once the agenda is closed."""
        with self._changed:
            if self._closed:
                return
            if at is None:
                self._start(job)
            else:
                heapq.heappush(self._later, (at, next(self._numbers), job))
                self._changed.notify_all()

    def close(self) -> None:
        """What waits is not done any more; what runs goes on."""
        with self._changed:
            self._closed = True
            self._later.clear()
            self._changed.notify_all()

    def _wait(self) -> None:
        with self._changed:
            while not self._closed:
                if self._later and self._later[0][0] <= self.clock.now():
                    self._start(heapq.heappop(self._later)[2])
                else:
                    self.clock.wait(self._changed, self._later[0][0] if self._later else None)

    def _start(self, job: Job) -> None:
        threading.Thread(target=self._do, args=(job,), daemon=True, name="event").start()

    def _do(self, job: Job) -> None:
        try:
            job()
        except Exception as error:  # a thread has no caller; what ends with the server is no defect
            if not self._closed:
                self._log("events", f"defect: {type(error).__name__}: {error}")
