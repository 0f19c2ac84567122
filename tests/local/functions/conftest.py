"""Functions that the tests of this folder run, in real processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.functions import FunctionSpec, from_inline
from tests.local.functions.harness import DEADLINE, Running, Start


@pytest.fixture
def start() -> Iterator[Start]:
    """Start functions from their code; at the end none may leave a process or a file."""
    started: list[Running] = []

    def start(
        code: str | bytes, *, workers: int = 4, endpoint_url: str | None = None, **settings: Any
    ) -> Running:
        name = f"function-{uuid.uuid4()}"
        spec = FunctionSpec(
            name="Function",
            physical_name=name,
            arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
            handler=settings.pop("handler", "index.handler"),
            runtime=settings.pop("runtime", "python3.13"),
            code=from_inline(code) if isinstance(code, str) else code,
            environment=settings.pop("environment", {}),
            timeout=settings.pop("timeout", DEADLINE),
            memory=settings.pop("memory", 512),
            **settings,
        )
        started.append(Running(spec, workers, endpoint_url))
        return started[-1]

    yield start
    for each in started:
        each.function.close()
        assert each.gone()


@pytest.fixture
def signal_file(tmp_path: Path) -> Path:
    """A file by which a handler and a test tell each other something."""
    return tmp_path / "signal"
