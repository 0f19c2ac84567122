"""Hosts of which one dies without a word: the function takes its records away, and stops tasks that do not answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.functions import Function
from blueprints.local.hosts import Network
from blueprints.local.specs import specs

from .conftest import Machine, private_zone
from .deployed import deployed
from .ecs import Tasks
from .fleet import Fleet

CHECKED = {"discovery": {"kind": "agent", "health": {"checks": True, "stop_percent": 30}}}
CALC = ("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")


@pytest.fixture
def pair(network: Network, aws: Aws, archive: Path, zone: str) -> Iterator[tuple[Machine, Machine]]:
    """Hosts that are called what EC2 calls their instances."""
    ec2 = aws.client("ec2")
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=2, MaxCount=2)["Instances"]
    machines = [Machine(network, aws, archive, zone, each["InstanceId"]) for each in made]
    yield machines[0], machines[1]
    for each in machines:
        each.close()


@pytest.fixture
def function(packaged: Path, tmp_path: Path) -> Path:
    """The function's code, unpacked from what the packaged template names."""
    properties = templates.load(packaged.read_text())["Resources"]["HealthFunction"]["Properties"]
    assert properties["Handler"] == "health.handler"
    with zipfile.ZipFile(packaged.parent / properties["Code"]) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def invoked(function: Path, machine: Machine, event: dict[str, Any]) -> dict[str, Any]:
    code = "import health, json, sys; print(json.dumps(health.handler(json.loads(sys.argv[1]), None)))"
    environment = {**machine.aws.environment("health"), "ZONE_ID": machine.zone, "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(event)],
        cwd=function,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_dead_hosts_records_go_and_its_neighbours_stay(
    pair: tuple[Machine, Machine], function: Path
) -> None:
    alive, dying = pair
    for each in pair:
        each.start("--hosts", "2")
        each.docker.serve(*CALC)
        each.wait(lambda each=each: len(each.answers()) == 1)
    invoked(function, alive, {})  # hosts of other scenarios, which EC2 does not know
    assert invoked(function, alive, {}) == {"deleted": []}
    dying.host.power_off()
    alive.aws.client("ec2").terminate_instances(InstanceIds=[dying.name])
    event = {"source": "aws.ec2", "detail": {"instance-id": dying.name, "state": "terminated"}}
    deleted = invoked(function, alive, event)["deleted"]
    assert len(deleted) == 2
    assert dying.records() == dying.records("A") == []
    assert len(alive.answers()) == 1
    assert len(alive.records("A")) == 1


@dataclass
class Looked:
    """Five hosts, and the function that looks at them."""

    fleet: Fleet
    tasks: Tasks
    function: Function
    calls: Callable[[], Counter[str]]

    def look(self, say: Callable[[str], None]) -> dict[str, Any]:
        """One look of the function's; what it says, and printed what it took."""
        before, began = self.calls(), time.monotonic()
        done = self.function.invoke(b"{}")
        seconds, made = time.monotonic() - began, self.calls() - before
        assert done.error is None, done.payload
        told = json.loads(done.payload or b"null")
        each = ", ".join(f"{count} {api.partition(':')[2]}" for api, count in sorted(made.items()))
        say(
            f"a look at {told['checked']} tasks, {told['failing']} of them failing: "
            f"{seconds:.1f} s, {made.total()} calls: {each}"
        )
        return told


@pytest.fixture
def looked(network: Network, tmp_path: Path) -> Iterator[Looked]:
    with ExitStack() as ending:
        aws = ending.enter_context(Aws())
        zone = private_zone(aws)
        stack = deployed(aws, "health", zone, CHECKED)
        tasks = Tasks(aws, stack.place)
        ending.callback(tasks.close)
        fleet = Fleet(network, aws, tasks, zone, 5)
        ending.callback(fleet.close)
        (spec,) = specs(stack, tmp_path, ["HealthFunction"]).values()
        keys = aws.credentials("health")
        function = Function(spec, endpoint_url=aws.endpoint, log=lambda _, __: None, credentials=keys)
        ending.callback(function.close)

        def calls() -> Counter[str]:
            return Counter(each.api for each in aws.calls() if each.principal == "health")

        yield Looked(fleet, tasks, function, calls)


def test_of_250_tasks_in_two_clusters_no_more_are_stopped_than_the_breaker_allows(
    looked: Looked, say: Callable[[str], None]
) -> None:
    """A host is dead, so that 200 tasks are left to ask; 30 % of them may fail. The rest of the zone is as it was."""
    fleet, tasks = looked.fleet, looked.tasks
    for number in range(250):
        fleet.add("one" if number < 150 else "two", "tcp" if number % 2 else "http:/health")
    for number in range(100):
        tasks.add("two", f"{number:x}", "STOPPED")
    over = fleet.add("two", status="STOPPED")  # on the second page
    fleet.write()
    dead = fleet.hosts[-1]
    living = [each for each in fleet.tasks if each.host is not dead and each is not over]
    failing = living[::3][:61]
    asked_for_a_page = [each for each in failing if each.check != "tcp"]
    silent, erring = asked_for_a_page[:1], asked_for_a_page[1:20]  # nothing listens at the others' ports
    fleet.answer(200, [each for each in living if each not in failing])
    fleet.answer(500, erring)
    (hanging,) = fleet.answer(0, silent)
    fleet.kill(dead)
    before = fleet.records()

    done = looked.look(say)
    assert done == {**done, "checked": 200, "failing": 61, "stopped": 0}
    gone = {each for each in before if f'"{dead.name}:' in each or f" {over.port} " in each}
    assert len(done["deleted"]) == len(gone) == 52
    assert fleet.records() == before - gone
    assert tasks.stopped == []

    fleet.end(hanging)
    fleet.answer(200, silent)
    assert looked.look(say) == {"deleted": [], "checked": 200, "failing": 60, "stopped": 60}
    stopped = [each for each in failing if each not in silent]
    assert sorted(arn for arn, _ in tasks.stopped) == sorted(each.arn for each in stopped)
    assert fleet.records() == before - gone

    done = looked.look(say)
    assert done == {**done, "checked": 140, "failing": 0, "stopped": 0}
    gone |= {each for each in before if any(f" {task.port} " in each for task in stopped)}
    assert fleet.records() == before - gone
