"""Fronts that the tests of this folder talk to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from blueprints.local.http import Api, Front
from tests.local.http.harness import NOW, Serve, Served, Stub


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an API; at the end every front is closed."""
    fronts: list[Front] = []

    def serve(api: Api, stub: Stub | None = None, **settings: Any) -> Served:
        stub, log = stub or Stub(), list[str]()
        settings = {"clock": lambda: NOW, "log": log.append, **settings}
        fronts.append(Front([api], stub, **settings))
        return Served(fronts[-1], api, stub, log)

    yield serve
    for front in fronts:
        front.close()
