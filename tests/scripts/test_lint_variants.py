"""Declared regions: what does not exist in one of them fails, and what exists in all of them does not."""

from __future__ import annotations

import json
from pathlib import Path

import cfnlint
import pytest
from troposphere import cognito, sns

from blueprints.catalogue import Entry, entries
from blueprints.checks.finding import Source
from blueprints.core import Blueprint, Config
from blueprints.core.render import load_class
from blueprints.deep_learning_cluster import DeepLearningCluster
from scripts.lint_variants import committed, judged

ROOT = Path(__file__).parent.parent.parent


class Nothing(Config):
    """No choices."""


class News(Blueprint[Nothing]):
    """A topic, which every region has."""

    def build(self) -> None:
        self.add(sns.Topic("Topic"))


class Readers(Blueprint[Nothing]):
    """A user pool, which China has not."""

    def build(self) -> None:
        self.add(cognito.UserPool("UserPool", DeletionPolicy="Retain", UpdateReplacePolicy="Retain"))


class ReadersElsewhere(Readers):
    """A user pool, where there are any."""

    regions = ("us-east-1", "us-gov-west-1")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def findings(blueprint: type[Blueprint[Nothing]]) -> list[str]:
    source = Source("stub.yaml", blueprint(Nothing()).render())
    return [f"{each.rule} {each.message}" for each in judged([source], blueprint.regions)]


def test_a_type_that_a_declared_region_lacks_fails() -> None:
    assert findings(Readers) == [
        "E3006 Resource type 'AWS::Cognito::UserPool' does not exist in 'cn-north-1'"
    ]


def test_a_type_that_every_declared_region_has_does_not() -> None:
    assert findings(ReadersElsewhere) == findings(News) == []


def test_a_value_that_a_declared_region_lacks_fails() -> None:
    text = """\
Resources:
  Instance:
    Type: AWS::EC2::Instance
    Properties: {InstanceType: p5.48xlarge, ImageId: ami-0123456789abcdef0}
"""
    rules = [each.rule for each in judged([Source("x", text)], ("us-east-1", "cn-north-1"))]
    assert "E3628" in rules
    assert "E3628" not in [each.rule for each in judged([Source("x", text)], ("us-east-1",))]


def test_the_default_covers_three_partitions() -> None:
    assert {region.rpartition("-")[0].partition("-")[0] for region in Blueprint.regions} >= {"us", "eu", "cn"}
    assert any(region.startswith("us-gov-") for region in Blueprint.regions)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_blueprint_is_meant_for_two_partitions_and_has_a_stack_to_lint(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    blueprint = load_class(entry.blueprint)
    partitions = {
        "cn" if each.startswith("cn-") else "gov" if "-gov-" in each else "" for each in blueprint.regions
    }
    assert len(partitions) > 1
    assert list(committed(blueprint))


def test_the_clusters_default_type_is_offered_in_each_of_its_regions() -> None:
    """cfn-lint looks at no type that stands in a launch template or a parameter, but has the lists."""
    lists = Path(cfnlint.__file__).parent / "data/schemas/extensions/aws_ec2_instance/instancetype_enum.json"
    offered = json.loads(lists.read_text())
    default = DeepLearningCluster.config_type().model_fields["instance_type"].default
    assert [each for each in DeepLearningCluster.regions if default not in offered[each]["enum"]] == []
    assert default not in offered["cn-north-1"]["enum"], (
        "China has it now: let DeepLearningCluster.regions say so"
    )
