"""What targets are given: the examples of the EventBridge User Guide, "Amazon EventBridge input transformation"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blueprints.local.events.inputs import Origin, body

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {
        "instance-id": "i-0123456789",
        "state": "RUNNING",
        "says": 'a "word"',
        "tags": {"a b": [1, {"c": 2}]},
    },
}
ORIGIN = Origin("arn:aws:events:us-east-1:123456789012:rule/r", "r", "2015-11-11T21:29:55Z")


def given(**target: Any) -> Any:
    """What a target gets, from JSON."""
    return json.loads(body(target, EVENT, ORIGIN))


def transformed(template: str, **paths: str) -> Any:
    """What a template makes of the event."""
    return given(InputTransformer={"InputPathsMap": paths, "InputTemplate": template})


def test_all_a_constant_or_a_part() -> None:
    assert given() == EVENT
    assert given(Input='{"x": 1}') == {"x": 1}
    assert given(InputPath="$.detail") == EVENT["detail"]
    assert given(InputPath="$.resources[0]") == EVENT["resources"][0]
    assert given(InputPath="$.detail.tags['a b'][1].c") == 2
    assert given(InputPath="$.detail.absent.more") is None


def test_a_template_of_text() -> None:
    paths = {"instance": "$.detail.instance-id", "status": "$.detail.state"}
    assert (
        transformed('"instance <instance> is in <status>"', **paths) == "instance i-0123456789 is in RUNNING"
    )


def test_a_template_of_json() -> None:
    paths = {
        "instance": "$.detail.instance-id",
        "detail": "$.detail",
        "none": "$.detail.none",
        "says": "$.detail.says",
    }
    template = """{
      "instance": <instance>, "quoted": "<instance>!", "detail": <detail>, "none": <none>, "says": "<says>"
    }"""
    assert transformed(template, **paths) == {
        "instance": "i-0123456789",
        "quoted": "i-0123456789!",
        "detail": EVENT["detail"],
        "none": None,
        "says": 'a "word"',
    }


def test_variables_that_are_always_there() -> None:
    template = """{"rule": <aws.events.rule-arn>, "name": <aws.events.rule-name>,
      "at": <aws.events.event.ingestion-time>, "event": <aws.events.event.json>, "rest": <aws.events.event>}"""
    found = transformed(template)
    assert (found["rule"], found["name"]) == (ORIGIN.arn, "r")
    assert found["event"] == EVENT
    assert found["rest"] == {key: value for key, value in EVENT.items() if key != "detail"}
    assert found["at"] == ORIGIN.ingested


def test_a_path_that_is_not_followed_here() -> None:
    with pytest.raises(ValueError, match="detail"):
        given(InputPath="$.detail..state")
