"""EventBridge: events put by boto3 and by functions, targets of each kind, retries, dead letters, schedules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.events.harness import Case, FakeClock, Start, arn, eventually, function

QUEUE = {"Type": "AWS::SQS::Queue"}


def rule(*targets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    named = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    return {"Type": "AWS::Events::Rule", "Properties": {"Targets": named, **properties}}


def orders(*targets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A rule for orders over a hundred."""
    return rule(
        *targets,
        EventPattern={"source": ["shop"], "detail": {"total": [{"numeric": [">", 100]}]}},
        **properties,
    )


def put(case: Case, detail: Any, **given: Any) -> Any:
    entry = {"Source": "shop", "DetailType": "Order", "Detail": json.dumps(detail), **given}
    return case.aws.client("events").put_events(Entries=[entry])


def test_a_function_gets_the_events_that_match(start: Start) -> None:
    case = start({"Reporter": function(), "Rule": orders({"Arn": arn("Reporter")})})
    assert put(case, {"total": 1})["FailedEntryCount"] == 0
    done = put(case, {"total": 200}, Resources=["arn:one"])
    (event,) = case.seen()
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": done["Entries"][0]["EventId"],
        "detail-type": "Order",
        "source": "shop",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": ["arn:one"],
        "detail": {"total": 200},
    }
    assert list(case.sources.lines()) == ["Rule → Reporter"]
    case.aws.client("events").disable_rule(Name=case.ref("Rule"))
    put(case, {"total": 300})
    case.idle()
    case.aws.client("events").enable_rule(Name=case.ref("Rule"))
    put(case, {"total": 400})
    assert case.seen()[0]["detail"] == {"total": 400}


def test_targets_of_each_kind_on_a_bus(start: Start) -> None:
    """A function that puts an event on a bus, and what becomes of it."""
    putter = """
import json, os
import boto3

def handler(event, context):
    entry = {"Source": "shop", "DetailType": "Order", "Detail": json.dumps(event), "EventBusName": os.environ["BUS"]}
    boto3.client("events", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).put_events(Entries=[entry])
"""
    transformer = {"InputPathsMap": {"total": "$.detail.total"}, "InputTemplate": '{"sum": <total>}'}
    definition = {"StartAt": "Ok", "States": {"Ok": {"Type": "Pass", "End": True}}}
    machine = {"RoleArn": arn("Role"), "DefinitionString": json.dumps(definition)}
    case = start(
        {
            "Putter": function(putter, Environment={"Variables": {"BUS": {"Ref": "Bus"}}}),
            "Reporter": function(),
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "orders"}},
            "Plain": QUEUE,
            "Ordered": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"FifoQueue": True, "ContentBasedDeduplication": True},
            },
            "Heard": QUEUE,
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"Subscription": [{"Protocol": "sqs", "Endpoint": arn("Heard")}]},
            },
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/events/orders"}},
            "Rule": orders(
                {"Arn": arn("Reporter"), "InputTransformer": transformer},
                {"Arn": arn("Plain"), "InputPath": "$.detail"},
                {"Arn": arn("Ordered"), "Input": '"fixed"', "SqsParameters": {"MessageGroupId": "g"}},
                {"Arn": {"Ref": "Topic"}, "InputPath": "$.detail.total"},
                EventBusName={"Ref": "Bus"},
            ),
            "Second": orders(
                {"Arn": {"Ref": "Machine"}, "RoleArn": arn("Role")},
                {"Arn": arn("Logs"), "InputPath": "$.source"},
                EventBusName={"Ref": "Bus"},
            ),
        }
    )
    payload = json.dumps({"total": 200})
    case.aws.client("lambda").invoke(FunctionName=case.ref("Putter"), Payload=payload)
    assert case.seen() == [{"sum": 200}]
    assert case.bodies("Plain") == [{"total": 200}]
    assert case.bodies("Ordered") == ["fixed"]
    assert case.bodies("Heard")[0]["Message"] == "200"
    states = case.aws.client("stepfunctions")
    (execution,) = eventually(
        lambda: states.list_executions(stateMachineArn=case.ref("Machine"))["executions"]
    )
    given = states.describe_execution(executionArn=execution["executionArn"])["input"]
    assert json.loads(given)["detail"] == {"total": 200}
    logs = case.aws.client("logs")
    (entry,) = eventually(lambda: logs.filter_log_events(logGroupName="/aws/events/orders")["events"])
    assert entry["message"] == '"shop"'
    # The same on the default bus meets no rule.
    put(case, {"total": 500})
    assert case.sources.unsupported == []
    assert case.left("Plain") == 0


def test_entries_that_are_refused(start: Start) -> None:
    case = start({})
    client = case.aws.client("events")
    bad = [
        {"Source": "shop", "DetailType": "Order", "Detail": "{"},
        {"Source": "shop", "DetailType": "Order"},
    ]
    done = client.put_events(Entries=bad)
    assert done["FailedEntryCount"] == 2
    assert [each["ErrorCode"] for each in done["Entries"]] == ["MalformedDetail", "InvalidArgument"]
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_events(Entries=bad * 6)


def test_a_target_that_throttles_is_tried_again_until_it_takes_the_event(start: Start) -> None:
    clock = FakeClock()
    case = start(
        {"Plain": QUEUE, "Rule": orders({"Arn": arn("Plain"), "InputPath": "$.detail"})}, clock=clock
    )
    # boto3 itself tries five times in all.
    case.aws.faults.throttle("sqs:SendMessage", count=5)
    put(case, {"total": 200})
    case.due(1)
    assert case.left("Plain") == 0
    clock.advance(1)
    assert case.bodies("Plain") == [{"total": 200}]


def test_a_dead_letter_tells_why(start: Start) -> None:
    clock = FakeClock()
    gone = {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:gone"}
    dead = {"DeadLetterConfig": {"Arn": arn("Dead")}}
    once = {"RetryPolicy": {"MaximumRetryAttempts": 1}}
    case = start(
        {"Dead": QUEUE, "Plain": QUEUE, "Rule": orders({"Arn": gone, **dead}), "Topic": {"Type": "AWS::SNS::Topic"},
         "Late": rule({"Arn": {"Ref": "Topic"}, **dead, **once}, EventPattern={"source": ["late"]})},
        clock=clock,
    )  # fmt: skip
    put(case, {"total": 200})
    (letter,) = case.messages("Dead")
    found = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert found["RULE_ARN"] == case.arn("Rule")
    assert found["TARGET_ARN"].endswith(":gone")
    assert found["RETRY_ATTEMPTS"] == "0"
    assert "NonExistentQueue" in found["ERROR_CODE"]
    assert json.loads(letter["Body"])["detail"] == {"total": 200}
    case.aws.faults.throttle("sns:Publish")
    put(case, {}, Source="late")
    case.due(1)
    clock.advance(1)
    (letter,) = case.messages("Dead")
    found = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert found["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert found["RETRY_ATTEMPTS"] == "1"


def test_schedules(start: Start) -> None:
    clock = FakeClock(1_767_225_610.0)  # 2026-01-01T00:00:10Z
    target = {"Arn": arn("Plain"), "Input": '{"by": "schedule"}', "RoleArn": arn("Role")}
    once = {
        "ScheduleExpression": "at(2026-01-01T01:02:00)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    case = start(
        {
            "Reporter": function(),
            "Plain": QUEUE,
            "Rule": rule({"Arn": arn("Reporter")}, ScheduleExpression="cron(1 0 * * ? *)"),
            "Often": rule(
                {"Arn": arn("Plain"), "Input": '{"by": "rate"}'}, ScheduleExpression="rate(1 minute)"
            ),
            "Never": rule({"Arn": arn("Plain")}, ScheduleExpression="rate(1 minute)", State="DISABLED"),
            "Once": {"Type": "AWS::Scheduler::Schedule", "Properties": once},
        },
        clock=clock,
    )
    case.due(50)
    clock.advance(50)
    (event,) = case.seen()
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T00:01:00Z",
        "region": "us-east-1",
        "resources": [case.arn("Rule")],
        "detail": {},
    }
    case.due(60)
    clock.advance(60)
    assert sorted(each["by"] for each in case.bodies("Plain", 2)) == ["rate", "schedule"]
    case.due(60)
    clock.advance(60)
    assert case.bodies("Plain") == [{"by": "rate"}]
    assert case.left("Plain") + case.left("Seen") == 0


def test_what_cannot_be_carried_out_is_named(start: Start) -> None:
    cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/c"
    case = start(
        {
            "Rule": rule({"Arn": cluster, "RoleArn": arn("Role")}, EventPattern={"source": [{"regex": "x"}]}),
            "Bad": rule({"Arn": arn("Seen")}, ScheduleExpression="cron(0 10 * * * *)"),
        }
    )
    assert case.sources.unsupported == [
        "Rule: EventPattern: source: {'regex': 'x'} is no rule: operator regex is not known here",
        "Bad: ScheduleExpression: 'cron(0 10 * * * *)': one of day-of-month and day-of-week has to be ?",
        f"Rule: target {cluster}",
    ]
