"""Every variant of every blueprint passes the gates, and together they reach every branch of its template."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import coverage
import pytest

from blueprints.catalogue import Entry, entries
from blueprints.checks import template as templates
from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.check import examine
from blueprints.checks.finding import Source
from blueprints.checks.validation import validate
from blueprints.core.render import load_class
from blueprints.review.variants import variants

ROOT = Path(__file__).parent.parent
each_blueprint = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


@cache
def sources(entry: Entry) -> list[Source]:
    made = variants(load_class(entry.blueprint))
    return [Source(f"{entry.name} variant {index}", each.render()) for index, each in enumerate(made)]


def silent(kind: str) -> Cache:
    return Cache(default_folder(), kind, lambda line: None)


@each_blueprint
def test_there_are_variants_and_they_differ(entry: Entry) -> None:
    found = sources(entry)
    print(f"{entry.name}: {len(found)} variants")  # noqa: T201 - how much the matrix covers
    assert len(found) > 10
    assert len({each.text for each in found}) > 10


@each_blueprint
def test_the_validator_has_nothing_against_any(entry: Entry) -> None:
    assert validate(sources(entry), silent("validation")) == []


@each_blueprint
def test_our_checks_have_nothing_against_any(entry: Entry) -> None:
    # A shape that nears a limit warns whoever extends it; the examples have to stay clear of that too.
    found = [each for each in examine(sources(entry), silent("check")) if each.rule != "CB105"]
    assert found == []


@each_blueprint
def test_they_reach_every_branch(entry: Entry, tmp_path: Path) -> None:
    """Of what builds a template: no variant is refused, and none has values for `contradictions` to judge."""
    folder = ROOT / "blueprints" / entry.name
    blueprint = load_class(entry.blueprint)
    measured = coverage.Coverage(branch=True, data_file=None, include=[f"{folder}/*.py"])
    measured.exclude("raise BuildError")
    with measured.collect():
        for each in variants(blueprint):
            each.render()
    measured.json_report(outfile=str(tmp_path / "report.json"))
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    missed = [
        f"{Path(name).name}:{function} misses {gaps}"
        for name, file in report["files"].items()
        if Path(name).name not in ("config.py", "instance_types.py")
        for function, of in file["functions"].items()
        if not function.endswith("contradictions") and function
        if (gaps := of["missing_lines"] or of["missing_branches"])
    ]
    assert missed == []


@each_blueprint
def test_each_condition_can_go_both_ways(entry: Entry) -> None:
    """A condition compares a parameter's default with a constant; the parameter must admit both answers."""
    for source in sources(entry):
        template = templates.load(source.text)
        for name, condition in template.get("Conditions", {}).items():
            (equals,) = find(condition, "Fn::Equals")
            parameter, constant = template["Parameters"][equals[0]["Ref"]], equals[1]
            admitted = re.compile(parameter["AllowedPattern"]).fullmatch
            assert admitted(constant), name
            assert any(admitted(other) for other in ("eu-west-1a", "x", "1") if other != constant), name


def find(value: Any, key: str) -> list[Any]:
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return (
            [entries[key]]
            if key in entries
            else [each for part in entries.values() for each in find(part, key)]
        )
    parts = cast("list[Any]", value) if isinstance(value, list) else []
    return [each for part in parts for each in find(part, key)]


def test_settings_nested_in_an_arm_of_a_union_vary() -> None:
    arms = [
        each.config.discovery for each in variants(load_class("blueprints.ecs_dns_discovery:EcsDnsDiscovery"))
    ]
    agents = [each.model_dump() for each in arms if each.kind == "agent"]
    assert {each["health"]["checks"] for each in agents} == {True, False}
    assert {each["health"]["stop_percent"] for each in agents} >= {1, 50}
