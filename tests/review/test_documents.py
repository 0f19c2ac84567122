"""Generated tables: they follow the declarations, and a stale one is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest
from troposphere import sns

from blueprints.blocks.acceptance import accept
from blueprints.checks.acceptance import RULES
from blueprints.checks.check import checks
from blueprints.checks.linters import LEFT
from blueprints.core import Blueprint, BlueprintError, Config
from blueprints.core.render import load_class
from blueprints.deep_learning_cluster import DeepLearningCluster
from blueprints.review.documents import accepted_table, checks_page, config_table, describe, refresh

ROOT = Path(__file__).parent.parent.parent
REASON = "The topic tells news that stand on the front page anyhow; that changes with the first secret."


class Small(Config):
    """A part."""

    kind: Literal["small"] = "small"
    """Which."""

    size: int = 1
    """How large."""


class Large(Config):
    """Another part."""

    kind: Literal["large"]
    """Which."""


class Whole(Config):
    """All of it."""

    part: Small | Large = Small()
    """What it is made of."""

    parts: tuple[Small, ...] = ()
    """More | of it."""

    wanted: bool
    """Whether."""


def test_settings_of_nested_models_stand_under_their_path() -> None:
    rows = {row[0]: row[1:] for row in config_table(Whole).rows}
    assert rows["part"] == ("What it is made of", "`kind: small` or `kind: large`", "`kind: small` `size: 1`")
    assert rows["part.size"] == ("How large", "with `kind: small`: whole number", "`1`")
    assert rows["parts[].size"] == ("How large", "whole number", "`1`")
    assert rows["wanted"] == ("Whether", "`true` or `false`", "required")


def test_a_bar_in_a_description_does_not_break_the_table() -> None:
    assert "More \\| of it" in config_table(Whole).markdown()


def test_show_tells_parameters_settings_and_outputs() -> None:
    text = describe("crud-api", ROOT / "stacks")
    for expected in ("blueprints.crud_api.template:CrudApi", "auth_reason", "StageName", "ApiUrl"):
        assert expected in text


def test_a_stale_table_is_found_and_mended(tmp_path: Path) -> None:
    for name in ("README.md", "blueprints/crud_api/README.md", "blueprints/deep_learning_cluster/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tests/proofs", tmp_path / "tests/proofs")
    readme = tmp_path / "blueprints/crud_api/README.md"
    current = readme.read_text()
    readme.write_text(current.replace("| `StageName` |", "| `StageTitle` |"))
    assert refresh(tmp_path, ROOT / "stacks", write=False) == [readme]
    assert "StageTitle" in readme.read_text()
    assert refresh(tmp_path, ROOT / "stacks", write=True) == [readme]
    assert readme.read_text() == current
    readme.write_text("<!-- generated: nothing -->\n<!-- /generated -->\n")
    with pytest.raises(
        BlueprintError, match="no such table; write one of catalogue, config, parameters, outputs, accepted"
    ):
        refresh(tmp_path, ROOT / "stacks", write=False)


class Lenient(Blueprint[Whole]):
    """A blueprint that accepts a finding where something is wanted."""

    def build(self) -> None:
        topic = sns.Topic("Topic", DisplayName="news")
        self.add(accept(topic, ["W3010", "CB032"], REASON) if self.config.wanted else topic)


def test_accepted_findings_of_all_shapes_stand_in_a_table() -> None:
    assert accepted_table(Lenient).rows == [("CB032", "Topic", REASON), ("W3010", "Topic", REASON)]
    assert (
        accepted_table(load_class("blueprints.deep_learning_cluster:DeepLearningCluster")).markdown()
        == "None.\n"
    )


def test_a_rise_of_what_is_accepted_makes_the_documents_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("<!-- generated: catalogue -->\n<!-- /generated -->\n")
    refresh(tmp_path, ROOT / "stacks", write=True)
    assert refresh(tmp_path, ROOT / "stacks", write=False) == []
    build = DeepLearningCluster.build

    def lenient(self: DeepLearningCluster) -> None:
        build(self)
        self.add(accept(sns.Topic("Topic"), ["W3010"], REASON))

    monkeypatch.setattr(DeepLearningCluster, "build", lenient)
    assert refresh(tmp_path, ROOT / "stacks", write=False) == [tmp_path / "README.md"]


def test_page_of_checks_has_every_check_and_what_is_left_to_the_linters() -> None:
    page = checks_page()
    ours, _, theirs = page.partition("## Left to the linters")
    assert [each.id for each in checks() if f"| `{each.id}` | {each.title} " not in ours] == []
    assert [
        each.title for each in LEFT if f"| `{', '.join(each.rules)}` | {each.title} |" not in theirs
    ] == []
    assert all(f"| `{name}` |" in ours for name in RULES)
    assert "| cfn-lint by E1021, cloudformation-validate by F1018 |" in theirs
    assert "| cfn-lint and cloudformation-validate |" in theirs
