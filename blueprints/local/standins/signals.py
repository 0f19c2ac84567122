"""cloudformation:SignalResource, which moto lacks: signals to the resources of a stack that wait for them.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html and, for what a
CreationPolicy does, https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-creationpolicy.html
The words of refusals are those in https://github.com/aws-cloudformation/aws-cloudformation-templates/issues/34
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from .answer import AwsError
from .request import Call

_STATUSES = ("SUCCESS", "FAILURE")


@dataclass
class Wait:
    """A resource that is complete after `count` signals of success. `stack` is the stack's ARN or name.

    `state` is CREATE_IN_PROGRESS until then, CREATE_FAILED after the first signal of failure.
    """

    stack: str
    resource: str
    count: int
    state: str = "CREATE_IN_PROGRESS"
    signals: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def is_meant(self, stack: str, resource: str) -> bool:
        """Whether a signal is for this; a stack may be named by its ARN or its name."""
        names = {self.stack, self.stack.split("/")[1] if "/" in self.stack else self.stack}
        return stack in names and resource == self.resource

    def take(self, unique_id: str, status: str) -> None:
        """One signal. A second with the same id is no further one."""
        if any(each["unique_id"] == unique_id for each in self.signals):
            return
        self.signals.append({"unique_id": unique_id, "status": status})
        succeeded = sum(each["status"] == "SUCCESS" for each in self.signals)
        if status == "FAILURE":
            self.state = "CREATE_FAILED"
        elif succeeded >= self.count:
            self.state = "CREATE_COMPLETE"


class Signals:
    """All waits of this server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: list[Wait] = []
        self.operations = {"cloudformation:SignalResource": self.signal_resource}

    def expect(self, stack: str, resource: str, count: int) -> None:
        """A resource begins to wait, anew if it has waited before."""
        with self._lock:
            self._waits = [each for each in self._waits if not each.is_meant(stack, resource)]
            self._waits.append(Wait(stack, resource, count))

    def signal_resource(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """The operation. Refuses what CloudFormation refuses, and a signal to what no longer waits."""
        missing = [
            each for each in ("StackName", "LogicalResourceId", "UniqueId", "Status") if not given.get(each)
        ]
        if missing:
            raise AwsError("ValidationError", f"1 validation error detected: {missing[0]} must not be null")
        if given["Status"] not in _STATUSES:
            raise AwsError("ValidationError", f"Status must be one of {', '.join(_STATUSES)}")
        with self._lock:
            self._waiting(given["StackName"], given["LogicalResourceId"]).take(
                given["UniqueId"], given["Status"]
            )
        return {}

    def _waiting(self, stack: str, resource: str) -> Wait:
        found = next((each for each in self._waits if each.is_meant(stack, resource)), None)
        if found is None:
            raise AwsError("ValidationError", f"Resource {resource} does not exist for stack {stack}")
        states = {each.state for each in self._waits if each.stack == found.stack}
        if "CREATE_IN_PROGRESS" not in states:
            state = "CREATE_FAILED" if "CREATE_FAILED" in states else "CREATE_COMPLETE"
            raise AwsError(
                "ValidationError", f"Stack {found.stack} is in {state} state and cannot be signaled"
            )
        if found.state != "CREATE_IN_PROGRESS":
            raise AwsError(
                "ValidationError", f"Resource {resource} is in {found.state} state and cannot be signaled"
            )
        return found

    def plain(self) -> list[dict[str, Any]]:
        """All waits with their signals."""
        with self._lock:
            return [asdict(each) for each in self._waits]

    def clear(self) -> None:
        """Nothing waits."""
        with self._lock:
            self._waits.clear()
