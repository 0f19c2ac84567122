"""One host boots the rendered user data to a signal; and what is told, once, when a phase fails, hangs or dies."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from blueprints.local.hosts import Network, end
from blueprints.local.stack import Stack

from .cluster import CONSOLE, SCRIPT, Cluster, Node, altered, begin, rendered, until
from .conftest import CONFIG, PARAMETERS

PHASES = ["address", "runtime", "proxy", "key", "storage", "join"]
LOG = "/var/log/deeplearning-boot.log"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A master and a worker, with a short period."""
    config = {**CONFIG, "membership": {"period": 5}}
    return rendered(tmp_path_factory.mktemp("one"), config, {**PARAMETERS, "WorkerCount": 1, "MinWorkers": 1})


@pytest.fixture(scope="module")
def one(network: Network, stack: Stack) -> Iterator[Cluster]:
    """The stack, deployed once; tests look at different nodes of it."""
    made = begin(network, stack)
    with made.aws:
        made.power_on()
        yield made


def fresh(cluster: Cluster, kind: str, stack: Stack | None = None) -> Node:
    """Another host for an instance of a kind, with the user data of a stack, whose group waits anew."""
    aws, deployed = cluster.aws, cluster.stack
    aws.faults.clear()
    aws.expect_signals(deployed.place.stack_id, f"{kind}AutoScalingGroup", 1)
    cluster.off()
    cluster.nodes.clear()
    (node,) = cluster.power_on(kind)
    if stack is not None:
        stack.physical.update(deployed.physical)
        done = node.host.run(
            ["bash", "-c", f"cat > {SCRIPT}"], input=stack.user_data(f"{kind}LaunchTemplate")
        )
        assert done.returncode == 0
    return node


HASTY = ("sleep 10", "sleep 0.1")


def deadline(seconds: int) -> tuple[str, str]:
    """Another than 25 minutes."""
    return "export BOOT_DEADLINE='1500'", f"export BOOT_DEADLINE='{seconds}'"


def test_one_host_boots_to_a_signal(one: Cluster) -> None:
    (master,) = (each for each in one.nodes if each.kind == "Master")
    assert one.boot([master]) == {master.instance_id: 0}, master.read(CONSOLE)
    assert one.signals("Master") == {master.instance_id: "SUCCESS"}
    log = master.read(LOG)
    assert re.findall(r"Z phase (\w+) after \d+ s$", log, re.MULTILINE) == PHASES
    assert f"Master {master.instance_id}: SUCCESS, status 0, last phase join" in master.read(CONSOLE)
    assert "PRIVATE KEY" not in log + master.read(CONSOLE)
    ec2, logs = one.aws.client("ec2"), one.aws.client("logs")
    (address,) = ec2.describe_addresses(PublicIps=[one.stack.physical["MasterEip"].ref])["Addresses"]
    instance = ec2.describe_instances(InstanceIds=[master.instance_id])["Reservations"][0]["Instances"][0]
    assert address["NetworkInterfaceId"] == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    group = one.stack.physical["LogGroup"].ref
    events = logs.get_log_events(logGroupName=group, logStreamName=f"Master/{master.instance_id}")["events"]
    assert "phase join" in events[0]["message"]
    assert not one.aws.unimplemented()


def test_a_second_run_changes_nothing(one: Cluster) -> None:
    (master,) = (each for each in one.nodes if each.kind == "Master")
    if master.instance_id not in one.signals("Master"):
        one.boot([master])
    until(lambda: "epoch" in master.read("/var/log/deeplearning-agent.journal"), 60)
    look = (
        "cd / && find etc opt/deeplearning home root -xdev -path root/.cache -prune -o -newer /etc/hostname"
        " ! -name '*.pyc' ! -name __pycache__ \\( -type f -exec sha256sum {} + \\) -o -type l -printf '%p %l\\n' | sort"
    )
    before = master.out(look)
    assert one.boot([master]) == {master.instance_id: 0}, master.read(CONSOLE)
    assert master.out(look) == before
    assert one.signals("Master") == {master.instance_id: "SUCCESS"}
    assert "signal SUCCESS was not taken" in master.read(CONSOLE)


def test_what_boots_is_what_the_template_delivers(one: Cluster, stack: Stack) -> None:
    """One byte of the rendered script, or of the runtime, and the boot is another."""
    worker = fresh(one, "Worker", altered(stack, ("phase $phase after", "Phase $phase after")))
    assert one.boot([worker]) == {worker.instance_id: 0}
    assert "Phase join after" in worker.read(LOG)
    worker = fresh(
        one, "Worker", altered(stack, ("export RUNTIME_SHA256='", "export RUNTIME_SHA256='0"), HASTY)
    )
    assert one.boot([worker]) == {worker.instance_id: 1}
    assert one.signals("Worker") == {worker.instance_id: "FAILURE"}


# The failure menu. Each boot is a worker's, unless it says otherwise, and each ends in one signal or says why not.


def failed(one: Cluster, node: Node, phase: str, cause: str) -> None:
    """One FAILURE, and the phase and its cause on the console."""
    assert one.signals(node.kind) == {node.instance_id: "FAILURE"}
    sent = [each for each in one.aws.calls("cloudformation:SignalResource") if each.time >= node.made]
    assert [each.parameters["Status"] for each in sent] == ["FAILURE"]
    console = node.read(CONSOLE)
    assert re.search(
        rf"{node.kind} {node.instance_id}: FAILURE, status \d+, last phase {phase} after", console
    ), console
    assert re.search(cause, console), console


def test_an_address_that_is_refused(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Master", stack)
    one.aws.faults.error("ec2:AssociateAddress", "UnauthorizedOperation", status=403)
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "address", "failed with status .*associate-address")


def test_a_runtime_that_does_not_come(one: Cluster, stack: Stack) -> None:
    """The call hangs past the deadline."""
    node = fresh(one, "Worker", altered(stack, deadline(8)))
    one.aws.faults.delay("ssm:GetParameters", 30)
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "runtime", "status 124")


def test_credentials_that_have_expired(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", altered(stack, HASTY))
    one.aws.faults.error("ssm:GetParameters", "ExpiredTokenException")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "runtime", "ExpiredTokenException")


def test_a_role_that_is_not_known_yet_is_asked_again(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", altered(stack, HASTY))
    one.aws.faults.error("ssm:GetParameters", "AccessDeniedException", count=3)
    assert one.boot([node]) == {node.instance_id: 0}
    assert one.signals("Worker") == {node.instance_id: "SUCCESS"}


def test_throttling_and_errors_of_a_fifth_of_all_calls(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", stack)
    one.aws.faults.throttle("*", rate=0.1)
    one.aws.faults.unavailable("*", rate=0.1)
    assert one.boot([node]) == {node.instance_id: 0}, node.read(CONSOLE)
    assert one.signals("Worker") == {node.instance_id: "SUCCESS"}


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("KILL", 137)])
def test_a_boot_that_is_killed_in_a_phase(one: Cluster, stack: Stack, signal: str, status: int) -> None:
    """What outlives it sends the signal."""
    node = fresh(one, "Worker", altered(stack, HASTY))
    one.aws.faults.delay("ssm:GetParameters", 20, count=2)
    booting = node.host.start(["bash", "-c", f"{SCRIPT} > {CONSOLE} 2>&1"])
    try:
        until(lambda: "phase runtime" in node.out(f"cat {LOG} || true"), 30, pause=0.2)
        one.aws.faults.clear()
        node.out(f"pkill -{signal} -f 'bash {SCRIPT} boot'")
        assert booting.wait(60) == 1
    finally:
        end(booting)
    failed(one, node, "runtime", f"status {status}")


def test_a_disk_that_is_full(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", altered(stack, deadline(8)))
    node.out("mkdir -p /opt/deeplearning && mount -t tmpfs -o size=16k tmpfs /opt/deeplearning")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "runtime", "No space left on device")


def test_a_registry_that_is_gone(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", altered(stack, deadline(15)))
    one.aws.faults.unavailable("dynamodb:*")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "join", "tried again later: dynamodb scan")


def test_an_api_that_is_gone_leaves_the_phase_on_the_console(one: Cluster, stack: Stack) -> None:
    """No signal can be sent then; CloudFormation's own deadline ends the creation."""
    node = fresh(one, "Worker", altered(stack, deadline(8)))
    one.aws.faults.drop("*")
    assert one.boot([node]) == {node.instance_id: 1}
    assert one.signals("Worker") == {}
    console = node.read(CONSOLE)
    assert "FAILURE, status 124, last phase runtime after" in console
    assert "signal FAILURE was not taken" in console
    assert "the log stays on the node" in console


def test_a_worker_that_is_not_needed_fails_alone(one: Cluster, stack: Stack) -> None:
    """One FAILURE fails the stack, however many workers are ready."""
    fewer = ("export NODES_NEEDED='${MinWorkers}'", "export NODES_NEEDED='0'")
    node = fresh(one, "Worker", altered(stack, fewer, HASTY))
    one.aws.faults.error("ssm:GetParameters", "AccessDeniedException")
    assert one.boot([node]) == {node.instance_id: 1}
    assert one.signals("Worker") == {}
    assert "no signal: 0 of 1 are enough" in node.read(CONSOLE)
