"""Asynchronous invocation, on a clock that is moved by hand: attempts, dead letters and destinations."""

from __future__ import annotations

import json
from typing import Any

from tests.local.events.harness import Case, FakeClock, Start, arn, function

QUEUE = {"Type": "AWS::SQS::Queue"}


def event(case: Case, payload: Any) -> str:
    """Invoke by boto3 and take the request id."""
    given = {"FunctionName": case.ref("Reporter"), "InvocationType": "Event", "Payload": json.dumps(payload)}
    done = case.aws.client("lambda").invoke(**given)
    assert done["StatusCode"] == 202
    return done["ResponseMetadata"]["RequestId"]


def config(**given: Any) -> dict[str, Any]:
    properties = {"FunctionName": {"Ref": "Reporter"}, "Qualifier": "$LATEST", **given}
    return {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": properties}


def destinations(**to: dict[str, Any]) -> dict[str, Any]:
    return {"DestinationConfig": {name: {"Destination": each} for name, each in to.items()}}


def test_a_failing_function_is_tried_three_times_then_a_dead_letter_is_left(start: Start) -> None:
    clock = FakeClock()
    dead = {"TargetArn": arn("Dead")}
    case = start({"Reporter": function(DeadLetterConfig=dead), "Dead": QUEUE}, clock=clock)
    identifier = event(case, {"fail": "broken"})
    assert case.seen() == [{"fail": "broken"}]
    case.due(60)
    clock.advance(60)
    assert case.seen() == [{"fail": "broken"}]
    case.due(120)
    assert case.left("Dead") == 0
    clock.advance(120)
    (letter,) = case.messages("Dead")
    assert case.seen() == [{"fail": "broken"}]
    assert json.loads(letter["Body"]) == {"fail": "broken"}
    attributes = {
        name: (each["DataType"], each["StringValue"]) for name, each in letter["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": ("String", identifier),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "broken"),
    }
    assert case.left("Seen") == 0


def test_a_success_is_recorded_at_its_destination(start: Start) -> None:
    case = start(
        {"Reporter": function(), "Done": QUEUE, "Config": config(**destinations(OnSuccess=arn("Done")))}
    )
    identifier = event(case, {"x": 1})
    (record,) = case.bodies("Done")
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": identifier,
            "functionArn": f"{case.arn('Reporter')}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"x": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"seen": {"x": 1}},
    }


def test_a_failure_without_retries_goes_to_a_function(start: Start) -> None:
    settings = config(MaximumRetryAttempts=0, **destinations(OnFailure=arn("Other")))
    case = start({"Reporter": function(), "Other": function(), "Config": settings})
    event(case, {"fail": "broken"})
    first, record = sorted(case.seen(2), key=len)
    assert first == {"fail": "broken"}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "broken"


def test_a_failure_goes_to_a_topic_and_to_a_bus(start: Start) -> None:
    """The bus gets an event, which a rule takes on."""
    subscription = [{"Protocol": "sqs", "Endpoint": arn("Heard")}]
    rule = {"EventPattern": {"source": ["lambda"]}, "Targets": [{"Id": "q", "Arn": arn("Done")}]}
    bus = {"Fn::Sub": "arn:aws:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"}
    case = start(
        {
            "Reporter": function(),
            "Heard": QUEUE,
            "Done": QUEUE,
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": subscription}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
            "Config": config(
                MaximumRetryAttempts=0, **destinations(OnFailure={"Ref": "Topic"}, OnSuccess=bus)
            ),
        }
    )
    event(case, {"fail": "broken"})
    (heard,) = case.bodies("Heard")
    assert json.loads(heard["Message"])["requestPayload"] == {"fail": "broken"}
    event(case, {"x": 1})
    (done,) = case.bodies("Done")
    assert done["detail-type"] == "Lambda Function Invocation Result - Success"
    assert done["detail"]["requestPayload"] == {"x": 1}
    assert done["resources"][0] == f"{case.arn('Reporter')}:$LATEST"


def test_a_throttled_event_waits_longer_each_time_until_it_is_too_old(start: Start) -> None:
    clock = FakeClock()
    settings = config(MaximumEventAgeInSeconds=60, **destinations(OnFailure=arn("Failed")))
    limited = function(ReservedConcurrentExecutions=0, DeadLetterConfig={"TargetArn": arn("Dead")})
    case = start({"Reporter": limited, "Config": settings, "Failed": QUEUE, "Dead": QUEUE}, clock=clock)
    event(case, {"x": 1})
    for seconds in (1, 2, 4, 8, 16):
        case.due(seconds)
        clock.advance(seconds)
    # The next attempt, 32 s later, would be after the 63rd second.
    (record,) = case.bodies("Failed")
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in record
    (letter,) = case.messages("Dead")
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"
    assert case.left("Seen") == 0
