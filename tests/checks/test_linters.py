"""What is left to the linters, they find: each failure has a fixture, in which its rules name the places listed.

A fixture begins with the failure's row and title, as `blueprints/checks/linters.py` has them, and the findings that
its rules have to report: `# finds: cfn-lint E3004 Resources.X`. Those rules may report nothing else.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.check import checks
from blueprints.checks.finding import Finding, Source
from blueprints.checks.lint import lint
from blueprints.checks.linters import LEFT, Left
from blueprints.checks.validation import validate

FOLDER = Path(__file__).parent / "linters"
FIXTURES = sorted(FOLDER.glob("*.yaml"))
TITLES = {each.title: each for each in LEFT}


def header(path: Path, name: str) -> list[str]:
    return re.findall(rf"^# {name}: (.+)$", path.read_text(), re.M)


def left(path: Path) -> Left:
    (title,) = header(path, "what")
    return TITLES[title]


@cache
def found() -> list[Finding]:
    sources = [Source(path.name, path.read_text()) for path in FIXTURES]
    warnings: list[str] = []
    told = lint(sources, Cache(default_folder(), "lint", warnings.append))
    return told + validate(sources, Cache(default_folder(), "validation", warnings.append))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_rules_find_what_is_planted(path: Path) -> None:
    rules = left(path).engines
    told = {
        f"{each.engine} {each.rule} {each.where}"
        for each in found()
        if each.template == path.name and each.rule in rules[each.engine]
    }
    assert sorted(told) == sorted(header(path, "finds"))
    assert told


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_is_named_for_its_row(path: Path) -> None:
    assert header(path, "row") == [str(left(path).row)]
    assert path.name.startswith(f"{left(path).row}-")


@pytest.mark.parametrize("each", LEFT, ids=lambda each: each.title)
def test_every_rule_that_is_named_fires_somewhere(each: Left) -> None:
    fired = {
        tuple(line.split()[:2]) for path in FIXTURES if left(path) is each for line in header(path, "finds")
    }
    assert fired == {(engine, rule) for engine, rules in each.engines.items() for rule in rules}


def test_titles_are_nobody_elses() -> None:
    titles = [each.title for each in (*LEFT, *checks())]
    assert len(titles) == len(set(titles))
