"""Where rendered templates are, and what is said of those that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints.core import BlueprintError
from blueprints.core.rendered import parameters, templates
from blueprints.core.stack_file import discover_one


def test_every_template_of_a_stack_is_found(tmp_path: Path) -> None:
    (tmp_path / "example").mkdir()
    both = [tmp_path / "example" / "a.yaml", tmp_path / "example" / "a.json"]
    for each in [*both, tmp_path / "example" / "b.json", tmp_path / "example" / "b.parameters.json"]:
        each.touch()
    stacks = [Path("stacks/example/a.yaml"), Path("stacks/example/b.yaml")]
    assert templates(stacks, tmp_path) == {stacks[0]: both, stacks[1]: [tmp_path / "example" / "b.json"]}
    assert parameters(tmp_path / "example" / "b.json").exists()


def test_a_name_with_a_dot_is_no_other_stacks(tmp_path: Path) -> None:
    (tmp_path / "example").mkdir()
    (tmp_path / "example" / "solo.yaml").touch()
    with pytest.raises(BlueprintError, match=r"example/solo\.v2\.yaml: not rendered yet"):
        templates([Path("stacks/example/solo.v2.yaml")], tmp_path)


def test_all_that_are_not_rendered_are_named_at_once() -> None:
    stacks = [Path("stacks/example/a.yaml"), Path("stacks/production/b.yaml")]
    with pytest.raises(BlueprintError) as refused:
        templates(stacks, Path("out"))
    assert [str(each) for each in refused.value.faults] == [
        "out/example/a.yaml: not rendered yet; run make render",
        "out/production/b.yaml: not rendered yet; run make render",
    ]


def test_a_name_that_several_stacks_have_is_refused_with_what_to_write(tmp_path: Path) -> None:
    for env in ("one", "two"):
        (tmp_path / env).mkdir()
        (tmp_path / env / "a.yaml").touch()
    assert discover_one(tmp_path, None, "two/a") == tmp_path / "two" / "a.yaml"
    assert discover_one(tmp_path, "one", "a") == tmp_path / "one" / "a.yaml"
    with pytest.raises(BlueprintError, match="a: names 2 stacks; write one of one/a, two/a"):
        discover_one(tmp_path, None, "a")
