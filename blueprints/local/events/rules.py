"""EventBridge: events are matched with the rules that exist at that time, and delivered to their targets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..place import Place
from . import patterns
from .agenda import Agenda, Log
from .inputs import Origin, body
from .outbound import Client, Outbound, Undelivered

_REQUIRED = ("Source", "DetailType", "Detail")
_ENTRIES = 10

# EventBridge User Guide, "Event retry policy": 24 hours and 185 times, with exponential back-off. The delays
# themselves are not documented; here they begin with a second, double, and end with five minutes.
_AGE, _ATTEMPTS, _SLOWEST = 86_400.0, 185, 300.0


@dataclass(frozen=True)
class Delivery:
    """One event for one target of one rule. `accepted` is when it came in, `attempts` how often it failed."""

    target: Mapping[str, Any]
    text: str
    rule: str
    accepted: float
    attempts: int = 0

    @property
    def limits(self) -> tuple[float, int]:
        """Seconds and retries after which it is given up."""
        policy = _settings(self.target, "RetryPolicy")
        return (
            float(policy.get("MaximumEventAgeInSeconds", _AGE)),
            int(policy.get("MaximumRetryAttempts", _ATTEMPTS)),
        )


def iso(seconds: float) -> str:
    """A time as events have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Rules:
    """Takes events and sees to their deliveries. Rules and targets are looked up in the emulated AWS each time."""

    def __init__(self, place: Place, client: Client, outbound: Outbound, agenda: Agenda, log: Log) -> None:
        self._place = place
        self._client = client
        self._outbound = outbound
        self._agenda = agenda
        self._log = log

    # Events come in

    def put(self, entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        """PutEvents: the answer of the API. Raises ValueError for a request that it refuses.

        Sources that begin with `aws.` are AWS's own, and refused by it; they are taken here, so that events of
        services that emit none here can be put by hand.
        """
        if not 0 < len(entries) <= _ENTRIES:
            raise ValueError(
                f"1 validation error detected: 'entries' has {len(entries)} members, not 1 to 10"
            )
        done = [self._entry(each) for each in entries]
        return {"FailedEntryCount": sum("ErrorCode" in each for each in done), "Entries": done}

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, str]:
        for name in _REQUIRED:
            if not entry.get(name):
                reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
        try:
            detail: Any = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = self.event(entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [])
        if entry.get("Time"):
            event["time"] = iso(float(entry["Time"]))
        self.publish(event, str(entry.get("EventBusName") or "default").rpartition("/")[2])
        return {"EventId": event["id"]}

    def event(self, source: str, kind: str, detail: Any, resources: list[str]) -> dict[str, Any]:
        """An event of this account and region, now."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": kind,
            "source": source,
            "account": self._place.account,
            "time": iso(self._agenda.clock.now()),
            "region": self._place.region,
            "resources": resources,
            "detail": detail,
        }

    def publish(self, event: Mapping[str, Any], bus: str = "default") -> None:
        """Match an event with the enabled rules of a bus, and deliver it; returns at once."""
        self._agenda.put(lambda: self._match(event, bus))

    def _match(self, event: Mapping[str, Any], bus: str) -> None:
        for rule in self.listed(bus):
            if rule["State"] == "ENABLED" and rule.get("EventPattern"):
                try:
                    found = patterns.matches(json.loads(rule["EventPattern"]), event)
                except (ValueError, TypeError, AttributeError) as error:
                    self._log("events", f"{rule['Name']}: its pattern cannot be carried out here: {error}")
                    continue
                if found:
                    self.deliver(rule, event)

    def listed(self, bus: str = "default") -> Iterator[Mapping[str, Any]]:
        """The rules of a bus that exist now; none for a bus that does not."""
        from botocore.exceptions import ClientError

        try:
            for page in self._client("events").get_paginator("list_rules").paginate(EventBusName=bus):
                yield from page["Rules"]
        except ClientError as error:
            self._log("events", f"bus {bus}: {error}")

    # Events go out

    def deliver(self, rule: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Deliver an event to all targets of a rule."""
        pages = self._client("events").get_paginator("list_targets_by_rule")
        bus = rule.get("EventBusName", "default")
        for page in pages.paginate(Rule=rule["Name"], EventBusName=bus):
            for target in page["Targets"]:
                now = self._agenda.clock.now()
                origin = Origin(rule["Arn"], rule["Name"], iso(now))
                try:
                    text = body(target, event, origin)
                except ValueError as error:
                    self._log("events", f"{rule['Name']} → {target['Arn']}: {error}")
                else:
                    self.hand(Delivery(target, text, rule["Arn"], now))

    def hand(self, delivery: Delivery) -> None:
        """Deliver, again and again if need be; returns at once."""
        self._agenda.put(lambda: self._try(delivery))

    def _try(self, delivery: Delivery) -> None:
        arn = str(delivery.target["Arn"])
        try:
            self._outbound.send(arn, delivery.text, delivery.target)
        except Undelivered as failure:
            age, attempts = delivery.limits
            delay = min(2.0**delivery.attempts, _SLOWEST)
            due = self._agenda.clock.now() + delay
            exhausted = (
                "MaximumRetryAttempts"
                if delivery.attempts >= attempts
                else "MaximumEventAgeInSeconds"
                if due - delivery.accepted > age
                else ""
            )
            if not failure.passing or exhausted:
                self._give_up(delivery, failure, exhausted)
                return
            again = Delivery(
                delivery.target, delivery.text, delivery.rule, delivery.accepted, delivery.attempts + 1
            )
            self._log("events", f"{delivery.rule} → {arn}: {failure}; again in {delay:g} s")
            self._agenda.put(lambda: self._try(again), due)

    def _give_up(self, delivery: Delivery, failure: Undelivered, exhausted: str) -> None:
        """Into the dead-letter queue, with the attributes of "Event retry policy and using dead-letter queues"."""
        arn = str(delivery.target["Arn"])
        self._log("events", f"{delivery.rule} → {arn} given up: {failure}")
        queue = _settings(delivery.target, "DeadLetterConfig").get("Arn")
        if queue:
            attributes = {
                "RULE_ARN": delivery.rule,
                "TARGET_ARN": arn,
                "ERROR_CODE": failure.code,
                "ERROR_MESSAGE": failure.message,
                "RETRY_ATTEMPTS": str(delivery.attempts),
            }
            if exhausted:
                attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
            try:
                self._outbound.send(queue, delivery.text, {"Attributes": attributes})
            except Undelivered as lost:
                self._log("events", f"{queue} took no dead letter: {lost}")


def _settings(target: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A group of settings of a target; none where it has not got that."""
    return target.get(name) or {}
