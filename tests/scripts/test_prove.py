"""`make prove`: what it counts as executed, and when it fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prove", ROOT / "scripts" / "prove.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prove"] = module
    spec.loader.exec_module(module)
    return module


prove = load()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tests/proofs").mkdir(parents=True)
    (tmp_path / "tests/proofs/manifest.yaml").write_text("{}\n")
    return tmp_path


def declare(root: Path, name: str, body: str | None) -> None:
    (root / "tests/proofs/manifest.yaml").write_text(f"{name}: {name}\n")
    if body is not None:
        (root / "tests/proofs" / name).mkdir()
        (root / "tests/proofs" / name / "test_it.py").write_text(body)


PASSES = "def test_it(): assert 1 + 1 == 2\n"
FAILS = "def test_it(): assert 1 + 1 == 3\n"
SKIPS = "import pytest\n\ndef test_it(): pytest.skip('needs root')\n"


def test_says_when_no_proof_is_declared(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove.main(root, {"CI": "true"}) == 0
    assert "declares no proof yet; nothing was executed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "ci", "status", "line"),
    [
        (PASSES, "true", 0, "passed, 1 scenarios"),
        (FAILS, "", 1, "FAILED, 1 of 1 scenarios"),
        (SKIPS, "", 0, "skipped"),
        (SKIPS, "true", 1, "FAILED, 1 scenarios skipped"),
        ("", "true", 1, "FAILED, no scenario executed"),
        ("import nothing_of_this_name\n", "", 1, "FAILED"),
        (None, "", 1, "FAILED, tests/proofs/thing is absent"),
    ],
)
def test_verdicts(
    root: Path, capsys: pytest.CaptureFixture[str], body: str | None, ci: str, status: int, line: str
) -> None:
    declare(root, "thing", body)
    assert prove.main(root, {"CI": ci, "ONLY": "thing"}) == status
    assert f"thing: {line}" in capsys.readouterr().out


def test_what_scenarios_print_is_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(root, "thing", "def test_it(): print('median 0.2 s')\n")
    assert prove.main(root, {"CI": "true", "ONLY": "thing"}) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == ["  median 0.2 s"]


def test_an_unknown_proof_is_bad_input(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(root, "thing", PASSES)
    assert prove.main(root, {"ONLY": "thin"}) == 2
    assert "thin: no such proof; declared are thing" in capsys.readouterr().out


def test_this_projects_manifest_names_blueprints() -> None:
    import yaml

    from blueprints.catalogue import entries

    manifest = yaml.safe_load((ROOT / "tests/proofs/manifest.yaml").read_text())
    assert set(manifest) <= {entry.name for entry in entries()}
