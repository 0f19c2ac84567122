"""What AWS does by itself with a role of a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blueprints.local.privilege.policies import roles
from blueprints.local.privilege.request import NotJudgedError
from blueprints.local.privilege.services import needs
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

from .harness import Known, failures, judged, stack_of, statement

ROLE = "arn:aws:iam::123456789012:role/own"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
QUEUE, TOPIC = "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:123456789012:t"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def asked(**resources: tuple[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Actions with their resources that AWS asks for in the role's name."""
    made = {name: {"Type": f"AWS::{kind}", "Properties": given} for name, (kind, given) in resources.items()}
    stack = Stack(json.dumps({"Resources": made}))
    for name in made:
        stack.physical[name] = Physical(name, {"Arn": FUNCTION})
    found: dict[str, set[str]] = {}
    for role, request in needs(stack, {}):
        assert role == ROLE
        found.setdefault(request.action, set()).add(request.resource)
    return found


def function(**properties: Any) -> dict[str, set[str]]:
    return asked(F=("Lambda::Function", {"Role": ROLE, **properties}))


def test_lambda_writes_to_the_group_that_the_template_names() -> None:
    found = function(LoggingConfig={"LogGroup": "own"})
    assert found.keys() == LOGS
    for arns in found.values():
        assert len(arns) == 2
        assert all(
            each.startswith("arn:aws:logs:us-east-1:123456789012:log-group:own:log-stream:") for each in arns
        )


def test_without_a_group_lambda_writes_to_its_own() -> None:
    assert all("log-group:/aws/lambda/F:" in each for each in function()["logs:PutLogEvents"])


def test_lambda_traces_where_the_template_says_so() -> None:
    assert function(TracingConfig={"Mode": "PassThrough"}).keys() == LOGS
    traced = function(TracingConfig={"Mode": "Active"})
    assert traced.keys() - LOGS == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.mark.parametrize(("target", "action"), [(QUEUE, "sqs:SendMessage"), (TOPIC, "sns:Publish")])
def test_dead_letters(target: str, action: str) -> None:
    assert function(DeadLetterConfig={"TargetArn": target})[action] == {target}


def test_what_is_not_described_is_told_by_name() -> None:
    with pytest.raises(NotJudgedError, match="F: what Lambda does for FileSystemConfigs"):
        function(FileSystemConfigs={"a": "b"})


@pytest.mark.parametrize(
    ("source", "actions"),
    [
        (QUEUE, {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s",
         {"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"}),
    ],
)  # fmt: skip
def test_event_sources(source: str, actions: set[str]) -> None:
    own = ("Lambda::Function", {"Role": ROLE})
    mapping = {"EventSourceArn": source, "FunctionName": "F"}
    assert asked(F=own, M=("Lambda::EventSourceMapping", mapping)).keys() - LOGS == actions
    failed = {"DestinationConfig": {"OnFailure": {"Destination": TOPIC}}}
    assert "sns:Publish" in asked(F=own, M=("Lambda::EventSourceMapping", mapping | failed))
    other = mapping | {"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}
    with pytest.raises(NotJudgedError, match="M: how Lambda reads from kinesis"):
        asked(F=own, M=("Lambda::EventSourceMapping", other))


def test_rules_and_schedules_deliver() -> None:
    targets = [{"Id": "1", "Arn": MACHINE, "RoleArn": ROLE}, {"Id": "2", "Arn": QUEUE}]
    assert asked(R=("Events::Rule", {"Targets": targets})) == {"states:StartExecution": {MACHINE}}
    target = {"Arn": FUNCTION, "RoleArn": ROLE}
    assert asked(S=("Scheduler::Schedule", {"Target": target})) == {"lambda:InvokeFunction": {FUNCTION}}
    with pytest.raises(NotJudgedError, match="R: EventBridge: what it does with arn:aws:ecs"):
        asked(R=("Events::Rule", {"Targets": [{"Id": "1", "Arn": "arn:aws:ecs:::c", "RoleArn": ROLE}]}))


def test_state_machines() -> None:
    kind = "StepFunctions::StateMachine"
    assert asked(M=(kind, {"RoleArn": ROLE})) == {}
    assert len(asked(M=(kind, {"RoleArn": ROLE, "TracingConfiguration": {"Enabled": True}}))) == 4
    with pytest.raises(NotJudgedError, match="LoggingConfiguration"):
        asked(M=(kind, {"RoleArn": ROLE, "LoggingConfiguration": {"Level": "ALL"}}))


def test_the_agent_of_an_instance_needs_all_of_its_actions_or_none() -> None:
    actions = ["ssm:UpdateInstanceInformation"] + [
        f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")
    ]

    def instance(*granted: str) -> list[str]:
        stack = stack_of(statement(list(granted), "*"))
        trust = stack.template["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]
        trust["Statement"][0]["Principal"]["Service"] = "ec2.amazonaws.com"
        assert roles(stack)["Role"].services == ("ec2",)
        return failures(judged(stack))

    assert instance(*actions) == []
    assert len(instance(*actions[1:])) == 1
    assert failures(judged(stack_of(statement(actions, "*"))))
    assert Known()
