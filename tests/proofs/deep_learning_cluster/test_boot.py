"""One host boots the rendered user data to a signal; and what is told, once, when a phase fails, hangs or dies."""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Iterator

import pytest

from blueprints.local.hosts import Network, end
from blueprints.local.stack import Stack

from .cluster import (
    CONSOLE,
    JOURNAL,
    LOG,
    MOUNT,
    SCRIPT,
    SYSTEMCTL,
    Cluster,
    Node,
    altered,
    begin,
    rendered,
    until,
)
from .conftest import CONFIG, PARAMETERS

PHASES = ["address", "runtime", "proxy", "key", "storage", "join"]

# What keeps a phase from ending: a call that takes its time, or a program of the image that never ends.
SLOW = {"address": "ec2:AssociateAddress", "runtime": "ssm:GetParameters", "join": "dynamodb:*"}
STUCK = {
    "proxy": (SYSTEMCTL, "true"),
    "key": (SYSTEMCTL, '[ "$1" = try-reload-or-restart ]'),
    "storage": (MOUNT, "true"),
}


@pytest.fixture(scope="module")
def stack(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A master and a worker, a shared file system, and a proxy that is not there, which nothing here is to need."""
    config = {**CONFIG, "membership": {"period": 5}, "storage": {"kind": "efs"}}
    parameters = {
        **PARAMETERS,
        "WorkerCount": 1,
        "MinWorkers": 1,
        "ProxyUrl": f"http://{network.gateway}:9",
        "NoProxy": f"localhost,127.0.0.1,{network.gateway}",
    }
    return rendered(tmp_path_factory.mktemp("one"), config, parameters, proxy=True)


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


def put(node: Node, path: str, script: str) -> None:
    """Another program in the place of one that the image has."""
    done = node.host.run(["bash", "-c", f"cat > {path}"], input=f"#!/bin/bash\n{script}\n")
    assert done.returncode == 0


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
    until(lambda: "epoch" in master.read(JOURNAL), 60)
    look = (
        "cd / && find etc opt/deeplearning home root -xdev -path root/.cache -prune -o -newer /etc/hostname"
        " ! -name '*.pyc' ! -name __pycache__ \\( -type f -exec sha256sum {} + \\) -o -type l -printf '%p %l\\n' | sort"
    )
    before = master.out(look)
    assert one.boot([master]) == {master.instance_id: 0}, master.read(CONSOLE)
    assert master.out(look) == before
    assert one.signals("Master") == {master.instance_id: "SUCCESS"}
    assert "signal SUCCESS was not taken" in master.read(CONSOLE)


def test_a_shared_file_system_is_there_now_and_after_a_reboot(one: Cluster) -> None:
    """It is mounted before a node joins, and belongs to whoever logs in."""
    (node,) = (each for each in one.nodes if each.kind == "Master")
    system = one.stack.physical["FileSystem"].ref
    assert node.read("/var/log/mounted").startswith(f"{system}.efs.us-east-1.amazonaws.com:/ /efs ")
    node.out("echo kept > /efs/file", user="ubuntu")
    assert node.out("echo $EFS_MOUNT", user="ubuntu") == "/efs\n"
    node.reboot()
    assert node.out("mountpoint /efs && cat /efs/file", user="ubuntu").endswith("kept\n")
    assert len(node.read("/var/log/mounted").splitlines()) == 2


def test_a_proxy_is_set_for_shells_and_for_session_manager(one: Cluster) -> None:
    (node,) = (each for each in one.nodes if each.kind == "Master")
    url = f"http://{one.network.gateway}:9"
    assert f"https_proxy={url}\n" in node.read("/etc/environment")
    unit = node.read("/etc/systemd/system/amazon-ssm-agent.service.d/proxy.conf")
    assert f'"http_proxy={url}" "https_proxy={url}" "no_proxy=169.254.169.254,localhost,' in unit


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


@pytest.mark.parametrize(("phase", "signal"), list(zip(PHASES, ["TERM", "KILL"] * 3, strict=True)))
def test_a_boot_that_is_killed_in_a_phase(one: Cluster, stack: Stack, phase: str, signal: str) -> None:
    """What outlives it sends the signal."""
    node = fresh(one, "Master" if phase == "address" else "Worker", stack)
    if phase in SLOW:
        one.aws.faults.delay(SLOW[phase], 20)
    else:
        path, condition = STUCK[phase]
        put(node, path, f"if {condition}; then exec sleep 600; fi")
    booting = node.host.start(["bash", "-c", f"{SCRIPT} > {CONSOLE} 2>&1"])
    try:
        until(lambda: f"phase {phase}" in node.out(f"cat {LOG} || true"), 60, pause=0.2)
        node.out(f"pkill -{signal} -f 'bash {SCRIPT} boot'")
        assert booting.wait(60) == 1
    finally:
        end(booting)
    failed(one, node, phase, f"status {128 + getattr(signals, f'SIG{signal}')}")


def test_a_proxy_that_cannot_be_set(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", stack)
    put(node, SYSTEMCTL, "echo 'Connection to bus failed'; exit 1")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "proxy", "Connection to bus failed\nfailed with status 1 .*systemctl daemon-reload")


def test_a_key_that_is_not_there(one: Cluster, stack: Stack) -> None:
    other = ("export KEY_PARAMETER='/ec2/keypair/", "export KEY_PARAMETER='/ec2/nothing/")
    node = fresh(one, "Worker", altered(stack, other, HASTY))
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "key", "Load key .*id_ed25519.new.*\n.*failed with status 1 ")


def test_a_file_system_that_cannot_be_mounted(one: Cluster, stack: Stack) -> None:
    node = fresh(one, "Worker", stack)
    put(node, MOUNT, "echo 'mount.nfs4: Connection timed out'; exit 32")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "storage", "Connection timed out\nfailed with status 32 .*mount")


def test_a_file_system_that_never_answers(one: Cluster, stack: Stack) -> None:
    """A hard mount hangs past the deadline."""
    node = fresh(one, "Worker", altered(stack, deadline(20)))
    put(node, MOUNT, "exec sleep 600")
    assert one.boot([node]) == {node.instance_id: 1}
    failed(one, node, "storage", "status 124")


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
