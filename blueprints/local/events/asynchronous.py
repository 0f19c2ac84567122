"""Lambda's asynchronous invocation: events wait in a queue, are tried again, and leave a record in the end.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation" and "Capturing
records of Lambda asynchronous invocations".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from ..functions import FunctionClosed, Invocation, RequestTooLarge, TooManyRequests
from ..stack import Stack
from .agenda import Agenda, Log
from .directory import Directory, Found

# Between the first two attempts and between the second and third, in seconds.
_DELAYS = (60.0, 120.0)
_SLOWEST = 300.0  # between attempts of a throttled event; it begins with one second and doubles
_MAXIMUM_AGE = 21_600.0
_MAXIMUM_RETRIES = 2
_MESSAGE_LIMIT = 1024  # the first KB of an error goes into the dead letter


@dataclass(frozen=True)
class Settings:
    """What AWS::Lambda::EventInvokeConfig and DeadLetterConfig say: ARNs, attempts, seconds."""

    retries: int = _MAXIMUM_RETRIES
    age: float = _MAXIMUM_AGE
    dead_letters: str = ""
    on_success: str = ""
    on_failure: str = ""


@dataclass
class Event:
    """An event on its way. `attempts` counts those that reached the function, `throttled` the others."""

    to: Found
    payload: bytes
    client_context: bytes | None
    accepted: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    throttled: int = 0


Send = Callable[[str, str, Mapping[str, str]], None]
"""`send(arn, body, attributes)` hands a dead letter over; attributes are strings, ErrorCode is a number."""
Record = Callable[[str, dict[str, Any]], None]
"""`record(arn, record)` hands an invocation record to a destination."""


def settings(stack: Stack, directory: Directory) -> dict[str, Settings]:
    """Settings by the logical ids of the functions; those of a qualifier count for all of the function."""
    found: dict[str, Settings] = {}
    for name in stack.resources("AWS::Lambda::Function"):
        found[name] = Settings(dead_letters=str(stack.get(name, "Properties.DeadLetterConfig.TargetArn", "")))
    for config in stack.resources("AWS::Lambda::EventInvokeConfig"):
        given = stack.properties(config)
        to = directory.find(str(given["FunctionName"]))
        if to is not None:
            found[to.name] = _configured(given, found[to.name].dead_letters)
    return found


def _configured(given: Mapping[str, Any], dead_letters: str) -> Settings:
    destinations = given.get("DestinationConfig", {})
    return Settings(
        retries=int(given.get("MaximumRetryAttempts", _MAXIMUM_RETRIES)),
        age=float(given.get("MaximumEventAgeInSeconds", _MAXIMUM_AGE)),
        dead_letters=dead_letters,
        on_success=str(destinations.get("OnSuccess", {}).get("Destination", "")),
        on_failure=str(destinations.get("OnFailure", {}).get("Destination", "")),
    )


class Asynchronous:
    """Takes events for functions and sees to them until they are done or given up."""

    def __init__(
        self, settings: Mapping[str, Settings], agenda: Agenda, send: Send, record: Record, log: Log
    ) -> None:
        self._settings = settings
        self._agenda = agenda
        self._send = send
        self._record = record
        self._log = log

    def accept(self, to: Found, payload: bytes, client_context: bytes | None = None) -> str:
        """Take an event, a JSON document; its request id."""
        event = Event(to, payload, client_context, self._agenda.clock.now())
        self._agenda.put(lambda: self._try(event))
        return event.id

    def _try(self, event: Event) -> None:
        chosen = self._settings.get(event.to.name, Settings())
        if self._agenda.clock.now() - event.accepted > chosen.age:
            self._give_up(event, chosen, "EventAgeExceeded", None)
            return
        try:
            done = event.to.function.invoke(event.payload, client_context=event.client_context)
        except TooManyRequests:
            self._throttled(event, chosen)
            return
        except (FunctionClosed, RequestTooLarge):
            return
        event.attempts += 1
        if done.error is None:
            self._succeed(event, chosen, done)
        elif event.attempts > chosen.retries:
            self._give_up(event, chosen, "RetriesExhausted", done)
        else:
            self._again(event, chosen, _DELAYS[event.attempts - 1], done)

    def _throttled(self, event: Event, chosen: Settings) -> None:
        event.throttled += 1
        self._again(event, chosen, min(2.0 ** (event.throttled - 1), _SLOWEST), None)

    def _again(self, event: Event, chosen: Settings, delay: float, done: Invocation | None) -> None:
        due = self._agenda.clock.now() + delay
        if due - event.accepted > chosen.age:
            self._give_up(event, chosen, "EventAgeExceeded", done)
            return
        why = "throttled" if done is None else "failed"
        self._log(event.to.name, f"asynchronous event {event.id} {why}; again in {delay:g} s")
        self._agenda.put(lambda: self._try(event), due)

    def _succeed(self, event: Event, chosen: Settings, done: Invocation) -> None:
        if chosen.on_success:
            self._record(chosen.on_success, self._report(event, "Success", done))

    def _give_up(self, event: Event, chosen: Settings, why: str, done: Invocation | None) -> None:
        self._log(event.to.name, f"asynchronous event {event.id} given up: {why}")
        if chosen.on_failure:
            self._record(chosen.on_failure, self._report(event, why, done))
        if chosen.dead_letters:
            attributes = {
                "RequestID": event.id,
                "ErrorCode": "200" if done else "429",
                "ErrorMessage": _message(done, why)[:_MESSAGE_LIMIT],
            }
            self._send(chosen.dead_letters, event.payload.decode(), attributes)

    def _report(self, event: Event, why: str, done: Invocation | None) -> dict[str, Any]:
        """The invocation record, version 1.0."""
        now = datetime.fromtimestamp(self._agenda.clock.now(), UTC)
        report: dict[str, Any] = {
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": event.id,
                "functionArn": f"{event.to.arn}:{event.to.qualifier}",
                "condition": why,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.payload),
        }
        if done is not None:
            context = {"statusCode": 200, "executedVersion": "$LATEST"}
            report["responseContext"] = {**context, **({"functionError": done.error} if done.error else {})}
            report["responsePayload"] = json.loads(done.payload)
        return report


def _message(done: Invocation | None, why: str) -> str:
    if done is None:
        return "Rate Exceeded." if why != "RetriesExhausted" else why
    told: Any = json.loads(done.payload)
    return str(cast("dict[str, Any]", told).get("errorMessage", "")) if isinstance(told, dict) else str(told)
