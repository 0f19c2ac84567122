"""`blueprints check` on what is no template: one clear line, exit status 2, in bounded time and memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from blueprints.cli import cli

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
CHAIN = {f"R{i}": {"Type": "AWS::SNS::Topic", "DependsOn": f"R{max(0, i - 1)}"} for i in range(20_000)}
NOT_TEMPLATES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "a template is a mapping, got NoneType"),
    "null": ("null\n", "a template is a mapping, got NoneType"),
    "list": ("[1, 2]\n", "a template is a mapping, got list"),
    "tab": ("Resources:\n\tA: 1\n", "cannot start any token"),
    "utf-16": ("Resources: {}".encode("utf-16"), "it cannot be checked"),
    "truncated": ('{"Resources": {"A": {"Type": "AWS::SNS::T', "it cannot be checked"),
    "deep list": ("[" * 100_000, "it cannot be checked"),
    "deep mapping": ("Resources:\n" + "".join(" " * i + "a:\n" for i in range(1, 900)), "nesting depth"),
    "bomb": (f"{BOMB}Resources: {{T: {{Type: AWS::SNS::Topic, Properties: *a9}}}}\n", "alias expansion"),
    "20 MB": (f'Description: "{"x" * 20_000_000}"\nResources: {{}}\n', "CloudFormation takes 1,000,000"),
    "keys twice in YAML": (
        "Resources:\n  A: {Type: a}\n  B:\n    Type: a\n    Type: b\n  A: {Type: c}\n",
        "keys that stand twice in one mapping, of which one is lost: Type in line 5, A in line 6",
    ),
    "keys twice in JSON": ('{"Resources": {"A": {"Type": "a"}, "A": {"Type": "b"}}}', "one is lost: A"),
    "conditions of conditions": (
        json.dumps(
            {
                "Conditions": {"C0": {"Fn::Equals": ["a", "b"]}}
                | {f"C{i}": {"Fn::And": [{"Condition": f"C{i - 1}"}] * 2} for i in range(1, 121)},
                "Resources": {"T": {"Type": "AWS::SNS::Topic", "Condition": "C120"}},
            }
        ),
        "conditions that unfold to over 100,000 parts",
    ),
    "601 resources": (
        json.dumps({"Resources": dict(list(CHAIN.items())[:601])}),
        "601 resources; CloudFormation takes 500",
    ),
    "20,000 resources": (json.dumps({"Resources": CHAIN}), "CloudFormation takes 1,000,000"),
}
ODD: dict[str, str] = {
    "byte order mark": "\ufeffResources:\n  T: {Type: AWS::SNS::Topic}\n",
    "unknown tag": "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {TopicName: !Foo x}}\n",
    "wrong types": "Resources:\n  A: 5\n  B: [1]\n  C: {Type: 7}\n  D: {Type: X::Y::Z, Properties: 3}\nOutputs: [a]\n",
    "no resources": "Description: Nothing.\n",
}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], tuple[int, list[str]]]:
    def run(text: str | bytes) -> tuple[int, list[str]]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        file = tmp_path / "template.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = CliRunner().invoke(cli, ["check", str(file)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stderr.splitlines()

    return run


@pytest.mark.parametrize(("text", "told"), NOT_TEMPLATES.values(), ids=NOT_TEMPLATES.keys())
def test_no_template_is_one_line(
    check: Callable[[str | bytes], tuple[int, list[str]]], text: str | bytes, told: str
) -> None:
    status, lines = check(text)
    assert status == 2
    assert len(lines) == 1
    assert "CB000" in lines[0]
    assert told in lines[0]


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_templates_are_checked_all_the_same(
    check: Callable[[str | bytes], tuple[int, list[str]]], text: str
) -> None:
    status, lines = check(text)
    assert (status == 0) == (lines == [])
    assert status in (0, 1)


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    result = CliRunner().invoke(cli, ["check", "nowhere.yaml", "--stacks", str(tmp_path / "stacks")])
    assert result.exit_code == 2
    assert "nowhere.yaml: no stack of this name" in result.stderr
