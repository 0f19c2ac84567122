"""What the proofs share: an emulated host with a Docker daemon, an emulated Route 53, and the packaged agent on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network
from blueprints.local.hosts.host import end
from blueprints.local.hosts.network import unavailable
from scripts.foreign.environments import UnavailableError, aws_cli

from . import docker
from .docker import Docker

ROOT = Path(__file__).parents[3]
INTERPRETER = Path(sys.base_prefix) / "bin" / "python3"
ZONE = "servicediscovery.internal"
DEADLINE = 30.0  # seconds, to end a hang


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    reason = unavailable() or docker.unavailable()
    if reason:
        pytest.skip(reason)
    with Network() as made:
        yield made


@pytest.fixture(scope="session")
def aws(network: Network) -> Iterator[Aws]:
    with Aws(addresses=[network.gateway]) as emulated:
        yield emulated


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with the agent, as `blueprints package` writes it: archives beside a template that names them."""
    folder = tmp_path_factory.mktemp("packaged")
    command = [
        sys.executable,
        "-m",
        "blueprints",
        "package",
        "ecs-dns-discovery-agent",
        "--build",
        str(folder),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder / "example" / "ecs-dns-discovery-agent.yaml"


@pytest.fixture(scope="session")
def archive(packaged: Path) -> Path:
    """The agent, which is what the template's layer holds."""
    return layer(packaged, "AgentLayerVersion")


def layer(packaged: Path, name: str) -> Path:
    """What a layer of the packaged template holds."""
    content = templates.load(packaged.read_text())["Resources"][name]["Properties"]["Content"]
    return (packaged.parent / content).resolve()


@pytest.fixture(scope="session")
def cli() -> Path:
    try:
        return aws_cli()
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the AWS CLI cannot be installed: {error}")


@pytest.fixture(scope="session")
def zone(aws: Aws) -> str:
    """The private zone."""
    return private_zone(aws)


def private_zone(aws: Aws) -> str:
    """A private zone's id."""
    made = aws.client("route53").create_hosted_zone(
        Name=ZONE,
        CallerReference="proof",
        HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": aws.region, "VPCId": "vpc-0123456789abcdef0"},
    )
    return made["HostedZone"]["Id"].rpartition("/")[2]


def until(condition: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Wait for a condition; `told` says what was found instead."""
    end_ = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end_, told()
        time.sleep(0.05)


class Machine:
    """A host with a daemon and the agent on it."""

    def __init__(self, network: Network, aws: Aws, archive: Path, zone: str, name: str) -> None:
        self.aws, self.zone, self.name = aws, zone, name
        self.docker = Docker()
        self.host: Host = network.host(name, shown=[str(self.docker.socket.parent), str(archive.parent)])
        self.docker.start(self.host)
        self.docker.import_small()
        self.archive = archive
        self.log = self.docker.folder / "agent.log"
        self.agent: subprocess.Popen[bytes] | None = None

    def command(self, *more: str) -> list[str]:
        return [
            str(INTERPRETER), str(self.archive), "--zone-id", self.zone, "--zone", ZONE, "--host", self.name,
            "--address", self.host.address, "--region", self.aws.region, "--socket", str(self.docker.socket), *more,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        network_address = self.host.address.rpartition(".")[0] + ".1"
        return self.aws.environment(self.name, network_address)

    def start(self, *more: str) -> None:
        """Until the agent has registered its host; begun anew where it ends before, as its unit's Restart= has it."""

        def registered() -> bool:
            if self.agent is None or self.agent.poll() is not None:
                self.agent = self._begun(*more)
            return bool(self.records("A"))

        self.agent = None
        self.wait(registered)

    def _begun(self, *more: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return self.host.start(self.command(*more), env=self.environment(), stdout=log, stderr=log)

    def once(self, *more: str) -> subprocess.CompletedProcess[bytes]:
        return self.host.run(self.command(*more), env=self.environment())

    def pids(self) -> list[int]:
        """The agent's own process: what is started on a host is a child of what entered it."""
        assert self.agent
        found = [(each, Path(f"/proc/{each}/cmdline").read_bytes()) for each in _descendants(self.agent.pid)]
        return [pid for pid, command in found if command.startswith(str(INTERPRETER).encode())]

    def signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            os.kill(pid, number)
        assert self.agent
        self.agent.wait(60)

    def records(self, kind: str = "SRV") -> list[dict[str, Any]]:
        pages = (
            self.aws.client("route53")
            .get_paginator("list_resource_record_sets")
            .paginate(HostedZoneId=self.zone)
        )
        sets = [each for page in pages for each in page["ResourceRecordSets"]]
        prefix = self.name + ":"
        return [
            each for each in sets if each["Type"] == kind and each.get("SetIdentifier", "").startswith(prefix)
        ]

    def answers(self) -> set[tuple[str, int, str]]:
        """What SRV records there are: service, port, target."""
        found = [(each["Name"], each["ResourceRecords"][0]["Value"].split()) for each in self.records()]
        return {(name.removesuffix(f".{ZONE}."), int(value[2]), value[3]) for name, value in found}

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def wait(self, condition: Callable[[], bool]) -> None:
        until(condition, lambda: f"{self.answers()}: {self.log.read_text()[-3000:]}")

    def close(self) -> None:
        if self.agent is not None:
            end(self.agent)
        self.docker.remove()


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += _descendants(int(each))
    return found


@pytest.fixture(scope="session")
def machine(network: Network, aws: Aws, archive: Path, zone: str) -> Iterator[Machine]:
    """The host that most scenarios share."""
    made = Machine(network, aws, archive, zone, "node1")
    yield made
    made.close()


@pytest.fixture(scope="session")
def images(machine: Machine, packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The machine has the services' images."""
    from .services import build  # which needs this module

    build(machine, packaged, tmp_path_factory.mktemp("context"))


@pytest.fixture
def agent(machine: Machine) -> Iterator[Machine]:
    """The agent at work on a host without containers, which it leaves as it found it."""
    machine.start("--hosts", "1")
    yield machine
    machine.docker.clear()
    machine.signal(signal.SIGTERM)
    assert machine.records() == []


@pytest.fixture
def say() -> Callable[[str], None]:
    """Prints a figure, which `make prove` shows."""
    return print
