"""SNS to functions: the message that a function gets.

moto filters messages and hands them to queues itself. What it would hand to a function the server process tells
here; see `standins/notifications.py`. Source: Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS
notifications".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .agenda import Log
from .outbound import Outbound, Undelivered


class Topics:
    """Takes messages that were published to topics with functions among their subscribers."""

    def __init__(self, outbound: Outbound, log: Log) -> None:
        self._outbound = outbound
        self._log = log

    def take(self, published: Mapping[str, Any]) -> None:
        """A message for one function, as the server tells it; returns at once."""
        try:
            self._outbound.send(published["endpoint"], json.dumps(_event(published)))
        except Undelivered as failure:
            self._log("events", f"{published['topic']} → {published['endpoint']}: {failure}")


def _event(published: Mapping[str, Any]) -> dict[str, Any]:
    """As documented; nothing is signed here, so the signature is the documentation's word for one."""
    message = {
        "SignatureVersion": "1",
        "Timestamp": published["time"],
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "MessageId": published["id"],
        "Message": published["message"],
        "MessageAttributes": published["attributes"],
        "Type": "Notification",
        "UnsubscribeUrl": "EXAMPLE",
        "TopicArn": published["topic"],
        "Subject": published["subject"],
    }
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": published["subscription"],
        "EventSource": "aws:sns",
        "Sns": message,
    }
    return {"Records": [record]}
