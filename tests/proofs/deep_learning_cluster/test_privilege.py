"""The roles of the nodes, against the calls of boots, of the agents' daily work, and of what is done about GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from blueprints.local.hosts import Network

from .cluster import CONSOLE, Cluster, Node, altered, begin, rendered, until

if TYPE_CHECKING:
    from blueprints.local.privilege.plugin import Privileges

pytest_plugins = ("blueprints.local.privilege.plugin",)

PERIOD = 3
LONG = 60 * PERIOD  # to end a hang; looks at GPUs are four periods apart, and three make a verdict
KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
GPUS = {"metrics": True, "replace": True, "idle": {"percent": 5, "minutes": 15}}
HASTY = ("idle:5:15", "idle:5:0.1")  # minutes
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"config": {"access": "session_manager"}, "parameters": {}},
    "cared": {
        "config": {"access": "ssh", "gpus": GPUS},
        "parameters": {"KeyName": "my-key", "SSHLocation": "198.51.100.0/24", "KmsKeyArn": KEY},
    },
}


@dataclass
class Case:
    """A cluster that is watched: a master and a worker, and a worker that EC2 refuses."""

    shape: str
    cluster: Cluster
    master: Node
    worker: Node

    def drivers(self, **says: int) -> None:
        """What the driver of every node says from now on: `count` of GPUs, percent `busy`."""
        text = "".join(f"{name}={value}\n" for name, value in says.items())
        for each in self.cluster.nodes:
            each.out(f"printf '{text}' > /etc/gpus")

    def called(self, api: str, by: Node | None = None) -> bool:
        """Whether an operation was called, by one node or at all."""
        return any(by is None or each.principal == by.instance_id for each in self.cluster.aws.calls(api))


@pytest.fixture(scope="module", params=list(SHAPES))
def case(
    request: pytest.FixtureRequest,
    privileges: Privileges,
    network: Network,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Case]:
    shape = SHAPES[request.param]
    config = {**shape["config"], "membership": {"period": PERIOD}}
    parameters = {"WorkerCount": 2, "MinWorkers": 1, **shape["parameters"]}
    kms_key = "KmsKeyArn" in parameters
    stack = rendered(tmp_path_factory.mktemp(request.param), config, parameters, kms_key=kms_key)
    if "gpus" in config:
        stack = altered(stack, HASTY)
    with ExitStack() as ending:
        cluster = begin(network, stack, instances=2)
        ending.enter_context(cluster.aws)
        cluster.power_on()
        roles = {each.instance_id: f"{each.kind}Role" for each in cluster.nodes}
        ending.enter_context(privileges.watch(cluster.aws, stack, roles))
        made = Case(request.param, cluster, *cluster.nodes)
        made.drivers(count=0)  # so that types are asked for
        assert set(cluster.boot(cluster.nodes).values()) == {0}, [
            each.read(CONSOLE) for each in cluster.nodes
        ]
        yield made
        cluster.off()


def test_a_cluster_forms_and_says_who_is_missing(case: Case) -> None:
    """The verdict follows after the last test: `privileges` gives it."""
    until(lambda: case.cluster.registry().get("epoch", {}).get("Refused") == "1", LONG)
    until(lambda: case.called("cloudwatch:PutMetricData"), LONG)
    case.drivers(count=4)
    assert "2 of 3 nodes" in case.master.run("deeplearning-check", user="ubuntu").stdout.decode()
    case.drivers(count=0)


def test_a_worker_watches_while_the_master_is_away(case: Case) -> None:
    case.master.out("systemctl stop deeplearning-agent")
    for api in ("autoscaling:DescribeScalingActivities", "cloudwatch:PutMetricData"):  # in this order
        until(lambda api=api: case.called(api, case.worker), LONG)
    case.master.out("systemctl start deeplearning-agent")


def test_a_worker_without_gpus_is_given_up(case: Case) -> None:
    if case.shape == "plain":
        assert not case.called("autoscaling:SetInstanceHealth")
        return
    group = case.cluster.group("Worker")["AutoScalingGroupName"]
    scaling = case.cluster.aws.client("autoscaling")
    scaling.update_auto_scaling_group(
        AutoScalingGroupName=group, DesiredCapacity=1
    )  # nobody is missing any more
    until(lambda: case.called("autoscaling:SetInstanceHealth"), LONG)


def test_idle_workers_are_given_back(case: Case) -> None:
    if case.shape == "plain":
        assert not case.called("autoscaling:UpdateAutoScalingGroup")
        return
    case.drivers(count=4, busy=0)
    until(lambda: case.cluster.group("Worker")["DesiredCapacity"] == 0, LONG)
