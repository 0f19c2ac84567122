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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.functions import Function
from blueprints.local.hosts import Network
from blueprints.local.specs import specs

from .conftest import Machine, private_zone
from .deployed import SCHEDULED, deployed
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
    hurried: Function
    calls: Callable[[], Counter[str]]

    def invoke(self, function: Function, event: dict[str, Any]) -> dict[str, Any]:
        done = function.invoke(json.dumps(event).encode())
        assert done.error is None, done.payload
        return json.loads(done.payload or b"null")

    def look(self, say: Callable[[str], None], *, hurried: bool = False) -> dict[str, Any]:
        """One look of the function's as scheduled; what it says, and printed what it took."""
        before, began = self.calls(), time.monotonic()
        told = self.invoke(self.hurried if hurried else self.function, SCHEDULED)
        seconds, made = time.monotonic() - began, self.calls() - before
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
        function, hurried = (
            Function(each, endpoint_url=aws.endpoint, log=lambda _, __: None, credentials=keys)
            for each in (spec, replace(spec, timeout=60))
        )
        ending.callback(function.close)
        ending.callback(hurried.close)

        def calls() -> Counter[str]:
            return Counter(each.api for each in aws.calls() if each.principal == "health")

        yield Looked(fleet, tasks, function, hurried, calls)


def test_of_250_tasks_in_two_clusters_no_more_are_stopped_than_the_breaker_allows(
    looked: Looked, say: Callable[[str], None]
) -> None:
    """A host is dead, so that 200 tasks are left to ask; 30 % of them may fail. The rest of the zone is as it was.

    Three tasks have just started and do not answer yet.
    """
    fleet, tasks = looked.fleet, looked.tasks
    for number in range(250):
        fleet.add("one" if number < 150 else "two", "tcp" if number % 2 else "http:/health")
    for number in range(100):
        tasks.add("two", f"{number:x}", "STOPPED")
    over = fleet.add("two", status="STOPPED")  # on the second page
    starting = [fleet.add("one", "tcp") for _ in range(3)]
    fleet.write()
    dead = fleet.hosts[-1]
    living = [each for each in fleet.tasks if each.host is not dead and each not in (over, *starting)]
    failing = living[::3][:61]
    asked_for_a_page = [each for each in failing if each.check != "tcp"]
    silent, erring = asked_for_a_page[:1], asked_for_a_page[1:20]  # nothing listens at the others' ports
    well = [each for each in living if each not in failing]
    answering = fleet.answer(200, well)
    fleet.answer(500, erring)
    (hanging,) = fleet.answer(0, silent)
    fleet.kill(dead)
    before = fleet.records()

    for each in starting:
        tasks.start(each.arn, 0)
    done = looked.look(say)
    assert done == {**done, "checked": 200, "failing": 61, "stopped": 0, "unasked": 0}
    gone = {each for each in before if f'"{dead.name}:' in each or f" {over.port} " in each}
    assert len(done["deleted"]) == len(gone) == 52
    assert fleet.records() == before - gone
    assert tasks.stopped == []

    fleet.end(hanging)
    fleet.answer(200, silent)
    for each in starting:
        tasks.start(each.arn, 60)
    done = looked.look(say)
    assert done == {"deleted": [], "checked": 200, "failing": 60, "stopped": 60, "unasked": 0}
    stopped = [each for each in failing if each not in silent]
    assert sorted(arn for arn, _ in tasks.stopped) == sorted(each.arn for each in stopped)
    assert fleet.records() == before - gone

    # Each of the sixty is told by an event; meanwhile a host's tasks fail, few enough for a look to stop them.
    fleet.end(answering[0])
    for each in stopped[:5]:
        assert list(looked.invoke(looked.function, tasks.event(each.arn))) == ["deleted"]
    assert len(tasks.stopped) == 60
    gone |= {each for each in before if any(f" {task.port} " in each for task in stopped)}
    assert fleet.records() == before - gone

    fleet.answer(200, [each for each in well if each.host is fleet.hosts[0]])
    for each in starting:
        tasks.start(each.arn, 121)
    done = looked.look(say)
    assert done == {"deleted": [], "checked": 143, "failing": 3, "stopped": 3, "unasked": 0}
    assert sorted(arn for arn, _ in tasks.stopped[60:]) == sorted(each.arn for each in starting)


def test_more_that_hang_than_there_is_time_for_are_told_and_not_stopped(
    looked: Looked, say: Callable[[str], None]
) -> None:
    """In 60 seconds, of which 20 are kept for stops, no 280 that hang can be asked three times."""
    fleet, tasks = looked.fleet, looked.tasks
    hang = [fleet.add("one", "http:/health") for _ in range(280)]  # moto gives no second page of one name
    fleet.write()
    hanging = fleet.answer(0, hang)
    done = looked.look(say, hurried=True)
    assert done == {**done, "failing": done["checked"], "stopped": 0, "unasked": 280 - done["checked"]}
    assert 0 < done["checked"] < 280
    for each in hanging:
        fleet.end(each)
    fleet.answer(200, hang)
    done = looked.look(say, hurried=True)
    assert done == {"deleted": [], "checked": 280, "failing": 0, "stopped": 0, "unasked": 0}
    assert tasks.stopped == []
