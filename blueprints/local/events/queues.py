"""SQS to functions: pollers that hand batches over, as Lambda's event source mappings do.

Source: Lambda Developer Guide, "Using Lambda with Amazon SQS" with its pages on scaling, error handling and filters.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..functions import FunctionClosed, RequestTooLarge, TooManyRequests
from . import patterns
from .agenda import Clock, Log
from .batches import Message, passes, record, reported
from .directory import Found
from .outbound import Client

MAPPING = "AWS::Lambda::EventSourceMapping"

_RECEIVE_LIMIT = 10  # API Reference, "ReceiveMessage"
_LONG_POLL = 20
# "Scaling behavior": up to five concurrent invocations at first. More messages than that start no more here.
_CONCURRENCY = 5
_PAUSE = 0.2  # between short polls of a queue in which groups may be held back


@dataclass(frozen=True)
class Mapped:
    """One mapping: the queue's ARN, and seconds, counts and filters of AWS::Lambda::EventSourceMapping."""

    name: str
    queue: str
    batch: int = 10
    window: float = 0.0
    partial: bool = False
    filters: tuple[patterns.Pattern, ...] = ()
    concurrency: int = _CONCURRENCY

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any]) -> Mapped:
        """From a template's properties. Raises ValueError for a filter that is no pattern."""
        filters = [json.loads(each["Pattern"]) for each in given.get("FilterCriteria", {}).get("Filters", [])]
        for each in filters:
            patterns.check(each)
        scaling: Mapping[str, Any] = given.get("ScalingConfig") or {}
        return cls(
            name,
            str(given["EventSourceArn"]),
            int(given.get("BatchSize", 10)),
            float(given.get("MaximumBatchingWindowInSeconds", 0)),
            "ReportBatchItemFailures" in given.get("FunctionResponseTypes", []),
            tuple(filters),
            int(scaling.get("MaximumConcurrency", _CONCURRENCY)),
        )

    @property
    def fifo(self) -> bool:
        """Whether the queue keeps order within groups."""
        return self.queue.endswith(".fifo")


class Poller:
    """Polls one queue from now until closed. Batches that fail become visible again when the queue says so."""

    def __init__(self, mapped: Mapped, to: Found, client: Client, clock: Clock, log: Log) -> None:
        self._mapped = mapped
        self._to = to
        self._sqs: Any = client("sqs")
        self._clock = clock
        self._log = log
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._running = 0
        self._held_until = 0.0
        self._url = ""
        self._hidden = 30.0
        threading.Thread(target=self._poll, daemon=True, name=f"poll {mapped.name}").start()

    def close(self) -> None:
        """Hand nothing over any more; a poll that waits for messages ends with the server."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()

    # Receiving

    def _poll(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._url = self._sqs.get_queue_url(QueueName=self._mapped.queue.rpartition(":")[2])["QueueUrl"]
            asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["VisibilityTimeout"])
            self._hidden = float(asked["Attributes"]["VisibilityTimeout"])
            while self._has_room():
                self._turn()
        except (BotoCoreError, ClientError) as error:
            if not self._closed.is_set():
                self._log(self._mapped.name, f"polls no more: {error}")

    def _has_room(self) -> bool:
        """Wait for a free slot; false once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or self._running < self._mapped.concurrency)
        return not self._closed.is_set()

    def _turn(self) -> None:
        found = self._wanted(self._receive(self._mapped.batch, self._patience()))
        end = self._clock.now() + self._mapped.window
        while found and len(found) < self._mapped.batch and (left := end - self._clock.now()) > 0:
            more = self._receive(self._mapped.batch - len(found), int(min(left, 1)))
            found += self._wanted(more)
            if not more:
                self._closed.wait(min(_PAUSE, left))
        if not found:
            self._closed.wait(_PAUSE if self._patience() == 0 else 0)
        for batch in self._batches(found):
            with self._changed:
                self._running += 1
            threading.Thread(target=self._hand_over, args=(batch,), daemon=True, name="batch").start()

    def _patience(self) -> int:
        """Seconds to wait for messages. moto (5.2.5) spins where it waits beside a group that is held back."""
        if self._mapped.fifo and (self._running or self._clock.now() < self._held_until):
            return 0
        return _LONG_POLL

    def _receive(self, count: int, wait: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(count, _RECEIVE_LIMIT),
            WaitTimeSeconds=wait,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [] if self._closed.is_set() else answer.get("Messages", [])

    def _batches(self, found: list[Message]) -> list[list[Message]]:
        """One batch of a standard queue. Groups of a FIFO queue are handed over side by side."""
        if not self._mapped.fifo:
            return [found] if found else []
        groups: dict[str, list[Message]] = {}
        for each in found:
            groups.setdefault(each["Attributes"]["MessageGroupId"], []).append(each)
        return list(groups.values())

    def _wanted(self, found: Sequence[Message]) -> list[Message]:
        """What the filters let through; the rest is deleted, as Lambda does."""
        if not self._mapped.filters:
            return list(found)
        kept = [each for each in found if any(passes(each, wanted) for wanted in self._mapped.filters)]
        self._delete([each for each in found if each not in kept])
        return kept

    # Handing over

    def _hand_over(self, batch: list[Message]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            failed = self._failed(batch)
            if failed:
                self._held_until = self._clock.now() + self._hidden
            with suppress(ClientError, BotoCoreError):  # the queue may be gone by now
                self._delete([each for each in batch if each["MessageId"] not in failed])
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _failed(self, batch: list[Message]) -> set[str]:
        """Ids of the messages that stay in the queue."""
        all_of_them = {each["MessageId"] for each in batch}
        event = {"Records": [record(each, self._mapped.queue) for each in batch]}
        try:
            done = self._to.function.invoke(json.dumps(event).encode())
        except (TooManyRequests, FunctionClosed, RequestTooLarge) as refusal:
            self._log(self._mapped.name, f"{len(batch)} messages stay: {refusal or type(refusal).__name__}")
            return all_of_them
        failed = (
            all_of_them if done.error else reported(done, all_of_them) if self._mapped.partial else set[str]()
        )
        if failed:
            self._log(self._mapped.name, f"{len(failed)} of {len(batch)} messages stay: the function failed")
        return failed

    def _delete(self, done: list[Message]) -> None:
        for start in range(0, len(done), _RECEIVE_LIMIT):
            entries = [
                {"Id": str(index), "ReceiptHandle": each["ReceiptHandle"]}
                for index, each in enumerate(done[start : start + _RECEIVE_LIMIT])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
