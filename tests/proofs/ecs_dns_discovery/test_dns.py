"""From containers to a name server's answers, and through them: `dig`, and the portal that asks time and calc."""

from __future__ import annotations

import json
import random
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import ZONE, Machine
from .deployed import deployed
from .docker import SMALL
from .mirror import Mirror, UnknownRecordError, answers, missing, of_route53
from .services import IMAGES, fetched, run, shown

CALC = ("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")
NAME = f"_calc._tcp.{ZONE}"


@pytest.fixture(scope="module")
def mirror(machine: Machine) -> Iterator[Mirror]:
    if missing():
        pytest.skip(missing())
    folder = machine.docker.socket.parent
    made = Mirror(machine.host, of_route53(machine.aws.client("route53"), machine.zone), ZONE, folder)
    yield made
    assert made.failure == ""
    made.close()


@pytest.fixture
def resolved(machine: Machine, mirror: Mirror) -> Iterator[Machine]:
    """The agent at work, with answers that hold every container."""
    machine.start("--answers", "multivalue")
    yield machine
    machine.docker.clear()
    machine.signal(signal.SIGTERM)


def test_dig_finds_every_container_and_a_client_gets_through(resolved: Machine, mirror: Mirror) -> None:
    target = f"ip-{resolved.host.address.replace('.', '-')}.{ZONE}"
    containers = [resolved.docker.serve(*CALC) for _ in range(3)]
    expected = sorted(f"1 1 {resolved.docker.port(each)} {target}." for each in containers)
    resolved.wait(lambda: mirror.dig("SRV", NAME) == expected)
    _, _, port, host = mirror.dig("SRV", NAME)[0].split()
    (address,) = mirror.dig("A", host)
    assert "404 Not Found" in fetched(address, int(port), "/")  # busybox answers, with nothing to serve
    resolved.docker.run("stop", "-t", "1", containers[0])
    resolved.wait(lambda: len(mirror.dig("SRV", NAME)) == 2)


def test_from_an_event_to_a_changed_answer(
    resolved: Machine, mirror: Mirror, say: Callable[[str], None]
) -> None:
    """Printed, from Docker's own time of an event to the first `dig` that shows it, of a hundred events.

    What a client sees, through the mirror's period and a reload of the name server. Ten containers, each found by a
    name of its own, start one after the other, as fast as Docker has them up, and end likewise.
    """
    containers = {
        _created(resolved, f"_calc{number}._tcp"): f"_calc{number}._tcp.{ZONE}" for number in range(10)
    }
    taken: list[float] = []
    for _ in range(5):
        for command in ("start", "kill"):
            taken += _seconds(resolved, mirror, command, containers)
    taken.sort()
    assert len(taken) == 100
    say(
        f"{len(taken)} events, from timeNano to a changed dig: median {statistics.median(taken):.2f} s, "
        f"p95 {taken[94]:.2f} s, worst {taken[-1]:.2f} s"
    )


def _created(machine: Machine, service: str) -> str:
    """A container that is not started yet; its id."""
    serving = ("/bin/busybox", "httpd", "-f", "-p", "8081")
    return machine.docker.run("create", "-e", f"SERVICE_8081_NAME={service}", "-p", "8081", SMALL, *serving)


def _seconds(machine: Machine, mirror: Mirror, command: str, containers: dict[str, str]) -> list[float]:
    """What it takes after each container's event until its name is known, or is not any more."""
    seen: dict[str, int] = {}

    def changed() -> bool:
        known = mirror.known("SRV", containers.values())
        now = time.time_ns()
        for name in known if command == "start" else set(containers.values()) - known:
            seen.setdefault(name, now)
        return len(seen) == len(containers)

    began = time.time()
    with subprocess.Popen(machine.docker.command(command, *containers), stdout=subprocess.DEVNULL):
        machine.wait(changed)
    since = ("--since", f"{began:.6f}", "--until", f"{time.time():.6f}")
    told = machine.docker.run("events", *since, "--filter", f"event={command}", "--format", "{{json .}}")
    events = [json.loads(line) for line in told.splitlines()]
    return [(seen[containers[each["id"]]] - each["timeNano"]) / 1e9 for each in events]


def test_the_portal_finds_time_and_calc_and_shows_the_posts_examples(
    resolved: Machine, mirror: Mirror, images: None
) -> None:
    settings = {"discovery": {"kind": "agent", "answers": "multivalue"}}
    stack = deployed(resolved.aws, "portal", resolved.zone, settings)
    portal, _, _ = [run(resolved, stack, each) for each in ("Portal", "Calc", "Time")]
    resolved.wait(
        lambda: len(mirror.dig("SRV", NAME)) == 1 and len(mirror.dig("SRV", f"_time._tcp.{ZONE}")) == 1
    )
    clock, value = shown(resolved, portal)
    assert re.fullmatch(r"\d\d:\d\d [A-Z][a-z]{2} \d{1,2}", clock)
    assert value == "24"
    port = resolved.docker.port(portal, "8080/tcp")
    assert fetched(resolved.host.address, port, "/health") == '{"status":"OK"}'


def test_images_run_as_nobody(machine: Machine, images: None) -> None:
    for image in IMAGES.values():
        assert machine.docker.run("inspect", "-f", "{{.Config.User}}", image) == "65534:65534"
        assert "server.py" in machine.docker.run("inspect", "-f", "{{.Config.Healthcheck.Test}}", image)


def test_the_mirror_refuses_what_it_cannot_represent() -> None:
    plain = {"Name": "a.", "Type": "A", "TTL": 0, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    chooser = random.Random(1)  # noqa: S311 - no secret
    assert answers([plain], chooser) == ["a. 0 IN A 192.0.2.1"]
    wrongs: list[dict[str, Any]] = [{"Type": "CNAME"}, {"Region": "eu-west-1"}, {"AliasTarget": {}}]
    for wrong in wrongs:
        with pytest.raises(UnknownRecordError):
            answers([plain | wrong], chooser)
    with pytest.raises(UnknownRecordError):
        answers([plain | {"Weight": 1}, plain | {"MultiValueAnswer": True}], chooser)
    assert (
        len(answers([plain | {"MultiValueAnswer": True, "SetIdentifier": str(n)} for n in range(9)], chooser))
        == 8
    )
    assert len(answers([plain | {"Weight": 1, "SetIdentifier": str(n)} for n in range(9)], chooser)) == 1
