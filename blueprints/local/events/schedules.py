"""Schedules: once a minute, the rules and schedules whose minute it is are carried out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ..stack import Stack
from . import cron
from .agenda import Agenda, Log
from .rules import Delivery, Rules

_MINUTE = 60.0
SCHEDULE = "AWS::Scheduler::Schedule"


@dataclass(frozen=True)
class Schedule:
    """A schedule expression in a zone, from a time on. Raises ValueError for what is none."""

    text: str
    begun: float
    zone: str = "UTC"

    def __post_init__(self) -> None:
        self.is_due(self.begun)

    def is_due(self, minute: float) -> bool:
        """Whether the minute that begins then is one of those meant. A rate counts from its beginning."""
        every = cron.rate(self.text)
        if every is not None:
            turns = int((minute - self.begun) / every)
            return turns >= 1 and int((minute - _MINUTE - self.begun) / every) < turns
        local = datetime.fromtimestamp(minute, UTC).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        once = cron.at(self.text)
        return local == once if once is not None else cron.Cron(self.text).matches(local)


class Schedules:
    """Looks at the rules of the emulated AWS and the stack's own schedules at the begin of every minute."""

    def __init__(self, stack: Stack, rules: Rules, agenda: Agenda, log: Log) -> None:
        self._stack = stack
        self._rules = rules
        self._agenda = agenda
        self._log = log
        self._begun = agenda.clock.now()
        # When a rule was first seen with its expression; a changed one begins anew.
        self._seen: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """From now on."""
        self._next()

    def _next(self) -> None:
        now = self._agenda.clock.now()
        due = now - now % _MINUTE + _MINUTE
        self._agenda.put(lambda: self._tick(due), due)

    def _tick(self, minute: float) -> None:
        self._next()
        for rule in self._rules.listed():
            text = rule.get("ScheduleExpression")
            if text and rule["State"] == "ENABLED" and self._is_due(rule["Arn"], text, "UTC", minute):
                event = self._rules.event("aws.events", "Scheduled Event", {}, [rule["Arn"]])
                self._rules.deliver(rule, event)
        for name in self._stack.resources(SCHEDULE):
            self._scheduled(name, self._stack.properties(name), minute)

    def _is_due(self, arn: str, text: str, zone: str, minute: float) -> bool:
        begun = self._seen.setdefault((arn, text), self._begun if minute - self._begun <= _MINUTE else minute)
        try:
            return Schedule(text, begun, zone).is_due(minute)
        except ValueError as error:
            self._log("events", f"{arn}: {error}")
            return False

    def _scheduled(self, name: str, given: Mapping[str, Any], minute: float) -> None:
        """One schedule of EventBridge Scheduler; without Input it gives an event of its own.

        Scheduler User Guide, "Customizing target delivery": detail of that event is the text {}.
        """
        place = self._stack.place
        called = given.get("Name") or place.physical_name(name, 64)
        arn = place.arn("scheduler", f"schedule/{given.get('GroupName', 'default')}/{called}")
        zone = str(given.get("ScheduleExpressionTimezone", "UTC"))
        if given.get("State", "ENABLED") != "ENABLED":
            return
        if self._is_due(arn, str(given["ScheduleExpression"]), zone, minute):
            target: Mapping[str, Any] = given["Target"]
            event = self._rules.event("aws.scheduler", "Scheduled Event", "{}", [arn])
            text = str(target.get("Input") or json.dumps(event))
            self._rules.hand(Delivery(target, text, arn, self._agenda.clock.now()))
