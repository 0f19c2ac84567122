"""The agent of the packaged template, beside a real Docker daemon: what containers do, and what Route 53 is told."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .conftest import INTERPRETER, Machine

CALC = ("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")


def target(machine: Machine) -> str:
    return "ip-" + machine.host.address.replace(".", "-") + ".servicediscovery.internal"


def changes(machine: Machine) -> int:
    found = machine.aws.calls("route53:ChangeResourceRecordSets")
    return len([each for each in found if each.principal == machine.name])


def test_a_container_stands_in_dns_after_one_call_and_is_gone_when_it_stops(agent: Machine) -> None:
    before = changes(agent)
    container = agent.docker.serve(*CALC)
    expected = {("_calc._tcp", agent.docker.port(container), target(agent))}
    agent.wait(lambda: agent.answers() == expected)
    assert changes(agent) == before + 1
    agent.docker.run("stop", "-t", "1", container)
    agent.wait(lambda: agent.answers() == set())
    assert changes(agent) == before + 2


def test_the_record_goes_at_the_signal_while_the_container_still_answers(agent: Machine) -> None:
    container = agent.docker.run(
        "run", "-d", *CALC, "local/busybox:1", "/bin/busybox", "sh", "-c",
        "trap '' TERM; /bin/busybox httpd -f -p 8081 & while true; do /bin/busybox sleep 1; done",
    )  # fmt: skip
    agent.wait(lambda: len(agent.answers()) == 1)
    agent.docker.run("kill", "-s", "HUP", agent.docker.serve(*CALC, command="sleep 100"))
    agent.docker.run("kill", "-s", "TERM", container)
    agent.wait(lambda: all(container not in each["SetIdentifier"] for each in agent.records()))
    assert agent.docker.run("inspect", "-f", "{{.State.Running}}", container) == "true"


def test_a_restart_moves_the_record_to_the_new_port(agent: Machine) -> None:
    container = agent.docker.serve(*CALC)
    agent.wait(lambda: len(agent.answers()) == 1)
    agent.docker.serve("-p", "8081")  # takes a port in between
    agent.docker.run("restart", "-t", "1", container)
    expected = {("_calc._tcp", agent.docker.port(container), target(agent))}
    agent.wait(lambda: agent.answers() == expected)


def test_two_services_and_two_protocols_of_one_container_come_and_go_together(agent: Machine) -> None:
    container = agent.docker.serve(
        "-e", "SERVICE_8081_NAME=calc", "-p", "8081", "-p", "8081/udp", "-e", "SERVICE_9000_NAME=_log._udp", "-p",
        "9000/udp", "-p", "9000",
    )  # fmt: skip
    port = agent.docker.port
    expected = {
        ("calc", port(container, "8081/tcp"), target(agent)),
        ("calc", port(container, "8081/udp"), target(agent)),
        ("_log._udp", port(container, "9000/udp"), target(agent)),
    }
    agent.wait(lambda: agent.answers() == expected)
    agent.wait(lambda: len(agent.records()) == 3)
    agent.docker.run("rm", "-f", container)
    agent.wait(lambda: agent.records() == [])


def test_a_container_in_the_hosts_network_is_found_at_its_own_port(agent: Machine) -> None:
    agent.docker.serve("--network", "host", "-e", "SERVICE_8081_NAME=_calc._tcp")
    agent.wait(lambda: agent.answers() == {("_calc._tcp", 8081, target(agent))})


def test_containers_that_are_gone_at_once_do_not_end_the_agent(agent: Machine) -> None:
    for _ in range(10):
        agent.docker.run("run", "--rm", *CALC, "local/busybox:1", "/bin/busybox", "true")
    container = agent.docker.serve(*CALC)
    agent.wait(lambda: {each[1] for each in agent.answers()} == {agent.docker.port(container)})
    assert agent.agent
    assert agent.agent.poll() is None


def test_what_stopped_while_the_agent_was_dead_is_gone_when_it_is_back(machine: Machine) -> None:
    machine.start()
    stopping, staying = machine.docker.serve(*CALC), machine.docker.serve(*CALC)
    machine.wait(lambda: len(machine.answers()) == 2)
    machine.signal(signal.SIGKILL)
    machine.docker.run("kill", stopping)
    late = machine.docker.serve(*CALC)
    assert len(machine.answers()) == 2
    machine.start()
    expected = {("_calc._tcp", machine.docker.port(each), target(machine)) for each in (staying, late)}
    machine.wait(lambda: machine.answers() == expected)
    machine.docker.clear()
    machine.wait(lambda: machine.answers() == set())
    machine.signal(signal.SIGTERM)


def test_the_agent_survives_the_daemon_and_does_not_spin(agent: Machine) -> None:
    agent.docker.serve(*CALC)
    agent.wait(lambda: len(agent.answers()) == 1)
    agent.docker.stop()
    used, began = ticks(agent.pids()[0]), time.monotonic()
    time.sleep(2)
    spent = (ticks(agent.pids()[0]) - used) / os.sysconf("SC_CLK_TCK")
    assert spent < (time.monotonic() - began) / 4  # of its processor, not of anybody's patience
    agent.docker.start(agent.host)
    agent.wait(lambda: agent.answers() == set())  # it died with its daemon
    container = agent.docker.serve(*CALC)
    agent.wait(lambda: {each[1] for each in agent.answers()} == {agent.docker.port(container)})
    reconnects = [each for each in agent.said() if each["kind"] == "daemon"]
    assert 0 < len(reconnects) < 40


def test_a_host_takes_its_own_address_back_when_it_ends(machine: Machine) -> None:
    machine.start()
    assert [each["Name"] for each in machine.records("A")] == [target(machine) + "."]
    machine.signal(signal.SIGTERM)
    assert machine.records("A") == []


def test_it_owns_nothing_of_a_host_whose_name_begins_like_its_own(machine: Machine) -> None:
    foreign = {
        "Name": "_calc._tcp.servicediscovery.internal", "Type": "SRV", "TTL": 0, "Weight": 1,
        "SetIdentifier": f"node10:{'0' * 64}:8081/tcp", "ResourceRecords": [{"Value": "1 1 1 elsewhere"}],
    }  # fmt: skip
    route53 = machine.aws.client("route53")
    for action in ("UPSERT", "DELETE"):
        route53.change_resource_record_sets(
            HostedZoneId=machine.zone,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": foreign}]},
        )
        if action == "UPSERT":
            assert machine.once("--sync").returncode == 0
            assert machine.once("--remove").returncode == 0
            listed = route53.list_resource_record_sets(HostedZoneId=machine.zone)["ResourceRecordSets"]
            assert foreign["SetIdentifier"] in [each.get("SetIdentifier") for each in listed]


def test_a_dry_run_says_and_changes_nothing(machine: Machine) -> None:
    machine.docker.serve(*CALC)
    before = changes(machine)
    done = machine.once("--dry-run")
    assert done.returncode == 0
    assert b"_calc._tcp" in done.stdout
    assert changes(machine) == before
    machine.docker.clear()


def test_throttling_delays_and_loses_nothing(agent: Machine) -> None:
    agent.aws.faults.throttle("route53:ChangeResourceRecordSets", count=3)
    container = agent.docker.serve(*CALC)
    agent.wait(lambda: {each[1] for each in agent.answers()} == {agent.docker.port(container)})
    assert agent.said()[-1]["delayed"] >= 3


def test_a_hundred_events_are_told_in_good_time(agent: Machine, say: Callable[[str], None]) -> None:
    """Printed, from Docker's own time of an event to the answer of the call that changed the zone."""
    started = len(agent.said())
    for _ in range(50):
        container = agent.docker.serve(*CALC)
        agent.wait(lambda: len(agent.records()) == 1)
        agent.docker.run("rm", "-f", container)
        agent.wait(lambda: agent.records() == [])
    said = [each for each in agent.said()[started:] if each["kind"] == "changed"]
    taken = sorted(each["milliseconds"][0] for each in said if each["milliseconds"])
    assert len(taken) == 100
    say(
        f"event to accepted change: median {statistics.median(taken)} ms, p95 {taken[94]} ms, worst {taken[-1]} ms"
    )


# What anybody needs who follows Docker's events in Python
BARE = """
import http.client, socket, sys
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/events")
for line in connection.getresponse():
    pass
"""


def test_what_it_costs_to_wait(agent: Machine, say: Callable[[str], None]) -> None:
    """Printed: memory and processor time while nothing happens, beside those of a loop that does nothing else."""
    command = [str(INTERPRETER), "-c", BARE, str(agent.docker.socket)]
    bare = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        time.sleep(1)  # in which it starts
        both = {"agent": agent.pids()[0], "bare loop": bare.pid}
        used = {name: ticks(pid) for name, pid in both.items()}
        time.sleep(5)
        for name, pid in both.items():
            status = Path(f"/proc/{pid}/status").read_text().splitlines()
            (memory,) = [line.split()[1] for line in status if line.startswith("VmRSS")]
            say(f"{name}: {memory} KiB, {ticks(pid) - used[name]} ticks in 5 s")
        assert bare.poll() is None
    finally:
        bare.kill()
        bare.wait()


def ticks(pid: int) -> int:
    """Processor time of a process."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
