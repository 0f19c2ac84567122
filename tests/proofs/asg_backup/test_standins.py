"""The stand-ins that these proofs rest on answer as AWS documents it; sources stand in their modules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .interpreted import Interpreted
from .lifecycle import Action
from .orchestration import Scripted, systems_of
from .run_command import State


@pytest.fixture(scope="module")
def aws() -> Iterator[Interpreted]:
    """The emulated AWS of this module, with one group."""
    with Interpreted() as made:
        yield made


@pytest.fixture(scope="module")
def group(aws: Interpreted) -> Any:
    """A deployed stack, for its group."""
    return systems_of(aws)()


@pytest.fixture
def action(group: Any) -> Action:
    """An instance that waits."""
    return group.begin()


def state(aws: Interpreted, action: Action) -> str:
    """What Auto Scaling tells of the instance."""
    ask = aws.client("autoscaling").describe_auto_scaling_instances
    return ask(InstanceIds=[action.instance])["AutoScalingInstances"][0]["LifecycleState"]


def names(action: Action, **more: str) -> dict[str, str]:
    return {"AutoScalingGroupName": action.group, "LifecycleHookName": action.hook, **more}


def test_a_lifecycle_action_ends_once_by_its_token_or_its_instance(aws: Interpreted, action: Action) -> None:
    scaling = aws.client("autoscaling")
    assert state(aws, action) == "Terminating:Wait"
    scaling.record_lifecycle_action_heartbeat(**names(action, LifecycleActionToken=action.token))
    scaling.complete_lifecycle_action(
        **names(action, InstanceId=action.instance, LifecycleActionResult="CONTINUE")
    )
    assert (action.result, state(aws, action)) == ("CONTINUE", "Terminating:Proceed")
    for call, more in (
        (scaling.complete_lifecycle_action, {"LifecycleActionResult": "ABANDON"}),
        (scaling.record_lifecycle_action_heartbeat, {}),
    ):
        with pytest.raises(
            scaling.exceptions.ClientError, match="No active Lifecycle Action found with token"
        ):
            call(**names(action, LifecycleActionToken=action.token, **more))


def test_a_lifecycle_action_without_a_heartbeat_ends_by_itself(aws: Interpreted, action: Action) -> None:
    scaling, call = aws.client("autoscaling"), names(action, LifecycleActionToken=action.token)
    aws.clock.sleep(29)
    scaling.record_lifecycle_action_heartbeat(**call)
    aws.clock.sleep(29)
    scaling.record_lifecycle_action_heartbeat(**call)
    aws.clock.sleep(31)
    with pytest.raises(scaling.exceptions.ClientError, match="ValidationError"):
        scaling.record_lifecycle_action_heartbeat(**call)
    assert action.result == "ABANDON"


def test_no_lifecycle_action_waits_for_longer_than_a_hundred_heartbeats(
    aws: Interpreted, action: Action
) -> None:
    scaling, call = aws.client("autoscaling"), names(action, LifecycleActionToken=action.token)
    for _ in range(119):
        aws.clock.sleep(25)
        scaling.record_lifecycle_action_heartbeat(**call)
    aws.clock.sleep(26)
    with pytest.raises(scaling.exceptions.ClientError, match="ValidationError"):
        scaling.record_lifecycle_action_heartbeat(**call)


def test_a_command_is_refused_followed_and_cancelled(aws: Interpreted, group: Any, action: Action) -> None:
    ssm, document = aws.client("ssm"), group.ref("BackupDocument")
    sent = {"DocumentName": document, "InstanceIds": [action.instance]}
    aws.commands.agents.pop(action.instance, None)
    with pytest.raises(ssm.exceptions.InvalidInstanceId):
        ssm.send_command(**sent)
    agent = aws.commands.agents[action.instance] = Scripted([State("InProgress", output="x" * 30_000)])
    for wrong in ({"Token": ["no blank"]}, {"NoSuch": ["x"]}):
        with pytest.raises(ssm.exceptions.InvalidParameters):
            ssm.send_command(**sent, Parameters=wrong)
    command = ssm.send_command(**sent, Parameters={"Token": ["t1"]})["Command"]["CommandId"]
    assert "export TOKEN='t1'" in agent.scripts[0]
    found = ssm.get_command_invocation(CommandId=command, InstanceId=action.instance)
    assert (found["Status"], len(found["StandardOutputContent"])) == ("InProgress", 24_000)
    ssm.cancel_command(CommandId=command)
    assert ssm.get_command_invocation(CommandId=command, InstanceId=action.instance)["Status"] == "Cancelled"
    for unknown in ({"CommandId": command, "InstanceId": "i-00000000000000000"},
                    {"CommandId": "0" * 36, "InstanceId": action.instance}):  # fmt: skip
        with pytest.raises(ssm.exceptions.InvocationDoesNotExist):
            ssm.get_command_invocation(**unknown)


def test_the_event_patterns_operation_refuses_what_is_none(aws: Interpreted) -> None:
    events = aws.client("events")
    with pytest.raises(events.exceptions.InvalidEventPatternException):
        events.test_event_pattern(EventPattern=json.dumps({"source": "aws.ec2"}), Event=json.dumps(EVENT))
    with pytest.raises(events.exceptions.ClientError, match="no id, account"):
        events.test_event_pattern(EventPattern='{"source": ["a"]}', Event='{"source": "a"}')


EVENT = {
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": list[str](),
    "detail": {"instance-id": "i-abcd1111", "state": "pending"},
}
