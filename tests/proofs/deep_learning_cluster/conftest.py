"""What the proofs of deep_learning_cluster share: four nodes that have formed a cluster from cold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.hosts import Network
from scripts.foreign import environments
from scripts.foreign.environments import UnavailableError

from . import dns
from .cluster import Cluster, available, begin, rendered

PERIOD = 6
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
def cluster(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four nodes, booted at once."""
    made = begin(network, rendered(tmp_path_factory.mktemp("render"), CONFIG, PARAMETERS))
    with made.aws:
        statuses = made.boot(made.power_on())
        assert set(statuses.values()) == {0}, [
            each.read("/var/log/cloud-init-output.log") for each in made.nodes
        ]
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a stack of its own is rendered."""
    return tmp_path
