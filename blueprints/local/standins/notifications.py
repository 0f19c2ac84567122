"""Notifications of S3, and of SNS to functions, told to another server instead of carried out in this process.

moto sends them in Python: past every executor of functions, and with records that lack fields. Where
`s3:Notification` or `sns:Notification` is forwarded, that server gets each as JSON by POST and answers nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib import request

S3, SNS = "s3:Notification", "sns:Notification"
_DONE: set[str] = set()


def install(forwards: Mapping[str, str]) -> None:
    """Put in place what `forwards` asks for; it may change later. moto's services are imported only for that."""
    for name, put in ((S3, _s3), (SNS, _sns)):
        if name in forwards and name not in _DONE:
            _DONE.add(name)
            put(forwards)


def _tell(url: str, what: dict[str, Any]) -> None:
    """A notification that cannot be told fails no call: AWS sends them later, too."""
    told = request.Request(url, json.dumps(what).encode(), {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with request.build_opener(request.ProxyHandler({})).open(told, timeout=10):
            pass
    except OSError as error:
        sys.stderr.write(f"a notification was lost: {error}\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# moto (5.2.5) sends these whenever it stores an object; S3 only for calls of the operations themselves.
_SUBRESOURCES = {"s3:ObjectTagging": "tagging", "s3:ObjectAcl": "acl"}


def _is_meant(event: str) -> bool:
    from flask import request as current

    wanted = _SUBRESOURCES.get(event.rpartition(":")[0])
    return wanted is None or not current or wanted in current.args


def _s3(forwards: Mapping[str, str]) -> None:
    from moto.s3 import models, notifications

    def send_event(_: str, event: str, bucket: Any, key: Any) -> None:
        name, chosen = str(getattr(event, "value", event)), bucket.notification_configuration
        if chosen is None or not _is_meant(name):
            return
        found = [
            {"arn": each.arn, "id": each.id}
            for each in (*chosen.cloud_function, *chosen.queue, *chosen.topic)
            if each.matches(name, key.name)
        ]
        if found or chosen.event_bridge is not None:
            happened = {
                "event": name,
                "time": _now(),
                "bucket": bucket.name,
                "region": bucket.region_name,
                "key": key.name,
                "size": getattr(key, "size", 0),
                "etag": getattr(key, "etag", "").strip('"'),
                "version": str(key.version_id) if bucket.is_versioned else "",
                "configurations": found,
                "eventbridge": chosen.event_bridge is not None,
            }
            _tell(forwards[S3], happened)

    notifications.send_event = send_event
    backend: Any = models.S3Backend
    marked = backend._set_delete_marker

    def set_delete_marker(self: Any, bucket_name: str, key_name: str) -> Any:
        """moto (5.2.5) sends nothing when a delete marker is made."""
        marker = marked(self, bucket_name, key_name)
        bucket = self.get_bucket(bucket_name)
        send_event("", "s3:ObjectRemoved:DeleteMarkerCreated", bucket, marker)
        return marker

    backend._set_delete_marker = set_delete_marker


def _sns(forwards: Mapping[str, str]) -> None:
    from moto.sns import models

    subscription: Any = models.Subscription
    published = subscription.publish

    def publish(self: Any, message: str, message_id: str, **given: Any) -> None:
        if self.protocol != "lambda":
            published(self, message, message_id, **given)
            return
        attributes: dict[str, Any] = given.get("message_attributes") or {}
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(attributes, message):
            return
        if given.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        told: dict[str, Any] = {
            "topic": self.topic.arn,
            "subscription": self.arn,
            "endpoint": self.endpoint,
            "id": message_id,
            "message": message,
            "subject": given.get("subject"),
            "time": _now(),
            "attributes": {
                name: {
                    "Type": str(each.get("type") or each.get("Type")),
                    "Value": each.get("value", each.get("Value")),
                }
                for name, each in attributes.items()
            },
        }
        _tell(forwards[SNS], told)

    subscription.publish = publish
