"""The fixture, in runs of pytest of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[3]
MODULE = """
from tests.local.privilege.harness import TABLE, called, judged, stack_of, statement
pytest_plugins = ("blueprints.local.privilege.plugin",)

def test_a_stack_is_used(privileges):
    granted = statement({actions!r}, TABLE)
    privileges.watched.append(judged(stack_of(granted), called("dynamodb:GetItem", TableName="stack-Table")))
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def outcome(pytester: pytest.Pytester, text: str) -> tuple[int, str]:
    pytester.makepyfile(text)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-s")
    return int(done.ret), "\n".join(done.outlines)


def module(*actions: str) -> str:
    return MODULE.format(actions=list(actions))


def test_a_clean_module_passes_and_prints_its_table(pytester: pytest.Pytester) -> None:
    code, said = outcome(pytester, module("dynamodb:GetItem"))
    assert (code, "6 mutants, 0 survive" in said) == (0, True), said
    assert "1  Role.Own.0  dynamodb:GetItem  arn:aws:dynamodb:" in said


def test_a_role_with_too_much_fails_the_module(pytester: pytest.Pytester) -> None:
    code, said = outcome(pytester, module("dynamodb:GetItem", "dynamodb:PutItem"))
    assert code == 1
    assert "never used: Role.Own.0: dynamodb:PutItem on arn:aws:dynamodb:" in said


def test_a_module_that_watches_nothing_fails(pytester: pytest.Pytester) -> None:
    text = 'pytest_plugins = ("blueprints.local.privilege.plugin",)\ndef test_nothing(privileges): pass\n'
    code, said = outcome(pytester, text)
    assert (code, "no stack was watched" in said) == (1, True), said
