"""SARIF: the shape that code hosts take, and the line where a finding stands."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from blueprints.checks.acceptance import RULES
from blueprints.checks.finding import Finding
from blueprints.checks.sarif import log
from blueprints.cli import cli

BAD = Path(__file__).parent / "CB032" / "bad.yaml"


def test_check_writes_a_log_that_points_at_the_line() -> None:
    done = CliRunner().invoke(cli, ["check", "--format", "sarif", str(BAD)])
    assert done.exit_code == 1
    written = json.loads(done.stdout)
    (run,) = written["runs"]
    assert written["version"] == "2.1.0"
    assert written["$schema"].endswith("sarif-2.1.0.json")
    plain = json.loads(CliRunner().invoke(cli, ["check", "--format", "json", str(BAD)]).stdout)
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(plain) > 0
    for result, finding in zip(run["results"], plain, strict=True):
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] == finding["line"] > 1
        assert place["artifactLocation"]["uri"] == BAD.as_uri()
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding["rule"]
        assert result["level"] == finding["severity"]
        assert finding["where"] == result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)


def test_nothing_found_is_a_run_without_results() -> None:
    assert log([], "1.0")["runs"][0]["results"] == []


def test_odd_names_and_rules_of_others_keep_the_log_valid() -> None:
    found = [
        Finding("a b/ü (expanded)", 0, "SAM", "error", "", "refused", "sam"),
        Finding("t.yaml", 3, next(iter(RULES)), "warning", "Resources.A", "stale", "blueprints"),
    ]
    (run,) = log(found, "1.0")["runs"]
    first, second = run["results"]
    assert first["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a%20b/%C3%BC"}, "region": {"startLine": 1}}}
    ]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]] == {"id": "SAM"}
    assert second["level"] == "warning"
