"""SQS to functions: batches, failures in whole and in part, filters, groups, and the queue's own dead letters."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from blueprints.local.events.batches import reported
from blueprints.local.functions import Invocation
from tests.local.events.harness import Case, Start, arn, eventually, function

# Tells what it got, then fails the messages that ask for it: all of them, or by name.
WORKER = """
import json, os, time
import boto3

def handler(event, context):
    records = event["Records"]
    bodies = [each["body"] for each in records]
    if "slow" in bodies:
        time.sleep(1)
    told = {"bodies": bodies, "first": records[0]}
    sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(told))
    if "fail" in bodies:
        raise ValueError("no")
    failed = [each["messageId"] for each in records if each["body"] == "part"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 1, **properties}}


def mapping(**properties: Any) -> dict[str, Any]:
    given = {"EventSourceArn": arn("Jobs"), "FunctionName": {"Ref": "Worker"}, **properties}
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": given}


def send(case: Case, *bodies: str, groups: tuple[str, ...] = (), **given: Any) -> list[str]:
    """Send at once; the ids of the messages."""
    entries: list[dict[str, Any]] = [
        {"Id": str(number), "MessageBody": body, **given} for number, body in enumerate(bodies)
    ]
    for entry, group in zip(entries, groups, strict=False):
        entry |= {"MessageGroupId": group, "MessageDeduplicationId": f"{entry['Id']}{time.time_ns()}"}
    done = case.aws.client("sqs").send_message_batch(QueueUrl=case.ref("Jobs"), Entries=entries)
    return [each["MessageId"] for each in done["Successful"]]


def is_empty(case: Case, name: str = "Jobs") -> bool:
    return bool(eventually(lambda: case.left(name) == 0))


def test_a_message_reaches_the_function_and_leaves_the_queue(start: Start) -> None:
    case = start({"Worker": function(WORKER), "Jobs": queue(), "Mapping": mapping()})
    attributes = {"colour": {"DataType": "String", "StringValue": "red"}}
    (identifier,) = send(case, "one", MessageAttributes=attributes)
    (told,) = case.seen()
    record = told["first"]
    assert record.pop("receiptHandle")
    assert {
        "SentTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    } <= set(record.pop("attributes"))
    assert record.pop("md5OfMessageAttributes")
    assert record == {
        "messageId": identifier,
        "body": "one",
        "messageAttributes": {
            "colour": {
                "stringValue": "red",
                "dataType": "String",
                "stringListValues": [],
                "binaryListValues": [],
            }
        },
        "md5OfBody": "f97c5d29941bfb1b2fdab0874906ab82",
        "eventSource": "aws:sqs",
        "eventSourceARN": case.arn("Jobs"),
        "awsRegion": "us-east-1",
    }
    assert is_empty(case)
    assert "Mapping" in case.sources.served
    assert list(case.sources.lines()) == ["Mapping → Worker"]


def test_a_batch_gathers_messages_for_its_window(start: Start) -> None:
    settings = mapping(BatchSize=20, MaximumBatchingWindowInSeconds=30)
    case = start({"Worker": function(WORKER), "Jobs": queue(VisibilityTimeout=60), "Mapping": settings})
    send(case, *(f"a{number}" for number in range(10)))
    send(case, *(f"b{number}" for number in range(10)))
    (told,) = case.seen()  # the batch was full long before its window ended
    assert len(told["bodies"]) == 20
    assert is_empty(case)


def test_a_failed_batch_comes_again_and_then_goes_to_the_queues_dead_letters(start: Start) -> None:
    redrive = {"RedrivePolicy": {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 2}}
    case = start(
        {"Worker": function(WORKER), "Dead": queue(), "Jobs": queue(**redrive), "Mapping": mapping()}
    )
    send(case, "fail")
    assert [each["bodies"] for each in case.seen(2)] == [["fail"], ["fail"]]
    assert case.messages("Dead")[0]["Body"] == "fail"
    assert case.left("Seen") == 0


def test_only_messages_that_are_reported_come_again(start: Start) -> None:
    settings = mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
    case = start({"Worker": function(WORKER), "Jobs": queue(), "Mapping": settings})
    send(case, "good", "part", "fine")
    bodies: list[str] = []
    while bodies.count("part") < 2:
        bodies += case.seen()[0]["bodies"]
    assert sorted(bodies) == ["fine", "good", "part", "part"]


def test_without_that_setting_a_report_is_success(start: Start) -> None:
    case = start({"Worker": function(WORKER), "Jobs": queue(), "Mapping": mapping()})
    send(case, "part")
    case.seen()
    assert is_empty(case)
    assert case.left("Seen") == 0


def test_what_a_filter_keeps_out_is_deleted(start: Start) -> None:
    wanted = {"Pattern": json.dumps({"body": {"n": [{"numeric": [">", 1]}]}})}
    case = start(
        {
            "Worker": function(WORKER),
            "Jobs": queue(),
            "Mapping": mapping(FilterCriteria={"Filters": [wanted]}),
        }
    )
    send(case, "text", '{"n": 1}', '{"n": 2}')
    assert case.seen()[0]["bodies"] == ['{"n": 2}']
    assert is_empty(case)
    assert case.left("Seen") == 0


def test_messages_of_a_group_keep_their_order(start: Start) -> None:
    """The second of a group waits for the first, that of another group does not."""
    fifo = queue(FifoQueue=True, VisibilityTimeout=20)
    case = start({"Worker": function(WORKER), "Jobs": fifo, "Mapping": mapping(BatchSize=1)})
    send(case, "slow", "after", "other", groups=("a", "a", "b"))
    order = [each["bodies"][0] for each in case.seen(3)]
    assert sorted(order) == ["after", "other", "slow"]
    assert order.index("slow") < order.index("after")
    assert is_empty(case)


def test_throttled_messages_stay_until_they_are_visible_again(start: Start) -> None:
    case = start(
        {"Worker": function(WORKER, ReservedConcurrentExecutions=0), "Jobs": queue(), "Mapping": mapping()}
    )
    send(case, "one")
    assert eventually(lambda: any("messages stay: Rate Exceeded." in line for line in case.logged))
    assert case.left("Jobs") == 1
    assert case.left("Seen") == 0


def test_sources_that_are_not_polled_are_named(start: Start) -> None:
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    case = start(
        {
            "Worker": function(WORKER),
            "Jobs": queue(),
            "Stream": mapping(EventSourceArn=stream),
            "Filtered": mapping(FilterCriteria={"Filters": [{"Pattern": '{"body": "x"}'}]}),
            "Off": mapping(Enabled=False),
        }
    )
    assert case.sources.unsupported == [
        f"Stream: events of {stream} for {case.ref('Worker')}",
        "Filtered: FilterCriteria: body: neither an object nor an array with values",
    ]
    assert case.sources.served & {"Stream", "Filtered", "Off"} == {"Off"}
    send(case, "one")
    time.sleep(0.3)
    assert case.left("Jobs") == 1


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("null", set[str]()),
        ('""', set[str]()),
        ("{}", set[str]()),
        ('{"batchItemFailures": null}', set[str]()),
        ('{"batchItemFailures": []}', set[str]()),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"item": "a"}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "z"}]}', {"a", "b"}),
        ("{not json", {"a", "b"}),
    ],
)
def test_success_and_failure_of_an_answer(answer: str, failed: set[str]) -> None:
    done = Invocation("id", answer.encode(), None, "success", 1.0, 1, None, 0, False, "")
    assert reported(done, {"a", "b"}) == failed
