"""Auto Scaling's lifecycle actions, which moto lacks: an instance waits, and whoever answers lets it go on.

Sources: EC2 Auto Scaling API Reference, "CompleteLifecycleAction" and "RecordLifecycleActionHeartbeat"; User Guide,
"How lifecycle hooks work": an action that is not answered within its heartbeat time-out ends with the hook's default
result, and none waits for longer than 48 hours or a hundred heartbeats. The words of the refusal are those in
https://github.com/aws/aws-node-termination-handler/issues/354
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from moto.autoscaling.models import autoscaling_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from blueprints.local.standins.answer import AwsError

_LONGEST = 48 * 3600


class Clock(Protocol):
    """Seconds since some beginning."""

    now: float


@dataclass
class Action:
    """One instance that waits. `result` is what it went on with, empty while it waits."""

    group: str
    hook: str
    token: str
    instance: str
    timeout: float
    default: str
    began: float
    beat: float
    result: str = ""


class Lifecycle:
    """All actions of one region."""

    def __init__(self, clock: Clock, region: str) -> None:
        self._clock, self._region = clock, region
        self.actions: list[Action] = []
        self.operations = {
            "autoscaling:RecordLifecycleActionHeartbeat": self.record_heartbeat,
            "autoscaling:CompleteLifecycleAction": self.complete,
        }

    def begin(self, group: str, hook: str, token: str, instance: str, timeout: float, default: str) -> Action:
        """An instance begins to wait for a hook."""
        now = self._clock.now
        self.actions.append(Action(group, hook, token, instance, timeout, default, now, now))
        self._state(self.actions[-1], "Terminating:Wait")
        return self.actions[-1]

    def record_heartbeat(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """It waits for another time-out."""
        self._waiting(given).beat = self._clock.now
        return {}

    def complete(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """It goes on."""
        result = given["LifecycleActionResult"]
        if result not in ("CONTINUE", "ABANDON"):
            raise AwsError("ValidationError", f"Unknown lifecycle action result: {result}")
        self.end(self._waiting(given), result)
        return {}

    def end(self, action: Action, result: str) -> None:
        """It goes on, whoever has said so."""
        action.result = result
        self._state(action, "Terminating:Proceed")

    def _waiting(self, given: dict[str, Any]) -> Action:
        """The action that a call is about, if it waits still."""
        for each in self.actions:
            limit = min(each.beat + each.timeout, each.began + min(_LONGEST, 100 * each.timeout))
            if not each.result and self._clock.now > limit:
                self.end(each, each.default)
        name = given.get("LifecycleActionToken") or given.get("InstanceId")
        for each in self.actions:
            meant = (each.group, each.hook) == (given["AutoScalingGroupName"], given["LifecycleHookName"])
            if meant and name in (each.token, each.instance) and not each.result:
                return each
        raise AwsError("ValidationError", f"No active Lifecycle Action found with token {name}")

    def _state(self, action: Action, state: str) -> None:
        """What DescribeAutoScalingInstances tells."""
        for each in (
            autoscaling_backends[DEFAULT_ACCOUNT_ID][self._region]
            .autoscaling_groups[action.group]
            .instance_states
        ):
            if each.instance.id == action.instance:
                each.lifecycle_state = state
