"""Each defect of the post's backup. Those of its template and its document are here; those of what it does are
scenarios of the proofs, in tests/proofs/asg_backup/test_originals.py. A test's name begins with the id of its row.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blueprints.asg_backup import AsgBackup, BackupConfig

from .originals import DEFECTS, TEMPLATE

Template = dict[str, Any]
PROOFS = Path(__file__).parents[1] / "proofs" / "asg_backup" / "test_originals.py"


@pytest.fixture
def stated() -> Callable[[Callable[[Template], None]], None]:
    """A statement about a template: ours fulfils it in its fullest shape, the original's does not."""
    ours = AsgBackup(BackupConfig(group="new", spot=True, email=True, on_failure="park")).template()

    def both(statement: Callable[[Template], None]) -> None:
        statement(ours)
        with pytest.raises((AssertionError, KeyError)):
            statement(TEMPLATE)

    return both


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def commands(template: Template) -> str:
    """All that documents run, as text."""
    found = [json.dumps(each["Content"]) for each in of_type(template, "AWS::SSM::Document")]
    assert found
    return "\n".join(found)


def states(template: Template) -> dict[str, Any]:
    """The states of all state machines."""
    found: dict[str, Any] = {}
    for each in of_type(template, "AWS::StepFunctions::StateMachine"):
        found |= json.loads(each["DefinitionString"]["Fn::Sub"][0])["States"]
    return found


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    names = [
        node.name
        for path in (Path(__file__), PROOFS)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    found = {f"D2.{match[1]}" for name in names if (match := re.match(r"test_d2_(\d+)_", name))}
    assert found == DEFECTS.keys()


def test_no_restatement_is_longer_than_fifteen_lines() -> None:
    from . import originals

    tree = ast.parse(Path(originals.__file__).read_text())
    (handler,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    body = handler.body[1:]  # without its docstring
    assert (body[-1].end_lineno or 0) - body[0].lineno < 15
    assert all(len(each.splitlines()) <= 15 for each in (originals.SCRIPT, originals.BASH))


def test_d2_1_the_topics_arn_is_no_text_of_the_script(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert "arn:aws:sns" not in commands(template)
        assert states(template)["Notify"]["Parameters"]["TopicArn"] == "${Topic}"

    stated(statement)


def test_d2_9_a_rule_names_the_group(stated: Any) -> None:
    def statement(template: Template) -> None:
        rules = [
            each["EventPattern"]
            for each in of_type(template, "AWS::Events::Rule")
            if each["EventPattern"]["source"] == ["aws.autoscaling"]
        ]
        assert rules
        assert all(each["detail"]["AutoScalingGroupName"] for each in rules)

    stated(statement)


def test_d2_9_hooks_and_commands_are_allowed_for_this_group_alone(stated: Any) -> None:
    def statement(template: Template) -> None:
        roles = of_type(template, "AWS::IAM::Role")
        assert not [each for role in roles for each in role.get("ManagedPolicyArns", [])]
        allowed = [
            each
            for role in roles
            for policy in role.get("Policies", [])
            for each in policy["PolicyDocument"]["Statement"]
        ]
        for action in ("autoscaling:CompleteLifecycleAction", "ssm:SendCommand", "sns:Publish"):
            granted = [each for each in allowed if action in each["Action"]]
            assert granted
            assert all("*" not in each["Resource"] for each in granted)

    stated(statement)


def test_d2_12_a_message_is_json_and_has_an_end(stated: Any) -> None:
    """It holds two outputs of 24,000 characters at most; each may be six bytes in JSON, and SNS takes 262,144."""

    def statement(template: Template) -> None:
        told = states(template)
        assert told["Notify"]["Parameters"]["Message.$"].startswith("States.JsonToString(")
        parts = told["Report"]["Parameters"]
        assert {"outcome.$", "reason.$"} <= parts.keys()

    stated(statement)


def test_d2_12_one_document_serves_every_group(stated: Any) -> None:
    def statement(template: Template) -> None:
        (document,) = of_type(template, "AWS::SSM::Document")
        assert document["Content"]["schemaVersion"] == "2.2"
        assert "Group" in document["Content"]["parameters"]
        assert "HOOKNAME" not in commands(template)

    stated(statement)


def test_d2_13_the_group_stands_in_a_vpc_that_is_named(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert all(each["VpcId"] == {"Ref": "VpcId"} for each in of_type(template, "AWS::EC2::SecurityGroup"))
        assert not of_type(template, "AWS::AutoScaling::LaunchConfiguration")
        (launched,) = of_type(template, "AWS::EC2::LaunchTemplate")
        assert launched["LaunchTemplateData"]["ImageId"] == {"Ref": "ImageParameter"}

    stated(statement)


def test_d2_13_a_stack_tells_what_it_made(stated: Any) -> None:
    def statement(template: Template) -> None:
        told = {"AutoScalingGroupName", "BucketName", "TopicArn", "DocumentName", "StateMachineArn"}
        assert template["Outputs"].keys() == told

    stated(statement)


def test_d2_14_a_warning_of_spot_starts_the_backup(stated: Any) -> None:
    def statement(template: Template) -> None:
        kinds = [each["EventPattern"].get("detail-type") for each in of_type(template, "AWS::Events::Rule")]
        assert ["EC2 Spot Instance Interruption Warning"] in kinds
        assert "TakeOut" in states(template)

    stated(statement)


def test_d2_14_the_way_to_a_warm_pool_is_told_from_the_way_out(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert '"WarmPool"' in json.dumps(states(template)["Route"])

    stated(statement)


def test_d2_14_a_deadline_can_be_set(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert '"DeadlineSeconds"' in commands(template)
        (group,) = of_type(template, "AWS::AutoScaling::AutoScalingGroup")
        (hook,) = group["LifecycleHookSpecificationList"]
        assert hook["HeartbeatTimeout"]
        assert hook["DefaultResult"] == "ABANDON"

    stated(statement)
