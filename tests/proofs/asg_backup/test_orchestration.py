"""The rendered state machines, from the event to the notification, in moto's interpreter by a clock of the test's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .interpreted import Interpreted
from .orchestration import BEAT, COMPLETE, SEND, Scripted, System, Systems, systems_of
from .run_command import State


@pytest.fixture(scope="module")
def aws() -> Iterator[Interpreted]:
    """The emulated AWS of this module."""
    with Interpreted() as made:
        yield made


@pytest.fixture(scope="module")
def systems(aws: Interpreted) -> Systems:
    """Variants of the template."""
    return systems_of(aws)


def test_a_task_that_succeeds(systems: Systems) -> None:
    system = systems()
    report = '{"outcome": "complete"}'
    action, agent, status = system.run(State("Pending"), State("InProgress"), State("Success", 0, report))
    assert (status, action.result, system.completed()) == ("SUCCEEDED", "CONTINUE", ["CONTINUE"])
    made = [each.operation for each in system.calls() if each.principal == system.ref("StateMachineRole")]
    assert [each for each in made if each != "Publish"][-6:] == [
        "RecordLifecycleActionHeartbeat",
        "SendCommand",
        *["GetCommandInvocation"] * 3,
        "CompleteLifecycleAction",
    ]
    (told,) = system.told()
    assert told["subject"] == f"ASG backup complete: {action.instance}"
    assert (told["outcome"], told["hook"], told["result"]) == ("complete", "completed", "CONTINUE")
    assert (told["token"], told["output"]) == (action.token, report)
    (script,) = agent.scripts
    assert f"export GROUP='{system.group}'" in script
    assert f"export TOKEN='{action.token}'" in script


def test_an_event_that_comes_again_runs_nothing_and_completes_nothing(systems: Systems) -> None:
    """Once while the first runs, and once when all is over."""
    system = systems()
    action, agent = system.begin(), Scripted([State("InProgress"), State("Success", 0)])
    agent.goes_on.clear()
    system.aws.commands.agents[action.instance] = agent
    for _ in range(2):
        assert system.deliver(system.event(action))[0] == "SUCCEEDED"
    agent.goes_on.set()
    system.backup(action)
    later = {**system.event(action), "time": "2026-11-26T05:00:00Z"}
    assert system.deliver(later) == ("SUCCEEDED", ["Kind", "Start", "Duplicate"])
    assert (len(agent.scripts), system.completed(), len(system.told())) == (1, ["CONTINUE"], 1)


def test_events_out_of_order_are_each_an_action_of_their_own(systems: Systems) -> None:
    system = systems()
    older, newer = system.begin(), system.begin()
    system.aws.commands.agents[older.instance] = Scripted([State("Success", 0)])
    for action in (newer, older):
        assert system.deliver(system.event(action))[0] == "SUCCEEDED"
        assert system.backup(action)[0] == "SUCCEEDED"
    assert (newer.result, older.result) == ("CONTINUE", "CONTINUE")


def beats(system: System) -> list[int]:
    """Looks between one heartbeat and the next."""
    letters = {BEAT: "b", "ssm:GetCommandInvocation": "l"}
    made = "".join(letters[each.api] for each in system.calls(*letters))
    return [len(each) for each in made.split("b")[1:]]


def test_heartbeats_come_twice_in_their_time(systems: Systems) -> None:
    """Auto Scaling gives an instance up after thirty seconds without; a look comes every second."""
    system = systems()
    action, _, status = system.run(*[State("InProgress")] * 40, State("Success", 0))
    assert (status, action.result) == ("SUCCEEDED", "CONTINUE")
    assert beats(system) == [15, 15, 11]


def test_the_default_periods_keep_an_instance_waiting(systems: Systems) -> None:
    """Half an hour of patience and a look each quarter of a minute: a heartbeat each quarter of an hour."""
    system = systems(timing={})
    began = system.aws.clock.now
    _, _, status = system.run(*[State("InProgress")] * 70, State("Success", 0))
    assert (status, system.completed()) == ("SUCCEEDED", ["CONTINUE"])
    assert system.aws.clock.now - began == 71 * 15
    assert beats(system) == [60, 11]


def test_a_partial_backup_is_told_as_one(systems: Systems) -> None:
    system = systems()
    output = '{ "format": 1, "outcome": "partial", "absent": ["/nowhere"] }'
    _, _, status = system.run(State("Success", 0, output))
    assert (status, system.completed()) == ("SUCCEEDED", ["CONTINUE"])
    assert system.told()[0]["outcome"] == "partial"


def test_a_task_that_fails_is_tried_again_and_then_told(systems: Systems) -> None:
    """The original completed with CONTINUE, and called a task that was still running a success."""
    system = systems()
    action, agent, status = system.run(State("InProgress"), State("Failed", 1, "", "no room"))
    assert (status, action.result, system.completed()) == ("FAILED", "ABANDON", ["ABANDON"])
    assert len(agent.scripts) == 2
    (told,) = system.told()
    assert (told["outcome"], told["reason"]) == ("failed", "The command ended as Failed with exit code 1.")
    assert told["errors"] == "no room"


def test_an_attempt_that_succeeds_after_a_failed_one_is_a_success(systems: Systems) -> None:
    system = systems()
    _, agent, status = system.run(State("TimedOut"), State("Success", 0))
    assert (status, len(agent.scripts), system.completed()) == ("SUCCEEDED", 2, ["CONTINUE"])
    assert system.told()[0]["outcome"] == "complete"


def test_a_deadline_ends_the_task_and_the_wait(systems: Systems) -> None:
    system = systems(on_failure="continue")
    began = system.aws.clock.now
    action, agent, status = system.run(State("InProgress"))
    assert (status, action.result, system.completed()) == ("FAILED", "CONTINUE", ["CONTINUE"])
    assert (agent.cancelled, system.aws.clock.now - began) == (1, 61)
    assert system.told()[0]["outcome"] == "deadline"


def test_an_agent_that_hangs_past_its_cancellation_holds_nobody_up(systems: Systems) -> None:
    system = systems()
    action, agent = system.begin(), Scripted([State("InProgress")])
    agent.cancel = lambda: None
    system.aws.commands.agents[action.instance] = agent
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed()) == ("FAILED", ["ABANDON"])
    assert system.told()[0]["outcome"] == "deadline"


def test_an_instance_that_cannot_be_reached_holds_nobody_up(systems: Systems) -> None:
    system = systems()
    action = system.begin()
    system.aws.commands.agents.pop(action.instance, None)
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed()) == ("FAILED", ["ABANDON"])
    assert len(system.calls(SEND)) > 1
    assert system.told()[0]["outcome"] == "unreachable"


def test_a_command_that_is_refused_is_told_with_the_reason(systems: Systems) -> None:
    system = systems()
    system.aws.commands.agents[system.begin().instance] = Scripted([State("Success", 0)])
    system.aws.faults.error(SEND, "InvalidDocument", message="Document does not exist.")
    action, _, status = system.run(State("Success", 0))
    assert (status, system.completed()) == ("FAILED", ["ABANDON"])
    (told,) = system.told()
    assert (told["outcome"], "Document does not exist." in told["reason"]) == ("failed", True)
    assert action.result == "ABANDON"


def test_a_command_that_is_not_known_yet_is_asked_for_again(systems: Systems) -> None:
    """The original indexed an empty list then, and left the hook alone for an hour."""
    system = systems()
    system.aws.commands.unknown_looks = 9
    _, _, status = system.run(State("Success", 0))
    assert (status, system.completed()) == ("SUCCEEDED", ["CONTINUE"])
    assert system.told()[0]["outcome"] == "complete"


def test_services_that_fail_one_call_in_five_are_asked_again(systems: Systems) -> None:
    system = systems()
    for api in ("ssm:*", "autoscaling:*"):
        system.aws.faults.throttle(api, rate=0.2)
    action, _, status = system.run(*[State("InProgress")] * 45, State("Success", 0))
    assert (status, action.result, system.completed()) == ("SUCCEEDED", "CONTINUE", ["CONTINUE"])
    assert sum(system.aws.faults.injected().values()) >= 3


def test_without_systems_manager_the_instance_goes_on(systems: Systems) -> None:
    system = systems()
    system.aws.faults.unavailable("ssm:*")
    action, _, status = system.run(State("Success", 0))
    assert (status, action.result, system.completed()) == ("FAILED", "ABANDON", ["ABANDON"])
    assert system.told()[0]["outcome"] == "failed"


def test_an_event_that_comes_too_late_runs_nothing(systems: Systems) -> None:
    system = systems()
    action = system.begin()
    system.aws.lifecycle.end(action, "ABANDON")
    agent = system.aws.commands.agents[action.instance] = Scripted([State("Success", 0)])
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed(), agent.scripts) == ("FAILED", [], [])
    (told,) = system.told()
    assert (told["outcome"], told["hook"]) == ("gone", "not asked")


def test_an_instance_that_goes_while_its_task_runs_is_told(systems: Systems) -> None:
    system = systems()
    action, agent = system.begin(), Scripted([State("InProgress")])
    agent.look = lambda: (system.aws.lifecycle.end(action, "ABANDON"), State("InProgress"))[1]
    system.aws.commands.agents[action.instance] = agent
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed()) == ("FAILED", [])
    assert system.told()[0]["outcome"] == "gone"


def test_a_heartbeat_that_fails_ends_nothing_while_the_instance_waits(systems: Systems) -> None:
    system = systems()
    system.aws.faults.error(BEAT, "InternalFailure", status=500, count=4)
    action, _, status = system.run(State("Success", 0))
    assert (status, "StillWaiting" in system.backup(action)[1]) == ("SUCCEEDED", True)
    assert system.completed() == ["CONTINUE"]


def test_an_action_that_somebody_else_completed_is_told(systems: Systems) -> None:
    system = systems()
    action, agent = system.begin(), Scripted([State("Success", 0)])
    agent.look = lambda: (system.aws.lifecycle.end(action, "CONTINUE"), State("Success", 0))[1]
    system.aws.commands.agents[action.instance] = agent
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed()) == ("FAILED", [])
    assert system.told()[0]["hook"].startswith("not completed: No active Lifecycle Action")


def test_an_answer_that_is_lost_completes_nothing_twice(systems: Systems) -> None:
    """The state machine cannot know that it was itself, and raises the alarm; the instance has gone on."""
    system = systems()
    system.aws.faults.lose(COMPLETE, count=1)
    action, _, status = system.run(State("Success", 0))
    assert (status, action.result, system.completed()) == ("FAILED", "CONTINUE", [])
    assert next(each.status for each in system.calls(COMPLETE)) == 0
    (told,) = system.told()
    assert told["outcome"] == "complete"
    assert told["hook"].startswith("not completed: ")


def test_a_completion_that_fails_for_some_seconds_is_tried_again(systems: Systems) -> None:
    system = systems()
    system.aws.faults.error(COMPLETE, "InternalFailure", status=500, count=4)
    action, _, status = system.run(State("Success", 0))
    assert (status, action.result, system.completed()) == ("SUCCEEDED", "CONTINUE", ["CONTINUE"])


def test_a_completion_that_is_refused_is_told_in_the_services_words(systems: Systems) -> None:
    system = systems()
    system.aws.faults.error(COMPLETE, "AccessDenied", status=403, message="not this time")
    action, _, status = system.run(State("Success", 0))
    assert (status, action.result, system.completed()) == ("FAILED", "", [])
    assert system.told()[0]["hook"].startswith("not completed: not this time")


def test_a_command_that_nobody_tells_of_for_longer_than_a_heartbeat_is_followed_all_the_same(
    systems: Systems,
) -> None:
    """Four tries for each look take seven seconds more; ten such looks are more than Auto Scaling's thirty."""
    system = systems()
    system.aws.faults.error("ssm:GetCommandInvocation", "InternalServerError", status=500, count=40)
    began = system.aws.clock.now
    action, _, status = system.run(State("Success", 0))
    assert system.aws.clock.now - began > 60
    assert (status, action.result, system.completed()) == ("SUCCEEDED", "CONTINUE", ["CONTINUE"])


def test_a_topic_that_fails_fails_the_execution_and_not_the_instance(systems: Systems) -> None:
    system = systems()
    system.aws.faults.error("sns:Publish", "AuthorizationError", status=403)
    action, _, status = system.run(State("Success", 0))
    assert (status, action.result, system.completed()) == ("FAILED", "CONTINUE", ["CONTINUE"])
    assert system.backup(action)[1][-1] == "NotNotified"


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
    systems: Systems, setting: str, way: dict[str, str], runs: bool
) -> None:
    system = systems(warm_pool=setting)
    _, agent, status = system.run(State("Success", 0), **way)
    assert (status, system.completed()) == ("SUCCEEDED", ["CONTINUE"])
    assert bool(agent.scripts) is runs
    assert system.told()[0]["outcome"] == ("complete" if runs else "skipped")


def test_a_failed_instance_is_kept_for_an_operator_and_then_let_go(systems: Systems) -> None:
    system = systems(on_failure="park")
    began = system.aws.clock.now
    action, _, status = system.run(State("Failed", 1))
    assert (status, action.result, system.completed()) == ("FAILED", "ABANDON", ["ABANDON"])
    assert system.aws.clock.now - began >= 60
    assert [each["subject"].split(":")[0] for each in system.told()] == [
        "ASG backup parked",
        "ASG backup failed",
    ]


def test_a_parked_instance_outlives_a_heartbeat_that_fails(systems: Systems) -> None:
    system = systems(on_failure="park")
    action, agent = system.begin(), Scripted([State("Failed", 1)])
    system.aws.commands.agents[action.instance] = agent
    look, looks = agent.look, list[State]()

    def failing() -> State:
        looks.append(look())
        if len(looks) == 2:  # the last attempt; what follows is the wait
            system.aws.faults.error(BEAT, "InternalFailure", status=500, count=4)
        return looks[-1]

    agent.look = failing
    began = system.aws.clock.now
    system.deliver(system.event(action))
    assert (system.backup(action)[0], system.completed()) == ("FAILED", ["ABANDON"])
    assert system.aws.clock.now - began >= 60


def test_an_operator_who_ends_the_wait_is_heeded(systems: Systems) -> None:
    system = systems(on_failure="park")
    action, agent = system.begin(), Scripted([State("Failed", 1)])
    system.aws.commands.agents[action.instance] = agent
    system.aws.clock.pace = 0.02
    system.deliver(system.event(action))
    while not (parked := system.told()):
        pass
    assert parked[0]["subject"].startswith("ASG backup parked")
    system.aws.client("autoscaling").complete_lifecycle_action(
        AutoScalingGroupName=action.group,
        LifecycleHookName=action.hook,
        InstanceId=action.instance,
        LifecycleActionResult="CONTINUE",
    )
    assert system.backup(action)[0] == "FAILED"
    assert (action.result, system.completed()) == ("CONTINUE", ["CONTINUE"])
    assert system.told()[0]["hook"].startswith("not completed: No active Lifecycle Action")


def warning(instance: str) -> dict[str, Any]:
    """EC2 User Guide, "Spot Instance interruption notices"."""
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-11-26T04:22:29Z",
        "region": "us-east-2",
        "resources": [f"arn:aws:ec2:us-east-2a:instance/{instance}"],
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    }


def test_a_spot_instance_of_another_group_is_left_alone(systems: Systems) -> None:
    system, other = systems(spot=True), systems()
    states = system.deliver(warning(other.begin().instance))
    assert states == ("SUCCEEDED", ["Kind", "Warned", "FindGroup", "Ours", "Elsewhere"])
    assert system.deliver(warning("i-00000000000000000"))[0] == "SUCCEEDED"
    assert not system.aws.calls("autoscaling:TerminateInstanceInAutoScalingGroup")


def test_a_spot_instance_of_the_group_is_taken_out_at_once(systems: Systems) -> None:
    system = systems(spot=True)
    action = system.begin()
    status, states = system.deliver(warning(action.instance))
    assert (status, states[-1]) == ("SUCCEEDED", "TakeOut")
    (call,) = system.calls("autoscaling:TerminateInstanceInAutoScalingGroup")
    assert call.parameters["InstanceId"] == action.instance


def test_what_is_no_event_of_ours_fails_aloud(systems: Systems) -> None:
    """The original went on without the names that it had not found."""
    system = systems()
    event = system.event(system.begin())
    del event["detail"]["EC2InstanceId"]
    assert system.deliver(event) == ("FAILED", ["Kind", "Unknown"])
    assert system.deliver(warning("i-0123456789abcdef0"))[0] == "FAILED"
    assert not system.calls(SEND, COMPLETE)
