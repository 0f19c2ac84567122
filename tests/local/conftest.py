"""One emulated AWS for all tests of a run, empty at the start of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blueprints.local.aws import Aws


@pytest.fixture(scope="session")
def emulated() -> Iterator[Aws]:
    """The server process."""
    with Aws() as server:
        yield server


@pytest.fixture
def aws(emulated: Aws) -> Aws:
    """The server, emptied."""
    emulated.reset()
    return emulated
