"""SNS to functions."""

from __future__ import annotations

import json
from typing import Any

from tests.local.events.harness import Start, arn, function


def test_a_function_gets_what_its_subscription_lets_through(start: Start) -> None:
    subscription = {
        "TopicArn": {"Ref": "Topic"},
        "Protocol": "lambda",
        "Endpoint": arn("Reporter"),
        "FilterPolicy": {"kind": ["order"]},
    }
    case = start(
        {
            "Reporter": function(),
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
        }
    )
    sns = case.aws.client("sns")

    def publish(kind: str, **given: Any) -> str:
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        return sns.publish(TopicArn=case.ref("Topic"), MessageAttributes=attributes, **given)["MessageId"]

    publish("other", Message="no")
    structured = json.dumps({"default": "for all", "lambda": "for functions"})
    identifier = publish("order", Message=structured, MessageStructure="json", Subject="S")
    ((record,),) = (each["Records"] for each in case.seen())
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == case.ref("Subscription")
    message = record["Sns"]
    assert (message["Message"], message["Subject"], message["MessageId"]) == (
        "for functions",
        "S",
        identifier,
    )
    assert (message["TopicArn"], message["Type"]) == (case.ref("Topic"), "Notification")
    assert message["MessageAttributes"] == {"kind": {"Type": "String", "Value": "order"}}
    assert message["Timestamp"].endswith("Z")
