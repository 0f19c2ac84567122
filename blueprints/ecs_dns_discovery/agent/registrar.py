"""The registrar: what runs here against what the zone says, and the changes that make the second like the first.

Its table says which records each container has, so that nothing is asked of a container that is gone. One thread
takes everything that happens from one queue, so that whatever concerns a container is done in its order. Changes are
not sent one by one: each call takes all that differs by then.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable
from typing import Any

# Signals by which a container is ended. Others, such as SIGHUP, leave it running.
_ENDING = {"2", "3", "6", "9", "15"}
_STOPPING_SECONDS = 600  # for which a container that was told to end is not believed to run
_SLOWEST = 60.0  # seconds between two tries
_SOON = 5.0
_RECENT = 512  # events that are known again; Docker itself keeps 256


class Registrar:
    """Keeps one host's records. `imports` are the agent's other modules, by their names.

    `interval` is the least time between two calls that change the zone, `resync` the time between two comparisons of
    everything, both in seconds.
    """

    def __init__(
        self,
        imports: Any,
        daemon: Any,
        zone: Any,
        host: Any,
        log: Callable[..., None],
        *,
        interval: float,
        resync: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.imports, self.daemon, self.zone, self.host, self.log = imports, daemon, zone, host, log
        self.interval, self.resync = interval, resync
        self.clock, self.wall = clock, wall
        self.inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.table: dict[str, list[Any]] = {}
        self.stopping: dict[str, float] = {}
        self.known: dict[Any, Any] | None = None
        self.refused: dict[Any, Any] = {}
        self.told: dict[str, tuple[str, ...]] = {}
        self.registered = True
        self.dirty = False
        self.seen = 0
        self.recent: dict[tuple[int, str, str], None] = {}
        self.batch = imports.route53.MOST_ELEMENTS
        self.next_change = self.next_resync = self.backoff = 0.0
        self.waiting: list[int] = []
        self.delayed = 0

    # What happens

    def run(self) -> None:
        """Do what the inbox says until it says `end`."""
        while True:
            for kind, what in self._received():
                if kind == "end":
                    return
                self.take(kind, what)
            self.work()

    def _received(self) -> list[tuple[str, Any]]:
        """What has come, all of it; if nothing has, what comes before there is something else to do."""
        now = self.clock()
        due = min(self.next_resync, self.next_change if self.dirty else self.next_resync)
        found: list[tuple[str, Any]] = []
        try:
            found.append(self.inbox.get(timeout=max(0.0, due - now)))
            while True:
                found.append(self.inbox.get_nowait())
        except queue.Empty:
            return found

    def take(self, kind: str, what: Any) -> None:
        """One message: `subscribed`, after which everything is compared, or an `event` of the daemon's."""
        if kind == "subscribed":
            self.next_resync = self.clock()
        elif self._new(what):
            self._event(what)

    def _new(self, event: dict[str, Any]) -> bool:
        """Whether an event was not seen before: a stream that is resumed begins with what was seen last.

        Time alone does not tell: of containers that start at once, the daemon may tell the earlier one later.
        """
        key = (event["timeNano"], event["Actor"]["ID"], event["Action"])
        known = key in self.recent
        self.recent[key] = None
        if len(self.recent) > _RECENT:
            del self.recent[next(iter(self.recent))]
        self.seen = max(self.seen, event["timeNano"])
        return not known

    def _event(self, event: dict[str, Any]) -> None:
        container, action = event["Actor"]["ID"], event["Action"]
        had = self.table.get(container)
        if action == "start":
            self.stopping.pop(container, None)
            self._look(container)
        elif action == "kill":
            if event["Actor"]["Attributes"].get("signal") in _ENDING:
                self.stopping[container] = self.clock()
        else:
            self.table.pop(container, None)
            self.stopping.pop(container, None)
            self.told.pop(container, None)
        if had or self.table.get(container):
            self.waiting.append(event["timeNano"])
            self.dirty = True

    def _look(self, container: str) -> None:
        """What a container asks for, from now on. One that is gone again asks for nothing."""
        problems: list[str] = []
        try:
            inspected = self.daemon.inspect(container)
            self.table[container] = self.imports.records.of_container(
                inspected, self.host, self.imports.daemon.task_address, problems.append
            )
        except self.imports.daemon.GoneError:
            self.table.pop(container, None)
        except self.imports.daemon.DaemonError as error:
            problems.append(str(error))
            self.next_resync = min(self.next_resync, self.clock() + _SOON)
        if any("yet" in each for each in problems):
            self.next_resync = min(self.next_resync, self.clock() + _SOON)
        if problems and self.told.get(container) != tuple(problems):
            self.told[container] = tuple(problems)
            self.log("problem", container=container, problems=problems)

    # What is to be done

    def work(self) -> None:
        """Compare if it is time, and send what differs if it may be sent."""
        if self.clock() >= self.next_resync:
            self.compare()
        if self.dirty and self.clock() >= self.next_change:
            self.send()

    def compare(self) -> bool:
        """Look at everything anew: what runs, and what the zone has. False if the daemon does not answer."""
        self.next_resync = self.clock() + self.resync
        try:
            running = self.daemon.running()
        except self.imports.daemon.DaemonError as error:
            self.log("daemon", error=str(error))
            self.next_resync = self.clock() + _SOON
            return False
        for container in set(self.table) - set(running):
            del self.table[container]
            self.told.pop(container, None)
        late = self.clock() - _STOPPING_SECONDS
        self.stopping = {each: at for each, at in self.stopping.items() if each in running and at > late}
        for container in running:
            self._look(container)
        self.known, self.refused, self.dirty = None, {}, True
        return True

    def wanted(self) -> dict[Any, Any]:
        """The records that there should be, by their keys."""
        if not self.registered:
            return {}
        found = [self.host.own()]
        for container, records in self.table.items():
            if container not in self.stopping:
                found += records
        return {each.key: each for each in found}

    def changes(self) -> list[Any]:
        """What makes the zone as it should be, without what Route 53 has refused since the last comparison."""
        change = self.imports.route53.Change
        wanted, known = self.wanted(), {} if self.known is None else self.known
        found: list[Any] = []
        for key, record in sorted(known.items()):
            new = wanted.get(key)
            if new is None or new.routing != record.routing:
                found.append(change("DELETE", record))
        found += [
            change("UPSERT", record) for key, record in sorted(wanted.items()) if known.get(key) != record
        ]
        return [each for each in found if self.refused.get(each.record.key) != each]

    def plan(self) -> list[Any]:
        """All changes, after a look at the zone if what it has is not known."""
        if self.known is None:
            self.known = {each.key: each for each in self.zone.records(self.host.owns)}
        return self.changes()

    def send(self) -> None:
        """One call with all that differs, or with as much of it as a call may hold."""
        changes: list[Any] = []
        chosen: list[Any] = []
        try:
            changes = self.plan()
            chosen = self.imports.route53.chunk(changes, self.batch)
            if chosen:
                self.zone.change(chosen)
                self.next_change = self.clock() + self.interval
                self._sent(chosen)
        except self.imports.route53.RefusedError as error:
            self._refused(chosen, str(error))
            return
        except self.imports.passing as error:
            self._again(str(error))
            return
        self.backoff = 0.0
        self.dirty = len(chosen) < len(changes)
        if not self.dirty:
            self.waiting = []

    def _sent(self, changes: list[Any]) -> None:
        known = {} if self.known is None else self.known
        for each in changes:
            if each.action == "UPSERT":
                known[each.record.key] = each.record
            else:
                known.pop(each.record.key, None)
        self.batch = min(2 * self.batch, self.imports.route53.MOST_ELEMENTS)
        now = self.wall()
        self.log(
            "changed",
            upserted=[_short(each) for each in changes if each.action == "UPSERT"],
            deleted=[_short(each) for each in changes if each.action == "DELETE"],
            milliseconds=[round(now * 1000 - each / 1e6, 1) for each in self.waiting],
            calls=self.zone.calls,
            delayed=self.delayed,
        )

    def _refused(self, changes: list[Any], error: str) -> None:
        """The zone is not as believed, or one change is bad: look again, and halve until the bad one is alone."""
        self.log("refused", error=error, changes=len(changes))
        self.known = None
        self.next_change = self.clock() + self.interval
        if len(changes) == 1:
            self.refused[changes[0].record.key] = changes[0]
        self.batch = max(1, len(changes) // 2)

    def _again(self, error: str) -> None:
        """Later, and later again each time, at a moment that other hosts do not choose too."""
        self.delayed += 1
        self.backoff = min(_SLOWEST, max(self.interval, 0.25, 2 * self.backoff))
        self.next_change = self.clock() + self.backoff * random.uniform(0.5, 1)  # noqa: S311 - no secret
        self.log(
            "delayed", error=error, seconds=round(self.next_change - self.clock(), 2), delayed=self.delayed
        )

    # Once

    def settle(self, sleep: Callable[[float], None], seconds: float) -> bool:
        """Work until nothing differs any more, `seconds` at most; whether it came to that."""
        until = self.clock() + seconds
        self.dirty = True
        while self.dirty and self.clock() < until:
            sleep(max(0.0, min(self.next_change, until) - self.clock()))
            self.send()
        return not self.dirty and not self.refused


def _short(change: Any) -> str:
    return f"{change.record.name} {change.record.kind} {change.record.value}"


def follow(
    registrar: Registrar, error_type: Any, sleep: Callable[[float], None], ended: Callable[[], bool]
) -> None:
    """Pass on what the daemon says, and subscribe again, ever more slowly, when it stops saying anything."""
    pause = 0.1
    while not ended():
        began = registrar.clock()
        try:
            for event in registrar.daemon.events(
                registrar.seen, lambda: registrar.inbox.put(("subscribed", None))
            ):
                registrar.inbox.put(("event", event))
            registrar.log("daemon", error="the stream of events has ended")
        except error_type as error:
            registrar.log("daemon", error=str(error))
        pause = 0.1 if registrar.clock() - began > 10 else min(5.0, 2 * pause)
        sleep(pause)
