"""From containers to a name server's answers, and through them: `dig`, and the portal that asks time and calc."""

from __future__ import annotations

import http.client
import random
import re
import shutil
import signal
import statistics
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from blueprints.checks import template as templates

from .conftest import ZONE, Machine
from .mirror import Mirror, UnknownRecordError, answers

CALC = ("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")
NAME = f"_calc._tcp.{ZONE}"


@pytest.fixture(scope="module")
def mirror(machine: Machine) -> Iterator[Mirror]:
    missing = [each for each in ("named", "dig") if shutil.which(each) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}; install bind9 and bind9-dnsutils")
    folder = machine.docker.socket.parent
    made = Mirror(machine.host, machine.aws.client("route53"), machine.zone, ZONE, folder)
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


def fetched(address: str, port: int, path: str) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    connection.request("GET", path)
    found = connection.getresponse().read().decode()
    connection.close()
    return found


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
    """Printed: what a client sees, through the mirror's period and a reload of the name server."""
    taken: list[float] = []
    for _ in range(10):
        began = time.monotonic()
        container = resolved.docker.serve(*CALC)
        resolved.wait(lambda: len(mirror.dig("SRV", NAME)) == 1)
        taken.append(time.monotonic() - began)
        resolved.docker.run("rm", "-f", container)
        resolved.wait(lambda: mirror.dig("SRV", NAME) == [])
    say(f"docker run to a changed dig: median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s")


@pytest.fixture(scope="module")
def images(machine: Machine, packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Images built by the shipped container file, from what the packaged template's layer holds."""
    content = templates.load(packaged.read_text())["Resources"]["ImagesLayerVersion"]["Properties"]["Content"]
    context = tmp_path_factory.mktemp("context")
    with zipfile.ZipFile(packaged.parent / content) as archive:
        archive.extractall(context)
    machine.docker.import_python()
    built: dict[str, str] = {}
    for service in ("portal", "calc", "clock"):
        built[service] = f"local/{service}:1"
        machine.docker.run(
            "build", "--build-arg", f"SERVICE={service}", "--tag", built[service], str(context)
        )
    return built


def started(machine: Machine, image: str, variables: dict[str, str], port: int) -> str:
    """As the task definition has it: no file system to write to, no capabilities."""
    options = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    hardened = ["--read-only", "--cap-drop", "ALL", "--init", "-p", str(port)]
    return machine.docker.run("run", "-d", *hardened, *options, image)


def test_the_portal_finds_time_and_calc_and_shows_the_posts_examples(
    resolved: Machine, mirror: Mirror, images: dict[str, str]
) -> None:
    known = {
        f"{name}_{part}": "s3cret" for name in ("TIME", "CALC", "CLOCK") for part in ("USERNAME", "PASSWORD")
    }
    started(resolved, images["calc"], {**known, "SERVICE_8081_NAME": "_calc._tcp"}, 8081)
    started(resolved, images["clock"], {**known, "SERVICE_8081_NAME": "_time._tcp"}, 8081)
    found = {"TIME_SERVICE": f"_time._tcp.{ZONE}", "CALC_SERVICE": f"_calc._tcp.{ZONE}"}
    portal = started(resolved, images["portal"], {**known, **found}, 8080)
    resolved.wait(
        lambda: len(mirror.dig("SRV", NAME)) == 1 and len(mirror.dig("SRV", f"_time._tcp.{ZONE}")) == 1
    )
    port = resolved.docker.port(portal, "8080/tcp")
    path = f"/?layout={quote('15:04 Jan 2')}&formula={quote('(2+6)*3', safe='')}"
    resolved.wait(lambda: resolved.docker.run("exec", portal, "python", "server.py", "check") == "")
    page = fetched(resolved.host.address, port, path)
    told = re.findall(r"<output>(.*?) \(container [0-9a-f]{12}\)</output>", page)
    assert len(told) == 2, page
    assert re.fullmatch(r"\d\d:\d\d [A-Z][a-z]{2} \d{1,2}", told[0])
    assert told[1] == "24"
    assert fetched(resolved.host.address, port, "/health") == '{"status":"OK"}'


def test_images_run_as_nobody(machine: Machine, images: dict[str, str]) -> None:
    for image in images.values():
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
