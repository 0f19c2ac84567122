"""Wildcards, variables and ARNs, by the examples of the IAM User Guide."""

from __future__ import annotations

import pytest

from blueprints.local.privilege import patterns
from blueprints.local.privilege.request import NotJudgedError, Request

from .harness import request

# "IAM JSON policy elements: Resource", "Specify resources using wildcards": the example, and what it does not match
BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket"
MATCHED = ("/1/test/object.jpg", "/1/2/test/object.jpg", "/1/2/test/3/object.jpg", "/1/2/3/test/4/object.jpg",
           "/1///test///object.jpg", "/1/test/.jpg", "//test/object.jpg", "/1/test/")  # fmt: skip
NOT_MATCHED = ("/1-test/object.jpg", "/test/object.jpg", "/1/2/test.jpg")


@pytest.mark.parametrize("key", MATCHED)
def test_a_star_reaches_over_slashes(key: str) -> None:
    assert patterns.matched_arn(f"{BUCKET}/*/test/*", BUCKET + key, request()) is not None


@pytest.mark.parametrize("key", NOT_MATCHED)
def test_a_slash_is_a_letter_like_others(key: str) -> None:
    assert patterns.matched_arn(f"{BUCKET}/*/test/*", BUCKET + key, request()) is None


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("*", "arn:aws:sqs:us-east-1:123456789012:jobs", True),
        ("arn:aws:sqs:*:123456789012:jobs", "arn:aws:sqs:us-east-1:123456789012:jobs", True),
        ("arn:aws:sqs:us-*-1:123456789012:jobs", "arn:aws:sqs:us-east-1:123456789012:jobs", True),
        # "If the wildcard is the last character of a segment, it can expand beyond the colon boundaries"
        ("arn:aws:sqs:us-east-1:*", "arn:aws:sqs:us-east-1:123456789012:jobs", True),
        ("arn:aws:sqs:u*1:123456789012:jobs", "arn:aws:sqs:us:east-1:123456789012:jobs", False),
        ("arn:aws:sqs:us-east-1:123456789012:job?", "arn:aws:sqs:us-east-1:123456789012:jobs", True),
        ("arn:aws:sqs:us-east-1:123456789012:job?", "arn:aws:sqs:us-east-1:123456789012:job", False),
        ("arn:aws:sqs:us-east-1:123456789012:Jobs", "arn:aws:sqs:us-east-1:123456789012:jobs", False),
        ("arn:aws:sqs:us-east-1:123456789012:[j]obs", "arn:aws:sqs:us-east-1:123456789012:jobs", False),
        ("arn:aws:ec2:us-east-1:123456789012:instance/*", "*", False),
    ],
)
def test_resources(pattern: str, arn: str, matches: bool) -> None:
    assert (patterns.matched_arn(pattern, arn, request()) is not None) is matches


# "IAM policy elements: Variables and tags"
@pytest.mark.parametrize(
    ("pattern", "team", "matches"),
    [
        ("bucket/${aws:PrincipalTag/team}/*", ("yellow",), True),
        ("bucket/${aws:PrincipalTag/team}/*", ("red",), False),
        ("bucket/${aws:principaltag/team}/*", ("yellow",), True),
        ("bucket/${aws:PrincipalTag/team, 'company-wide'}/*", (), False),
        ("bucket/${aws:PrincipalTag/team, 'yellow'}/*", (), True),
        ("bucket/${aws:PrincipalTag/team}/*", (), False),
        ("bucket/${aws:PrincipalTag/team}/*", ("*",), False),
        ("bucket/yellow/${*}", (), False),
    ],
)
def test_variables(pattern: str, team: tuple[str, ...], matches: bool) -> None:
    asked = Request("s3:GetObject", "*", "a test", {"aws:principaltag/team": team})
    assert (patterns.matched(pattern, "bucket/yellow/a", asked) is not None) is matches


def test_a_letter_between_braces_is_itself() -> None:
    assert patterns.matched("a${*}b${?}c${$}", "a*b?c$", request()) == ()
    assert patterns.filled("a${*}", request()) == "a*"


def test_a_variable_of_which_nothing_is_known_is_not_judged() -> None:
    with pytest.raises(NotJudgedError, match="aws:userid"):
        patterns.matched("home/${aws:userid}", "home/me", request())


def test_a_variable_with_several_values_is_not_judged() -> None:
    with pytest.raises(NotJudgedError, match="several values"):
        patterns.matched("${aws:TagKeys}", "a", request(aws__tagkeys=("a", "b")))


# "Condition operators", ArnLike: each of the six parts is checked separately
@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("arn:aws:sns:*:123456789012:topic-*", "arn:aws:sns:us-east-1:123456789012:topic-a", True),
        ("arn:aws:sns:*:topic-a", "arn:aws:sns:us-east-1:123456789012:topic-a", False),
        ("arn:*", "arn:aws:sns:us-east-1:123456789012:topic-a", False),
        ("arn:aws:sns:us-east-1:123456789012:topic-a", "arn:aws:sns:us-east-1:123456789012:topic-a", True),
    ],
)
def test_arn_like(pattern: str, arn: str, matches: bool) -> None:
    assert patterns.like_arn(pattern, arn, request()) is matches


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["a", "b"], None),
        (["a/1", "b/1", "b/2"], None),
        (["i-0aa", "i-0ab"], None),
        (["a"], "it has matched 'a' alone"),
        (["a/1", "a/2"], "all that it has matched is a/*"),
        (["a/1/log", "b/2/log"], "all that it has matched is */log"),
    ],
)
def test_what_a_wildcard_is_needed_for(texts: list[str], why: str | None) -> None:
    assert patterns.needless([(each,) for each in texts]) == why
