"""What the proofs of crud_api share: templates rendered by the command line, and stacks that run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprints.local.place import Place
from blueprints.local.running import Running
from blueprints.local.stack import Stack

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "templates" / "example" / "crud-api.yaml"
OPEN = {"auth": "none", "auth_reason": "A proof on loopback that keeps nothing of value."}
UNTHROTTLED = {"requests_per_second": 10_000, "burst": 5_000}

Render = Callable[..., Stack]


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """A stack from a config, parameters and environment, through its files and template, as a user would have it."""

    def rendered(
        config: dict[str, Any], parameters: dict[str, Any] | None = None, **environment: Any
    ) -> Stack:
        folder = tmp_path_factory.mktemp("render")
        (folder / "stacks" / "proof").mkdir(parents=True)
        stack = {"blueprint": "blueprints.crud_api:CrudApi", "config": config, "parameters": parameters or {}}
        (folder / "stacks" / "proof" / "crud.yaml").write_text(yaml.safe_dump(stack))
        (folder / "stacks" / "proof" / "environment.yaml").write_text(yaml.safe_dump(environment))
        command = [sys.executable, "-m", "blueprints", "render", "--stacks", "stacks", "--out", "templates"]
        done = subprocess.run(
            command,
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        stem = folder / "templates" / "proof" / "crud"
        return Stack.read(stem.with_suffix(".yaml"), Path(f"{stem}.parameters.json"), Place("crud"))

    return rendered


@pytest.fixture(scope="session")
def lines() -> list[tuple[str, str]]:
    """What functions and API of the shared stack have logged."""
    return []


@pytest.fixture(scope="session")
def running(render: Render, lines: list[tuple[str, str]]) -> Iterator[Running]:
    """One open stack for all that leave it as they found it."""

    def keep(name: str, line: str) -> None:
        lines.append((name, line))

    with Running(render({**OPEN, **UNTHROTTLED}), log=keep, workers=4) as made:
        yield made


@pytest.fixture
def url(running: Running) -> str:
    """Where its documents are."""
    return f"{running.urls['HttpApi']}/resource"
