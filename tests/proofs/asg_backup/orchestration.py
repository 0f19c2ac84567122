"""A variant of the template in the emulated AWS, and what happens to an instance that its group wants to end."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blueprints.asg_backup import AsgBackup, BackupConfig
from blueprints.local.aws import CallRecord
from blueprints.local.deployment import deploy
from blueprints.local.place import Place
from blueprints.local.stack import Stack

from .conftest import IMAGES, subnets
from .interpreted import Interpreted
from .lifecycle import Action
from .run_command import State

# Thirty seconds of patience are fifteen looks between heartbeats; a minute is sixty looks.
SHORT = {"heartbeat_seconds": 30, "deadline_minutes": 1, "attempts": 2, "poll_seconds": 1, "park_minutes": 1}
COMPLETE, BEAT, SEND = (
    "autoscaling:CompleteLifecycleAction",
    "autoscaling:RecordLifecycleActionHeartbeat",
    "ssm:SendCommand",
)


@dataclass
class Scripted:
    """An agent that says what a test tells it to, its last word for ever."""

    answers: list[State]
    scripts: list[str] = field(default_factory=list[str])
    cancelled: int = 0
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def begin(self, script: str) -> None:
        self.scripts.append(script)

    def look(self) -> State:
        self.goes_on.wait(60)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def cancel(self) -> None:
        self.cancelled += 1
        self.answers = [State("Cancelled")]


@dataclass
class System:
    """One deployed variant of the template."""

    aws: Interpreted
    stack: Stack
    config: BackupConfig
    group: str
    queue: str
    seen: int = 0

    def ref(self, name: str) -> str:
        """What a resource is called."""
        return self.stack.physical[name].ref

    def begin(self, *, instance: str = "") -> Action:
        """Auto Scaling wants to end an instance of the group; the hook holds it."""
        found = self.aws.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.group]
        )
        instance = instance or found["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
        timeout, default = self.config.timing.heartbeat_seconds, "ABANDON"
        self.seen = len(self.aws.calls())
        return self.aws.lifecycle.begin(self.group, "backup", str(uuid.uuid4()), instance, timeout, default)

    def event(self, action: Action, **detail: str) -> dict[str, Any]:
        """Amazon EC2 Auto Scaling User Guide, "EC2 Auto Scaling event reference", scale-in lifecycle action."""
        return {
            "version": "0",
            "id": "12345678-1234-1234-1234-123456789012",
            "detail-type": "EC2 Instance-terminate Lifecycle Action",
            "source": "aws.autoscaling",
            "account": self.aws.account,
            "time": "2026-11-26T04:22:29Z",
            "region": self.aws.region,
            "resources": ["auto-scaling-group-arn"],
            "detail": {
                "LifecycleActionToken": action.token,
                "AutoScalingGroupName": action.group,
                "LifecycleHookName": action.hook,
                "EC2InstanceId": action.instance,
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                "NotificationMetadata": "additional-info",
                "Origin": "AutoScalingGroup",
                "Destination": "EC2",
                **detail,
            },
        }

    def deliver(self, event: dict[str, Any]) -> tuple[str, list[str]]:
        """Hand an event to the intake, as the rule's target: how it ended, and through which states."""
        started = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.ref("IntakeStateMachine"), name=str(uuid.uuid4()), input=json.dumps(event)
        )
        return self.ended(started["executionArn"])

    def ended(self, execution: str) -> tuple[str, list[str]]:
        """Wait for an execution: its status and the states that it went through."""
        client = self.aws.client("stepfunctions")
        tries = 0
        while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            tries += 1
            assert tries < 6000, execution
            threading.Event().wait(0.02)
        history = client.get_paginator("get_execution_history").paginate(executionArn=execution)
        return status, [
            each["stateEnteredEventDetails"]["name"]
            for page in history
            for each in page["events"]
            if "stateEnteredEventDetails" in each
        ]

    def backup(self, action: Action) -> tuple[str, list[str]]:
        """The execution that the intake started for an action, ended."""
        machine = self.ref("StateMachine").replace(":stateMachine:", ":execution:")
        return self.ended(f"{machine}:{action.token}")

    def run(self, *answers: State, **detail: str) -> tuple[Action, Scripted, str]:
        """An event with an agent that answers so, to the end of its backup; the execution's status."""
        action, agent = self.begin(), Scripted(list(answers))
        self.aws.commands.agents[action.instance] = agent
        assert self.deliver(self.event(action, **detail))[0] == "SUCCEEDED"
        return action, agent, self.backup(action)[0]

    def calls(self, *apis: str) -> list[CallRecord]:
        """What the journal has since the action began."""
        return [each for each in self.aws.calls()[self.seen :] if not apis or each.api in apis]

    def completed(self) -> list[str]:
        """The results that Auto Scaling took; whoever completes an action twice has two here."""
        return [
            each.parameters["LifecycleActionResult"] for each in self.calls(COMPLETE) if each.status == 200
        ]

    def told(self) -> list[dict[str, Any]]:
        """What was published since the last time, in its order."""
        sqs = self.aws.client("sqs")
        found: list[dict[str, Any]] = []
        while received := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for each in received:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
                body = json.loads(each["Body"])
                found.append({"subject": body["Subject"], **json.loads(body["Message"])})
        return found


Systems = Callable[..., System]


def systems_of(aws: Interpreted) -> Systems:
    """Makes variants of the template, by their settings; each is deployed once."""
    made: dict[str, System] = {}

    def system(**config: Any) -> System:
        key = json.dumps(config, sort_keys=True)
        if key not in made:
            given = {"group": "new", "timing": SHORT, **config}
            made[key] = deployed(aws, f"backups-{len(made)}", AsgBackup(BackupConfig.model_validate(given)))
        aws.faults.clear()
        aws.clock.pace = 0
        aws.commands.unknown_looks = 0
        made[key].told()
        return made[key]

    return system


def deployed(
    aws: Interpreted, name: str, blueprint: AsgBackup, parameters: Mapping[str, str] | None = None
) -> System:
    """A variant of the template as a stack of this name; its group is its own, or the one that a parameter names."""
    given = parameters or subnets(aws)
    stack = Stack(blueprint.render(), given, Place(name), fetch=IMAGES)
    done = deploy(stack, aws)
    own = done.created.get("AutoScalingGroup")
    # It refuses whatever does not come over TLS, and nothing here does; moto obeys it without reading its condition.
    aws.client("s3").delete_bucket_policy(Bucket=done.created["Bucket"].ref)
    queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{name}"
    aws.client("sns").subscribe(TopicArn=done.created["Topic"].ref, Protocol="sqs", Endpoint=arn)
    return System(aws, stack, blueprint.config, own.ref if own else given["AutoScalingGroupName"], queue)
