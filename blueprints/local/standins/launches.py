"""Auto Scaling where EC2 has only so many instances of a type, and autoscaling:DescribeScalingActivities.

moto launches whatever a group asks for, and tells no activities. Here a launch that a type has no instances for becomes
a failed activity, and the group goes on asking for its desired capacity, as on AWS.

Source: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html, API_DescribeScalingActivities.html;
the message: EC2 Auto Scaling User Guide, "Troubleshoot Amazon EC2 Auto Scaling: EC2 instance launch failures".
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from .request import Call

_PAGE = 100
_REFUSAL = (
    "We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone}). Our system"
    " will be working on provisioning additional capacity. Launching EC2 instance failed."
)


class Launches:
    """Instances that EC2 has, by type, and what became of launches since the first limit."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._limits: dict[str, int] = {}
        self._activities: list[dict[str, Any]] = []
        self._installed = False
        self.operations = {"autoscaling:DescribeScalingActivities": self.describe}

    def limit(self, instance_type: str, instances: int) -> None:
        """EC2 has so many instances of a type, those that run included. Groups that lack some try again, by name."""
        with self._lock:
            if not self._installed:
                self._install()
            self._limits[instance_type] = instances
            for each in sorted(_groups(), key=lambda each: each.name):
                each.set_desired_capacity(each.desired_capacity)

    def _install(self) -> None:
        from moto.autoscaling.models import FakeAutoScalingGroup

        groups: Any = FakeAutoScalingGroup
        launch = groups.replace_autoscaling_group_instances

        def limited(group: Any, count: int, tags: dict[str, str]) -> None:
            with self._lock:
                possible = min(count, self._left(group.instance_type, count))
                known = {each.instance.id for each in group.instance_states}
                if possible:
                    launch(group, possible, tags)
                new = [each.instance.id for each in group.instance_states if each.instance.id not in known]
                self._activities += [_launched(group, each) for each in new]
                self._activities += [_refused(group) for _ in range(count - possible)]

        groups.replace_autoscaling_group_instances = limited
        self._installed = True

    def _left(self, instance_type: str, wanted: int) -> int:
        if instance_type not in self._limits:
            return wanted
        running = sum(
            len(each.active_instances()) for each in _groups() if each.instance_type == instance_type
        )
        return max(0, self._limits[instance_type] - running)

    def describe(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """DescribeScalingActivities of one group or of all, the latest first, a page of at most 100."""
        name, first = given.get("AutoScalingGroupName"), int(given.get("NextToken") or 0)
        with self._lock:
            found = [
                each for each in reversed(self._activities) if name in (None, each["AutoScalingGroupName"])
            ]
        last = first + min(int(given.get("MaxRecords") or _PAGE), _PAGE)
        more = {"NextToken": str(last)} if last < len(found) else {}
        return {"Activities": found[first:last], **more}

    def clear(self) -> None:
        """EC2 has all that is asked for."""
        with self._lock:
            self._limits.clear()
            self._activities.clear()


def _groups() -> Iterator[Any]:
    from moto.autoscaling.models import autoscaling_backends

    for account in autoscaling_backends.values():
        for backend in account.values():
            yield from backend.autoscaling_groups.values()


def _launched(group: Any, instance_id: str) -> dict[str, Any]:
    return _activity(group, f"Launching a new EC2 instance: {instance_id}", "Successful")


def _refused(group: Any) -> dict[str, Any]:
    why = _REFUSAL.format(type=group.instance_type, zone=group.availability_zones[0])
    description = f"Launching a new EC2 instance.  Status Reason: {why}"
    return {**_activity(group, description, "Failed"), "StatusMessage": why}


def _activity(group: Any, description: str, status: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Description": description,
        "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} an instance was started in response to a difference between desired and"
        " actual capacity.",
        "StartTime": now,
        "EndTime": now,
        "StatusCode": status,
        "Progress": 100,
    }
