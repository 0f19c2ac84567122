"""Two hosts, of which one dies without a word: the function of the packaged template takes its records away."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.hosts import Network

from .conftest import Machine

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
