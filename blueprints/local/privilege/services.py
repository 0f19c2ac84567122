"""What AWS itself does with a role of the template: calls that no code here makes, so that no journal has them.

They follow from the template alone, so each is a need: a role that lacks one fails, and a grant that only they use is
used. Sources: Lambda Developer Guide, "Execution role" and the page of each event source; EventBridge User Guide,
"Using identity-based policies"; Systems Manager User Guide, "Reference: ec2messages, ssmmessages, and other API
operations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..stack import Stack
from . import containers
from .policies import Role
from .request import NotJudgedError, Request, several
from .resources import log_streams

Needs = Iterator[tuple[str, Request]]
"""Requests, each with the ARN of the role that makes it."""

_TRACING = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
_AGENT = (
    "ssm:UpdateInstanceInformation",
    *(f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")),
)
_TO = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage",
       "sns": "sns:Publish", "events": "events:PutEvents"}  # fmt: skip
_FROM_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_FROM_STREAM = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream")


def needs(stack: Stack, roles: Mapping[str, Role]) -> Needs:
    """What AWS does with the roles. Raises NotJudgedError for a property that has it do what is not described here."""
    for name in stack.resources("AWS::Lambda::Function"):
        for request in _function(stack, name):
            yield stack.get(name, "Properties.Role"), request
    for name in stack.resources("AWS::Lambda::EventSourceMapping"):
        yield from _mapping(stack, name)
    for name in stack.resources("AWS::Events::Rule"):
        for target in several(stack.properties(name).get("Targets")):
            if "RoleArn" in target:
                yield target["RoleArn"], _delivery(target["Arn"], f"{name}: EventBridge")
    for name in stack.resources("AWS::Scheduler::Schedule"):
        target = stack.properties(name)["Target"]
        yield target["RoleArn"], _delivery(target["Arn"], f"{name}: EventBridge Scheduler")
    for name in stack.resources("AWS::StepFunctions::StateMachine"):
        yield from _machine(stack, name)
    yield from containers.needs(stack)
    for role in roles.values():
        yield from _instance(role)
        yield from ((role.arn, each) for each in containers.container_instance(stack, role))


def _function(stack: Stack, name: str) -> Iterator[Request]:
    if stack.get(name, "Properties.FileSystemConfigs", None):
        raise NotJudgedError(
            f"{name}: what Lambda does for FileSystemConfigs is not described in privilege/services.py"
        )
    if stack.get(name, "Properties.VpcConfig", None):
        yield from containers.in_network(stack, name)
    group = stack.get(name, "Properties.LoggingConfig.LogGroup", f"/aws/lambda/{stack.physical[name].ref}")
    for arn in log_streams(stack.place, group):
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield Request(action, arn, f"{name}: Lambda writes its log")
    if stack.get(name, "Properties.TracingConfig.Mode", "") == "Active":
        yield from (Request(each, "*", f"{name}: Lambda traces") for each in _TRACING)
    letters = stack.get(name, "Properties.DeadLetterConfig.TargetArn", "")
    if letters:
        yield _delivery(letters, f"{name}: Lambda's dead letters")


def _mapping(stack: Stack, name: str) -> Needs:
    source, wanted = (stack.get(name, f"Properties.{each}") for each in ("EventSourceArn", "FunctionName"))
    service = source.split(":")[2]
    actions = {"sqs": _FROM_QUEUE, "dynamodb": _FROM_STREAM}.get(service)
    if actions is None:
        raise NotJudgedError(
            f"{name}: how Lambda reads from {service} is not described in privilege/services.py"
        )
    role = next(
        stack.properties(each)["Role"]
        for each in stack.resources("AWS::Lambda::Function")
        if wanted in (stack.physical[each].ref, stack.physical[each].attributes["Arn"])
    )
    for action in actions:
        yield role, Request(action, source, f"{name}: Lambda reads events")
    if service == "dynamodb":
        yield role, Request("dynamodb:ListStreams", "*", f"{name}: Lambda reads events")
    failed = stack.get(name, "Properties.DestinationConfig.OnFailure.Destination", "")
    if failed:
        yield role, _delivery(failed, f"{name}: Lambda's failed events")


def _delivery(target: str, cause: str) -> Request:
    action = _TO.get(target.split(":")[2])
    if action is None:
        raise NotJudgedError(f"{cause}: what it does with {target} is not described in privilege/services.py")
    return Request(action, target, cause)


def _machine(stack: Stack, name: str) -> Needs:
    """Step Functions Developer Guide, "X-Ray tracing in Step Functions"; its log delivery is not described here."""
    if stack.get(name, "Properties.LoggingConfiguration.Level", "OFF") != "OFF":
        raise NotJudgedError(f"{name}: LoggingConfiguration is not described in privilege/services.py")
    if str(stack.get(name, "Properties.TracingConfiguration.Enabled", "")).lower() == "true":
        for each in (*_TRACING, "xray:GetSamplingRules", "xray:GetSamplingTargets"):
            yield stack.get(name, "Properties.RoleArn"), Request(each, "*", f"{name}: Step Functions traces")


def _instance(role: Role) -> Needs:
    """The agent that the images bring is idle in a role without its permissions, and needs all of them with any."""
    granted = {action for each in role.statements for action in each.actions if each.allows}
    of_instances = "ec2" in role.services or not role.services
    if of_instances and any(action.startswith("ssmmessages:") for action in granted):
        for action in _AGENT:
            yield role.arn, Request(action, "*", "the agent of Systems Manager")
