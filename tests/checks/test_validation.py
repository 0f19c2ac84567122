"""The fast gate finds what is planted, leaves sound templates alone, starts nothing for unchanged ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from blueprints.checks import tools, validation
from blueprints.checks.cache import Cache
from blueprints.checks.finding import Finding, Source
from blueprints.checks.validation import validate

NewCache = Callable[[], Cache]
HEAVY = ("cfnlint", "cloudformation_validate", "samtranslator", "boto3", "moto")


def no_version(_: str) -> None:
    """What the package metadata say of a distribution that is not installed."""


def other_version(_: str) -> str:
    return "0"


def must_not_run(_: list[Source]) -> list[list[Finding]]:
    pytest.fail("an unchanged template was checked")


def loaded_after(check: str, sources: Sequence[Source], folder: Path) -> tuple[int, list[str]]:
    """Run one check in a process of its own: how many findings, and which checkers it has imported."""
    module = {"validate": "validation", "lint": "lint"}[check]
    program = (
        "import json, sys, pathlib\n"
        f"from blueprints.checks.{module} import {check} as check\n"
        "from blueprints.checks.cache import Cache\n"
        "from blueprints.checks.finding import Source\n"
        f"cache = Cache(pathlib.Path({str(folder)!r}), 'kind', sys.exit)\n"
        "found = check([Source(*pair) for pair in json.load(sys.stdin)], cache)\n"
        f"print(json.dumps([len(found), [name for name in {HEAVY!r} if name in sys.modules]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([(source.name, source.text) for source in sources]),
        cwd=Path(validation.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    count, names = json.loads(done.stdout)
    return count, names


def test_sound_templates_have_no_findings(new_cache: NewCache, clean: Source, sam: Source) -> None:
    assert validate([clean, sam], new_cache()) == []


def test_unknown_property_is_found_at_its_line(new_cache: NewCache, faulty: Source) -> None:
    (found,) = validate([faulty], new_cache())
    assert found.line == 8
    assert (found.template, found.rule, found.severity) == ("faulty.yaml", "F3002", "error")
    assert found.where == "Resources.Vpc.Properties.Cidr"
    assert "'Cidr'" in found.message


def test_offending_value_is_named(new_cache: NewCache, clean: Source) -> None:
    found = validate(
        [Source("a.yaml", clean.text + "      EnableDnsSupport: perhaps\n")],
        new_cache(),
    )
    assert ["perhaps" in finding.message for finding in found] == [True]


def test_unused_parameter_is_a_warning(new_cache: NewCache, clean: Source) -> None:
    (found,) = validate([Source("a.yaml", clean.text + "Parameters: {Idle: {Type: String}}\n")], new_cache())
    assert (found.rule, found.severity, found.where) == ("W2001", "warning", "Parameters.Idle")


def test_information_is_dropped(new_cache: NewCache) -> None:
    queue = Source("q.yaml", "Description: d\nResources:\n  Queue:\n    Type: AWS::SQS::Queue\n")
    assert validate([queue], new_cache()) == []


@pytest.mark.parametrize("text", ["", "null", "[]", "a: [", "a: 1\na: 2\n", "\x00", "Resources: 3"])
def test_what_is_no_template_is_a_finding(text: str, new_cache: NewCache) -> None:
    found = validate([Source("a.yaml", text)], new_cache())
    assert found
    assert {finding.severity for finding in found} == {"error"}


def test_byte_order_mark_is_no_fault(new_cache: NewCache, clean: Source) -> None:
    assert validate([replace(clean, text="\ufeff" + clean.text)], new_cache()) == []


def test_what_no_stack_may_hold_never_reaches_the_engine(
    new_cache: NewCache, clean: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "_engine", lambda: pytest.fail("the engine was asked"))
    large = Source("large.yaml", clean.text + "#" * 1_000_000)
    queues = {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(501)}
    many = Source("many.json", json.dumps({"Resources": queues}))
    found = validate([large, many], new_cache())
    assert [(finding.template, finding.rule) for finding in found] == [
        ("large.yaml", "E1002"),
        ("many.json", "E3010"),
    ]
    assert "501" in found[1].message


def test_faults_of_sam_templates_are_found(
    new_cache: NewCache, sam_misspelt: Source, sam_bad_policy: Source
) -> None:
    found = validate([sam_misspelt, sam_bad_policy], new_cache())
    assert [(f.template, f.rule, f.where) for f in found] == [
        ("misspelt.yaml", "SAM", "Resources.Function"),
        ("policy.yaml", "SAM", "Resources.Function"),
    ]
    assert "Memroy" in found[0].message
    assert found[0].line == 9


def test_faults_that_show_only_in_the_expansion_are_found_there(new_cache: NewCache, sam: Source) -> None:
    text = sam.text.replace("!GetAtt FunctionUrl.FunctionUrl", "!GetAtt FunctionUrl.Nonsense")
    text = text.replace("  Live:\n", "  Idle:\n    Type: String\n  Live:\n")
    found = validate([Source("sam.yaml", text)], new_cache())
    assert {finding.template for finding in found} == {"sam.yaml (expanded)"}
    assert any("Nonsense" in finding.message for finding in found)
    assert [finding.where for finding in found if finding.rule == "W2001"] == ["Parameters.Idle"]


def test_fault_of_source_and_expansion_is_reported_once(new_cache: NewCache, sam: Source) -> None:
    text = sam.text.replace(
        "Outputs:", "  Vpc:\n    Type: AWS::EC2::VPC\n    Properties: {Cidr: 1}\nOutputs:"
    )
    found = validate([Source("sam.yaml", text)], new_cache())
    assert [finding.template for finding in found if finding.rule == "F3002"] == ["sam.yaml"]


def test_cached_findings_read_the_same(
    new_cache: NewCache, faulty: Source, sam_misspelt: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [faulty, sam_misspelt]
    first = validate(sources, new_cache())
    monkeypatch.setattr(validation, "_validate", must_not_run)
    assert first
    assert validate(sources, new_cache()) == first


def test_change_of_text_or_tool_is_noticed(
    new_cache: NewCache, clean: Source, faulty: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert validate([clean], new_cache()) == []
    assert validate([replace(clean, text=faulty.text)], new_cache())
    asked: list[Source] = []

    def check(sources: list[Source], _: Cache) -> list[list[Finding]]:
        asked.extend(sources)
        return [[] for _ in sources]

    monkeypatch.setattr(validation, "_validate", check)
    monkeypatch.setattr(validation, "version", other_version)
    validate([clean], new_cache())
    assert asked == [clean]


def test_broken_cache_changes_no_result(
    new_cache: NewCache, faulty: Source, warnings: list[str], tmp_path: Path
) -> None:
    first = validate([faulty], new_cache())
    for path in (tmp_path / "cache").rglob("*.json"):
        path.write_bytes(path.read_bytes()[:20])
    assert validate([faulty], new_cache()) == first
    assert len(warnings) == 1


def test_missing_engine_says_what_to_install(
    new_cache: NewCache, clean: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_scanned", dict)
    monkeypatch.setattr(tools, "_asked", no_version)
    with pytest.raises(tools.ToolMissingError, match="cloudformation-validate is not installed"):
        validate([clean], new_cache())


def test_parent_keeps_clear_of_the_translator_and_of_everything_once_cached(
    faulty: Source, sam: Source, tmp_path: Path
) -> None:
    sources = [faulty, sam]
    assert loaded_after("validate", sources, tmp_path) == (1, ["cloudformation_validate"])
    assert loaded_after("validate", sources, tmp_path) == (1, [])
