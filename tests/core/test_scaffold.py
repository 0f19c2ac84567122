"""`blueprints new`: what it writes renders, lints and passes its own test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blueprints.core import BlueprintError
from blueprints.core.scaffold import scaffold

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("blueprints", "stacks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(project), "XDG_CACHE_HOME": str(project / "cache")}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_blueprint_renders_lints_and_passes_its_test(project: Path) -> None:
    made = run(project, "blueprints", "new", "queue_worker")
    assert made.returncode == 0, made.stderr
    assert "wrote blueprints/queue_worker/template.py" in made.stdout.replace(f"{project}/", "")
    for command in (
        ("blueprints", "render", "--strict", "queue-worker"),
        ("blueprints", "lint", "queue-worker"),
        ("blueprints", "docs"),
        ("pytest", "-q", "-p", "no:cacheprovider", "tests/queue_worker"),
        ("ruff", "check", "--no-cache", "blueprints/queue_worker", "tests/queue_worker"),
        (
            "ruff",
            "format",
            "--no-cache",
            "--check",
            "blueprints/queue_worker",
            "blueprints/catalogue.py",
            "tests",
        ),
    ):
        done = run(project, *command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "queue_worker" in run(project, "blueprints", "list").stdout
    assert "`retention_days`" in (project / "blueprints/queue_worker/README.md").read_text()
    assert "RetentionPeriod: 345600" in (project / "templates/example/queue-worker.yaml").read_text()


@pytest.mark.parametrize("name", ["QueueWorker", "queue-worker", "9lives", "class", "_x", "a__b", "../x", ""])
def test_names_that_cannot_be_one(project: Path, name: str) -> None:
    with pytest.raises(BlueprintError, match="cannot name a blueprint; write lower case with _"):
        scaffold(name, project)


def test_a_name_that_is_taken_writes_nothing(project: Path) -> None:
    before = (project / "blueprints/catalogue.py").read_bytes()
    with pytest.raises(BlueprintError, match="exists already; choose another name"):
        scaffold("crud_api", project)
    assert (project / "blueprints/catalogue.py").read_bytes() == before


def test_outside_of_a_project(tmp_path: Path) -> None:
    with pytest.raises(BlueprintError, match="no catalogue here; run this in the root of the project"):
        scaffold("queue_worker", tmp_path)
    assert list(tmp_path.iterdir()) == []
