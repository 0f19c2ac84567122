"""What is asked of, and done to, a formed cluster: how many nodes each knows, and a node replaced."""

from __future__ import annotations

from .cluster import CONSOLE, Cluster, Node, figure, until
from .conftest import PERIOD

LONG = 20 * PERIOD  # to end a hang; the goal is a lease and two periods


def count(node: Node) -> str:
    """How many nodes a node knows, by its variable and by the lines of its list."""
    snapshot = "cd -P /opt/deeplearning/current && . ./deeplearning.sh"
    told = node.out(f"{snapshot} && echo $DEEPLEARNING_WORKERS_COUNT $(wc -l < workers)")
    by_variable, by_lines = told.split()
    assert by_variable == by_lines
    return by_variable


def counts(cluster: Cluster) -> list[str]:
    """That of every node."""
    return [count(each) for each in cluster.nodes]


def formed(cluster: Cluster) -> None:
    """Wait until every node knows every node."""
    cluster.aws.faults.clear()
    until(lambda: counts(cluster) == [str(len(cluster.nodes))] * len(cluster.nodes), 2 * LONG)


def replaced(cluster: Cluster, slot: int) -> Node:
    """Terminate the instance that holds a slot, and see its successor take the slot, for every node."""
    gone = cluster.by_slot()[slot]
    cluster.aws.client("ec2").terminate_instances(InstanceIds=[gone.instance_id])
    gone.host.power_off()
    cluster.nodes.remove(gone)
    (node,) = cluster.power_on()
    assert cluster.boot([node]) == {node.instance_id: 0}, node.read(CONSOLE)
    formed(cluster)
    address = f"{node.host.address} deeplearning-worker{slot}\n"
    seconds = until(lambda: all(address in each.read("/etc/hosts") for each in cluster.nodes), LONG)
    figure(
        f"all nodes knew slot {slot}'s new holder {seconds:.1f} s after it had booted; a period is {PERIOD} s"
    )
    assert cluster.by_slot()[slot] is node
    return node
