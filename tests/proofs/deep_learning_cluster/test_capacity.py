"""Nodes that EC2 has no capacity for, under both policies: nothing shrinks, and one place says how many there are."""

from __future__ import annotations

from pathlib import Path

from blueprints.local.hosts import Network

from .changes import formed
from .cluster import CONSOLE, Cluster, begin, rendered, until
from .conftest import CONFIG, PARAMETERS

PERIOD = 4
LONG = 40 * PERIOD  # to end a hang; the node on watch looks once in four periods
FIGURES = ("Expected", "Joined", "Refused")


def short_of(network: Network, folder: Path, *, workers: int, needed: int, instances: int) -> Cluster:
    """A cluster whose nodes have booted as far as EC2 has instances for them."""
    parameters = {**PARAMETERS, "WorkerCount": workers, "MinWorkers": needed}
    made = begin(
        network, rendered(folder, {**CONFIG, "membership": {"period": PERIOD}}, parameters), instances
    )
    joined(made)
    return made


def joined(cluster: Cluster) -> None:
    """Boot what EC2 has launched by now."""
    statuses = cluster.boot(cluster.power_on())
    assert set(statuses.values()) == {0}, [each.read(CONSOLE) for each in cluster.nodes]
    formed(cluster)


def standing(cluster: Cluster) -> tuple[int, ...]:
    """Expected, joined and refused, as the registry has them."""
    item = cluster.registry()["epoch"]
    return tuple(int(item.get(name, -1)) for name in FIGURES)


def told(cluster: Cluster) -> list[str]:
    """What the command of the stack's output prints of it."""
    return cluster.nodes[0].out(str(cluster.stack.outputs()["CapacityCommand"])).split(maxsplit=3)


def latest(cluster: Cluster) -> list[float]:
    """The same from CloudWatch: the last value of each metric."""
    name = {"Name": "Cluster", "Value": str(cluster.stack.outputs()["ClusterName"])}
    put = [
        {each["MetricName"]: each["Value"] for each in call.parameters["MetricData"]}
        for call in cluster.aws.calls("cloudwatch:PutMetricData")
        if all(each["Dimensions"] == [name] for each in call.parameters["MetricData"])
    ]
    return [put[-1][each] for each in FIGURES]


def test_best_effort_begins_with_what_there_is_and_takes_the_rest_when_it_comes(
    network: Network, folder: Path
) -> None:
    cluster = short_of(network, folder, workers=3, needed=1, instances=2)
    with cluster.aws:
        assert cluster.waiting("Worker")["state"] == "CREATE_COMPLETE"
        until(lambda: standing(cluster) == (4, 2, 2), LONG)
        assert told(cluster)[:3] == ["4", "2", "2"]
        assert told(cluster)[3].startswith("We currently do not have sufficient g6.xlarge capacity")
        until(lambda: latest(cluster) == [4, 2, 2], LONG)
        assert cluster.group("Worker")["DesiredCapacity"] == 3
        cluster.aws.limit_launches("g6.xlarge", 4)
        joined(cluster)
        until(lambda: standing(cluster) == (4, 4, 0), LONG)
        cluster.off()


def test_all_or_nothing_waits_for_all_and_shrinks_nothing(network: Network, folder: Path) -> None:
    cluster = short_of(network, folder, workers=2, needed=2, instances=2)
    with cluster.aws:
        until(lambda: standing(cluster) == (3, 2, 1), LONG)
        assert cluster.waiting("Worker")["state"] == "CREATE_IN_PROGRESS"
        assert list(cluster.signals("Worker").values()) == ["SUCCESS"]
        assert cluster.group("Worker")["DesiredCapacity"] == 2
        cluster.aws.limit_launches("g6.xlarge", 3)
        joined(cluster)
        assert cluster.waiting("Worker")["state"] == "CREATE_COMPLETE"
        cluster.off()
