"""The comparison with what other tools read: it finds any altered value, and README's examples are there to be run."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from blueprints.checks.template import load
from blueprints.core import BlueprintError
from scripts.foreign import readers
from scripts.foreign.environments import ROOT
from scripts.foreign.readers import Expected, ReaderError, as_cdk, blocks, compare, judge
from scripts.foreign.stacks import all_stacks, rendered

COMMITTED = sorted((ROOT / "templates").glob("*/*.yaml"))
TEMPLATE: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "Number", "Default": "1"}},
    "Resources": {
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "DependsOn": ["Route", "Attachment"],
            "CreationPolicy": {"ResourceSignal": {"Count": "2", "Timeout": "PT30M"}},
            "Properties": {"MinSize": "2", "Template": {"Fn::GetAtt": ["Template", "Latest.Version"]}},
        }
    },
}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key of a leaf."""
    entries = cast("dict[Any, Any]", value).items() if isinstance(value, dict) else enumerate(value)
    for key, each in entries:
        if isinstance(each, (dict, list)) and each:
            yield from places(each)
        else:
            yield value, key


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_any_altered_value_of_a_committed_template_is_found(path: Path) -> None:
    ours = load(path.read_text())
    theirs = copy.deepcopy(ours)
    assert compare("t", ours, theirs) == []
    altered = list(places(theirs))
    assert len(altered) > 50
    for container, key in altered:
        kept = container[key]
        container[key] = "altered"
        assert compare("t", ours, theirs), key
        container[key] = kept


@pytest.mark.parametrize("section", ["Type", "CreationPolicy", "Properties"])
def test_a_lost_or_an_added_key_is_found(section: str) -> None:
    lost = copy.deepcopy(TEMPLATE)
    del lost["Resources"]["Group"][section]
    assert compare("t", TEMPLATE, lost) == [f"t: .Resources.Group.{section}: only ours"]
    assert compare("t", lost, TEMPLATE) == [f"t: .Resources.Group.{section}: only theirs"]


def test_notations_and_the_order_of_keys_are_one() -> None:
    theirs = copy.deepcopy(TEMPLATE)
    group = theirs["Resources"]["Group"]
    group["Properties"]["Template"] = {"Fn::GetAtt": "Template.Latest.Version"}
    group["DependsOn"].reverse()
    theirs["Resources"]["Group"] = dict(reversed(group.items()))
    assert compare("t", TEMPLATE, theirs) == []


def test_the_cdk_may_write_counts_of_policies_as_numbers_and_nothing_else() -> None:
    theirs = copy.deepcopy(TEMPLATE)
    theirs["Resources"]["Group"]["CreationPolicy"]["ResourceSignal"]["Count"] = 2
    assert compare("t", as_cdk(TEMPLATE), as_cdk(theirs)) == []
    theirs["Resources"]["Group"]["CreationPolicy"]["ResourceSignal"]["Count"] = 3
    assert len(compare("t", as_cdk(TEMPLATE), as_cdk(theirs))) == 1
    theirs = copy.deepcopy(TEMPLATE)
    theirs["Resources"]["Group"]["Properties"]["MinSize"] = 2
    assert len(compare("t", as_cdk(TEMPLATE), as_cdk(theirs))) == 1


def made(template: Any, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"one": {"template": json.dumps(template), "parameters": parameters, **more}}


EXPECTED = {"one": Expected(TEMPLATE, {"Size": "2"})}


def test_what_a_runner_made_is_equal() -> None:
    assert judge(EXPECTED, made(TEMPLATE, {"Size": 2}, change_set=False, outputs=[])) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "one: not read"),
        (made({**TEMPLATE, "Description": "Altered."}, {"Size": "2"}), "one: .Description: only theirs"),
        (made(TEMPLATE, {"Size": "3"}), 'one: parameters: .Size: ours "2", theirs "3"'),
        (made(TEMPLATE, {}), "one: parameters: .Size: only ours"),
        (made("no template", {"Size": "2"}), "one: no template came out: a template is a mapping, got str"),
        (made(TEMPLATE, {"Size": "2"}, change_set=True), "one: change_set: got True"),
        (made(TEMPLATE, {"Size": "2"}, outputs=["ApiUrl"]), "one: outputs: got ['ApiUrl']"),
    ],
)
def test_what_a_runner_made_otherwise_is_told(found: dict[str, Any], told: str) -> None:
    assert judge(EXPECTED, found) == [told]


def test_blocks_are_known_by_the_path_in_their_first_line() -> None:
    text = "```yaml\n# a/b.yaml\nkey: 1\n```\n\n```console\n$ make\n```\n\n```python\n# c.py\nx = 1\n\ny = 2\n```\n"
    assert blocks(text) == {"a/b.yaml": "key: 1\n", "c.py": "x = 1\n\ny = 2\n"}


def test_this_readme_has_the_examples_that_are_run() -> None:
    found = blocks((ROOT / "README.md").read_text())
    assert {
        "app.py",
        "cfngin.yml",
        "cfngin_stacks.py",
        "config/example/crud-api.yaml",
        "config/example/crud-api-of-class.yaml",
        "templates/crud_api.py",
    } <= found.keys()
    for path, text in found.items():
        if path.endswith(".py"):
            compile(text, path, "exec")


@pytest.mark.parametrize("read", [readers.with_cdk, readers.with_cfngin, readers.with_sceptre])
def test_a_readme_without_its_example_is_told(read: readers.Reader, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing to run.\n")
    (tmp_path / "templates").mkdir()
    with pytest.raises(ReaderError, match=r"README\.md: no code block begins with `# "):
        read(tmp_path, [], tmp_path / "python", tmp_path / "work")


def test_faults_in_the_readmes_settings_are_told_in_its_name() -> None:
    settings = {"config": {"auth": "all"}, "environment": {"kms": True}}
    with pytest.raises(BlueprintError) as raised:
        rendered("blueprints.crud_api", "CrudApi", settings, "README.md")
    places = [line.split(": ")[:2] for line in str(raised.value).splitlines()]
    assert places == [["README.md", "config.auth"], ["README.md", "environment.kms"]]


def test_every_committed_template_is_read() -> None:
    stacks = all_stacks(ROOT)
    assert [each.path for each in stacks] == [str(path.relative_to(ROOT)) for path in COMMITTED]
    for each in stacks:
        assert set(each.settings) == {"config", "environment"}
        assert set(each.parameters) <= set(each.template["Parameters"])
