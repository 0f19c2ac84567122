"""S3 notifications: what a bucket's configuration says, and the messages that follow from it.

The server process says what happened to an object and which configurations it matches; see
`standins/notifications.py`. Source: S3 User Guide, "Event message structure" and "Using EventBridge".
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from ..place import Place
from ..stack import Stack
from .agenda import Agenda, Log
from .outbound import Client, Outbound, Undelivered
from .rules import Rules

BUCKET = "AWS::S3::Bucket"

# Kind in the template, its target there, and the two in the API.
_KINDS = (
    ("LambdaConfigurations", "Function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
    ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
)
_DETAIL_TYPES = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl": "Object ACL Updated",
    "ObjectRestore:Post": "Object Restore Initiated",
    "ObjectRestore:Completed": "Object Restore Completed",
}
_REASONS = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject",
            "CompleteMultipartUpload": "CompleteMultipartUpload"}  # fmt: skip


def targets(given: Mapping[str, Any]) -> list[str]:
    """ARNs that a bucket's NotificationConfiguration in a template names."""
    return [str(each[target]) for kind, target, _, _ in _KINDS for each in given.get(kind, [])]


def configure(stack: Stack, name: str, client: Client) -> None:
    """Give a bucket the notifications of its template, as the API has them."""
    given: Mapping[str, Any] = stack.get(name, "Properties.NotificationConfiguration", {})
    found: dict[str, Any] = {
        api: [_configuration(each, target, arn) for each in given.get(kind, [])]
        for kind, target, api, arn in _KINDS
        if given.get(kind)
    }
    if "EventBridgeConfiguration" in given:
        found["EventBridgeConfiguration"] = {}
    bucket = stack.physical[name].ref
    client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)


def _configuration(given: Mapping[str, Any], target: str, arn: str) -> dict[str, Any]:
    """The template has one event in each configuration; the API a list, and names of filters in lower case."""
    rules: list[Mapping[str, str]] = given.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    named = [{"Name": each["Name"].lower(), "Value": each["Value"]} for each in rules]
    found = {arn: given[target], "Events": [given["Event"]]}
    return {**found, **({"Filter": {"Key": {"FilterRules": named}}} if named else {})}


class Buckets:
    """Takes what happened to objects, and sends messages to functions, queues, topics and the default bus."""

    def __init__(self, place: Place, outbound: Outbound, rules: Rules, agenda: Agenda, log: Log) -> None:
        self._place = place
        self._outbound = outbound
        self._rules = rules
        self._agenda = agenda
        self._log = log
        # Sequencers of one key are compared as hexadecimal numbers, the longer one with zeros before the other.
        self._numbers = itertools.count(time.time_ns())

    def take(self, happened: Mapping[str, Any]) -> None:
        """What happened to an object, as the server tells it; returns at once."""
        sequencer = f"{next(self._numbers):018X}"
        for each in happened["configurations"]:
            message = {"Records": [self._record(happened, each["id"], sequencer)]}
            self._agenda.put(lambda arn=each["arn"], message=message: self._send(arn, message))
        if happened["eventbridge"]:
            self._rules.publish(self._event(happened, sequencer))

    def _send(self, arn: str, message: Mapping[str, Any]) -> None:
        try:
            self._outbound.send(arn, json.dumps(message))
        except Undelivered as failure:
            self._log("events", f"S3 notification → {arn}: {failure}")

    def _object(self, happened: Mapping[str, Any], key: str, version: str, sequencer: str) -> dict[str, Any]:
        """What is told of the object; size and tag only while it is there."""
        found: dict[str, Any] = {"key": key}
        if "ObjectRemoved" not in happened["event"]:
            found |= {"size": happened["size"], "eTag": happened["etag"]}
        if happened["version"]:
            found[version] = happened["version"]
        return {**found, "sequencer": sequencer}

    def _record(self, happened: Mapping[str, Any], configuration: str, sequencer: str) -> dict[str, Any]:
        owner = {"principalId": "A3NL1KOZZKExample"}
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": happened["region"],
            "eventTime": happened["time"],
            "eventName": happened["event"].removeprefix("s3:"),
            "userIdentity": {"principalId": f"AWS:{self._place.account}"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": sequencer[-16:], "x-amz-id-2": sequencer},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration,
                "bucket": {
                    "name": happened["bucket"],
                    "ownerIdentity": owner,
                    "arn": f"arn:{self._place.partition}:s3:::{happened['bucket']}",
                },
                "object": self._object(
                    happened, quote_plus(happened["key"], safe="/"), "versionId", sequencer
                ),
            },
        }

    def _event(self, happened: Mapping[str, Any], sequencer: str) -> dict[str, Any]:
        """The event on the default bus; the key is not encoded there."""
        name: str = happened["event"].removeprefix("s3:")
        group, _, action = name.partition(":")
        found = self._object(happened, happened["key"], "version-id", sequencer)
        detail: dict[str, Any] = {
            "version": "0",
            "bucket": {"name": happened["bucket"]},
            "object": {{"eTag": "etag"}.get(key, key): value for key, value in found.items()},
            "request-id": sequencer[-16:],
            "requester": self._place.account,
            "source-ip-address": "127.0.0.1",
        }
        if group == "ObjectCreated":
            detail["reason"] = _REASONS[action]
        if group == "ObjectRemoved":
            marker = action == "DeleteMarkerCreated"
            detail |= {
                "reason": "DeleteObject",
                "deletion-type": "Delete Marker Created" if marker else "Permanently Deleted",
            }
        kind = _DETAIL_TYPES.get(name) or _DETAIL_TYPES[group]
        return self._rules.event(
            "aws.s3", kind, detail, [f"arn:{self._place.partition}:s3:::{happened['bucket']}"]
        )
