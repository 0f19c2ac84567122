"""The machine that sees the task of one instance through and completes the lifecycle action."""

from __future__ import annotations

from . import states as s
from .config import BackupConfig, Timing
from .states import State, States

# Looks that a cancelled command gets to end before the machine goes on without it.
_GRACE = 4
_DELIVERY_SECONDS = 120
_UNREACHABLE_SECONDS = 300
# More tries to complete an action, after one, two, four seconds and so on, a minute together: nothing else is left.
_COMPLETIONS = 6
_ENDED = ("Cancelled", "Failed", "TimedOut")
_GOOD = ("complete", "partial", "skipped")
_ACTION = {
    "AutoScalingGroupName.$": "$.detail.AutoScalingGroupName",
    "LifecycleActionToken.$": "$.detail.LifecycleActionToken",
    "LifecycleHookName.$": "$.detail.LifecycleHookName",
}


def backup(config: BackupConfig) -> State:
    """From one lifecycle action to its completion, which every path reaches unless the action has ended by itself."""
    timing = config.timing
    states: States = {
        "Prepare": _prepare(timing),
        "Route": s.choice(_warm_pool(config), "Beat"),
        **_heartbeat(config),
        **_command(timing),
        **_attempts(timing),
        **_outcomes(config),
        **(_park(timing) if config.on_failure == "park" else {}),
        **_completion(),
    }
    seconds = 2 * 60 * (timing.deadline_minutes + timing.park_minutes) + 3600
    return s.machine("Prepare", states, seconds=seconds)


def _prepare(timing: Timing) -> State:
    """Everything that a later state may read, so that no path is missing on any way."""
    return {
        "Type": "Pass",
        "Parameters": {
            "time.$": "$.time",
            "detail.$": "$.detail",
            "left": {"looks": timing.looks, "attempts": timing.attempts, "pulse": 0},
            "command": {"Id": ""},
            "answer": {"Output": "", "Errors": ""},
            "hook": {"State": "not asked"},
        },
        "Next": "Route",
    }


def _warm_pool(config: BackupConfig) -> list[State]:
    """Amazon EC2 Auto Scaling User Guide, "Warm pool example events": an instance on its way to the pool, or from it.

    One that leaves the pool has run the task when it came, unless that is skipped, or has never served.
    """
    way = "Destination" if config.warm_pool == "skip" else "Origin"
    path = f"$.detail.{way}"
    return [s.when({"And": [s.is_present(path), s.is_text(path, "WarmPool")]}, "Skipped")]


def _heartbeat(config: BackupConfig) -> States:
    """A heartbeat, and what to do when it is refused: an instance that waits no longer needs nothing any more.

    Where nobody says whether it waits, the machine goes on as if it did.
    """
    timing = config.timing
    every = max(1, timing.pulse_seconds // timing.poll_seconds)
    parked, ended = (
        [s.when(s.is_present("$.parked"), following)] if config.on_failure == "park" else []
        for following in ("ParkedWait", "Complete")
    )
    return {
        "Beat": s.task(
            "aws-sdk:autoscaling:recordLifecycleActionHeartbeat",
            dict(_ACTION),
            "Beaten",
            catch=[s.catch("Look", keep="$.error")],
        ),
        "Beaten": {"Type": "Pass", "Result": every, "ResultPath": "$.left.pulse", "Next": "Sent"},
        "Sent": s.choice([*parked, s.when(s.is_text("$.command.Id", ""), "Send")], "Wait"),
        "Look": s.task(
            "aws-sdk:autoscaling:describeAutoScalingInstances",
            {"InstanceIds.$": "States.Array($.detail.EC2InstanceId)"},
            "StillWaiting",
            keep="$.look",
            select={"States.$": "States.JsonToString($.AutoScalingInstances[*].LifecycleState)"},
            catch=[s.catch("Beaten")],
        ),
        # In a warm pool the state is Warmed:Terminating:Wait.
        "StillWaiting": s.choice(
            [s.when(s.is_like("$.look.States", "*Terminating:Wait*"), "Beaten"), *ended], "Gone"
        ),
    }


def _command(timing: Timing) -> States:
    """Send the command and follow it to its real end.

    Systems Manager User Guide, "Understanding command statuses". GetCommandInvocation may not know a command yet.
    A heartbeat has gone before; what this takes longer than its looks has to fit into the other half of the time.
    """
    patience = min(_UNREACHABLE_SECONDS, timing.spare_seconds)
    every = min(timing.poll_seconds, patience)
    patient = s.AGAIN | {"IntervalSeconds": every, "MaxAttempts": patience // every, "BackoffRate": 1}
    parameters = {
        "Group.$": "States.Array($.detail.AutoScalingGroupName)",
        "Token.$": "States.Array($.detail.LifecycleActionToken)",
        "EventTime.$": "States.Array($.time)",
    }
    invocation = {"CommandId.$": "$.command.Id", "InstanceId.$": "$.detail.EC2InstanceId"}
    instances = {"InstanceIds.$": "States.Array($.detail.EC2InstanceId)"}
    return {
        "Send": s.task(
            "aws-sdk:ssm:sendCommand",
            {"DocumentName": "${Document}", "TimeoutSeconds": _DELIVERY_SECONDS, "Parameters": parameters}
            | instances,
            "Wait",
            keep="$.command",
            select={"Id.$": "$.Command.CommandId"},
            retry=[patient],
            catch=[s.catch("WhyNotSent", keep="$.error")],
        ),
        "WhyNotSent": s.choice(
            [s.when(s.is_like("$.error.Error", "*InvalidInstanceId*"), "Unreachable")], "NotSent"
        ),
        "Wait": {"Type": "Wait", "Seconds": timing.poll_seconds, "Next": "Ask"},
        "Ask": s.task(
            "aws-sdk:ssm:getCommandInvocation",
            invocation,
            "Judge",
            keep="$.answer",
            select={
                "Status.$": "$.Status",
                "Details.$": "$.StatusDetails",
                "Code.$": "$.ResponseCode",
                "Output.$": "$.StandardOutputContent",
                "Errors.$": "$.StandardErrorContent",
            },
            catch=[s.catch("Unanswered", keep="$.error")],
        ),
        # Four tries take several seconds more than a look should, so that the next heartbeat is due.
        "Unanswered": {"Type": "Pass", "Result": 0, "ResultPath": "$.left.pulse", "Next": "Tick"},
        "Judge": s.choice(
            [
                s.when(
                    {
                        "And": [
                            s.is_text("$.answer.Status", "Success"),
                            s.is_like("$.answer.Output", '*"outcome": "partial"*'),
                        ]
                    },
                    "Partial",
                ),
                s.when(s.is_text("$.answer.Status", "Success"), "Succeeded"),
                s.when({"Or": [s.is_text("$.answer.Status", each) for each in _ENDED]}, "AttemptFailed"),
            ],
            "Tick",
        ),
        "Tick": {
            "Type": "Pass",
            "Parameters": {
                "looks.$": "States.MathAdd($.left.looks, -1)",
                "pulse.$": "States.MathAdd($.left.pulse, -1)",
                "attempts.$": "$.left.attempts",
            },
            "ResultPath": "$.left",
            "Next": "Due",
        },
        "Due": s.choice(
            [
                s.when({"Variable": "$.left.looks", "NumericLessThan": -_GRACE}, "Overdue"),
                s.when({"Variable": "$.left.looks", "NumericEquals": 0}, "Cancel"),
                s.when({"Variable": "$.left.pulse", "NumericLessThanEquals": 0}, "Beat"),
            ],
            "Wait",
        ),
        "Cancel": s.task(
            "aws-sdk:ssm:cancelCommand",
            {"CommandId.$": "$.command.Id"} | instances,
            "Wait",
            catch=[s.catch("Wait", keep="$.error")],
        ),
    }


def _attempts(timing: Timing) -> States:
    """Another attempt, as long as there are any and there is time."""
    return {
        "AttemptFailed": s.choice(
            [
                s.when({"Variable": "$.left.looks", "NumericLessThanEquals": 0}, "Overdue"),
                s.when({"Variable": "$.left.attempts", "NumericLessThanEquals": 1}, "Failed"),
            ],
            "Pause",
        ),
        "Pause": {
            "Type": "Wait",
            "Seconds": min(4 * timing.poll_seconds, timing.spare_seconds),
            "Next": "Again",
        },
        "Again": {
            "Type": "Pass",
            "Parameters": {
                "looks.$": "$.left.looks",
                "pulse": 0,
                "attempts.$": "States.MathAdd($.left.attempts, -1)",
            },
            "ResultPath": "$.left",
            "Next": "Forget",
        },
        "Forget": {"Type": "Pass", "Result": {"Id": ""}, "ResultPath": "$.command", "Next": "Beat"},
    }


def _outcomes(config: BackupConfig) -> States:
    """How it ended, in one word and one sentence, and what Auto Scaling is told."""
    after = "TellParked" if config.on_failure == "park" else "Complete"
    bad = "CONTINUE" if config.on_failure == "continue" else "ABANDON"
    ended = "States.Format('The command ended as {} with exit code {}.', $.answer.Details, $.answer.Code)"
    failures = {
        "Failed": ("failed", ended),
        "Overdue": ("deadline", "Not done at the deadline; cancelled."),
        "Unreachable": ("unreachable", "Systems Manager cannot reach the instance."),
        "NotSent": ("failed", "States.Format('The command was refused: {}', $.error.Cause)"),
    }
    return {
        "Succeeded": _outcome("complete", "The task is done.", "CONTINUE", "Complete"),
        "Partial": _outcome(
            "partial", "The backup is there; some files could not be read.", "CONTINUE", "Complete"
        ),
        "Skipped": _outcome(
            "skipped",
            "On its way to a warm pool or out of it.",
            "CONTINUE",
            "Complete",
        ),
        **{name: _outcome(word, why, bad, after) for name, (word, why) in failures.items()},
        "Gone": _outcome(
            "gone", "The instance no longer waited; what was not done by then is lost.", bad, "Report"
        ),
    }


def _outcome(word: str, why: str, result: str, following: str) -> State:
    reason = {"reason.$": why} if why.startswith("States.") else {"reason": why}
    return {
        "Type": "Pass",
        "Parameters": {"name": word, "result": result} | reason,
        "ResultPath": "$.outcome",
        "Next": following,
    }


def _park(timing: Timing) -> States:
    """Keep a failed instance for an operator, who may complete the action at any time: then it waits no longer."""
    pulses = -(-timing.park_minutes * 60 // timing.pulse_seconds)
    return {
        "TellParked": _notify(
            "States.Format('ASG backup parked: {}', $.detail.EC2InstanceId)", "$.outcome", "Parked", "Parked"
        ),
        "Parked": {"Type": "Pass", "Result": {"Beats": pulses}, "ResultPath": "$.parked", "Next": "Beat"},
        "ParkedWait": {"Type": "Wait", "Seconds": timing.pulse_seconds, "Next": "ParkedTick"},
        "ParkedTick": {
            "Type": "Pass",
            "Parameters": {"Beats.$": "States.MathAdd($.parked.Beats, -1)"},
            "ResultPath": "$.parked",
            "Next": "ParkedDue",
        },
        "ParkedDue": s.choice(
            [s.when({"Variable": "$.parked.Beats", "NumericLessThanEquals": 0}, "Complete")], "Beat"
        ),
    }


def _completion() -> States:
    """Complete the action, then tell, then end as what happened: the alarm counts executions that fail."""
    report = {
        "outcome.$": "$.outcome.name",
        "reason.$": "$.outcome.reason",
        "instance.$": "$.detail.EC2InstanceId",
        "group.$": "$.detail.AutoScalingGroupName",
        "token.$": "$.detail.LifecycleActionToken",
        "time.$": "$.time",
        "result.$": "$.outcome.result",
        "hook.$": "$.hook.State",
        "command.$": "$.command.Id",
        "output.$": "$.answer.Output",
        "errors.$": "$.answer.Errors",
        "execution.$": "$$.Execution.Id",
    }
    subject = "States.Format('ASG backup {}: {}', $.report.outcome, $.report.instance)"
    completed = {
        "And": [
            s.is_text("$.hook.State", "completed"),
            {"Or": [s.is_text("$.outcome.name", each) for each in _GOOD]},
        ]
    }
    return {
        "Complete": s.task(
            "aws-sdk:autoscaling:completeLifecycleAction",
            _ACTION | {"LifecycleActionResult.$": "$.outcome.result"},
            "Report",
            keep="$.hook",
            select={"State": "completed"},
            retry=[s.AGAIN | {"MaxAttempts": _COMPLETIONS}],
            catch=[s.catch("NotCompleted", keep="$.error")],
        ),
        "NotCompleted": {
            "Type": "Pass",
            "Parameters": {"State.$": "States.Format('not completed: {}', $.error.Cause)"},
            "ResultPath": "$.hook",
            "Next": "Report",
        },
        "Report": {"Type": "Pass", "Parameters": report, "ResultPath": "$.report", "Next": "Notify"},
        "Notify": _notify(subject, "$.report", "End", "NotNotified"),
        "End": s.choice([s.when(completed, "Done")], "Bad"),
        "Done": {"Type": "Succeed"},
        "Bad": s.failed(
            "BackupFailed",
            "See the notification.",
        ),
        "NotNotified": s.failed("NotNotified", "See the state Report."),
    }


def _notify(subject: str, message: str, following: str, otherwise: str) -> State:
    return s.task(
        "aws-sdk:sns:publish",
        {"TopicArn": "${Topic}", "Subject.$": subject, "Message.$": f"States.JsonToString({message})"},
        following,
        catch=[s.catch(otherwise)],
    )
