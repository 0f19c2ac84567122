"""An emulated AWS of this folder's own: its operations are forwarded to servers that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from blueprints.local.aws import Aws
from tests.local.events.harness import Case, Start


@pytest.fixture(scope="session")
def emulated() -> Iterator[Aws]:
    """The server process."""
    with Aws() as server:
        yield server


@pytest.fixture
def start(aws: Aws) -> Iterator[Start]:
    """Start stacks from their resources."""
    started: list[Case] = []

    def start(resources: dict[str, Any], **options: Any) -> Case:
        started.append(Case(aws, resources, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()
    defects = [line for each in started for line in each.logged if "defect" in line]
    assert not defects
