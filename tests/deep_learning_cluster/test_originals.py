"""Each defect of the originals' cluster: a statement that ours fulfils and the originals' logic or template does not.

A test's name has the number of the row it stands for: `test_row_2_…` is 1e.2.
"""

from __future__ import annotations

import ast
import base64
import fnmatch
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import yaml
from moto import mock_aws

from blueprints.core import Environment
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster, runtime
from blueprints.deep_learning_cluster.agent import aws, files, machine
from blueprints.deep_learning_cluster.agent.capacity import Capacity
from blueprints.deep_learning_cluster.agent.care import Care
from blueprints.deep_learning_cluster.agent.cycle import Cycle
from blueprints.deep_learning_cluster.agent.registry import Facts, Member, Registry
from blueprints.doctor.needs import needs
from blueprints.doctor.questions import Doctor

from . import originals
from .originals import DEFECTS, TEMPLATE

Template = dict[str, Any]
PROOFS = Path(__file__).parents[1] / "proofs" / "deep_learning_cluster"
PERIOD = 15
T = TypeVar("T")
WRONG = (AssertionError, KeyError, TypeError, ValueError)  # the last where there is none of what is to be one


def told_apart(statement: Callable[[T], None], ours: T, original: T) -> None:
    """Ours fulfils the statement, the original does not."""
    statement(ours)
    with pytest.raises(WRONG):
        statement(original)


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    names = [
        node.name
        for path in (Path(__file__), *sorted(PROOFS.glob("*.py")))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    found = {f"1e.{match[1]}" for name in names if (match := re.match(r"test_row_(\d+)_", name))}
    assert found == DEFECTS.keys()


def test_no_restatement_is_longer_than_fifteen_lines() -> None:
    tree = ast.parse(Path(originals.__file__).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    texts = [value for value in vars(originals).values() if isinstance(value, str)]
    assert functions
    assert all((each.body[-1].end_lineno or 0) - each.body[0].lineno < 15 for each in functions)
    assert all(len(each.strip().splitlines()) <= 15 for each in texts if each != originals.__doc__)


# The template


def rendered(**config: Any) -> Template:
    """Ours, where people log in by SSH unless something else is said."""
    chosen = ClusterConfig.model_validate({"access": "ssh"} | config)
    return DeepLearningCluster(chosen, Environment()).template()


def stated(statement: Callable[[Template], None], **config: Any) -> None:
    """A statement about a template: ours fulfils it in the shape given, the original's does not."""
    told_apart(statement, rendered(**config), TEMPLATE)


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def group(template: Template, kind: str) -> dict[str, Any]:
    return template["Resources"][f"{kind}AutoScalingGroup"]


def launched(template: Template) -> list[dict[str, Any]]:
    """What nodes are launched from."""
    found = [each["LaunchTemplateData"] for each in of_type(template, "AWS::EC2::LaunchTemplate")]
    assert found
    return found


# A cluster of nodes that come and go


class Table:
    """A table of DynamoDB in moto, as the agent calls it; out of reach while `down`."""

    def __init__(self) -> None:
        import boto3

        boto: Any = boto3
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self._client = boto.client("dynamodb", region_name="us-east-1", **keys)
        self.down = False
        key = {"AttributeName": "Slot"}
        self._client.create_table(
            TableName="registry",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{**key, "KeyType": "HASH"}],
            AttributeDefinitions=[{**key, "AttributeType": "S"}],
        )

    def __call__(self, operation: str, request: aws.Request) -> aws.Request:
        if self.down:
            raise aws.CallError(f"{operation}: Could not connect")
        try:
            return getattr(self._client, operation.split()[1].replace("-", "_"))(**request)
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise aws.RefusedError from error


@pytest.fixture
def table() -> Iterator[Table]:
    with mock_aws():
        yield Table()


def facts(name: str, address: str) -> Facts:
    return Facts(name, address, f"ssh-ed25519 {name}", "g6.12xlarge", 4, 0)


def member(slot: int) -> Member:
    return Member(slot, facts(f"i-{slot}", f"10.0.1.1{slot}"), 1)


FOUR = [member(slot) for slot in (1, 2, 3, 4)]


class Cluster:
    """Our agent on every node, each with a file system of its own; the clock jumps from period to period."""

    def __init__(self, workers: int, table: Table, root: Path) -> None:
        self.table, self._nodes, self._root = table, workers + 1, root
        self._now = 0.0
        self._made: dict[str, tuple[str, bool]] = {}
        self.running: dict[str, Cycle] = {}

    def boot(self, name: str, address: str, *, master: bool = False) -> None:
        """An instance boots for the first time."""
        (self._root / name / "etc").mkdir(parents=True)
        self._made[name] = address, master
        self.reboot(name)

    def reboot(self, name: str) -> None:
        """Its agent begins anew, with the files that it left."""
        address, master = self._made[name]
        told, published = facts(name, address), files.Files(self._root / name, "")

        def publish(epoch: int, slot: int, members: list[Member]) -> None:
            published.publish(epoch, slot, members)

        self.running[name] = Cycle(
            Registry(self.table, "registry", told),
            told,
            master=master,
            nodes=self._nodes,
            period=PERIOD,
            clock=lambda: self._now,
            publish=publish,
            log=lambda line: None,
        )

    def die(self, name: str) -> None:
        """An instance is off."""
        del self.running[name]

    def passes(self, seconds: float) -> None:
        """Time, of which only the end is played: nothing happens before."""
        until = self._now + seconds
        self._now = max(self._now, until - 10 * PERIOD)
        while self._now < until:
            for each in self.running.values():
                each.step()
            self._now += PERIOD

    def hosts(self, name: str) -> dict[str, str]:
        """Addresses by alias, in the order of the file, as a node has them."""
        lines = (self._root / name / "etc/hosts").read_text().splitlines()
        return {alias: address for address, alias in (each.split() for each in lines if each[0] != "#")}


MASTER, WORKERS = "10.0.1.9", ("10.0.1.10", "10.0.1.11", "10.0.1.12")
Scenario = Callable[[Any], None]


@pytest.fixture
def holds(table: Table, tmp_path: Path) -> Callable[[Scenario], None]:
    """A scenario of a cluster of four: ours passes it, the original does not."""

    def both(scenario: Scenario) -> None:
        told_apart(scenario, Cluster(3, table, tmp_path), originals.Cluster(3))

    return both


def form(cluster: Any) -> None:
    """Three workers and a master boot at once; each knows all."""
    for number, address in enumerate(WORKERS, start=1):
        cluster.boot(f"i-{number}", address)
    cluster.boot("i-master", MASTER, master=True)
    cluster.passes(300)
    if set(cluster.hosts("i-2").values()) != {MASTER, *WORKERS}:
        pytest.fail("both form a cluster")


def test_row_1_every_node_hears_of_a_replacement_and_the_others_keep_their_names(holds: Any) -> None:
    def scenario(cluster: Any) -> None:
        form(cluster)
        before = cluster.hosts("i-master")
        cluster.die("i-2")
        cluster.boot("i-4", "10.0.1.77")
        cluster.passes(600)
        expected = {
            alias: "10.0.1.77" if address == WORKERS[1] else address for alias, address in before.items()
        }
        for name in ("i-master", "i-1", "i-3"):
            assert cluster.hosts(name) == expected

    holds(scenario)


def test_row_3_a_replaced_master_leads_the_cluster_that_is_there(holds: Any) -> None:
    def scenario(cluster: Any) -> None:
        form(cluster)
        cluster.die("i-master")
        cluster.boot("i-new", "10.0.1.78", master=True)
        cluster.passes(3600)
        found = cluster.hosts("i-new")
        assert found["deeplearning-master"] == found["deeplearning-worker1"] == "10.0.1.78"
        assert set(found.values()) == {"10.0.1.78", *WORKERS}
        assert cluster.hosts("i-3") == found

    holds(scenario)


def test_row_3_the_masters_address_stays() -> None:
    def statement(template: Template) -> None:
        address = template["Outputs"]["MasterAddress"]["Value"]["Ref"]
        assert template["Resources"][address]["Type"] == "AWS::EC2::EIP"
        assert f"${{{address}.AllocationId}}" in str(launched(template))

    stated(statement)


@pytest.mark.parametrize("days", [1, 5])
def test_row_4_a_replaced_worker_knows_itself_and_none_of_the_dead(holds: Any, days: int) -> None:
    def scenario(cluster: Any) -> None:
        form(cluster)
        cluster.passes(days * 86_400)
        cluster.die("i-2")
        cluster.die("i-3")
        cluster.boot("i-4", "10.0.1.77")
        cluster.passes(3600)
        assert set(cluster.hosts("i-4").values()) == {MASTER, WORKERS[0], "10.0.1.77"}

    holds(scenario)


def test_row_11_a_worker_that_waits_in_vain_waits_on(holds: Any, table: Table) -> None:
    """Nobody answers for an hour: ours has no place yet, and gets one when somebody does."""

    def scenario(cluster: Any) -> None:
        table.down = True
        cluster.boot("i-1", WORKERS[0])
        cluster.passes(3600)
        table.down = False
        cluster.boot("i-master", MASTER, master=True)
        cluster.passes(300)
        assert set(cluster.hosts("i-1").values()) == {MASTER, WORKERS[0]}

    holds(scenario)


def test_row_13_the_first_of_the_list_is_the_master_whatever_the_addresses(holds: Any) -> None:
    def scenario(cluster: Any) -> None:
        form(cluster)
        for name in ("i-master", "i-1", "i-2", "i-3"):
            found = cluster.hosts(name)
            assert found["deeplearning-worker1"] == found["deeplearning-master"] == MASTER

    holds(scenario)


def test_row_22_a_node_that_restarts_knows_what_it_has_missed(holds: Any) -> None:
    def scenario(cluster: Any) -> None:
        form(cluster)
        cluster.die("i-master")
        cluster.die("i-2")
        cluster.boot("i-4", "10.0.1.77")
        cluster.passes(600)
        cluster.reboot("i-master")
        cluster.passes(3 * PERIOD)
        found = cluster.hosts("i-master")
        assert found["deeplearning-master"] == MASTER
        assert set(found.values()) == {MASTER, WORKERS[0], "10.0.1.77", WORKERS[2]}

    holds(scenario)


# Capacity


class Scaling:
    """EC2 Auto Scaling with a group of workers: what it does by itself, and what it is told to."""

    def __init__(self, desired: int, free: int) -> None:
        self.desired, self.free, self.suspended = desired, free, list[str]()
        self.instances: dict[str, bool] = {}
        self.refused = ""
        self.metrics: dict[str, float] = {}
        self._made = 1

    def tend(self) -> None:
        """Replace what is unhealthy, and launch what is lacking as far as there is room."""
        if "ReplaceUnhealthy" not in self.suspended:
            self.instances = {name: healthy for name, healthy in self.instances.items() if healthy}
        while len(self.instances) < min(self.desired, self.free):
            self._made += 1
            self.instances[f"i-{self._made}"] = True
        self.refused = "Insufficient capacity" if len(self.instances) < self.desired else ""

    def __call__(self, operation: str, request: aws.Request) -> aws.Request:
        match operation.partition(" ")[2]:
            case "describe-auto-scaling-groups":
                found: aws.Request = {"AutoScalingGroupName": "w", "DesiredCapacity": self.desired}
                tags = [{"Key": "NodeType", "Value": "Worker"}]
                return {"AutoScalingGroups": [{**found, "Tags": tags, "Instances": list(self.instances)}]}
            case "describe-scaling-activities":
                status = "Failed" if self.refused else "Successful"
                activity = {"Description": "Launching", "StatusCode": status, "StatusMessage": self.refused}
                return {"Activities": [activity]}
            case "put-metric-data":
                self.metrics |= {each["MetricName"]: each["Value"] for each in request["MetricData"]}
            case "set-instance-health":
                self.instances[request["InstanceId"]] = request["HealthStatus"] == "Healthy"
            case "set-desired-capacity" | "update-auto-scaling-group":
                self.desired = request["DesiredCapacity"]
            case "suspend-processes":
                self.suspended += request["ScalingProcesses"]
            case _:
                assert operation == "dynamodb update-item"
        return {}


def our_watch(scaling: Scaling, sick: str = "") -> None:
    """What the master does about the workers once a lease, where GPUs that fail are to be replaced."""
    registry = Registry(scaling, "registry", FOUR[0].facts)
    capacity = Capacity(scaling, registry, "training")
    present = [
        Member(slot, facts(name, f"10.0.1.{slot}"), 1, state="sick" if name == sick else "")
        for slot, name in enumerate(scaling.instances, start=2)
    ]
    groups = capacity.groups()
    care = Care(
        "replace", scaling, registry, {}, gpus=4, master=True, clock=lambda: 0.0, log=lambda line: None
    )
    care.keep(groups, present, capacity.tell(groups, len(present)))


def their_watch(scaling: Scaling, sick: str = "") -> None:
    """The original hears of launches, and of nothing else."""
    launches, wanted = len(scaling.instances), scaling.desired
    originals.hears_of_launches(scaling, launches, wanted, error=bool(scaling.refused))


Watch = Callable[..., None]


def test_row_2_a_failed_worker_is_replaced_when_the_cluster_is_whole() -> None:
    def statement(watch: Watch) -> None:
        scaling = Scaling(3, 3)
        scaling.tend()
        watch(scaling)
        scaling.instances["i-3"] = False
        scaling.tend()
        assert set(scaling.instances) == {"i-2", "i-4", "i-5"}

    told_apart(statement, our_watch, their_watch)


def test_row_2_a_worker_whose_gpus_fail_is_replaced_too() -> None:
    def statement(watch: Watch) -> None:
        scaling = Scaling(3, 3)
        scaling.tend()
        watch(scaling, sick="i-3")
        scaling.tend()
        assert set(scaling.instances) == {"i-2", "i-4", "i-5"}

    told_apart(statement, our_watch, their_watch)


def test_row_2_nobody_may_suspend_anything() -> None:
    def statement(template: Template) -> None:
        policies = [part["PolicyDocument"] for part in of_type(template, "AWS::IAM::ManagedPolicy")]
        for role in of_type(template, "AWS::IAM::Role"):
            policies += [part["PolicyDocument"] for part in role.get("Policies", [])]
        actions = [action for part in policies for each in part["Statement"] for action in each["Action"]]
        assert actions
        assert not [each for each in actions if "Suspend" in each or "*" in each]

    stated(statement, gpus={"replace": True, "idle": {}})


def test_row_5_capacity_that_comes_late_is_taken() -> None:
    def statement(watch: Watch) -> None:
        scaling = Scaling(desired=4, free=1)
        scaling.tend()
        watch(scaling)
        scaling.free = 4
        scaling.tend()
        assert len(scaling.instances) == scaling.desired == 4
        assert scaling.metrics == {"Expected": 4, "Joined": 1, "Refused": 3}

    told_apart(statement, our_watch, their_watch)


def test_row_5_a_refused_launch_leaves_the_size_asked_for() -> None:
    def statement(watch: Watch) -> None:
        scaling = Scaling(desired=4, free=0)
        scaling.tend()
        watch(scaling)
        assert scaling.desired == 4

    told_apart(statement, our_watch, their_watch)


def test_row_5_how_many_are_enough_is_a_parameter() -> None:
    def statement(template: Template) -> None:
        workers = group(template, "Worker")
        assert workers["CreationPolicy"]["ResourceSignal"]["Count"] == {"Ref": "MinWorkers"}
        assert workers["Properties"]["MinSize"] == {"Ref": "MinWorkers"}
        assert workers["Properties"]["DesiredCapacity"] == {"Ref": "WorkerCount"}
        assert "CapacityCommand" in template["Outputs"]

    stated(statement)


# The agent's code


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 86_400, "it sleeps for ever"


def test_row_6_a_wait_ends_when_what_it_waits_for_is_there(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import blueprints.deep_learning_cluster.agent.__main__ as entry

    (tmp_path / "etc").mkdir()
    names = {"STORAGE_MOUNT": "", "NODE_TYPE": "Worker", "PERIOD": str(PERIOD), "NODES": "3", "UPKEEP": ""}
    for name, value in {**names, "TABLE": "registry", "CLUSTER": "training"}.items():
        monkeypatch.setenv(name, value)

    def ours(pending: Callable[[], bool], clock: Clock) -> None:
        def call(operation: str, request: aws.Request) -> aws.Request:
            table.down = pending()
            return table(operation, request)

        def told(call: aws.Call) -> Facts:
            return FOUR[1].facts

        def elsewhere(root: Path, mount: str) -> files.Files:
            return files.Files(tmp_path, mount)

        def tell(*event: str) -> None:
            assert event[0] == "change"

        time = SimpleNamespace(monotonic=lambda: clock.now, sleep=clock.sleep)
        for where, name, value in (
            (entry.aws, "call", call),
            (entry.machine, "facts", told),
            (entry.hooks, "tell", tell),
            (entry, "Files", elsewhere),
            (entry, "time", time),
        ):
            monkeypatch.setattr(where, name, value)
        entry.main("join")

    def original(pending: Callable[[], bool], clock: Clock) -> None:
        originals.wait_until_active(pending, lambda: clock.now, clock.sleep)

    def statement(wait: Callable[[Callable[[], bool], Clock], None]) -> None:
        for seconds in (0, 1, 45, 600, 3600):
            clock = Clock()
            wait(lambda: clock.now < seconds, clock)  # noqa: B023 - called in this turn alone
            assert seconds <= clock.now < seconds + 2 * PERIOD

    told_apart(statement, ours, original)


def test_row_11_an_empty_list_is_nobody(table: Table) -> None:
    """Another's instances are in the account."""
    import boto3

    boto: Any = boto3
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    ec2 = boto.client("ec2", region_name="us-east-1", **keys)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, InstanceType="g6.xlarge", MinCount=2, MaxCount=2)
    registry = Registry(table, "registry", FOUR[0].facts)

    def statement(addresses: Callable[[], list[str]]) -> None:
        assert addresses() == []

    told_apart(
        statement,
        lambda: [each.facts.Ip for each in registry.members()],
        lambda: originals.addresses_of(ec2, []),
    )


def test_row_11_no_text_is_run_as_code_and_no_literal_is_compared_by_identity() -> None:
    def statement(sources: list[str]) -> None:
        assert sources
        for text in sources:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                compile(text, "source", "exec")
            assert not told
            called = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
            assert not {each.id for each in called if isinstance(each, ast.Name)} & {"eval", "exec"}

    ours = [path.read_text() for _, path in runtime.sources() if path.suffix == ".py"]
    told_apart(statement, ours, [originals.HANDLER])


def test_row_12_gpus_are_those_of_the_driver_whatever_the_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "nvidia-smi", 'for n in 0 1 2 3; do echo "GPU $n: it"; done')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def call(operation: str, request: aws.Request) -> aws.Request:
        raise aws.CallError(operation)

    def statement(count: Callable[[str], int]) -> None:
        for kind in ("p2.xlarge", "p3dn.24xlarge", "g5.12xlarge", "g7.24xlarge"):
            assert count(kind) == 4

    told_apart(statement, lambda kind: machine.gpus(kind, call), originals.gpus)


def test_row_14_a_second_run_changes_nothing_and_a_third_leaves_no_old_address(tmp_path: Path) -> None:
    def statement(write: Callable[[Path, list[Member]], object]) -> None:
        hosts = tmp_path / write.__name__ / "etc/hosts"
        hosts.parent.mkdir(parents=True)
        hosts.write_text("127.0.0.1 localhost\n")
        write(hosts.parents[1], FOUR)
        once = hosts.read_text()
        write(hosts.parents[1], FOUR)
        assert hosts.read_text() == once
        write(hosts.parents[1], [*FOUR[:3], Member(4, facts("i-9", "10.0.1.99"), 1)])
        assert hosts.read_text() == once.replace("10.0.1.14", "10.0.1.99") != once

    def ours(root: Path, members: list[Member]) -> None:
        files.Files(root, "").publish(1, 1, members)

    def original(root: Path, members: list[Member]) -> None:
        originals.append_hosts(root, [each.facts.Ip for each in members])

    told_apart(statement, ours, original)


# What runs at boot


def program(path: Path, text: str) -> None:
    """A program of this name, in a folder that is searched first."""
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


CALLED = 'echo "${0##*/} $*" >> "$CALLS"'
AWS = f"""{CALLED}
case "$*" in
  *get-parameters*packed*) cat "$ROOT/packed" ;;
  *get-parameters*) cat "$ROOT/key" ;;
esac"""
INSTALL = f"""kept=()
while [ $# != 0 ]; do case $1 in -o | -g) shift 2 ;; *) kept+=("$1"); shift ;; esac; done
exec {shutil.which("install")} "${{kept[@]}}\""""
PYTHON = f"""[ "$1" = -m ] || exec {shutil.which("python3")} "$@"
{CALLED}
case "$3" in join | '') eval "$SET_UP" ;; esac"""
PROGRAMS = {
    "aws": AWS,
    "python3": PYTHON,
    "install": INSTALL,
    "getent": 'echo "ubuntu:x:1000:1000::$ROOT/home/ubuntu:/bin/bash"',
    "ssh-keygen": f'[ "$1" = -A ] || exec {shutil.which("ssh-keygen")} "$@"',
    "mountpoint": "exit 1",
    **dict.fromkeys(("curl", "systemctl", "mount", "mount.nfs4", "chown"), CALLED),
}
FOLDERS = (
    "etc/ssh/ssh_config.d",
    "etc/ssh/sshd_config.d",
    "etc/systemd/system",
    "etc/profile.d",
    "home/ubuntu",
)
IMAGE = "Include /etc/ssh/ssh_config.d/*.conf\nHost *\n#   ForwardAgent no\n"
# What user data gives, where a test says nothing else.
GIVEN = {
    "ADDRESS_ID": "",
    "KEY_PARAMETER": "/ec2/keypair/1",
    "LOGIN_USER": "ubuntu",
    "LOG_GROUP": "log",
    "NODES": "3",
    "NODES_NEEDED": "3",
    "RUNTIME": "packed",
    "SET_UP": "true",
    "STACK_ID": "arn:aws:cloudformation:us-east-1:111122223333:stack/training/1",
    "STORAGE_MOUNT": "",
    "STORAGE_OWNER": "",
    "STORAGE_SOURCE": "",
    "TABLE": "registry",
}
PACKED = """
import pathlib, sys
for name, text in {files}.items():
    path = pathlib.Path(sys.argv[1], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
"""


class Machine:
    """A folder that scripts take for the file system of a node, and the programs that they find; calls are noted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (*FOLDERS, "opt/deeplearning", "usr/local/bin", "var/log", "run", "bin"):
            (root / folder).mkdir(parents=True)
        for name, text in PROGRAMS.items():
            program(root / "bin" / name, text)
        (root / "etc/ssh/ssh_config").write_text(self.here(IMAGE))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / "key"], check=True)
        self._pack({name: self.here(path.read_text()) for name, path in runtime.sources()})

    def _pack(self, sources: dict[str, str]) -> None:
        text = base64.b85encode(lzma.compress(PACKED.format(files=sources).encode())).decode()
        (self.root / "packed").write_text(text.translate({ord("{"): ",", ord("}"): "."}))

    def here(self, text: str) -> str:
        """A script with its folders in this one."""
        return re.sub(r"(?<![\w}/])/(?=(etc|home|opt|run|usr/local|var)/)", f"{self.root}/", text)

    def run(self, script: str, **environment: str) -> int:
        """The status of a script."""
        (self.root / "script").write_text(self.here(script))
        given = {
            "CALLS": str(self.root / "calls"),
            "HOME": str(self.root / "home/ubuntu"),
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "ROOT": str(self.root),
            "RUNTIME_SHA256": hashlib.sha256((self.root / "packed").read_bytes()).hexdigest(),
        }
        return subprocess.run(
            ["bash", self.root / "script"],
            env={**GIVEN, **given, **environment},
            capture_output=True,
            check=False,
            timeout=120,
        ).returncode

    def phase(self, *names: str, **environment: str) -> int:
        """The status of some phases of our boot."""
        head = 'set -Eeuo pipefail\npatiently() { "$@"; }\n'
        return self.run(
            "\n".join([head, source("phases.sh"), *(f"phase_{name}" for name in names)]), **environment
        )

    @property
    def calls(self) -> list[str]:
        """Of all programs so far."""
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def signals(self) -> list[str]:
        """Statuses told to CloudFormation so far."""
        return [each.partition("--status ")[2].split()[0] for each in self.calls if "signal-resource" in each]

    def ssh(self, host: str) -> dict[str, list[str]]:
        """What a connection to a host is made with."""
        told = subprocess.run(
            ["ssh", "-G", "-F", self.root / "etc/ssh/ssh_config", host],
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, list[str]] = {}
        for name, _, value in (line.partition(" ") for line in told.stdout.splitlines()):
            found.setdefault(name, []).append(value)
        return found

    def keys(self, host: str) -> list[Path]:
        """Private keys that are there for a connection to a host."""
        home = str(self.root / "home/ubuntu")
        paths = [Path(each.replace("~", home)) for each in self.ssh(host)["identityfile"]]
        return [each for each in paths if each.is_file()]


def source(name: str) -> str:
    """One of the shipped scripts."""
    return (Path(runtime.__file__).parent / "bootstrap" / name).read_text()


@pytest.fixture
def machines(tmp_path: Path) -> Callable[[], Machine]:
    """Makes a new one each time."""
    if sys.platform != "linux":
        pytest.skip("what runs at boot takes Linux")
    made: list[Machine] = []

    def make() -> Machine:
        made.append(Machine(tmp_path / f"node{len(made)}"))
        return made[-1]

    return make


Boot = Callable[[Machine, str, str], int]


def our_boot(node: Machine, kind: str, set_up: str) -> int:
    deadline = "1" if "sleep" in set_up else "60"
    return node.run(source("boot.sh"), NODE_TYPE=kind, SET_UP=set_up, BOOT_DEADLINE=deadline)


def their_boot(node: Machine, kind: str, set_up: str) -> int:
    if kind == "Master":
        node.run(originals.LAUNCHED)
    return node.run(originals.BOOT, NODE_TYPE=kind, SET_UP=set_up)


def test_row_7_every_node_tells_how_its_set_up_went(machines: Callable[[], Machine]) -> None:
    def statement(boot: Boot) -> None:
        node = machines()
        assert (boot(node, "Worker", "true"), node.signals) == (0, ["SUCCESS"])
        for fault in ("false", "exec sleep 30"):
            node = machines()
            assert boot(node, "Worker", fault) != 0
            assert node.signals == ["FAILURE"]

    told_apart(statement, our_boot, their_boot)


def test_row_7_a_failed_set_up_is_a_failed_boot(machines: Callable[[], Machine]) -> None:
    def statement(boot: Boot) -> None:
        assert boot(machines(), "Worker", "true") == 0
        assert boot(machines(), "Worker", "exit 3") != 0

    told_apart(statement, our_boot, their_boot)


def test_row_7_the_stack_waits_for_workers() -> None:
    def statement(template: Template) -> None:
        for kind, least in (("Master", "1"), ("Worker", {"Ref": "MinWorkers"})):
            assert group(template, kind)["CreationPolicy"]["ResourceSignal"]["Count"] == least

    stated(statement)


def test_row_8_a_master_is_told_of_when_it_has_booted(machines: Callable[[], Machine]) -> None:
    def statement(boot: Boot) -> None:
        node = machines()
        boot(node, "Master", "true")
        kinds = [each.split()[0] for each in node.calls if "signal-resource" in each or " -m " in each]
        assert kinds[:2] == ["python3", "aws"]
        node = machines()
        boot(node, "Master", "false")
        assert "SUCCESS" not in node.signals

    told_apart(statement, our_boot, their_boot)


def test_row_9_a_worker_reaches_the_others(machines: Callable[[], Machine]) -> None:
    def reaches(node: Machine) -> bool:
        return node.ssh("deeplearning-worker3")["forwardagent"] == ["yes"] or bool(
            node.keys("deeplearning-worker3")
        )

    def statement(set_up: Callable[[Machine], int]) -> None:
        node = machines()
        assert set_up(node) == 0
        assert reaches(node)

    def ours(node: Machine) -> int:
        return node.phase("key", NODE_TYPE="Worker")

    def original(node: Machine) -> int:
        return node.run(originals.WORKER_SSH)

    told_apart(statement, ours, original)
    master = machines()
    assert master.run(originals.MASTER_SSH) == 0
    assert reaches(master)


def test_row_10_both_kinds_find_the_package_manager_of_their_system(machines: Callable[[], Machine]) -> None:
    has = {"Ubuntu": ("apt-get",), "AmazonLinux2": ("dnf", "yum")}

    def statement(set_up: Callable[..., int]) -> None:
        for system, managers in has.items():
            for kind in ("Master", "Worker"):
                node = machines()
                for name in ("apt-get", "yum"):
                    program(node.root / "bin" / name, CALLED if name in managers else "exit 127")
                if "dnf" in managers:
                    program(node.root / "bin/dnf", CALLED)
                assert set_up(node, NODE_TYPE=kind, SYSTEM=system) == 0
                assert [each for each in node.calls if " install " in each and each.split()[0] in managers]

    def ours(node: Machine, **environment: str) -> int:
        return node.run(f"set -Eeuo pipefail\n{source('phases.sh')}\ninstall_client nfs4", **environment)

    def original(node: Machine, **environment: str) -> int:
        return node.run(originals.NFS, **environment)

    told_apart(statement, ours, original)


def test_row_15_nodes_have_a_key_of_their_own_and_know_each_others_host_keys(
    machines: Callable[[], Machine],
) -> None:
    def statement(set_up: Callable[[Machine], int]) -> None:
        node = machines()
        assert set_up(node) == 0
        (key,) = node.keys("deeplearning-worker2")
        assert key.stat().st_mode & 0o777 == 0o600
        public = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True)
        assert public.stdout.split()[1] in (key.parent / "authorized_keys").read_text()
        settings = node.ssh("deeplearning-worker2")
        assert settings["stricthostkeychecking"] in (["true"], ["yes"])
        (known,) = settings["globalknownhostsfile"]
        assert f"deeplearning-worker2,10.0.1.12 {FOUR[1].facts.HostKey}\n" in Path(known).read_text()

    def ours(node: Machine) -> int:
        files.Files(node.root, "").publish(1, 1, FOUR)
        return node.phase("key")

    told_apart(statement, ours, lambda node: node.run(originals.MASTER_SSH))


def test_row_15_the_key_is_the_stacks() -> None:
    def statement(template: Template) -> None:
        (key,) = of_type(template, "AWS::EC2::KeyPair")
        assert key["KeyType"] == "ed25519"
        assert "PublicKeyMaterial" not in key  # so EC2 keeps the private half for the nodes' roles

    stated(statement)


def test_row_21_a_mount_is_there_after_a_reboot_and_outlives_a_lost_connection(
    machines: Callable[[], Machine],
) -> None:
    share = "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/"

    def statement(set_up: Callable[..., int]) -> None:
        node = machines()
        for _ in range(2):
            assert set_up(node, STORAGE_SOURCE=share, STORAGE_MOUNT=str(node.root / "efs")) == 0
        assert [each for each in node.calls if each.startswith("mount ")]
        lines = (node.root / "etc/fstab").read_text() if (node.root / "etc/fstab").exists() else ""
        ((found, folder, kind, options, *_),) = (each.split() for each in lines.splitlines())
        assert (found, folder, kind) == (share, str(node.root / "efs"), "nfs4")
        assert {"_netdev", "noresvport"} <= set(options.split(","))

    def ours(node: Machine, **environment: str) -> int:
        return node.phase("storage", **environment)

    def original(node: Machine, **environment: str) -> int:
        return node.run(originals.MOUNT, **environment)

    told_apart(statement, ours, original)


def test_row_22_what_sets_a_node_up_runs_at_each_start(machines: Callable[[], Machine]) -> None:
    def statement(boot: Boot) -> None:
        node = machines()
        assert boot(node, "Master", "true") == 0
        enabled = {each.split()[-1] for each in node.calls if each.startswith("systemctl enable ")}
        assert enabled
        for name in enabled:
            unit = (node.root / "etc/systemd/system" / name).read_text().splitlines()
            assert {"Restart=always", "WantedBy=multi-user.target"} <= set(unit)
            assert [each for each in unit if each.startswith("ExecStart=") and each.endswith(" -m agent run")]

    told_apart(statement, our_boot, their_boot)


def by_ssh(node: Machine) -> dict[str, str]:
    """Variables of a command by ssh. sshd(8): those of ~/.ssh/environment that PermitUserEnvironment names."""
    server = "".join(each.read_text() for each in sorted((node.root / "etc/ssh/sshd_config.d").iterdir()))
    permitted = re.findall(r"^PermitUserEnvironment (.*)$", server, re.MULTILINE)
    path = node.root / "home/ubuntu/.ssh/environment"
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        name: value
        for name, _, value in (each.partition("=") for each in lines)
        if any(fnmatch.fnmatch(name, form) for each in permitted for form in each.split(","))
    }


def by_login(node: Machine) -> str:
    """How many nodes a login shell knows."""
    script = ". /etc/profile.d/deeplearning.sh; echo $DEEPLEARNING_WORKERS_COUNT"
    shell = ["bash", "-c", node.here(script)]
    return subprocess.run(shell, capture_output=True, text=True, check=True).stdout.strip()


def test_row_23_variables_are_there_in_commands_by_ssh_too(machines: Callable[[], Machine]) -> None:
    def statement(set_up: Callable[[Machine], int]) -> None:
        node = machines()
        assert set_up(node) == 0
        if by_login(node) != "4":
            pytest.fail("both know it in a login shell")
        assert by_ssh(node)["DEEPLEARNING_WORKERS_COUNT"] == "4"
        assert by_ssh(node)["EFS_MOUNT"] == "/efs"

    def ours(node: Machine) -> int:
        files.Files(node.root, "/efs").publish(1, 1, FOUR)
        return our_boot(node, "Worker", "true")

    told_apart(statement, ours, lambda node: node.run(originals.PROFILE))


# What is rendered


def test_row_16_only_networks_that_exist_may_connect() -> None:
    def statement(template: Template) -> None:
        pattern = template["Parameters"]["SSHLocation"]["AllowedPattern"]
        assert all(re.fullmatch(pattern, each) for each in ("198.51.100.0/24", "10.0.0.0/8"))
        for wrong in ("999.1.1.1/24", "10.0.0.256/24", "10.0.0.0/33", "0.0.0.0/0"):
            assert not re.fullmatch(pattern, wrong)

    stated(statement)


def test_row_16_ipv6_networks_may_connect_too() -> None:
    def statement(template: Template) -> None:
        rules = [
            rule
            for each in of_type(template, "AWS::EC2::SecurityGroup")
            for rule in each.get("SecurityGroupIngress", [])
        ]
        assert [each for each in rules if each.get("CidrIpv6") == "2001:db8::/32" and each["FromPort"] == 22]

    stated(statement, ingress=[{"cidr": "2001:db8::/32", "port": 22, "reason": "The office"}])


def test_row_16_outputs_say_how_to_reach_the_master() -> None:
    def statement(template: Template) -> None:
        told = template["Outputs"]
        assert {"MasterAddress", "SshCommand", "FindMasterCommand"} <= told.keys()
        assert "${MasterEip}" in told["SshCommand"]["Value"]["Fn::Sub"]

    stated(statement)


def test_row_16_nobody_has_to_open_a_port() -> None:
    def statement(template: Template) -> None:
        assert "aws ssm start-session" in template["Outputs"]["SessionCommand"]["Value"]["Fn::Sub"]
        assert not [
            each for each in of_type(template, "AWS::EC2::SecurityGroup") if each.get("SecurityGroupIngress")
        ]
        assert all(
            each["SourceSecurityGroupId"] for each in of_type(template, "AWS::EC2::SecurityGroupIngress")
        )

    stated(statement, access="session_manager")


class Account:
    """An account in moto whose quotas are all zero."""

    def __call__(self, service: str) -> Any:
        import boto3

        boto: Any = boto3
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        return self if service == "service-quotas" else boto.client(service, region_name="us-east-1", **keys)

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        return {"Quota": {"Value": 0.0}}


def test_row_17_a_quota_that_is_too_small_is_told_before() -> None:
    """Of the original's template nobody could: what it launches is in a type that is read no more."""
    values = {"WorkerCount": "3", "InstanceType": "p4d.24xlarge", "KeyName": "k", "SSHLocation": "10.0.0.0/8"}

    def statement(template: Template) -> None:
        with mock_aws():
            found = Doctor(needs(template, values, "us-east-1", lambda: ["us-east-1a"]), Account()).answers()
        (told,) = [each for each in found if "On-Demand P instances" in each.what]
        assert not told.good
        assert told.what.endswith("384 needed, 0 of 0 in use; ask for more")

    stated(statement, instance_type="p4d.24xlarge")


def test_row_18_every_image_script_and_type_is_to_be_had() -> None:
    def statement(template: Template) -> None:
        kinds = {each["Type"] for each in template["Resources"].values()}
        assert "AWS::AutoScaling::LaunchConfiguration" not in kinds
        assert not [each for each in of_type(template, "AWS::Lambda::Function") if "2.7" in each["Runtime"]]
        image = template["Parameters"]["ImageParameter"]
        assert image["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
        assert not re.search(r"\bami-[0-9a-f]{8}", yaml.safe_dump(template))
        for node in launched(template):
            assert node["ImageId"] == {"Ref": "ImageParameter"}
            assert node["MetadataOptions"]["HttpTokens"] == "required"
            assert {each["Ebs"]["VolumeType"] for each in node["BlockDeviceMappings"]} == {"gp3"}

    stated(statement)


def test_row_18_what_runs_at_boot_is_the_stacks_own() -> None:
    def statement(template: Template) -> None:
        parts = [
            name for name, each in template["Resources"].items() if each["Type"] == "AWS::SSM::Parameter"
        ]
        assert parts
        for node in launched(template):
            assert all(f"${{{name}}}" in str(node["UserData"]) for name in parts)

    stated(statement)


FABRIC: dict[str, Any] = {
    "instance_type": "p5.48xlarge",
    "fabric": {"efa": True, "placement_group": True},
}


def test_row_19_workers_stand_close_together() -> None:
    def statement(template: Template) -> None:
        ((name, placed),) = [
            (name, each["Properties"])
            for name, each in template["Resources"].items()
            if each["Type"] == "AWS::EC2::PlacementGroup"
        ]
        assert placed["Strategy"] == "cluster"
        worker = template["Resources"]["WorkerLaunchTemplate"]["Properties"]["LaunchTemplateData"]
        assert worker["Placement"] == {"GroupName": {"Ref": name}}

    stated(statement, **FABRIC)


def test_row_19_every_node_has_all_the_adapters_of_its_type() -> None:
    def statement(template: Template) -> None:
        for node in launched(template):
            kinds = [each["InterfaceType"] for each in node["NetworkInterfaces"]]
            assert kinds == ["efa", *["efa-only"] * 31]

    stated(statement, **FABRIC)


def test_row_19_nodes_speak_every_protocol_both_ways() -> None:
    def statement(template: Template) -> None:
        for way, other in (("Ingress", "SourceSecurityGroupId"), ("Egress", "DestinationSecurityGroupId")):
            rules = of_type(template, f"AWS::EC2::SecurityGroup{way}")
            among = [each for each in rules if each.get(other) == each["GroupId"]]
            assert [each["IpProtocol"] for each in among] == ["-1"]

    stated(statement)


def test_row_20_workers_may_be_spot_of_several_types_and_the_master_is_not() -> None:
    def statement(template: Template) -> None:
        workers = group(template, "Worker")["Properties"]
        mixed = workers["MixedInstancesPolicy"]
        assert workers["CapacityRebalance"] is True
        assert mixed["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 0
        assert "capacity-optimized" in mixed["InstancesDistribution"]["SpotAllocationStrategy"]
        types = [each["InstanceType"] for each in mixed["LaunchTemplate"]["Overrides"]]
        assert types == [{"Ref": "InstanceType"}, "g5.xlarge"]
        assert "MixedInstancesPolicy" not in group(template, "Master")["Properties"]
        assert not [each for each in launched(template) if "InstanceMarketOptions" in each]

    stated(statement, capacity={"market": "spot", "other_types": ["g5.xlarge"]})


def test_row_21_a_file_system_that_exists_is_mounted_as_it_is() -> None:
    def statement(template: Template) -> None:
        pattern = template["Parameters"]["EFSFileSystemId"]["AllowedPattern"]
        assert all(re.fullmatch(pattern, each) for each in ("fs-01234567", "fs-0123456789abcdef0"))
        assert not re.fullmatch(pattern, "fs-0123")
        assert not of_type(template, "AWS::EFS::MountTarget")

    stated(statement, storage={"kind": "efs", "file_system": "existing"})


def test_row_21_what_becomes_of_a_new_one_is_chosen() -> None:
    def statement(template: Template) -> None:
        system = template["Resources"]["FileSystem"]
        assert system["DeletionPolicy"] == "Delete"
        assert system["Properties"]["ThroughputMode"] == "elastic"

    stated(statement, storage={"kind": "efs", "on_delete": "delete"})


def test_row_21_it_may_be_lustre() -> None:
    def statement(template: Template) -> None:
        (system,) = of_type(template, "AWS::FSx::FileSystem")
        assert system["LustreConfiguration"]["DeploymentType"] == "PERSISTENT_2"

    stated(statement, storage={"kind": "fsx_lustre", "deployment": "PERSISTENT_2"})


def test_row_24_every_number_of_workers_is_taken() -> None:
    blueprint = DeepLearningCluster(ClusterConfig(access="ssh"), Environment())

    def ours(workers: int) -> bool:
        told = {"WorkerCount": str(workers), "MinWorkers": str(workers)}
        faults = DeepLearningCluster.worker_count.resolve(blueprint).faults(str(workers))
        return bool([*faults, *blueprint.contradictions(told)])

    def statement(refuses: Callable[[int], bool]) -> None:
        assert not any(refuses(workers) for workers in range(1, 12))

    told_apart(statement, ours, originals.refuses)


def test_row_24_no_parameter_takes_an_archive_that_is_not_unpacked() -> None:
    def statement(template: Template) -> None:
        patterns = [
            each["AllowedPattern"] for each in template["Parameters"].values() if "AllowedPattern" in each
        ]
        assert patterns
        assert not [each for each in patterns if re.fullmatch(each, "data.tar.gz")]

    stated(statement)
