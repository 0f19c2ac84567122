"""Templates in the style of 2016, each with the defects of its time: the checks report those and nothing else.

A template lists what is planted in it: YAML in lines `# finds: CB049 Resources.X…`, JSON in `Metadata.Finds`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from blueprints.checks.cache import Cache
from blueprints.checks.check import examine, run
from blueprints.checks.finding import Finding, Source

ORIGINALS = sorted((Path(__file__).parent / "originals").iterdir())


def planted(path: Path) -> list[str]:
    text = path.read_text()
    if path.suffix == ".json":
        return sorted(json.loads(text)["Metadata"]["Finds"])
    return sorted(re.findall(r"^# finds: (.+)$", text, re.M))


def told(findings: list[Finding]) -> list[str]:
    return sorted(f"{each.rule} {each.where}" for each in findings)


@pytest.mark.parametrize("path", ORIGINALS, ids=lambda path: path.stem)
def test_what_is_planted_is_reported_and_nothing_else(path: Path) -> None:
    assert told(run(Source(path.name, path.read_text()))) == planted(path)


def test_all_at_once_are_reported_as_one_by_one(tmp_path: Path) -> None:
    warnings: list[str] = []
    found = examine(
        [Source(path.name, path.read_text()) for path in ORIGINALS],
        Cache(tmp_path, "check", warnings.append),
    )
    assert {path.name for path in ORIGINALS} == {each.template for each in found}
    for path in ORIGINALS:
        assert told([each for each in found if each.template == path.name]) == planted(path)
    assert warnings == []


def test_each_has_many_kinds_of_defects_and_all_together_most() -> None:
    kinds = {path.stem: {line.split()[0] for line in planted(path)} for path in ORIGINALS}
    assert {name for name, found in kinds.items() if len(found) < 10} == set()
    assert len(set[str]().union(*kinds.values())) >= 45
