"""Blueprints for CFNgin and Sceptre: what these runners are given, and what a mistake in their files is told as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from blueprints.core import BlueprintError, Environment
from blueprints.crud_api import CrudApi, CrudConfig
from blueprints.deep_learning_cluster import DeepLearningCluster
from blueprints.runners import CfnginBlueprint, cfngin_class, sceptre_template


@dataclass(frozen=True)
class Variable:
    """What CFNgin hands over, its look-ups resolved."""

    name: str
    value: Any


def stack(variables: Mapping[str, Any]) -> CfnginBlueprint:
    """As CFNgin makes and prepares it."""
    made = cfngin_class(CrudApi)(name="api", context=object(), mappings={}, description=None)
    made.resolve_variables([Variable(name, value) for name, value in variables.items()])
    return made


def expected(config: CrudConfig, environment: Environment | None = None) -> dict[str, Any]:
    return CrudApi(config, environment).template()


def test_sceptre_gets_the_template_of_its_user_data() -> None:
    handler = sceptre_template(CrudApi)
    assert json.loads(handler({"config": {"auth": "iam"}})) == expected(CrudConfig(auth="iam"))
    with_key = handler({"config": {"auth": "iam"}, "environment": {"kms_key": True}})
    assert json.loads(with_key) == expected(CrudConfig(auth="iam"), Environment(kms_key=True))


def test_cfngin_splits_variables_into_settings_and_parameters() -> None:
    made = stack({"config": {"auth": "jwt"}, "StageName": "Prod", "JwtIssuer": "https://issuer.example"})
    assert json.loads(made.rendered) == expected(CrudConfig(auth="jwt"))
    assert made.parameter_values == {"StageName": "Prod", "JwtIssuer": "https://issuer.example"}
    assert set(made.parameter_definitions) == {"StageName", "JwtIssuer", "JwtAudience"}
    assert set(made.required_parameter_definitions) == {"JwtIssuer", "JwtAudience"}
    assert set(made.output_definitions) == {"ApiUrl", "TableName"}


def test_cfngin_uses_a_change_set_where_there_is_a_transform() -> None:
    assert stack({"config": {"auth": "iam"}}).requires_change_set
    cluster = cfngin_class(DeepLearningCluster)("cluster", object())
    cluster.resolve_variables([Variable("config", {"access": "session_manager"})])
    assert not cluster.requires_change_set


def test_the_version_follows_the_template() -> None:
    first, same, other = (
        stack({"config": {"auth": auth}, "StageName": stage})
        for auth, stage in (("iam", "Prod"), ("iam", "Test"), ("jwt", "Prod"))
    )
    assert first.version == same.version != other.version
    assert len(first.version) == 8


def test_cfngin_finds_what_it_looks_for_on_the_class() -> None:
    made = cfngin_class(CrudApi)
    assert hasattr(made, "rendered")
    assert (made.__name__, made.__doc__) == ("CrudApi", CrudApi.__doc__)


@pytest.mark.parametrize(
    ("user_data", "faults"),
    [
        (None, ["sceptre_user_data.config.auth: missing; set it here"]),
        ([], ["sceptre_user_data: got []; write settings"]),
        ({"config": ["auth"]}, ["sceptre_user_data.config: got ['auth']; write settings"]),
        (
            {"config": {"auth": "iam", "burts": 1}, "environment": {"kms": True}, "stage": "Prod"},
            [
                "sceptre_user_data.config.burts: unknown setting",
                "sceptre_user_data.environment.kms: unknown setting",
                "sceptre_user_data.stage: unknown key; write config and environment",
            ],
        ),
    ],
)
def test_every_fault_of_user_data_is_told(user_data: object, faults: list[str]) -> None:
    with pytest.raises(BlueprintError) as raised:
        sceptre_template(CrudApi)(user_data)
    lines = str(raised.value).splitlines()
    assert len(lines) == len(faults)
    assert all(line.startswith(fault) for line, fault in zip(lines, faults, strict=True))


def test_every_fault_of_variables_is_told_with_the_stack() -> None:
    with pytest.raises(BlueprintError, match=r"^stack api: variables\.config\.auth: got 'all'"):
        stack({"config": {"auth": "all"}})
    with pytest.raises(BlueprintError) as raised:
        stack({"config": {"auth": "iam"}, "Stage": "Prod", "auth": "iam"})
    assert str(raised.value).splitlines() == [
        f"stack api: variables.{name}: unknown; this template takes config, environment, StageName"
        for name in ("Stage", "auth")
    ]


def test_a_class_that_is_asked_before_it_has_variables_says_what_is_missing() -> None:
    with pytest.raises(BlueprintError, match=r"stack api: variables\.config\.auth: missing"):
        _ = cfngin_class(CrudApi)("api", object()).rendered
