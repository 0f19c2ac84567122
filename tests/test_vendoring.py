"""The package works under any name, beside code of one's own, and takes subclasses without being told of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "acme_infra.vendored_blueprints"

# Whatever is installed here: in these processes nothing named `blueprints` can be imported.
NO_OTHER_COPY = """\
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "blueprints":
            raise ModuleNotFoundError(f"{name} is out of reach here", name=name)


sys.meta_path.insert(0, Refuse())
"""

OWN = '''\
"""Blueprints of our own."""

from troposphere import dynamodb

from .vendored_blueprints.crud_api import CrudApi


class OurApi(CrudApi):
    def table(self) -> dynamodb.Table:
        table = super().table()
        table.DeletionPolicy = "Delete"
        return table
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of somebody else that has the package as a part of its own."""
    package = tmp_path / "acme_infra"
    shutil.copytree(
        ROOT / "blueprints", package / "vendored_blueprints", ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "__init__.py").touch()
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    for path in tmp_path.glob("stacks/*/*.yaml"):
        lines = path.read_text().splitlines(keepends=True)
        renamed = [
            line.replace(" blueprints.", f" {NAME}.") if line.startswith("blueprint: ") else line
            for line in lines
        ]
        path.write_text("".join(renamed))
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(NO_OTHER_COPY)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project, with nothing of this repository in reach."""
    surroundings = {
        **os.environ,
        "PYTHONPATH": str(project / "site"),
        "XDG_CACHE_HOME": str(project / "cache"),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_under_another_name_renders_the_same_bytes(project: Path) -> None:
    refused = run(project, "-c", "import blueprints")
    assert "ModuleNotFoundError: blueprints is out of reach here" in refused.stderr
    done = run(project, "-m", NAME, "render", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    # A path to code beside a template is that of the package, whatever its name.
    ours = {name: text.replace(f"../../{NAME.replace('.', '/')}/".encode(), b"../../blueprints/")
            for name, text in contents(project / "templates").items()}  # fmt: skip
    assert ours == contents(ROOT / "templates")


def test_a_copy_lists_and_shows_itself_by_its_own_name(project: Path) -> None:
    listed = json.loads(run(project, "-m", NAME, "list", "--format", "json").stdout)
    assert listed
    for row in listed:
        assert row["blueprint"].startswith(f"{NAME}.")
    shown = run(project, "-m", NAME, "show", listed[0]["name"])
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"{NAME}.")


def test_a_stack_takes_a_subclass_that_overrides_one_method(project: Path) -> None:
    (project / "acme_infra/apis.py").write_text(OWN)
    stack = project / "stacks/example/crud-api.yaml"
    assert run(project, "-m", NAME, "render", "crud-api").returncode == 0
    template = project / "templates/example/crud-api.yaml"
    before = template.read_text().splitlines()
    stack.write_text(stack.read_text().replace(f"{NAME}.crud_api:CrudApi", "acme_infra.apis:OurApi"))
    done = run(project, "-m", NAME, "render", "crud-api")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "wrote templates/example/crud-api.yaml\n"
    after = template.read_text().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert [tuple(line.strip() for line in pair) for pair in changed] == [
        ("DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete")
    ]
