"""What the proofs of deep_learning_cluster share: four nodes that have formed a cluster from cold."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.hosts import Network
from scripts.foreign import environments
from scripts.foreign.environments import UnavailableError

from . import dns
from .cluster import CONSOLE, Cluster, available, begin, rendered

_RUNNING = pytest.StashKey[Cluster]()
PERIOD = 4
CONFIG: dict[str, Any] = {"access": "ssh", "membership": {"period": PERIOD}}
PARAMETERS: dict[str, Any] = {
    "KeyName": "my-key",
    "SSHLocation": "198.51.100.0/24",
    "WorkerCount": 3,
    "MinWorkers": 3,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A proof that cannot run is a skip on a laptop and a failure in CI."""
    reason = available()
    if reason and os.environ.get("CI") != "true":
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A bridge for all clusters, with the name server of a VPC."""
    environments.aws_cli()
    with suppress(UnavailableError):  # whoever needs it says so
        environments.python("torch")
    with Network() as made:
        names = dns.serve(made, tmp_path_factory.mktemp("named"))
        yield made
        names.terminate()
        names.wait()


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Four nodes, booted at once."""
    made = begin(network, rendered(tmp_path_factory.mktemp("render"), CONFIG, PARAMETERS))
    request.session.stash[_RUNNING] = made
    with made.aws:
        statuses = made.boot(made.power_on())
        assert set(statuses.values()) == {0}, [each.read(CONSOLE) for each in made.nodes]
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that fails over a cluster of a fixture says what its nodes have said."""
    report = yield
    if report.failed and report.when == "call":
        for each in getattr(item, "funcargs", {}).values():
            if isinstance(each, Cluster):
                report.sections.append(("Nodes", _told(each)))
    return report


def _told(cluster: Cluster) -> str:
    try:
        return cluster.told()
    except Exception as error:  # it must not hide what has failed
        return f"they say nothing: {error!r}"


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Agents take a core from the other proofs, so the nodes end with the last scenario that needs them."""
    uses = "cluster" in getattr(nextitem, "fixturenames", ())
    if _RUNNING in item.session.stash and not uses:
        item.session.stash[_RUNNING].off()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a stack of its own is rendered."""
    return tmp_path
