"""Intrinsic functions and references, against truths that were worked out by hand."""

from __future__ import annotations

import base64
import ipaddress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blueprints.core import BlueprintError
from blueprints.local.lookup import from_mapping
from blueprints.local.place import Place
from blueprints.local.resolver import Physical, Resolver

PLACE = Place("demo", account="111122223333", region="eu-west-1")
TABLE = Physical("demo-Table-1", {"Arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/demo-Table-1"})
PARAMETERS: dict[str, str | list[str]] = {
    "Stage": "prod",
    "Count": "3",
    "Zones": ["a", "b"],
    "Secret": "{{resolve:ssm:/from/parameter}}",
}
TEMPLATE: dict[str, Any] = {
    "Mappings": {"Sizes": {"prod": {"type": "m5.large", "list": ["x", "y"]}, "dev": {"type": "t3.nano"}}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
        "Three": {"Fn::Equals": [{"Ref": "Count"}, 3]},
        "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "Three"}]},
        "Neither": {"Fn::Or": [{"Condition": "IsDev"}, {"Fn::Equals": ["a", "b"]}]},
        "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
        "Wrong": {"Fn::Not": []},
    },
    "Resources": {
        "Table": {"Type": "AWS::DynamoDB::Table"},
        "Spare": {"Type": "AWS::DynamoDB::Table", "Condition": "IsDev"},
        "Unborn": {"Type": "AWS::SQS::Queue"},
    },
}
STORED = {
    "/plain": "value",
    "/from/parameter": "fetched",
    "db": '{"user": "admin", "port": 5432}',
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3": '{"user": "root"}',
}


def resolver(template: dict[str, Any] = TEMPLATE) -> Resolver:
    return Resolver(
        template, PARAMETERS, PLACE, file="t.yaml", physical={"Table": TABLE}, fetch=from_mapping(STORED)
    )


def resolved(raw: Any, transform: str | None = None) -> Any:
    return resolver({**TEMPLATE, "Transform": transform} if transform else TEMPLATE).value(raw, "Here")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("text", "text"),
        (5, 5),
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "Count"}, "3"),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "Table"}, "demo-Table-1"),
        ({"Ref": "AWS::AccountId"}, "111122223333"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "demo"),
        ({"Ref": "AWS::NotificationARNs"}, []),
        ({"Fn::GetAtt": ["Table", "Arn"]}, TABLE.attributes["Arn"]),
        ({"Fn::GetAtt": "Table.Arn"}, TABLE.attributes["Arn"]),
        ({"Fn::Sub": "${Stage}-${Table}-${AWS::Region}"}, "prod-demo-Table-1-eu-west-1"),
        ({"Fn::Sub": "${Table.Arn}/*"}, f"{TABLE.attributes['Arn']}/*"),
        ({"Fn::Sub": "echo ${!HOME} $HOME ${Stage}"}, "echo ${HOME} $HOME prod"),
        ({"Fn::Sub": ["${Name}.${Stage}", {"Name": {"Ref": "Count"}}]}, "3.prod"),
        ({"Fn::Sub": ["${Stage}", {"Stage": "shadowed"}]}, "shadowed"),
        ({"Fn::Sub": ["${N}-${B}", {"N": 4, "B": True}]}, "4-true"),
        ({"Fn::Join": [",", ["a", {"Ref": "Stage"}, 5]]}, "a,prod,5"),
        ({"Fn::Join": ["", {"Ref": "Zones"}]}, "ab"),
        ({"Fn::Join": [",", ["a", {"Ref": "AWS::NoValue"}, "b"]]}, "a,b"),
        ({"Fn::Select": [1, {"Ref": "Zones"}]}, "b"),
        ({"Fn::Select": ["0", {"Fn::Split": ["|", "x|y"]}]}, "x"),
        ({"Fn::Split": ["|", "a||c|"]}, ["a", "", "c", ""]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "type"]}, "m5.large"),
        ({"Fn::FindInMap": ["Sizes", "prod", "list"]}, ["x", "y"]),
        ({"Fn::If": ["IsProd", "yes", {"Ref": "Nobody"}]}, "yes"),
        ({"Fn::If": ["IsDev", {"Ref": "Nobody"}, "no"]}, "no"),
        ({"A": {"Fn::If": ["IsDev", 1, {"Ref": "AWS::NoValue"}]}, "B": 2}, {"B": 2}),
        (["a", {"Fn::If": ["IsDev", 1, {"Ref": "AWS::NoValue"}]}, "b"], ["a", "b"]),
        ({"Fn::Base64": "grün"}, "Z3LDvG4="),
        ({"Fn::Cidr": ["10.0.0.0/16", 3, 8]}, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ({"Fn::Cidr": ["192.168.0.0/24", "2", "5"]}, ["192.168.0.0/27", "192.168.0.32/27"]),
        ({"Fn::Cidr": ["2001:db8::/56", 2, 64]}, ["2001:db8::/64", "2001:db8:0:1::/64"]),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Select": [0, {"Fn::GetAZs": "us-west-2"}]}, "us-west-2a"),
        ("{{resolve:ssm:/plain}}", "value"),
        ("a-{{resolve:ssm:/plain:7}}-b", "a-value-b"),
        ("{{resolve:ssm-secure:/plain}}", "value"),
        ("{{resolve:secretsmanager:db}}", STORED["db"]),
        ("{{resolve:secretsmanager:db:SecretString:user}}", "admin"),
        ("{{resolve:secretsmanager:db:SecretString:port}}", "5432"),
        (
            "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3:"
            "SecretString:user::}}",
            "root",
        ),
        ({"Fn::Sub": ["{{resolve:ssm:/${Part}}}", {"Part": "plain"}]}, "value"),
        ({"Ref": "Secret"}, "fetched"),
        (
            {"Condition": {"StringEquals": {"a": {"Ref": "Stage"}}}},
            {"Condition": {"StringEquals": {"a": "prod"}}},
        ),
    ],
)
def test_values(raw: Any, expected: Any) -> None:
    assert resolved(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"Fn::FindInMap": ["Sizes", "test", "type", {"DefaultValue": {"Ref": "Stage"}}]}, "prod"),
        ({"Fn::Length": {"Ref": "Zones"}}, 2),
        ({"Fn::ToJsonString": {"a": {"Ref": "Stage"}, "b": [1, True]}}, '{"a":"prod","b":[1,true]}'),
    ],
)
def test_language_extensions_want_their_transform(raw: Any, expected: Any) -> None:
    assert resolved(raw, transform="AWS::LanguageExtensions") == expected
    with pytest.raises(BlueprintError, match=r"AWS::LanguageExtensions; declare it"):
        resolved(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"Ref": "Nobody"}, "'Nobody' is no parameter and no resource; mend the name"),
        ({"Ref": ["Nobody"]}, r"got \['Nobody'\]; write the name of a parameter or a resource"),
        ({"Ref": "Unborn"}, r"Unborn \(AWS::SQS::Queue\) has no emulated id; deploy it, or give one"),
        ({"Ref": "Spare"}, "Spare does not exist, its condition is false"),
        ({"Fn::GetAtt": ["Table", "Nothing"]}, "Table has no attribute 'Nothing' here; it has Arn"),
        ({"Fn::GetAtt": "Table"}, "write LogicalId.Attribute"),
        ({"Fn::Sub": "${Typo}"}, "'Typo' is no parameter"),
        ({"Fn::Sub": 5}, r"write a text, or \[text, mapping\]"),
        ({"Fn::Sub": "${Zones}"}, "a list stands where a text is needed"),
        ({"Fn::Join": [",", "abc"]}, "got 'abc'; write a list"),
        ({"Fn::Select": [2, {"Ref": "Zones"}]}, "index 2 of a list of 2; write 0 to 1"),
        ({"Fn::Select": ["x", {"Ref": "Zones"}]}, "write a whole number as index"),
        ({"Fn::Split": ["", "a"]}, "the delimiter is empty"),
        ({"Fn::Cidr": ["10.0.0.0/24", 5, 6]}, "does not hold 5 blocks of 6 host bits"),
        ({"Fn::Cidr": ["10.0.0.0/24", 0, 6]}, "a count of 0; write 1 to 256"),
        ({"Fn::Cidr": ["10.0.0.1/24", 1, 6]}, "has host bits set"),
        ({"Fn::FindInMap": ["Sizes", "prod", "colour"]}, "no 'colour' on the way to Sizes / prod / colour"),
        ({"Fn::If": ["Nobody", 1, 2]}, "no condition 'Nobody'; the template has IsProd"),
        ({"Fn::If": ["Circle", 1, 2]}, "Conditions.Circle: refers to itself; break the circle"),
        ({"Fn::If": ["Wrong", 1, 2]}, "write one of Fn::And"),
        ({"Fn::Base64": {"Ref": "Zones"}}, "a list stands where a text is needed"),
        ({"Fn::ImportValue": "x"}, "exports of other stacks are not known here"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "macros run in the account"),
        ({"Fn::ForEach::Loop": []}, "loops are not expanded here"),
        ({"Fn::Typo": 1}, "no such function here"),
        ("{{resolve:ssm:/absent}}", "no ssm value '/absent' is given"),
        ("{{resolve:ssm:/plain:latest}}", "write name or name:number"),
        ("{{resolve:secretsmanager:db:SecretBinary}}", "only SecretString can be read"),
        ("{{resolve:secretsmanager:db:SecretString:pass}}", "the secret 'db' has no key 'pass'"),
        ("{{resolve:vault:x}}", "is no dynamic reference"),
    ],
)
def test_what_does_not_resolve_names_place_and_remedy(raw: Any, message: str) -> None:
    with pytest.raises(BlueprintError, match=message) as caught:
        resolved({"Deep": [raw]})
    assert str(caught.value).startswith(("t.yaml: Here.Deep.0", "t.yaml: Conditions."))
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("name", "expected"), [("IsProd", True), ("IsDev", False), ("Both", True), ("Neither", False)]
)
def test_conditions(name: str, expected: bool) -> None:
    assert resolver().condition(name) is expected


def test_partitions() -> None:
    china = Place("demo", region="cn-north-1")
    assert (china.partition, china.url_suffix) == ("aws-cn", "amazonaws.com.cn")
    assert Place("demo", region="us-gov-west-1").partition == "aws-us-gov"
    assert china.stack_id.startswith("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/demo/")


plain_text = st.text(st.characters(exclude_characters="${}|", exclude_categories=("Cs",)), max_size=20)


@settings(deadline=None)
@given(st.lists(plain_text, min_size=1, max_size=6))
def test_split_undoes_join(parts: list[str]) -> None:
    assert resolved({"Fn::Split": ["|", {"Fn::Join": ["|", parts]}]}) == parts


@settings(deadline=None)
@given(plain_text, plain_text)
def test_sub_and_join_agree(left: str, right: str) -> None:
    sub = {"Fn::Sub": [f"{left}${{V}}{right}", {"V": {"Ref": "Stage"}}]}
    assert (
        resolved(sub) == resolved({"Fn::Join": ["", [left, {"Ref": "Stage"}, right]]}) == f"{left}prod{right}"
    )


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_a_literal_survives_sub_and_base64(text: str) -> None:
    escaped = text.replace("${", "${!")
    closed = text.replace("${!", "${ !")  # ${!x} in a script cannot be told from an escape that is meant
    if "{{resolve:" not in text and text == closed:
        assert resolved({"Fn::Sub": escaped}) == text
    assert base64.b64decode(resolved({"Fn::Base64": text.replace("{{", "((")})).decode() == text.replace(
        "{{", "(("
    )


@settings(deadline=None)
@given(st.integers(8, 24), st.integers(1, 8), st.integers(1, 256))
def test_blocks_lie_in_their_network_and_beside_each_other(prefix: int, bits: int, count: int) -> None:
    network = ipaddress.ip_network(f"10.0.0.0/{prefix}")
    if count > 2 ** (32 - bits - prefix):
        with pytest.raises(BlueprintError, match="does not hold"):
            resolved({"Fn::Cidr": [str(network), count, bits]})
        return
    blocks = [ipaddress.IPv4Network(each) for each in resolved({"Fn::Cidr": [str(network), count, bits]})]
    assert len(blocks) == count
    assert all(
        block.prefixlen == 32 - bits and block.subnet_of(ipaddress.IPv4Network(network)) for block in blocks
    )
    assert all(one.broadcast_address + 1 == other.network_address for one, other in pairwise(blocks))


@settings(deadline=None)
@given(st.booleans(), st.booleans())
def test_not_and_or_obey_de_morgan(one: bool, other: bool) -> None:
    def truth(value: bool) -> dict[str, Any]:
        return {"Fn::Equals": [value, True]}

    pair = [truth(one), truth(other)]
    conditions = {
        "Left": {"Fn::Not": [{"Fn::And": pair}]},
        "Right": {"Fn::Or": [{"Fn::Not": [each]} for each in pair]},
    }
    found = Resolver({"Conditions": conditions}, {}, PLACE)
    assert found.condition("Left") == found.condition("Right") == (not (one and other))
