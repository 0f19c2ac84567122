"""What people install: a wheel that holds all it needs and no tests, and dependencies that leave them room."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python outside of this repository, with the wheel's contents in reach."""
    surroundings = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )


def requirements() -> Iterator[str]:
    """Every requirement that pyproject.toml states, of whatever group."""
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    for group in (PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]):
        for listed in group.values():
            yield from listed


def name_of(requirement: str) -> str:
    """The distribution that a requirement or a line of the lock file names, in its normal spelling."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement)[0]).lower()


def test_the_wheel_holds_what_a_render_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    assert {
        "blueprints/py.typed",
        "blueprints/deep_learning_cluster/bootstrap/boot.sh",
        "blueprints/crud_api/functions/resource.py",
        "blueprints/__main__.py",
    } <= package
    sources = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "blueprints").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package == sources
    assert not [
        name
        for name in names
        if re.search(r"(^|/)(tests?|stacks|templates|benchmarks|conftest\.py)(/|$)", name)
    ]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_the_wheel_lists_and_renders(site: Path, tmp_path: Path) -> None:
    where = run(site, tmp_path, "-c", "import blueprints; print(blueprints.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(site)
    listed = run(site, tmp_path, "-m", "blueprints", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "crud_api" in listed.stdout
    out = tmp_path / "out"
    stacks = ROOT / "stacks"
    done = run(
        site, tmp_path, "-m", "blueprints", "render", "--strict", "--stacks", str(stacks), "--out", str(out)
    )
    assert (done.returncode, done.stderr) == (0, "")
    rendered = {path.relative_to(out): path.read_bytes() for path in out.glob("*/*")}
    assert rendered == {
        path.relative_to(ROOT / "templates"): path.read_bytes() for path in (ROOT / "templates").glob("*/*")
    }


def test_the_wheel_installs_the_command(site: Path, tmp_path: Path) -> None:
    (metadata,) = site.glob("*.dist-info")
    assert "blueprints = blueprints.cli:main" in (metadata / "entry_points.txt").read_text()
    version = run(site, tmp_path, "-c", "from blueprints.cli import main; main()", "--version")
    assert version.stdout == f"blueprints, version {PROJECT['project']['version']}\n"


@pytest.mark.parametrize("requirement", sorted(set(requirements())))
def test_no_dependency_is_pinned(requirement: str) -> None:
    assert ">=" in requirement, "a lower bound says what was tried"
    assert not re.search(r"==|~=|@", requirement), "people have pins of their own"


def test_the_lock_file_pins_and_hashes_everything() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    for entry in entries:
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+( ; .+)? \\", entry.splitlines()[0]), (
            entry
        )
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)
        assert hashes, entry
    # One version a distribution; two, where markers say which Python gets which.
    single = [name_of(entry) for entry in entries if " ; " not in entry.splitlines()[0]]
    assert len(single) == len(set(single))
    assert {name_of(each) for each in requirements()} <= set(single)


def test_the_lock_file_names_no_index() -> None:
    assert "http" not in LOCK
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f|-e)\b", LOCK, re.MULTILINE)
