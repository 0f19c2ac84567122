"""By default there is no agent: what ECS registers with Cloud Map is what the portal resolves and fetches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from blueprints.local.stack import Stack

from .cloud_map import Registries, of_cloud_map
from .conftest import Machine
from .deployed import deployed
from .mirror import Mirror, UnknownRecordError, missing
from .services import fetched, run, shown


@pytest.fixture(scope="module")
def stack(machine: Machine, zone: str) -> Stack:
    return deployed(machine.aws, "cloud-map", zone, {})


@pytest.fixture(scope="module")
def registries(machine: Machine, stack: Stack) -> Registries:
    return Registries(machine, stack)


@pytest.fixture(scope="module")
def mirror(machine: Machine, registries: Registries) -> Iterator[Mirror]:
    if missing():
        pytest.skip(missing())
    source = of_cloud_map(registries.client, registries.namespace)
    made = Mirror(machine.host, source, registries.zone, machine.docker.socket.parent)
    yield made
    made.close()
    machine.docker.clear()
    assert made.failure == ""


def test_the_portal_finds_what_is_registered_and_not_what_is_not_any_more(
    machine: Machine, stack: Stack, registries: Registries, mirror: Mirror, images: None
) -> None:
    name = f"_calc._tcp.{registries.zone}"
    portal = run(machine, stack, "Portal")
    containers = [run(machine, stack, "Calc") for _ in range(2)]
    time_container = run(machine, stack, "Time")
    assert shown(machine, portal) == []
    tasks = [registries.register("Calc", each) for each in containers]
    registries.register("Time", time_container)
    machine.wait(lambda: len(mirror.dig("SRV", name)) == 2)
    machine.wait(lambda: len(mirror.dig("SRV", f"_time._tcp.{registries.zone}")) == 1)

    for answer in mirror.dig("SRV", name):
        _, _, port, target = answer.split()
        (address,) = mirror.dig("A", target)
        assert fetched(address, int(port), "/health") == '{"status":"OK"}'
    clock, value = shown(machine, portal)
    assert re.fullmatch(r"\d\d:\d\d [A-Z][a-z]{2} \d{1,2}", clock)
    assert value == "24"

    registries.deregister("Calc", tasks[0])
    machine.docker.run("rm", "-f", containers[0])
    machine.wait(lambda: len(mirror.dig("SRV", name)) == 1)
    assert shown(machine, portal)[1] == "24"
    registries.deregister("Calc", tasks[1])
    machine.wait(lambda: mirror.dig("SRV", name) == [])
    assert len(shown(machine, portal)) == 1


@pytest.mark.parametrize(
    ("service", "attributes"),
    [
        ({"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "SRV", "TTL": 1}]}, {}),
        ({"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "CNAME", "TTL": 1}]}, {}),
        (
            {"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "SRV", "TTL": 1}]},
            {"AWS_ALIAS_DNS_NAME": "a"},
        ),
        (
            {"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "SRV", "TTL": 1}]},
            {"AWS_INSTANCE_PORT": "1"},
        ),
    ],
)
def test_the_mirror_refuses_what_it_cannot_represent(
    service: dict[str, Any], attributes: dict[str, str]
) -> None:
    _, lines = of_cloud_map(None, "")
    instance = {"Id": "a", "Attributes": attributes}
    with pytest.raises(UnknownRecordError):
        lines([({"Name": "b", "DnsConfig": service}, [instance])])


def test_an_answer_has_eight_at_most() -> None:
    _, lines = of_cloud_map(None, "")
    dns = {"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "SRV", "TTL": 1}]}
    known = {"AWS_INSTANCE_IPV4": "192.0.2.1", "AWS_INSTANCE_PORT": "1"}
    instances = [{"Id": str(number), "Attributes": known} for number in range(9)]
    found = lines([({"Name": "b", "DnsConfig": dns}, instances)])
    assert len([line for line in found if " SRV " in line]) == 8
    assert len([line for line in found if " A " in line]) == 9
