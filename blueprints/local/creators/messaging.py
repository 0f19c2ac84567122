"""Queues, topics, buses and rules."""

from __future__ import annotations

import json
from typing import Any

from ..creator import Client, New, creates
from ..resolver import Physical


def _queue(client: Client, physical: Physical) -> Any:
    return client("sqs").get_queue_attributes(QueueUrl=physical.ref, AttributeNames=["QueueArn"])[
        "Attributes"
    ]


@creates("AWS::SQS::Queue", attributes=("Arn", "QueueName", "QueueUrl"), exists=_queue)
def queue(new: New) -> Physical:
    """A queue; all that is not name and tags is an attribute of it."""
    fifo = str(new.properties.get("FifoQueue", "")).lower() == "true"
    name = new.get("QueueName") or new.place.physical_name(new.logical_id, 75) + (".fifo" if fifo else "")
    tags = new.tag_map() or None
    attributes = new.rest()
    if not fifo:
        attributes.pop("FifoQueue", None)  # the API takes no false
    url = new.call("sqs", "create_queue", QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"]
    arn = new.place.arn("sqs", name)
    return Physical(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def _queue_policy(client: Client, physical: Physical) -> Any:
    urls = physical.attributes["Queues"]
    ask = client("sqs").get_queue_attributes
    return all(ask(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes") for url in urls)


@creates("AWS::SQS::QueuePolicy", exists=_queue_policy)
def queue_policy(new: New) -> Physical:
    """One policy on several queues."""
    policy, urls = json.dumps(new.get("PolicyDocument")), new.get("Queues")
    for url in urls:
        new.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})
    return Physical(new.place.physical_name(new.logical_id), {"Queues": urls})


def _topic(client: Client, physical: Physical) -> Any:
    return client("sns").get_topic_attributes(TopicArn=physical.ref)["Attributes"]


@creates("AWS::SNS::Topic", attributes=("TopicArn", "TopicName"), exists=_topic)
def topic(new: New) -> Physical:
    """A topic with the subscriptions that stand in it."""
    fifo = str(new.properties.get("FifoTopic", "")).lower() == "true"
    name = new.get("TopicName") or new.place.physical_name(new.logical_id, 250) + (".fifo" if fifo else "")
    tags, subscriptions = new.tags() or None, new.get("Subscription", [])
    arn = new.call("sns", "create_topic", Name=name, Tags=tags, Attributes=new.rest())["TopicArn"]
    for each in subscriptions:
        new.call("sns", "subscribe", TopicArn=arn, Protocol=each["Protocol"], Endpoint=each["Endpoint"])
    return Physical(arn, {"TopicArn": arn, "TopicName": name})


def _subscription(client: Client, physical: Physical) -> Any:
    return client("sns").get_subscription_attributes(SubscriptionArn=physical.ref)["Attributes"]


@creates("AWS::SNS::Subscription", attributes=("Arn",), exists=_subscription)
def subscription(new: New) -> Physical:
    """A subscription; what is neither topic nor endpoint is an attribute of it."""
    where = new.given("TopicArn", "Protocol", "Endpoint")
    new.get("Region")  # of the topic; there is one region here
    arn = new.call("sns", "subscribe", ReturnSubscriptionArn=True, Attributes=new.rest(), **where)[
        "SubscriptionArn"
    ]
    return Physical(arn, {"Arn": arn})


def _topic_policy(client: Client, physical: Physical) -> Any:
    ask = client("sns").get_topic_attributes
    return all("Policy" in ask(TopicArn=arn)["Attributes"] for arn in physical.attributes["Topics"])


@creates("AWS::SNS::TopicPolicy", exists=_topic_policy)
def topic_policy(new: New) -> Physical:
    """One policy on several topics."""
    policy, topics = json.dumps(new.get("PolicyDocument")), new.get("Topics")
    for arn in topics:
        new.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return Physical(new.place.physical_name(new.logical_id), {"Topics": topics})


def _bus(client: Client, physical: Physical) -> Any:
    return client("events").describe_event_bus(Name=physical.ref)


@creates("AWS::Events::EventBus", attributes=("Arn", "Name"), exists=_bus)
def event_bus(new: New) -> Physical:
    """A bus of events."""
    name = new.name("Name")
    arn = new.call("events", "create_event_bus", Name=name, Tags=new.tags() or None, **new.rest())[
        "EventBusArn"
    ]
    return Physical(name, {"Arn": arn, "Name": name})


def _rule(client: Client, physical: Physical) -> Any:
    bus, _, name = physical.ref.rpartition("|")
    return client("events").describe_rule(Name=name, EventBusName=bus or "default")


@creates("AWS::Events::Rule", attributes=("Arn",), exists=_rule)
def rule(new: New) -> Physical:
    """A rule with its targets. Ref gives its name, after its bus and a bar where that is not the default one."""
    name, bus, targets = new.name("Name", 64), new.get("EventBusName"), new.get("Targets", [])
    settings = new.rest()
    arn = new.call("events", "put_rule", Name=name, EventBusName=bus, **settings)["RuleArn"]
    if targets:
        new.call("events", "put_targets", Rule=name, EventBusName=bus, Targets=targets)
    return Physical(f"{bus}|{name}" if bus and bus != "default" else name, {"Arn": arn})
