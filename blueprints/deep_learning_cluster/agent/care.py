"""What is done about GPUs where the stack asks for it: metrics, a worker whose GPUs are missing replaced, all workers
given back when nobody uses them. Packed for such stacks alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import gpus
from .capacity import put
from .registry import MASTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from .aws import Call
    from .capacity import Group, Standing
    from .registry import Member, Registry

_IDLE, _SICK = "idle", "sick"
_LOOKS = 3  # in a row that find a GPU missing
_PACE = 3600  # seconds between two nodes that are replaced for their GPUs
_QUERY = ("--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")


def load() -> tuple[float, float, float] | None:
    """Percent of this node's GPUs in use: time of the busiest, mean time, memory; None if the driver is silent."""
    try:
        rows = [[float(each) for each in line.split(",")] for line in gpus.smi(*_QUERY)]
    except ValueError:  # a GPU that has no such figure
        return None
    if not rows:
        return None
    busy, used, whole = zip(*rows)
    return max(busy), sum(busy) / len(busy), 100 * sum(used) / sum(whole)


class Care:
    """One node's part in it; the master acts for all. `wishes` is `metrics,replace,idle:PERCENT:MINUTES` or some of it.

    What a node finds goes as its state, with its beats, to whoever watches. `gpus` is how many its type has.
    """

    def __init__(
        self,
        wishes: str,
        call: Call,
        registry: Registry,
        dimensions: dict[str, str],
        *,
        gpus: int,
        master: bool,
        clock: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._call, self._registry, self._dimensions = call, registry, dimensions
        self._gpus, self._master, self._clock, self._log = gpus, master, clock, log
        words = [*wishes.split(","), "idle:0:0"]
        self._metrics, self._replacing = "metrics" in words, "replace" in words
        idle = next(each for each in words if each.startswith("idle:")).split(":")
        self._percent, self._seconds = float(idle[1]), 60 * float(idle[2])
        self._missing, self._busy_at = 0, clock()
        self._replaced_at = clock() - _PACE

    def look(self) -> None:
        """At this node's own GPUs. Raises CallError where CloudWatch does not take what it finds."""
        found = load()
        self._missing = self._missing + 1 if gpus.listed() < self._gpus else 0
        if found is None or found[0] >= self._percent:
            self._busy_at = self._clock()
        idle = self._seconds and self._clock() - self._busy_at >= self._seconds
        sick = self._replacing and self._missing >= _LOOKS
        self._registry.state = _SICK if sick else _IDLE if idle else ""
        if found and self._metrics:
            values = {"GpuUtilization": found[1], "GpuMemoryUtilization": found[2]}
            put(self._call, values, self._dimensions)

    def keep(self, groups: list[Group], present: list[Member], standing: Standing) -> None:
        """What is done for the whole cluster, after a look at all of it. Raises CallError."""
        if not self._master:
            return
        if self._replacing and standing.Joined == standing.Expected:
            self._replace(present)
        if self._seconds and all(each.state == _IDLE for each in present):
            self._give_back(groups)

    def _replace(self, present: list[Member]) -> None:
        """One worker whose GPUs are missing: only while all nodes are there, and one an hour."""
        sick = [each for each in present if each.state == _SICK and each.slot != MASTER]
        if not sick or self._clock() - self._replaced_at < _PACE:
            return
        self._log(f"slot {sick[0].slot}, {sick[0].facts.Node}, lacks GPUs and is replaced")
        request = {"InstanceId": sick[0].facts.Node, "HealthStatus": "Unhealthy"}
        self._call("autoscaling set-instance-health", {**request, "ShouldRespectGracePeriod": True})
        self._replaced_at = self._clock()

    def _give_back(self, groups: list[Group]) -> None:
        """All workers. The master stays, and whoever comes back to it finds its files."""
        for each in groups:
            if each.kind == "Worker" and each.desired:
                self._log("all GPUs are idle; the workers are given back")
                request = {"AutoScalingGroupName": each.name, "MinSize": 0, "DesiredCapacity": 0}
                self._call("autoscaling update-auto-scaling-group", request)
