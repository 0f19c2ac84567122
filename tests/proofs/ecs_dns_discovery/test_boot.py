"""What a host does first: the user data of the committed template, delivered to an emulated instance."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network

from .boot import COMMITTED, LAYER, Hosts, Layers, committed
from .conftest import ZONE


@pytest.fixture
def layers(network: Network, aws: Aws, archive: Path) -> Iterator[Layers]:
    made = Layers(network.gateway, {LAYER: archive})
    aws.forward("lambda:GetLayerVersionByArn", made.url)
    yield made
    made.close()


@pytest.fixture
def hosts(network: Network, aws: Aws, cli: Path, layers: Layers) -> Iterator[Hosts]:
    """Where instances boot."""
    made = Hosts(network, aws, cli)
    yield made
    made.close()


@pytest.fixture
def boot(hosts: Hosts, zone: str) -> Callable[..., Host]:
    """Boots the user data of the template on a new instance."""

    def booted(change: Callable[[str], str] = str) -> Host:
        return hosts.boot(committed(zone), change)

    return booted


def impatient(script: str) -> str:
    """The same, with other settings at its head: no pause between tries, and a deadline that a test can wait for."""
    return script.replace("RETRY_SECONDS='15'", "RETRY_SECONDS='0'").replace(
        "DEADLINE='600'", "DEADLINE='20'"
    )


def signals(aws: Aws, host: Host) -> list[str]:
    calls = [each for each in aws.calls("cloudformation:SignalResource") if each.principal == host.name]
    return [each.parameters["Status"] for each in calls]


def own_records(aws: Aws, zone: str, host: Host) -> list[str]:
    sets = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [each["Name"] for each in sets if each.get("SetIdentifier", "").startswith(f"{host.name}:")]


def test_a_host_joins_and_its_agent_is_at_work_when_it_signals(
    boot: Any, aws: Aws, zone: str, hosts: Hosts
) -> None:
    host = boot()
    assert signals(aws, host) == ["SUCCESS"], hosts.said[host.name]
    assert (host.disk / "etc/ecs/ecs.config").read_text().splitlines()[0] == "ECS_CLUSTER=discovery-Cluster-1"
    assert own_records(aws, zone, host) == [f"ip-{host.address.replace('.', '-')}.{ZONE}."]
    assert "--zone-id" in (host.disk / "etc/ecs-dns-agent.env").read_text()


def test_a_changed_byte_is_noticed_and_fails_the_host(
    boot: Any, aws: Aws, zone: str, layers: Layers, tmp_path: Path
) -> None:
    (tmp_path / "agent.zip").write_bytes(layers.contents[LAYER])
    with zipfile.ZipFile(tmp_path / "agent.zip", "a") as archive:
        archive.writestr("more.py", "")
    layers.contents[LAYER] = (tmp_path / "agent.zip").read_bytes()
    host = boot(impatient)
    assert signals(aws, host) == ["FAILURE"]
    assert own_records(aws, zone, host) == []


@pytest.mark.parametrize("api", ["route53:ChangeResourceRecordSets", "route53:GetHostedZone"])
def test_a_host_whose_agent_may_not_write_says_so(boot: Any, aws: Aws, zone: str, api: str) -> None:
    aws.faults.error(api, "AccessDenied", status=403)
    host = boot(impatient)
    aws.faults.clear()
    assert signals(aws, host) == ["FAILURE"]
    assert own_records(aws, zone, host) == []


def test_the_unit_is_one_that_systemd_takes(archive: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze; install systemd")
    with zipfile.ZipFile(archive) as opened:
        opened.extract("ecs-dns-agent.service", tmp_path)
    unit = str(tmp_path / "ecs-dns-agent.service")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_template_that_names_another_agent_is_noticed(packaged: Path) -> None:
    """The committed template and what is packaged agree on what the agent is."""
    committed = templates.load(COMMITTED.with_suffix(".yaml").read_text())["Resources"]["LaunchTemplate"]
    assert templates.load(packaged.read_text())["Resources"]["LaunchTemplate"] == committed
