"""The event sources of a stack, wired: what calls its functions besides APIs, from `start` until `close`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..aws import Aws
from ..functions import Function
from ..stack import Stack
from ..standins.notifications import S3, SNS
from . import buckets, patterns, queues
from .agenda import Agenda, Clock, Log
from .asynchronous import Asynchronous, settings
from .buckets import Buckets
from .directory import Directory
from .endpoint import Endpoint
from .invoke import Invoke, RefusedError, Reply
from .outbound import Outbound, Undelivered
from .queues import Mapped, Poller
from .rules import Rules
from .schedules import SCHEDULE, Schedule, Schedules
from .topics import Topics

_PRINCIPAL = "event-sources"  # whose calls the journal tells apart from those of functions
_INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
_RULE = "AWS::Events::Rule"
_SUBSCRIPTION, _TOPIC = "AWS::SNS::Subscription", "AWS::SNS::Topic"


class Sources:
    """Started when made. `log(name, line)` is told what was tried again, given up or cannot be carried out.

    Raises BlueprintError where the template does not resolve.
    """

    def __init__(
        self,
        stack: Stack,
        aws: Aws,
        functions: Mapping[str, Function],
        *,
        log: Log,
        clock: Clock | None = None,
    ) -> None:
        self._stack, self._aws, self._log = stack, aws, log
        self.served: set[str] = set()
        self.unsupported: list[str] = []
        self._pollers: list[Poller] = []
        self._directory = Directory(stack, functions)
        self.agenda = Agenda(clock or Clock(), log)
        self._outbound = Outbound(self._client, self._directory)
        self.asynchronous = Asynchronous(
            settings(stack, self._directory), self.agenda, self._dead_letter, self._record, log
        )
        self._outbound.asynchronous = self.asynchronous
        self.rules = Rules(stack.place, self._client, self._outbound, self.agenda, log)
        self._buckets = Buckets(stack.place, self._outbound, self.rules, self.agenda, log)
        self._topics = Topics(self._outbound, log)
        self._invoke = Invoke(self._directory, self.asynchronous, stack.place.arn("lambda", "function:"))
        self._told: dict[str, Callable[[Mapping[str, Any]], None]] = {
            f"/{S3}": self._buckets.take,
            f"/{SNS}": self._topics.take,
        }
        self._endpoint = Endpoint(self._answer)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing calls the functions any more; invocations in progress go on."""
        for each in self._pollers:
            each.close()
        self._endpoint.close()
        self.agenda.close()

    def lines(self) -> Iterator[str]:
        """What leads to what: `Rule → Function`, by logical ids."""
        names = {self._stack.physical[name].attributes.get("Arn"): name for name in self._stack.physical}
        for name, targets in self._routes():
            for arn in targets:
                yield f"{name} → {names.get(arn) or names.get(_unqualified(arn)) or arn}"

    def _client(self, service: str) -> Any:
        return self._aws.client(service, _PRINCIPAL, read_timeout=120)

    # Start

    def _start(self) -> None:
        url = self._endpoint.url
        forwards = {"lambda:Invoke": url, "events:PutEvents": url}
        if self._stack.resources(buckets.BUCKET):
            forwards[S3] = f"{url}/{S3}"
        if self._stack.resources(_TOPIC):
            forwards[SNS] = f"{url}/{SNS}"
        for api, where in forwards.items():
            self._aws.forward(api, where)
        self.served.update(self._stack.resources(_INVOKE_CONFIG))
        for name in self._stack.resources(buckets.BUCKET):
            if self._stack.get(name, "Properties.NotificationConfiguration", None):
                buckets.configure(self._stack, name, self._client)
        for name in self._stack.resources(queues.MAPPING):
            self._map(name)
        self._look()
        Schedules(self._stack, self.rules, self.agenda, self._log).start()

    def _map(self, name: str) -> None:
        given = self._stack.properties(name)
        to = self._directory.find(str(given["FunctionName"]))
        source = str(given.get("EventSourceArn", ""))
        if ":sqs:" not in source or to is None:
            self.unsupported.append(
                f"{name}: events of {source or 'another source'} for {given['FunctionName']}"
            )
            return
        try:
            mapped = Mapped.of(name, given)
        except ValueError as error:
            self.unsupported.append(f"{name}: FilterCriteria: {error}")
            return
        self.served.add(name)
        if str(given.get("Enabled", True)).lower() == "true":
            self._pollers.append(Poller(mapped, to, self._client, self.agenda.clock, self._log))

    def _look(self) -> None:
        """Name what will not be carried out."""
        for name in self._stack.resources(SCHEDULE):
            given = self._stack.properties(name)
            if self._is_expression(name, given, str(given.get("ScheduleExpressionTimezone", "UTC"))):
                self.served.add(name)
            for each in ("StartDate", "EndDate"):
                if each in given:
                    self.unsupported.append(f"{name}: {each}")
        for name in self._stack.resources(_RULE):
            given = self._stack.properties(name)
            if "ScheduleExpression" in given:
                self._is_expression(name, given, "UTC")
            if "EventPattern" in given:
                try:
                    patterns.check(self._stack.event_pattern(name))
                except ValueError as error:
                    self.unsupported.append(f"{name}: EventPattern: {error}")
        for name, targets in self._routes():
            self.unsupported += [f"{name}: target {arn}" for arn in targets if not self._reaches(arn)]

    def _is_expression(self, name: str, given: Mapping[str, Any], zone: str) -> bool:
        try:
            Schedule(str(given["ScheduleExpression"]), 0.0, zone)
        except (ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
            self.unsupported.append(f"{name}: ScheduleExpression: {error}")
            return False
        return True

    def _reaches(self, arn: str) -> bool:
        if ":lambda:" in arn:
            return self._directory.find(arn) is not None
        return self._outbound.can(arn)

    def _routes(self) -> Iterator[tuple[str, list[str]]]:
        stack = self._stack
        for name in stack.resources(_RULE):
            yield name, [str(each["Arn"]) for each in stack.properties(name).get("Targets", [])]
        for name in stack.resources(SCHEDULE):
            yield name, [str(stack.get(name, "Properties.Target.Arn"))]
        for name in stack.resources(buckets.BUCKET):
            yield name, buckets.targets(stack.get(name, "Properties.NotificationConfiguration", {}))
        for name in stack.resources(_SUBSCRIPTION):
            given = stack.properties(name)
            yield name, [str(given["Endpoint"])] if given["Protocol"] == "lambda" else []
        for name in stack.resources(_TOPIC):
            inline: list[Mapping[str, str]] = stack.get(name, "Properties.Subscription", [])
            yield name, [each["Endpoint"] for each in inline if each["Protocol"] == "lambda"]
        for name in self.served & set(stack.resources(queues.MAPPING)):
            to = self._directory.find(str(stack.get(name, "Properties.FunctionName")))
            yield name, [to.arn] if to else []

    # What comes in by the endpoint

    def _answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if target in self._told:
            self._told[target](json.loads(body))
            return Reply(204)
        if headers.get("x-amz-target") == "AWSEvents.PutEvents":
            return self._put_events(body)
        return self._invoke.answer(target, headers, body)

    def _put_events(self, body: bytes) -> Reply:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
        try:
            return Reply(
                200, json.dumps(self.rules.put(json.loads(body).get("Entries", []))).encode(), headers
            )
        except ValueError as error:
            return RefusedError(
                400, "ValidationException", __type="ValidationException", message=str(error)
            ).reply

    # What Lambda leaves behind

    def _dead_letter(self, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        try:
            self._outbound.send(arn, body, {"Attributes": attributes})
        except Undelivered as lost:
            self._log("events", f"{arn} took no dead letter: {lost}")

    def _record(self, arn: str, record: dict[str, Any]) -> None:
        try:
            self._outbound.record(arn, record)
        except Undelivered as lost:
            self._log("events", f"{arn} took no record: {lost}")


def _unqualified(arn: str) -> str:
    """An ARN of a function without version or alias."""
    return ":".join(arn.split(":")[:7])
