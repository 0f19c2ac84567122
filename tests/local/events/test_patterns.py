"""Event patterns: the examples of the EventBridge User Guide, "Comparison operators", and what moto's matcher takes
for equal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blueprints.local.events import patterns

EVENT: dict[str, Any] = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-1", "arn:aws:ec2:us-east-1::image/ami-1"],
    "detail": {
        "state": "terminated",
        "FileName": "photo.PNG",
        "FilePath": "dir/sub/photo.png",
        "c-count": 7,
        "d-count": 3.5,
        "whole": 300,
        "sourceIPAddress": "10.0.0.17",
        "v6": "2001:db8::1",
        "on": True,
        "nothing": None,
        "empty": "",
        "items": [{"kind": "a", "size": 1}, {"kind": "b", "size": 2}],
        "star": "a*b",
    },
}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        # Equal values, and kinds of JSON
        ({"state": ["running", "terminated"]}, True),
        ({"state": ["running"]}, False),
        ({"nothing": [None]}, True),
        ({"absent": [None]}, False),
        ({"empty": [""]}, True),
        ({"on": [True]}, True),
        ({"on": [1]}, False),
        ({"whole": [300]}, True),
        ({"whole": [300.0]}, False),
        # Operators
        ({"state": [{"prefix": "term"}]}, True),
        ({"state": [{"prefix": "run"}]}, False),
        ({"state": [{"prefix": {"equals-ignore-case": "TERM"}}]}, True),
        ({"FileName": [{"suffix": ".PNG"}]}, True),
        ({"FileName": [{"suffix": ".png"}]}, False),
        ({"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}, True),
        ({"state": [{"equals-ignore-case": "Terminated"}]}, True),
        ({"state": [{"equals-ignore-case": "Term"}]}, False),
        ({"FilePath": [{"wildcard": "dir/*.png"}]}, True),
        ({"FilePath": [{"wildcard": "dir/*.jpg"}]}, False),
        ({"star": [{"wildcard": "a\\*b"}]}, True),
        ({"state": [{"wildcard": "a\\*b"}]}, False),
        ({"state": [{"anything-but": "initializing"}]}, True),
        ({"state": [{"anything-but": ["stopped", "terminated"]}]}, False),
        ({"c-count": [{"anything-but": 7}]}, False),
        ({"c-count": [{"anything-but": [1, 2]}]}, True),
        ({"absent": [{"anything-but": "x"}]}, False),
        ({"state": [{"anything-but": {"prefix": "term"}}]}, False),
        ({"state": [{"anything-but": {"suffix": [".txt", "ted"]}}]}, False),
        ({"state": [{"anything-but": {"equals-ignore-case": ["TERMINATED"]}}]}, False),
        ({"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}, True),
        ({"c-count": [{"numeric": [">", 0, "<=", 7]}]}, True),
        ({"c-count": [{"numeric": ["<", 7]}]}, False),
        ({"d-count": [{"numeric": ["=", 3.5]}]}, True),
        ({"on": [{"numeric": ["=", 1]}]}, False),
        ({"state": [{"numeric": ["=", 1]}]}, False),
        ({"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"sourceIPAddress": [{"cidr": "10.1.0.0/24"}]}, False),
        ({"v6": [{"cidr": "2001:db8::/32"}]}, True),
        ({"state": [{"cidr": "10.0.0.0/24"}]}, False),
        # Presence, which only leaves have
        ({"state": [{"exists": True}]}, True),
        ({"state": [{"exists": False}]}, False),
        ({"absent": [{"exists": False}]}, True),
        ({"absent": {"below": [{"exists": False}]}}, True),
        ({"nothing": [{"exists": True}]}, True),
        # One of several
        ({"state": ["x", {"prefix": "term"}]}, True),
        ({"$or": [{"c-count": [{"numeric": [">", 9]}]}, {"d-count": [{"numeric": ["<", 10]}]}]}, True),
        ({"$or": [{"c-count": [{"numeric": [">", 9]}]}, {"absent": [{"exists": True}]}]}, False),
        ({"state": ["terminated"], "$or": [{"on": [False]}, {"whole": [300]}]}, True),
        ({"state": ["running"], "$or": [{"on": [True]}, {"whole": [300]}]}, False),
        # Fields of one element of an array
        ({"items": {"kind": ["b"]}}, True),
        ({"items": {"kind": ["a"], "size": [1]}}, True),
        ({"items": {"kind": ["a"], "size": [2]}}, False),
    ],
    ids=str,
)
def test_operators(detail: dict[str, Any], expected: bool) -> None:
    patterns.check({"detail": detail})
    assert patterns.matches({"detail": detail}, EVENT) is expected


def test_all_fields_have_to_match_and_arrays_to_intersect() -> None:
    instance = EVENT["resources"][0]
    assert patterns.matches({"source": ["aws.ec2"], "resources": [instance]}, EVENT)
    assert not patterns.matches({"source": ["aws.s3"], "resources": [instance]}, EVENT)
    assert not patterns.matches({"resources": ["arn:other"]}, EVENT)


def test_an_exists_that_is_not_there_matches_an_empty_array_of_objects() -> None:
    assert patterns.matches({"items": {"kind": [{"exists": False}]}}, {"items": []})


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ({}, "pattern"),
        ({"detail": {"state": "running"}}, "detail.state"),
        ({"detail": {"state": list[str]()}}, "detail.state"),
        ({"detail": {"state": [{"regex": ".*"}]}}, "detail.state"),
        ({"detail": {"n": [{"numeric": [">"]}]}}, "detail.n"),
        ({"detail": {"n": [{"numeric": ["~", 1]}]}}, "detail.n"),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/99"}]}}, "detail.ip"),
        ({"detail": {"x": [{"prefix": "a", "suffix": "b"}]}}, "detail.x"),
        ({"$or": [{"a": list[str]()}]}, "$or.a"),
    ],
    ids=str,
)
def test_what_is_no_pattern_is_told_with_its_place(pattern: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place.replace(".", r"\.").replace("$", r"\$")):
        patterns.check(pattern)


def test_why_moto_does_not_match_for_us() -> None:
    """When this fails, moto has learnt both, and our own matcher may go."""
    from moto.events.models import EventPattern

    theirs: Any = EventPattern
    ones = theirs.load(json.dumps({"detail": {"on": [1]}})).matches_event({"detail": {"on": True}})
    nested = theirs.load(json.dumps({"detail": {"items": {"kind": ["b"]}}})).matches_event(EVENT)
    assert (ones, nested) == (True, False)
