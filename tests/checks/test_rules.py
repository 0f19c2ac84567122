"""Every check of ours: its bad fixtures are caught, place by place, and its good ones are not.

A bad fixture says in its first line whether the linters miss its defect; then it must be clean in both of
them. It lists the places that the check has to name in lines `# finds: Resources.X…`, and no other may be named.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.check import Check, checks, run
from blueprints.checks.finding import Source
from blueprints.checks.lint import lint
from blueprints.checks.validation import validate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
IDS = sorted(path.name for path in HERE.iterdir() if re.fullmatch(r"CB\d{3}", path.name))
BAD = sorted(path for name in IDS for path in (HERE / name).glob("bad*.yaml"))
GOOD = sorted(path for name in IDS for path in (HERE / name).glob("good*.yaml"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.yaml"))


def source(path: Path) -> Source:
    return Source(str(path.relative_to(ROOT)), path.read_text())


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def found(path: Path, rule: str) -> list[str]:
    return sorted(each.where for each in run(source(path)) if each.rule == rule)


def test_every_check_has_good_and_bad_fixtures() -> None:
    registered = {each.id for each in checks()}
    assert {path.parent.name for path in BAD} == registered
    assert {path.parent.name for path in GOOD} == registered


@pytest.mark.parametrize("each", checks(), ids=lambda each: each.id)
def test_headers_are_complete(each: Check) -> None:
    assert re.fullmatch(r"CB\d{3}", each.id)
    assert each.title[0].isupper()
    assert not each.title.endswith(".")
    assert each.harm.endswith(".")
    assert len(each.harm) > 40
    assert len(each.source) > 10
    assert each.remedy[0].islower()
    assert not each.remedy.endswith(".")


@pytest.mark.parametrize("path", BAD, ids=label)
def test_bad_fixtures_are_caught(path: Path) -> None:
    expected = sorted(re.findall(r"^# finds: (.+)$", path.read_text(), re.M))
    assert expected, "say what is to be found: # finds: Resources.X.Properties.Y"
    assert found(path, path.parent.name) == expected


@pytest.mark.parametrize("path", GOOD, ids=label)
def test_good_fixtures_are_not(path: Path) -> None:
    assert found(path, path.parent.name) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=label)
def test_our_templates_are_clean(path: Path) -> None:
    assert run(source(path)) == []


@pytest.mark.parametrize("path", BAD, ids=label)
def test_findings_name_a_line_and_a_remedy(path: Path) -> None:
    for finding in run(source(path)):
        assert finding.line > 1
        assert "; " in finding.message


def test_what_the_linters_miss_they_are_shown_to_miss() -> None:
    missed = [path for path in BAD if path.read_text().startswith("# linters miss this: yes\n")]
    told = [path for path in BAD if path.read_text().startswith("# linters miss this: no")]
    assert set(missed) | set(told) == set(BAD), "each says in its first line: # linters miss this: yes or no"
    warnings: list[str] = []
    sources = [source(path) for path in missed]
    reported = validate(sources, Cache(default_folder(), "validation", warnings.append))
    reported += lint(sources, Cache(default_folder(), "lint", warnings.append))
    assert [f"{each.template}: {each.rule} {each.message}" for each in reported] == []
