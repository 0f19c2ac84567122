"""What goes to a function of a queue's messages, and what comes back of it.

Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", "Event filtering with Amazon SQS", and "Handling errors
for an SQS event source".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

from ..functions import Invocation
from . import patterns

Message = Mapping[str, Any]
"""A message, as ReceiveMessage gives it."""


def record(message: Message, queue: str) -> dict[str, Any]:
    """A message of a queue, which is given by its ARN, as functions get it."""
    found = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: _attribute(each) for name, each in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": queue.split(":")[3],
    }
    digest = message.get("MD5OfMessageAttributes")
    return {**found, **({"md5OfMessageAttributes": digest} if digest else {})}


def _attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": given["DataType"]}
    if "StringValue" in given:
        value["stringValue"] = given["StringValue"]
    if "BinaryValue" in given:
        value["binaryValue"] = base64.b64encode(given["BinaryValue"]).decode()
    return value


def passes(message: Message, criteria: patterns.Pattern) -> bool:
    """A filter on the body: fields of a JSON object, or texts; what is of the other kind does not pass.

    "Event filtering with Amazon SQS": the body is the only key that is matched, all else passes.
    """
    wanted: Any = criteria.get("body")
    if wanted is None:
        return True
    if not isinstance(wanted, Mapping):
        return patterns.matches({"body": wanted}, {"body": message["Body"]})
    try:
        body: Any = json.loads(message["Body"])
    except ValueError:
        return False
    return isinstance(body, Mapping) and patterns.matches(cast("patterns.Pattern", wanted), body)


def reported(done: Invocation, ids: set[str]) -> set[str]:
    """Ids of the messages that a function with ReportBatchItemFailures says have failed; all for an answer amiss.

    "Implementing partial batch responses", "Success and failure conditions": nothing, null and an empty list are
    success; an answer that is no JSON, and an identifier that is empty, null or misnamed are complete failure.
    """
    try:
        answer: Any = json.loads(done.payload or b"null")
    except ValueError:
        return ids
    if not answer:
        return set()
    if not isinstance(answer, Mapping):
        return ids
    items: Any = cast("Mapping[str, Any]", answer).get("batchItemFailures")
    if not items:
        return set()
    found: set[str] = set()
    for each in items:
        identifier = (
            cast("Mapping[str, Any]", each).get("itemIdentifier") if isinstance(each, Mapping) else None
        )
        if identifier not in ids:
            return ids
        found.add(identifier)
    return found
