"""The rendered state machines, run by moto's interpreter: what is called, in which order, and what is told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import EmptyResult
from moto.ssm.models import SimpleSystemManagerBackend
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)

from blueprints.asg_backup import AsgBackup, BackupConfig
from blueprints.asg_backup.config import Timing

REGION = "us-east-1"
GROUP = "stack-AutoScalingGroup-1abcdef"
TOKEN = "87654321-4321-4321-4321-210987654321"  # noqa: S105 - of a lifecycle action, no secret
INTERPRETED = {"stepfunctions": {"execute_state_machine": True}}


@dataclass
class System:
    """Emulated services with one group of one instance, and what the state machines asked of them."""

    instance: str = ""
    topic: str = ""
    queue: str = ""
    document: str = "document"
    stack: str = "stack"
    calls: list[str] = field(default_factory=list[str])
    answers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    waiting: bool = True
    reachable: bool = True
    refused_beats: int = 0
    machines: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, service: str) -> Any:
        """A client of an emulated service."""
        return cast("Any", boto3).client(service, region_name=REGION)

    def deploy(self, **config: Any) -> None:
        """Create both machines as the template declares them, with short periods."""
        timing = Timing.model_construct(
            heartbeat_seconds=8, deadline_minutes=0.15, attempts=2, poll_seconds=1, park_minutes=0.1
        )
        made = BackupConfig.model_validate({"group": "new", **config}).model_copy(update={"timing": timing})
        template = AsgBackup(made).template()["Resources"]
        for title in ("StateMachine", "IntakeStateMachine"):
            text, values = template[title]["Properties"]["DefinitionString"]["Fn::Sub"]
            text = re.sub(r"(\d)\.0\b", r"\1", text)  # a fraction of a minute makes seconds of another type
            definition = re.sub(
                r"\$\{([\w:]+)\}", lambda found, values=values: self.value(found[1], values), text
            )
            made_machine = self.client("stepfunctions").create_state_machine(
                name=title, definition=definition, roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/role"
            )
            self.machines[title] = made_machine["stateMachineArn"]

    def value(self, name: str, values: dict[str, Any]) -> str:
        """What CloudFormation puts in the place of a name."""
        deployed = {
            "AWS::Partition": "aws",
            "AWS::StackName": self.stack,
            "BackupDocument": self.document,
            "Topic": self.topic,
            "StateMachine": self.machines.get("StateMachine", ""),
        }
        if name not in values:
            return deployed[name]
        value = values[name]
        if "Ref" in value:
            return deployed[value["Ref"]]
        return re.sub(r"\$\{([\w:]+)\}", lambda found: deployed[found[1]], value["Fn::Sub"])

    def deliver(self, event: dict[str, Any]) -> tuple[str, list[str]]:
        """Hand an event to the intake: how it ended, and through which states."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.machines["IntakeStateMachine"],
            name=f"n{time.monotonic_ns()}",
            input=json.dumps(event),
        )
        return self.ended(started["executionArn"])

    def ended(self, execution: str) -> tuple[str, list[str]]:
        """Wait for an execution: its status and the states that it went through."""
        deadline = time.monotonic() + 100
        client = self.client("stepfunctions")
        while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        history = client.get_execution_history(executionArn=execution)["events"]
        return status, [
            each["stateEnteredEventDetails"]["name"] for each in history if "stateEnteredEventDetails" in each
        ]

    def backup(self) -> tuple[str, list[str]]:
        """The one execution that the intake started, ended."""
        (started,) = self.client("stepfunctions").list_executions(
            stateMachineArn=self.machines["StateMachine"]
        )["executions"]
        return self.ended(started["executionArn"])

    def told(self) -> list[dict[str, Any]]:
        """What was published, in its order."""
        received = self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        bodies = [json.loads(each["Body"]) for each in received.get("Messages", [])]
        return [{"subject": each["Subject"], **json.loads(each["Message"])} for each in bodies]

    def event(self, **detail: str) -> dict[str, Any]:
        """Amazon EC2 Auto Scaling User Guide, "EC2 Auto Scaling event reference", scale-in lifecycle action."""
        return {
            "version": "0",
            "id": "12345678-1234-1234-1234-123456789012",
            "detail-type": "EC2 Instance-terminate Lifecycle Action",
            "source": "aws.autoscaling",
            "account": DEFAULT_ACCOUNT_ID,
            "time": "2026-11-26T04:22:29Z",
            "region": REGION,
            "resources": ["auto-scaling-group-arn"],
            "detail": {
                "LifecycleActionToken": TOKEN,
                "AutoScalingGroupName": GROUP,
                "LifecycleHookName": "backup",
                "EC2InstanceId": self.instance,
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                "NotificationMetadata": "additional-info",
                "Origin": "AutoScalingGroup",
                "Destination": "EC2",
                **detail,
            },
        }

    def warning(self) -> dict[str, Any]:
        """EC2 User Guide, "Spot Instance interruption notices"."""
        return {
            "detail-type": "EC2 Spot Instance Interruption Warning",
            "source": "aws.ec2",
            "time": "2026-11-26T04:22:29Z",
            "detail": {"instance-id": self.instance, "instance-action": "terminate"},
        }


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """moto, with what it lacks added to it: two calls of Auto Scaling, and commands that take time."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(config=cast("Any", INTERPRETED)):
        made = System()
        _add_what_moto_lacks(made, monkeypatch)
        _create_group(made)
        yield made


def _create_group(system: System) -> None:
    ec2, scaling = system.client("ec2"), system.client("autoscaling")
    ec2.create_launch_template(
        LaunchTemplateName="launch",
        LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"},
    )
    launch = {"LaunchTemplateName": "launch", "Version": "1"}
    zone = [f"{REGION}a"]
    sizes = {"MinSize": 1, "MaxSize": 1}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchTemplate=launch, AvailabilityZones=zone, **sizes
    )
    (state,) = autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups[GROUP].instance_states
    state.lifecycle_state = "Terminating:Wait"
    system.instance = state.instance.id
    content: dict[str, Any] = {"schemaVersion": "2.2", "description": "-", "parameters": {}, "mainSteps": []}
    system.client("ssm").create_document(
        Name=system.document, DocumentType="Command", DocumentFormat="JSON", Content=json.dumps(content)
    )
    system.topic = system.client("sns").create_topic(Name="topic")["TopicArn"]
    system.queue = system.client("sqs").create_queue(QueueName="queue")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue"
    system.client("sns").subscribe(TopicArn=system.topic, Protocol="sqs", Endpoint=arn)


def _add_what_moto_lacks(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def beat(response: Any) -> Any:
        system.calls.append("beat")
        if system.refused_beats or not system.waiting:
            system.refused_beats = max(0, system.refused_beats - 1)
            raise ValidationError("No active Lifecycle Action found")
        return EmptyResult()

    def complete(response: Any) -> Any:
        parameters = {
            name: response._get_param(name) for name in ("LifecycleActionToken", "LifecycleActionResult")
        }
        system.calls.append(f"complete {parameters['LifecycleActionResult']}")
        if not system.waiting or parameters["LifecycleActionToken"] != TOKEN:
            raise ValidationError("No active Lifecycle Action found")
        system.waiting = False
        return EmptyResult()

    send, look = SimpleSystemManagerBackend.send_command, SimpleSystemManagerBackend.get_command_invocation

    def sent(backend: Any, *given: Any, **named: Any) -> Any:
        system.calls.append("send")
        if not system.reachable:
            raise JsonRESTError("InvalidInstanceId", "Instances not in a valid state for account")
        return send(backend, *given, **named)

    def looked(backend: Any, *given: Any, **named: Any) -> Any:
        found = dict(look(backend, *given, **named))
        status, output = system.answers.pop(0) if len(system.answers) > 1 else system.answers[0]
        system.calls.append(f"look {status}")
        ended = {"Status": status, "StatusDetails": status, "ResponseCode": 0 if status == "Success" else 1}
        return found | ended | {"StandardOutputContent": output, "StandardErrorContent": ""}

    def cancelled(backend: Any) -> str:
        system.calls.append("cancel")
        system.answers = [("Cancelled", "")]
        return "{}"

    normalise: Any = vars(StateTaskServiceSfn)["_normalise_parameters"]

    def lower(task: Any, parameters: dict[str, Any], *given: Any, **named: Any) -> None:
        normalise(task, parameters, *given, **named)
        for name in list(parameters):
            parameters[name[0].lower() + name[1:]] = parameters.pop(name)

    monkeypatch.setattr(AutoScalingResponse, "record_lifecycle_action_heartbeat", beat, raising=False)
    monkeypatch.setattr(AutoScalingResponse, "complete_lifecycle_action", complete, raising=False)
    monkeypatch.setattr(SimpleSystemManagerBackend, "send_command", sent)
    monkeypatch.setattr(SimpleSystemManagerBackend, "get_command_invocation", looked)
    monkeypatch.setattr(
        "moto.ssm.responses.SimpleSystemManagerResponse.cancel_command", cancelled, raising=False
    )
    # Step Functions names parameters in capitals, its own API does not; moto hands them on as they are.
    monkeypatch.setattr(StateTaskServiceSfn, "_normalise_parameters", lower)


def test_a_task_that_succeeds(system: System) -> None:
    system.deploy()
    system.answers = [("Pending", ""), ("InProgress", ""), ("Success", '{"outcome": "complete"}')]
    assert system.deliver(system.event())[0] == "SUCCEEDED"
    assert system.backup()[0] == "SUCCEEDED"
    assert system.calls == [
        "beat",
        "send",
        "look Pending",
        "look InProgress",
        "look Success",
        "complete CONTINUE",
    ]
    (told,) = system.told()
    assert told["subject"] == f"ASG backup complete: {system.instance}"
    assert (told["outcome"], told["hook"], told["result"]) == ("complete", "completed", "CONTINUE")
    assert json.loads(told["output"]) == {"outcome": "complete"}


def test_an_event_that_comes_again_runs_nothing_and_completes_nothing(system: System) -> None:
    system.deploy()
    system.answers = [("InProgress", ""), ("Success", "")]
    for _ in range(2):
        assert system.deliver(system.event())[0] == "SUCCEEDED"
    system.backup()
    late = system.deliver(system.event())
    assert late == ("SUCCEEDED", ["Kind", "Start", "Duplicate"])
    assert [each for each in system.calls if each == "send" or each.startswith("complete")] == [
        "send",
        "complete CONTINUE",
    ]
    assert len(system.told()) == 1


def test_heartbeats_come_twice_in_their_time(system: System) -> None:
    """Eight seconds of patience and a look each second make a heartbeat after every fourth look."""
    system.deploy()
    system.answers = [("InProgress", "")] * 8 + [("Success", "")]
    system.deliver(system.event())
    system.backup()
    between = "".join(
        "b" if each == "beat" else "l" for each in system.calls if each.startswith(("beat", "look"))
    )
    assert [len(each) for each in between.split("b")[1:-1]] == [4, 4]


def test_a_partial_backup_is_told_as_one(system: System) -> None:
    system.deploy()
    system.answers = [("Success", '{ "format": 1, "outcome": "partial", "absent": ["/nowhere"] }')]
    system.deliver(system.event())
    assert system.backup()[0] == "SUCCEEDED"
    assert system.told()[0]["outcome"] == "partial"


def test_a_task_that_fails_is_tried_again_and_then_told(system: System) -> None:
    """The original completed with CONTINUE, and called a task that was still running a success."""
    system.deploy()
    system.answers = [("InProgress", ""), ("Failed", "")]
    system.deliver(system.event())
    assert system.backup()[0] == "FAILED"
    assert system.calls.count("send") == 2
    assert system.calls[-1] == "complete ABANDON"
    (told,) = system.told()
    assert (told["outcome"], told["reason"]) == ("failed", "The command ended as Failed with exit code 1.")


def test_an_attempt_that_succeeds_after_a_failed_one_is_a_success(system: System) -> None:
    system.deploy()
    system.answers = [("TimedOut", ""), ("Success", "")]
    system.deliver(system.event())
    assert system.backup()[0] == "SUCCEEDED"
    assert system.told()[0]["outcome"] == "complete"


def test_a_deadline_ends_the_task_and_the_wait(system: System) -> None:
    system.deploy(on_failure="continue")
    system.answers = [("InProgress", "")]
    system.deliver(system.event())
    assert system.backup()[0] == "FAILED"
    assert system.calls.count("cancel") == 1
    assert system.calls[-1] == "complete CONTINUE"
    assert system.told()[0]["outcome"] == "deadline"


def test_an_instance_that_cannot_be_reached_holds_nobody_up(system: System) -> None:
    system.deploy()
    system.reachable = False
    system.deliver(system.event())
    assert system.backup()[0] == "FAILED"
    assert system.calls.count("send") > 1
    assert system.calls[-1] == "complete ABANDON"
    assert system.told()[0]["outcome"] == "unreachable"


def test_an_event_that_comes_too_late_runs_nothing(system: System) -> None:
    system.deploy()
    system.waiting = False
    group = autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups[GROUP]
    group.instance_states[0].lifecycle_state = "Terminated"
    system.deliver(system.event())
    assert system.backup()[0] == "FAILED"
    assert set(system.calls) == {"beat"}
    (told,) = system.told()
    assert (told["outcome"], told["hook"]) == ("gone", "not asked")


def test_a_heartbeat_that_fails_ends_nothing_while_the_instance_waits(system: System) -> None:
    system.deploy()
    system.refused_beats = 4
    system.answers = [("Success", "")]
    system.deliver(system.event())
    status, states = system.backup()
    assert (status, "StillWaiting" in states) == ("SUCCEEDED", True)


def test_an_action_that_somebody_else_completed_is_told(system: System) -> None:
    system.deploy()
    system.answers = [("Success", "")]
    system.deliver(system.event(LifecycleActionToken="00000000-4321-4321-4321-210987654321"))
    assert system.backup()[0] == "FAILED"
    assert system.told()[0]["hook"] == "over before"


@pytest.mark.parametrize(
    ("setting", "way", "runs"),
    [
        ("backup", {"Destination": "WarmPool"}, True),
        ("backup", {"Origin": "WarmPool"}, False),
        ("skip", {"Destination": "WarmPool"}, False),
        ("skip", {"Origin": "WarmPool"}, True),
    ],
)
def test_the_way_to_a_warm_pool_and_out_of_it(
    system: System, setting: str, way: dict[str, str], runs: bool
) -> None:
    system.deploy(warm_pool=setting)
    system.answers = [("Success", "")]
    system.deliver(system.event(**way))
    assert system.backup()[0] == "SUCCEEDED"
    assert ("send" in system.calls) is runs
    assert system.calls[-1] == "complete CONTINUE"
    assert system.told()[0]["outcome"] == ("complete" if runs else "skipped")


def test_a_failed_instance_is_kept_for_an_operator_and_then_let_go(system: System) -> None:
    system.deploy(on_failure="park")
    system.answers = [("Failed", "")]
    system.deliver(system.event())
    assert system.backup()[0] == "FAILED"
    parked = system.calls[len(system.calls) - 3 :]
    assert parked == ["beat", "beat", "complete ABANDON"]
    assert [each["subject"].split(":")[0] for each in system.told()] == [
        "ASG backup parked",
        "ASG backup failed",
    ]


def test_a_spot_instance_of_the_group_is_taken_out_at_once(system: System) -> None:
    system.deploy(spot=True)
    status, states = system.deliver(system.warning())
    assert (status, states[-1]) == ("SUCCEEDED", "TakeOut")
    group = system.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
    instances = [each["InstanceId"] for each in group["AutoScalingGroups"][0]["Instances"]]
    assert system.instance not in instances


def test_a_spot_instance_of_another_group_is_left_alone(system: System) -> None:
    system.stack = "another"
    system.deploy(spot=True)
    assert system.deliver(system.warning()) == (
        "SUCCEEDED",
        ["Kind", "Warned", "FindGroup", "Ours", "Elsewhere"],
    )


def test_what_is_no_event_of_ours_fails_aloud(system: System) -> None:
    """The original went on without the names that it had not found."""
    system.deploy()
    event = system.event()
    del event["detail"]["EC2InstanceId"]
    assert system.deliver(event) == ("FAILED", ["Kind", "Unknown"])
    assert system.deliver(system.warning())[0] == "FAILED"
