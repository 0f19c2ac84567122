"""What shapes a backup system, fixed when its template is rendered."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..core import Config, ConfigError

# EC2 Auto Scaling API, "LifecycleHook": an instance waits for 48 hours or 100 heartbeats, whichever is shorter.
_LONGEST_WAIT, _MOST_HEARTBEATS = 48 * 60, 100
# Step Functions, "Quotas": 25,000 events in an execution's history; a look at the command takes 13 of them.
_MOST_LOOKS = 1500


class Timing(Config):
    """How long an instance waits, and how often it is looked at."""

    heartbeat_seconds: Annotated[int, Field(ge=30, le=7200)] = 1800
    """Time after which Auto Scaling stops waiting for an instance of which it has heard nothing."""

    deadline_minutes: Annotated[int, Field(ge=1, le=2880)] = 120
    """Time that the task has, all its attempts together."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often the task is tried before it counts as failed."""

    poll_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """Time between two looks at the running task."""

    park_minutes: Annotated[int, Field(ge=1, le=2880)] = 240
    """Time that an instance is kept for an operator, with `on_failure: park` alone."""

    @property
    def looks(self) -> int:
        """Looks at the task until its deadline."""
        return math.ceil(self.deadline_minutes * 60 / self.poll_seconds)

    @property
    def pulse_seconds(self) -> int:
        """Time between two heartbeats: half of what Auto Scaling waits."""
        return self.heartbeat_seconds // 2

    @property
    def spare_seconds(self) -> int:
        """What may pass between two heartbeats beside the looks, with as much left for calls that take long."""
        return self.pulse_seconds // 2

    @model_validator(mode="after")
    def _looks_in_time(self) -> Timing:
        if self.poll_seconds > self.pulse_seconds:
            what = f"got {self.poll_seconds}; write at most {self.pulse_seconds}, half of heartbeat_seconds"
            raise ConfigError("poll_seconds", what)
        if self.looks > _MOST_LOOKS:
            least = math.ceil(self.deadline_minutes * 60 / _MOST_LOOKS)
            raise ConfigError(
                "poll_seconds", f"too short for {self.deadline_minutes} minutes; write {least} or more"
            )
        return self


class BackupConfig(Config):
    """Choices fixed when the template is rendered."""

    group: Literal["new", "existing", "none"]
    """A new Auto Scaling group, the one that AutoScalingGroupName names, or none: a stack to restore with."""

    timing: Timing = Timing()
    """How long an instance waits, and how often it is looked at."""

    on_failure: Literal["abandon", "continue", "park"] = "abandon"
    """What Auto Scaling is told when the task has failed: to skip other hooks, to go on with them, or to wait first."""

    warm_pool: Literal["backup", "skip"] = "backup"
    """Whether an instance that returns to the group's warm pool runs the task, or goes there at once."""

    spot: bool = False
    """Take an instance out of service when EC2 warns that it will be interrupted; a new group then buys Spot."""

    email: bool = False
    """Send what happened to SnsEmail as well."""

    retention_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days after which a backup expires."""

    @model_validator(mode="after")
    def _nothing_to_watch(self) -> BackupConfig:
        others = sorted(self.model_fields_set - {"group"})
        if self.group == "none" and others:
            raise ConfigError(others[0], "a stack to restore with watches no group; remove it")
        return self

    @model_validator(mode="after")
    def _waits_no_longer_than_possible(self) -> BackupConfig:
        timing = self.timing
        parked = timing.park_minutes if self.on_failure == "park" else 0
        most = min(_LONGEST_WAIT, _MOST_HEARTBEATS * timing.heartbeat_seconds // 60)
        if timing.deadline_minutes + parked > most:
            total = timing.deadline_minutes + parked
            limit = "48 hours or 100 heartbeats, whichever is shorter"
            what = f"an instance would wait {total} minutes; Auto Scaling allows {most}, {limit}"
            raise ConfigError("timing", f"{what}; shorten deadline_minutes or park_minutes")
        return self
