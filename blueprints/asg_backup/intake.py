"""The machine that takes each event once, and heeds Spot's warnings."""

from __future__ import annotations

from . import states as s
from .config import BackupConfig
from .states import State, States

# What EventBridge calls the two events that matter here.
TERMINATING = "EC2 Instance-terminate Lifecycle Action"
INTERRUPTION = "EC2 Spot Instance Interruption Warning"
_EXISTS = "StepFunctions.ExecutionAlreadyExistsException"


def intake(config: BackupConfig) -> State:
    """Starts one execution for each lifecycle action, however often its event comes, and heeds Spot's warnings.

    Step Functions API, "StartExecution": a name is taken for 90 days; the same name again is the execution that
    runs already, or ExecutionAlreadyExists. EventBridge may deliver an event more than once.
    """
    kinds = [s.when(_lifecycle_event(), "Start")]
    states: States = {
        "Start": s.task(
            "states:startExecution",
            {
                "StateMachineArn": "${StateMachine}",
                "Name.$": "$.detail.LifecycleActionToken",
                "Input": {"time.$": "$.time", "detail.$": "$.detail"},
            },
            None,
            retry=[{"ErrorEquals": [_EXISTS], "MaxAttempts": 0}, dict(s.AGAIN)],
            catch=[
                s.catch("Duplicate", _EXISTS),
                s.catch("NotStarted"),
            ],
        ),
        "Duplicate": {"Type": "Succeed"},
        "NotStarted": s.failed("NotStarted", "The backup could not be started."),
        "Unknown": s.failed("UnknownEvent", "The event is no lifecycle action."),
    }
    if config.spot:
        kinds.append(s.when(s.is_text("$['detail-type']", INTERRUPTION), "Warned"))
        states |= _interruption()
    return s.machine("Kind", {"Kind": s.choice(kinds, "Unknown")} | states, seconds=900)


def _lifecycle_event() -> State:
    """What has everything that the other machine needs of an event."""
    names = ("AutoScalingGroupName", "EC2InstanceId", "LifecycleActionToken", "LifecycleHookName")
    paths = ["$.time", *(f"$.detail.{name}" for name in names)]
    return {"And": [{"Variable": path, "IsPresent": True} for path in paths]}


def _interruption() -> States:
    """Have Auto Scaling terminate the instance now, so that the hook's own event follows within EC2's two minutes."""
    return {
        "Warned": {
            "Type": "Pass",
            "Parameters": {"instance.$": "$.detail['instance-id']"},
            "Next": "FindGroup",
        },
        "FindGroup": s.task(
            "aws-sdk:autoscaling:describeAutoScalingInstances",
            {"InstanceIds.$": "States.Array($.instance)"},
            "Ours",
            keep="$.found",
            select={"Groups.$": "$.AutoScalingInstances[*].AutoScalingGroupName"},
            catch=[s.catch("NotTakenOut")],
        ),
        "Ours": s.choice(
            [
                s.when(
                    {"And": [s.is_present("$.found.Groups[0]"), s.is_like("$.found.Groups[0]", "${Group}")]},
                    "TakeOut",
                )
            ],
            "Elsewhere",
        ),
        "Elsewhere": {"Type": "Succeed"},
        "TakeOut": s.task(
            "aws-sdk:autoscaling:terminateInstanceInAutoScalingGroup",
            {"InstanceId.$": "$.instance", "ShouldDecrementDesiredCapacity": False},
            None,
            catch=[s.catch("NotTakenOut")],
        ),
        "NotTakenOut": s.failed("NotTakenOut", "Auto Scaling did not take the instance out."),
    }
