"""What the tests of this folder need: stacks with their functions and event sources, and a clock moved by hand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from blueprints.local.aws import Aws
from blueprints.local.deployment import deploy
from blueprints.local.events import Clock, Sources
from blueprints.local.functions import Function
from blueprints.local.specs import specs
from blueprints.local.stack import Stack

# About ten times what any of this takes; it only ends a hang.
DEADLINE = 30.0


def eventually(holds: Callable[[], Any]) -> Any:
    """What is true at last, or whatever it is at the deadline."""
    end = time.monotonic() + DEADLINE
    while not (now := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return now


class FakeClock(Clock):
    """Time stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._waiting: set[threading.Condition] = set()

    def now(self) -> float:
        """The time."""
        with self._lock:
            return self._now

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait until the time is moved, or the condition notified."""
        with self._lock:
            self._waiting.add(condition)
        if until is None or until > self.now():
            condition.wait()

    def advance(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self._now += seconds
            waiting = list(self._waiting)
        for condition in waiting:
            with condition:
                condition.notify_all()


# A function that puts what it gets into the queue SEEN, and does with it what the event says.
REPORTER = """
import json, os
import boto3

def handler(event, context):
    sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(event))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError(event["fail"])
    return {"seen": event}
"""


ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                }
            ],
        }
    },
}


def function(code: str = REPORTER, **properties: Any) -> dict[str, Any]:
    """A function that knows the queue Seen, as a template has it."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Timeout": 30,
            "MemorySize": 512,
            "Role": arn("Role"),
            "Code": {"ZipFile": code},
            "Environment": {"Variables": {"SEEN": {"Ref": "Seen"}}},
            **properties,
        },
    }


def arn(name: str) -> dict[str, Any]:
    """A resource's ARN, in a template."""
    return {"Fn::GetAtt": [name, "Arn"]}


class Case:
    """A stack that runs in the emulated AWS with its event sources; it has a queue, Seen."""

    def __init__(self, aws: Aws, resources: dict[str, Any], clock: Clock | None = None) -> None:
        template = {"Resources": {"Seen": {"Type": "AWS::SQS::Queue"}, "Role": ROLE, **resources}}
        self.aws, self.clock = aws, clock
        self.stack = Stack(json.dumps(template))
        self.logged: list[str] = []
        self.functions: dict[str, Function] = {}
        self.deployment = deploy(self.stack, aws)
        for name, spec in specs(self.stack, None).items():  # type: ignore[arg-type]  # no code beside the template
            self.functions[name] = Function(
                spec, endpoint_url=aws.endpoint, log=self._log, credentials=aws.credentials(name), workers=3
            )
        self.sources = Sources(self.stack, aws, self.functions, log=self._log, clock=clock)

    def _log(self, name: str, line: str) -> None:
        self.logged.append(f"{name}: {line}")

    def close(self) -> None:
        """End it."""
        self.sources.close()
        for each in self.functions.values():
            each.close()

    def ref(self, name: str) -> str:
        """What Ref gives."""
        return self.stack.physical[name].ref

    def arn(self, name: str) -> str:
        """A resource's ARN."""
        return self.stack.physical[name].attributes["Arn"]

    # Queues

    def messages(self, queue: str, count: int = 1) -> list[dict[str, Any]]:
        """The next messages of a queue, which are taken out; fewer only at the deadline."""
        found: list[dict[str, Any]] = []

        def more() -> bool:
            answer = self.aws.client("sqs").receive_message(
                QueueUrl=self.ref(queue),
                MaxNumberOfMessages=count - len(found),
                MessageAttributeNames=["All"],
            )
            for each in answer.get("Messages", []):
                self.aws.client("sqs").delete_message(
                    QueueUrl=self.ref(queue), ReceiptHandle=each["ReceiptHandle"]
                )
                found.append(each)
            return len(found) == count

        eventually(more)
        assert len(found) == count, (found, self.logged)
        return found

    def bodies(self, queue: str, count: int = 1) -> list[Any]:
        """The bodies of the next messages, from JSON."""
        return [json.loads(each["Body"]) for each in self.messages(queue, count)]

    def seen(self, count: int = 1) -> list[Any]:
        """What the functions got since it was last asked."""
        return self.bodies("Seen", count)

    def left(self, queue: str) -> int:
        """How many messages a queue has, seen and unseen."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.ref(queue), AttributeNames=names)
        return sum(int(each) for each in found["Attributes"].values())

    # Time

    def idle(self) -> None:
        """Wait until no job of the agenda runs: what was put has been matched."""
        jobs = [each for each in threading.enumerate() if each.name == "event"]
        assert eventually(lambda: not any(each.is_alive() for each in jobs)), self.logged

    def due(self, seconds: float) -> None:
        """Wait until a job is due in so many seconds of the fake clock."""
        assert self.clock is not None
        moment = self.clock.now() + seconds
        assert eventually(lambda: moment in self.sources.agenda.due), (self.sources.agenda.due, self.logged)


Start = Callable[..., Case]
