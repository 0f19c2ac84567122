"""Beside the membership: how many nodes there are, what is done about GPUs, and the check of all nodes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from blueprints.deep_learning_cluster.agent import aws, check, gpus
from blueprints.deep_learning_cluster.agent.capacity import Capacity, Group, Standing
from blueprints.deep_learning_cluster.agent.care import Care, load
from blueprints.deep_learning_cluster.agent.registry import Facts, Member, Registry
from blueprints.deep_learning_cluster.agent.upkeep import Upkeep

CLUSTER = "training"
REFUSAL = "We currently do not have sufficient p5.48xlarge capacity in the Availability Zone you requested."


def member(slot: int, state: str = "", *, gone: bool = False) -> Member:
    facts = Facts(f"i-{slot}", f"10.0.1.1{slot}", f"ssh-ed25519 KEY{slot}", "g6.12xlarge", 4, 0)
    return Member(slot, facts, 1, gone, state)


class Cloud:
    """AWS with a registry in moto, and Auto Scaling groups as they are given; calls that change are kept."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls = client, list[tuple[str, Any]]()
        self.groups: list[aws.Request] = [group("Master", 1, 1), group("Worker", 3, 3)]
        self.activities: list[aws.Request] = []
        self.down = ""

    def __call__(self, operation: str, request: aws.Request) -> aws.Request:
        if operation == self.down:
            raise aws.CallError(f"{operation}: ServiceUnavailable")
        if operation.startswith("dynamodb"):
            try:
                return getattr(self._client, operation.split()[1].replace("-", "_"))(**request)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise aws.RefusedError from error
        if operation == "autoscaling describe-auto-scaling-groups":
            assert request == {"Filters": [{"Name": "tag:Cluster", "Values": [CLUSTER]}]}
            return {"AutoScalingGroups": self.groups}
        if operation == "autoscaling describe-scaling-activities":
            return {"Activities": self.activities}
        self.calls.append((operation, request))
        return {}

    def metrics(self) -> list[dict[str, float]]:
        """What was put into CloudWatch, a call at a time."""
        put = [request for operation, request in self.calls if operation == "cloudwatch put-metric-data"]
        assert {each["Namespace"] for each in put} <= {"DeepLearningCluster"}
        return [{each["MetricName"]: each["Value"] for each in request["MetricData"]} for request in put]


def group(kind: str, desired: int, present: int) -> aws.Request:
    tags = [{"Key": "NodeType", "Value": kind}, {"Key": "Cluster", "Value": CLUSTER}]
    instances = [{"InstanceId": f"i-{kind}-{number}"} for number in range(present)]
    name = f"{CLUSTER}-{kind}"
    return {"AutoScalingGroupName": name, "Tags": tags, "DesiredCapacity": desired, "Instances": instances}


def launch(status: str, message: str = "") -> aws.Request:
    return {"Description": "Launching a new EC2 instance", "StatusCode": status, "StatusMessage": message}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    import boto3

    with mock_aws():
        boto: Any = boto3
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto.client("dynamodb", region_name="us-east-1", **keys)
        client.create_table(
            TableName="registry",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "Slot", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Slot", "AttributeType": "S"}],
        )
        yield Cloud(client)


def item(cloud: Cloud) -> dict[str, Any]:
    """The registry's item of the cluster."""
    found = cloud("dynamodb get-item", {"TableName": "registry", "Key": {"Slot": {"S": "epoch"}}})["Item"]
    return {name: next(iter(value.values())) for name, value in found.items()}


def registry(cloud: aws.Call, slot: int = 1) -> Registry:
    return Registry(cloud, "registry", member(slot).facts)


# Capacity


def test_registry_and_metric_say_what_is_expected_has_joined_and_is_refused(cloud: Cloud) -> None:
    cloud.groups = [group("Master", 1, 1), group("Worker", 3, 1)]
    cloud.activities = [{"Description": "Terminating"}, launch("Failed", REFUSAL), launch("Successful")]
    told = registry(cloud)
    capacity = Capacity(cloud, told, CLUSTER)
    told.round()
    assert capacity.tell(capacity.groups(), 2) == Standing(4, 2, 2, REFUSAL)
    found = item(cloud)
    assert [found[name] for name in ("Expected", "Joined", "Refused", "Reason")] == ["4", "2", "2", REFUSAL]
    assert cloud.metrics() == [{"Expected": 4, "Joined": 2, "Refused": 2}]
    assert {operation for operation, _ in cloud.calls} == {"cloudwatch put-metric-data"}  # nothing is scaled


@pytest.mark.parametrize("activities", [[], [launch("InProgress"), launch("Failed", REFUSAL)]])
def test_a_node_that_is_being_launched_is_not_refused(cloud: Cloud, activities: list[aws.Request]) -> None:
    cloud.groups, cloud.activities = [group("Worker", 3, 1)], activities
    told = registry(cloud)
    capacity = Capacity(cloud, told, CLUSTER)
    told.round()
    assert capacity.tell(capacity.groups(), 1) == Standing(3, 1, 0, "")


def test_rounds_of_ones_own_meanwhile_take_nothing_away(cloud: Cloud) -> None:
    """To ask AWS takes longer than a period, where that is short or the node is busy."""
    told = registry(cloud)
    told.round()
    groups = Capacity(cloud, told, CLUSTER).groups()
    told.round()
    Capacity(cloud, told, CLUSTER).tell(groups, 4)
    assert item(cloud)["Joined"] == "4"


def test_who_is_no_longer_on_watch_tells_nothing(cloud: Cloud) -> None:
    """A node that was paused comes back with what it saw before another took over."""
    late, now = registry(cloud, 2), registry(cloud)
    late.round()
    now.round()
    Capacity(cloud, now, CLUSTER).tell([Group("w", "Worker", 4, 4)], 4)
    Capacity(cloud, late, CLUSTER).tell([Group("w", "Worker", 4, 4)], 1)
    assert item(cloud)["Joined"] == "4"
    assert len(cloud.metrics()) == 1


def test_who_is_on_watch_again_tells_what_it_told_before(cloud: Cloud) -> None:
    """Meanwhile another has told something else."""
    master, worker = registry(cloud), registry(cloud, 2)
    again = Capacity(cloud, master, CLUSTER)
    for each, capacity, joined in (
        (master, again, 4), (worker, Capacity(cloud, worker, CLUSTER), 3), (master, again, 4)
    ):  # fmt: skip
        each.round()
        capacity.tell([Group("w", "Worker", 4, 4)], joined)
        assert item(cloud)["Joined"] == str(joined)


def upkeep(cloud: Cloud, clock: list[float], care: Care | None = None) -> tuple[Upkeep, list[str]]:
    said: list[str] = []
    made = Upkeep(Capacity(cloud, registry(cloud), CLUSTER), care, 15, lambda: clock[0], said.append)
    return made, said


def test_only_a_node_on_watch_tells_how_many_nodes_there_are(cloud: Cloud) -> None:
    clock = [100.0]
    node, said = upkeep(cloud, clock)
    node.step()
    assert cloud.metrics() == []
    registry(cloud).round()
    node.watched([member(1), member(2), member(3, gone=True)])
    node.step()
    assert cloud.metrics() == [{"Expected": 4, "Joined": 2, "Refused": 0}]
    clock[0] += 61  # somebody else may watch by now
    node.step()
    assert (len(cloud.metrics()), said) == (1, [])


def test_what_aws_does_not_do_is_tried_again(cloud: Cloud) -> None:
    clock = [100.0]
    node, said = upkeep(cloud, clock)
    registry(cloud).round()
    node.watched([member(1)])
    cloud.down = "cloudwatch put-metric-data"
    node.step()
    assert said == ["tried again later: cloudwatch put-metric-data: ServiceUnavailable"]
    cloud.down = ""
    node.step()
    assert cloud.metrics() == [{"Expected": 4, "Joined": 1, "Refused": 0}]


# GPUs


Driver = Callable[[int, str], None]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver that lists so many GPUs, each with this load."""

    def install(count: int, figures: str) -> None:
        lines = "\\n".join(f"GPU {number}: L4" for number in range(count))
        loads = "\\n".join([figures] * count)
        path = tmp_path / "nvidia-smi"
        path.write_text(
            f"#!/bin/bash\ncase $1 in -L) printf '{lines}\\n' ;; *) printf '{loads}\\n' ;; esac\n"
            f"[ {count} != 0 ]\n"
        )
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return install


def test_the_load_is_what_the_driver_says(driver: Driver) -> None:
    driver(2, "80, 6000, 24000")
    assert load() == (80, 80, 25)
    driver(2, "[N/A], 6000, 24000")
    assert load() is None
    driver(0, "")
    assert load() is None
    assert gpus.listed() == 0


def care(
    cloud: Cloud, clock: list[float], wishes: str, *, master: bool = True
) -> tuple[Care, Registry, list[str]]:
    told, said = registry(cloud), list[str]()
    of = {"Cluster": CLUSTER, "InstanceId": "i-1"}
    made = Care(wishes, cloud, told, of, gpus=4, master=master, clock=lambda: clock[0], log=said.append)
    return made, told, said


def test_metrics_of_each_node_once_a_look(cloud: Cloud, driver: Driver) -> None:
    driver(4, "40, 12000, 24000")
    node, told, _ = care(cloud, [0.0], "metrics")
    node.look()
    assert cloud.metrics() == [{"GpuUtilization": 40, "GpuMemoryUtilization": 50}]
    names = {each["Name"]: each["Value"] for each in cloud.calls[0][1]["MetricData"][0]["Dimensions"]}
    assert (names, told.state) == ({"Cluster": CLUSTER, "InstanceId": "i-1"}, "")


def test_a_node_is_sick_when_three_looks_in_a_row_miss_a_gpu(cloud: Cloud, driver: Driver) -> None:
    node, told, _ = care(cloud, [0.0], "replace")
    states: list[str] = []
    for count in (3, 3, 4, 3, 0, 3, 4):
        driver(count, "0, 0, 24000")
        node.look()
        states.append(told.state)
    assert states == ["", "", "", "", "", "sick", ""]
    assert cloud.calls == []


WHOLE = Standing(4, 4, 0, "")


def unhealthy(cloud: Cloud) -> list[str]:
    return [request["InstanceId"] for operation, request in cloud.calls if "set-instance-health" in operation]


def test_one_sick_worker_an_hour_is_replaced_and_never_the_master(cloud: Cloud) -> None:
    clock = [0.0]
    node, _, _ = care(cloud, clock, "replace")
    present = [member(1, "sick"), member(2), member(3, "sick"), member(4, "sick")]
    for at in (0, 60, 3599, 3600, 3660):
        clock[0] = at
        node.keep([], present, WHOLE)
    assert unhealthy(cloud) == ["i-3", "i-3"]
    assert cloud.calls[0][1]["ShouldRespectGracePeriod"] is True


def test_no_sick_worker_is_replaced_while_another_is_away_or_by_another_than_the_master(cloud: Cloud) -> None:
    present = [member(1), member(2, "sick"), member(3)]
    care(cloud, [0.0], "replace")[0].keep([], present, Standing(4, 3, 0, ""))
    care(cloud, [0.0], "replace", master=False)[0].keep([], present, WHOLE)
    care(cloud, [0.0], "metrics")[0].keep([], present, WHOLE)
    assert unhealthy(cloud) == []


def test_a_node_is_idle_after_so_many_minutes_below_the_share(cloud: Cloud, driver: Driver) -> None:
    clock = [0.0]
    node, told, _ = care(cloud, clock, "idle:5:30")
    states: list[str] = []
    for minute, figures in (
        (0, "4, 0, 1"),
        (29, "4, 0, 1"),
        (30, "4, 0, 1"),
        (31, "5, 0, 1"),
        (60, "0, 0, 1"),
    ):
        clock[0] = 60 * minute
        driver(4, figures)
        node.look()
        states.append(told.state)
    assert states == ["", "", "idle", "", ""]
    driver(0, "")  # a driver that says nothing is not an idle one
    clock[0] = 60 * 1000
    node.look()
    assert told.state == ""


def test_workers_are_given_back_when_all_nodes_are_idle(cloud: Cloud) -> None:
    node, _, _ = care(cloud, [0.0], "idle:5:30")
    groups = [Group("m", "Master", 1, 1), Group("w", "Worker", 3, 3)]
    node.keep(groups, [member(1, "idle"), member(2, "idle"), member(3)], WHOLE)
    assert cloud.calls == []
    node.keep(groups, [member(1, "idle"), member(2, "idle")], WHOLE)
    scaled = {"AutoScalingGroupName": "w", "MinSize": 0, "DesiredCapacity": 0}
    assert cloud.calls == [("autoscaling update-auto-scaling-group", scaled)]
    node.keep([groups[0], Group("w", "Worker", 0, 0)], [member(1, "idle")], WHOLE)
    assert len(cloud.calls) == 1


def test_a_nodes_state_goes_with_its_beats(cloud: Cloud) -> None:
    told = registry(cloud, 2)
    assert told.claim(2)
    told.state = "sick"
    assert told.beat(2)
    assert [each.state for each in told.members()] == ["sick"]
    told.state = ""
    assert told.beat(2)
    assert [each.state for each in told.members()] == [""]


# The check of all nodes


SSH = """#!/bin/bash
for last; do name=$host; host=$last; done
cat "$ANSWERS/$name" 2> /dev/null || { echo 'Connection timed out' >&2; exit 255; }
"""
WELL = {"gpus": 4, "efa": 1, "disk %": 60, "driver": "595.1", "torch": "2.12", "agent": "abcd"}


def checked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[int, dict[str, Any]],
    standing: dict[str, Any],
    *,
    nodes: int = 4,
) -> tuple[int, str]:
    """The check's status, and what it prints, with nodes that answer so."""
    import contextlib
    import io
    import time

    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("ANSWERS", str(tmp_path))
    monkeypatch.setenv("TABLE", "registry")
    names = [f"deeplearning-worker{slot}" for slot in range(1, nodes + 1)]
    listed = {"nodes": [{"name": name, "gpus": 4, "efa": 1} for name in names]}
    (tmp_path / "nodes.json").write_text(json.dumps(listed))
    for slot, answer in answers.items():
        told = {"time": time.time(), **WELL, **answer}
        (tmp_path / f"deeplearning-worker{slot}").write_text(f"Welcome\n{json.dumps(told)}\n")

    def call(operation: str, request: aws.Request) -> aws.Request:
        assert (operation, request["TableName"]) == ("dynamodb scan", "registry")
        if not standing:
            raise aws.CallError("Could not connect")
        return {"Items": [{"Slot": {"S": "1"}}, {"Slot": {"S": "epoch"}, **standing}]}

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = check.check(call, tmp_path / "nodes.json")
    return status, out.getvalue()


EXPECTED = {"Expected": {"N": "4"}, "Reason": {"S": ""}}


def test_a_cluster_that_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, table = checked(tmp_path, monkeypatch, {1: {}, 2: {}, 3: {}, 4: {}}, EXPECTED)
    head, *rows, last = table.splitlines()
    assert head.split() == [
        "node",
        "gpus",
        "efa",
        "clock",
        "s",
        "disk",
        "%",
        "driver",
        "torch",
        "agent",
        "fault",
    ]
    assert [row.split()[0] for row in rows] == [f"deeplearning-worker{slot}" for slot in (1, 2, 3, 4)]
    assert all(
        row.split()[1:3] == ["4", "1"] and row.split()[4:] == ["60", "595.1", "2.12", "abcd"] for row in rows
    )
    assert (status, last) == (0, "4 of 4 nodes")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"gpus": 3}, "3 of 4 gpus"),
        ({"efa": 0}, "0 of 1 efa"),
        ({"time": 1_000_000}, "clock is off"),
        ({"disk %": 4}, "disk is full"),
        ({"driver": "580.1"}, "another driver"),
        ({"torch": "-"}, "another torch"),
        ({"agent": "0000"}, "another agent"),
    ],
)
def test_each_fault_is_told_at_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], fault: str
) -> None:
    status, table = checked(tmp_path, monkeypatch, {1: {}, 2: {}, 3: answer, 4: {}}, EXPECTED)
    ends = [line.endswith(f"  {fault}") for line in table.splitlines()]
    assert (status, ends) == (1, [False, False, False, True, False, False])


def test_a_node_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, table = checked(tmp_path, monkeypatch, {1: {}, 2: {}, 4: {}}, EXPECTED)
    assert (status, table.splitlines()[3].split()[0]) == (1, "deeplearning-worker3")
    assert table.splitlines()[3].endswith("no answer")


def test_nodes_that_never_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = {"Expected": {"N": "4"}, "Reason": {"S": REFUSAL}}
    status, table = checked(tmp_path, monkeypatch, {1: {}, 2: {}}, standing, nodes=2)
    assert (status, table.splitlines()[-1]) == (1, f"2 of 4 nodes {REFUSAL}")


def test_a_registry_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, table = checked(tmp_path, monkeypatch, {1: {}}, {}, nodes=1)
    assert (status, table.splitlines()[-1]) == (1, "the registry is out of reach: Could not connect")


def test_a_node_says_of_itself_what_the_check_reads(
    tmp_path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver(2, "595.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    check.probe()
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {*WELL, "time"}
    assert (found["gpus"], found["driver"]) == (2, "595.1")
    assert 0 <= found["disk %"] <= 100
