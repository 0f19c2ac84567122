"""Conditions, by what the IAM User Guide says of each operator."""

from __future__ import annotations

from typing import Any

import pytest

from blueprints.local.privilege import conditions
from blueprints.local.privilege.request import NotJudgedError

from .harness import request

NAME, TAGS = "aws:username", "aws:TagKeys"

# Operator, values of the policy, values of the request, whether it holds. "Condition operators": strings, numbers,
# booleans; ARNs are in test_patterns.py.
SINGLE = [
    ("StringEquals", ["john"], ("john",), True),
    ("StringEquals", ["john"], ("John",), False),  # "Condition": the example of john and John
    ("StringEquals", ["john", "mary"], ("mary",), True),
    ("StringEquals", ["jo*"], ("john",), False),
    ("StringNotEquals", ["john"], ("mary",), True),
    ("StringNotEquals", ["john", "mary"], ("mary",), False),
    ("StringEqualsIgnoreCase", ["john"], ("John",), True),
    ("StringNotEqualsIgnoreCase", ["john"], ("John",), False),
    ("StringLike", ["jo*"], ("john",), True),
    ("StringLike", ["jo?n"], ("john",), True),
    ("StringLike", ["Jo*"], ("john",), False),
    ("StringNotLike", ["jo*"], ("john",), False),
    ("StringNotLike", ["jo*"], ("mary",), True),
    ("NumericEquals", ["10"], ("10.0",), True),
    ("NumericNotEquals", ["10"], ("11",), True),
    ("NumericLessThan", ["10"], ("9",), True),
    ("NumericLessThan", ["10"], ("10",), False),
    ("NumericLessThanEquals", ["10"], ("10",), True),
    ("NumericGreaterThan", ["10"], ("10",), False),
    ("NumericGreaterThanEquals", [10], ("10",), True),
    ("NumericLessThan", ["10"], ("nine",), False),
    ("Bool", ["true"], ("true",), True),
    ("Bool", [True], ("true",), True),
    ("Bool", ["false"], ("true",), False),
    ("ArnLike", ["arn:aws:iam::123456789012:role/*"], ("arn:aws:iam::123456789012:role/a",), True),
    ("ArnNotLike", ["arn:aws:iam::123456789012:role/*"], ("arn:aws:iam::123456789012:role/a",), False),
    ("ArnEquals", ["arn:aws:iam::123456789012:role/*"], ("arn:aws:iam::123456789012:role/a",), True),
    ("ArnNotEquals", ["arn:aws:iam::123456789012:role/b"], ("arn:aws:iam::123456789012:role/a",), True),
    # "If the key is not present in the request context, the values do not match and the condition is false. If the
    # policy condition requires that the key is not matched, … the condition is true."
    ("StringEquals", ["john"], (), False),
    ("StringLike", ["*"], (), False),
    ("Bool", ["false"], (), False),
    ("NumericLessThan", ["10"], (), False),
    ("StringNotEquals", ["john"], (), True),
    ("StringNotLike", ["*"], (), True),
    ("ArnNotLike", ["arn:aws:iam::123456789012:role/*"], (), True),
    # "IfExists": process the key if it is there, else the condition is true
    ("StringEqualsIfExists", ["john"], (), True),
    ("StringEqualsIfExists", ["john"], ("mary",), False),
    ("BoolIfExists", ["true"], ("false",), False),
    # "Null": true where the key does not exist
    ("Null", ["true"], (), True),
    ("Null", ["true"], ("john",), False),
    ("Null", [False], ("john",), True),
    ("Null", ["false"], (), False),
]


@pytest.mark.parametrize(("operator", "wanted", "given", "held"), SINGLE)
def test_single_values(operator: str, wanted: list[Any], given: tuple[str, ...], held: bool) -> None:
    assert conditions.holds({operator: {NAME: wanted}}, request(aws__username=given)) is held


# "Set operators for multivalued context keys", and its page of examples
MULTIPLE = [
    ("ForAllValues:StringEquals", ["environment", "cost-center"], ("environment",), True),
    ("ForAllValues:StringEquals", ["environment", "cost-center"], ("environment", "owner"), False),
    ("ForAllValues:StringLike", ["key1*", "key2*"], ("key1-a", "key2-b"), True),
    ("ForAllValues:StringLike", ["key1*"], ("key1-a", "key2-b"), False),
    ("ForAllValues:StringEquals", ["environment"], (), True),
    ("ForAllValues:StringNotEquals", ["webserver"], ("environment",), True),
    ("ForAllValues:StringNotEquals", ["webserver"], ("environment", "webserver"), False),
    ("ForAnyValue:StringEquals", ["environment", "webserver"], ("webserver", "owner"), True),
    ("ForAnyValue:StringEquals", ["environment"], ("owner",), False),
    ("ForAnyValue:StringEquals", ["environment"], (), False),
    ("ForAnyValue:StringNotEquals", ["environment"], ("environment", "owner"), True),
    ("ForAnyValue:StringNotEquals", ["environment"], ("environment",), False),
]


@pytest.mark.parametrize(("operator", "wanted", "given", "held"), MULTIPLE)
def test_several_values(operator: str, wanted: list[str], given: tuple[str, ...], held: bool) -> None:
    assert conditions.holds({operator: {TAGS: wanted}}, request(aws__tagkeys=given)) is held


def test_operators_and_keys_are_all_needed() -> None:
    asked = request(aws__username=("john",), aws__requestedregion=("us-east-1",))
    both = {"StringEquals": {NAME: "john", "aws:RequestedRegion": "us-east-1"}}
    assert conditions.holds(both, asked)
    assert not conditions.holds({**both, "StringNotEquals": {NAME: "john"}}, asked)
    assert not conditions.holds({"StringEquals": {NAME: "john", "aws:RequestedRegion": "us-west-1"}}, asked)


def test_names_of_keys_have_no_capitals() -> None:
    assert conditions.holds({"StringEquals": {"AWS:UserName": "john"}}, request(aws__username=("john",)))


def test_a_value_may_be_a_variable() -> None:
    asked = request(aws__username=("john",), s3__prefix=("home/john/a",))
    assert conditions.holds({"StringLike": {"s3:prefix": "home/${aws:username}/*"}}, asked)
    assert conditions.keys({"StringLike": {"s3:prefix": "home/${aws:username}/*"}}) == {
        "s3:prefix",
        "aws:username",
    }


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"StringEquals": {"aws:SourceVpc": "vpc-1"}}, "aws:SourceVpc"),
        ({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}, "aws:SourceVpc"),
        ({"Null": {"aws:SourceVpc": "true"}}, "aws:SourceVpc"),
        ({"DateLessThan": {NAME: "2026-01-01T00:00:00Z"}}, "DateLessThan"),
        ({"IpAddress": {NAME: "10.0.0.0/8"}}, "IpAddress"),
        ({"ForSomeValues:StringEquals": {NAME: "john"}}, "ForSomeValues"),
        ({"StringEquals": {TAGS: "a"}}, "ForAnyValue"),
        ({"StringEquals": {NAME: "mary", "aws:SourceVpc": "vpc-1"}}, "aws:SourceVpc"),
    ],
)
def test_what_cannot_be_judged_is_told_by_name(condition: dict[str, Any], said: str) -> None:
    with pytest.raises(NotJudgedError, match=said):
        conditions.holds(condition, request(aws__username=("john",), aws__tagkeys=("a", "b")))
