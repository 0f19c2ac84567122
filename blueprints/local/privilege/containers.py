"""What ECS, CodeBuild and VPC flow logs do with a role of the template, by calls that no code here makes.

Sources: ECS Developer Guide, "Amazon ECS container instance IAM role" and "Amazon ECS task execution IAM role"; ECR
User Guide, "IAM permissions for pushing an image to an Amazon ECR private repository"; VPC User Guide, "IAM role for
publishing flow logs to CloudWatch Logs"; Lambda Developer Guide, "Giving Lambda functions access to resources in an
Amazon VPC", "Required IAM permissions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..stack import Stack
from .call import UNKNOWN
from .encryption import Implied, request
from .policies import Role
from .request import Request, several
from .resources import log_streams

_WRITING_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_PULL = tuple(
    f"ecr:{each}" for each in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
)
_PUSH = tuple(
    f"ecr:{each}" for each in ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
)
_ON_CLUSTER = tuple(
    f"ecs:{each}"
    for each in (
        "RegisterContainerInstance", "DeregisterContainerInstance", "SubmitAttachmentStateChanges",
        "SubmitContainerStateChange", "SubmitTaskStateChange",
    )
)  # fmt: skip
_ON_INSTANCE = tuple(
    f"ecs:{each}" for each in ("Poll", "StartTelemetrySession", "UpdateContainerInstancesState")
)
_ON_INTERFACE = tuple(
    f"ec2:{each}"
    for each in ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
)

Needs = Iterator[tuple[str, Request]]


def needs(stack: Stack) -> Needs:
    """Requests, each with the ARN of the role that makes it."""
    for name in stack.resources("AWS::ECS::TaskDefinition"):
        role = stack.get(name, "Properties.ExecutionRoleArn", None)
        for request_ in _task(stack, name) if role else ():
            yield role, request_
    for name in stack.resources("AWS::CodeBuild::Project"):
        for request_ in _project(stack, name):
            yield stack.get(name, "Properties.ServiceRole"), request_
    for name in stack.resources("AWS::EC2::FlowLog"):
        role = stack.get(name, "Properties.DeliverLogsPermissionArn", None)
        for request_ in _flow_log(stack, name) if role else ():
            yield role, request_


def container_instance(stack: Stack, role: Role) -> Iterator[Request]:
    """The ECS agent of a host that may join, in each cluster of the stack."""
    granted = {action for each in role.statements for action in each.actions if each.allows}
    if "ec2" not in role.services or _ON_CLUSTER[0] not in granted:
        return
    cause = "the ECS agent of an instance"
    yield Request("ecs:DiscoverPollEndpoint", "*", cause)
    for name in stack.resources("AWS::ECS::Cluster"):
        cluster = stack.physical[name].attributes["Arn"]
        yield from (Request(action, cluster, cause) for action in _ON_CLUSTER)
        for each in UNKNOWN:
            instance = cluster.replace(":cluster/", ":container-instance/") + f"/{each}"
            yield from (
                Request(action, instance, cause, {"ecs:cluster": (cluster,)}) for action in _ON_INSTANCE
            )


def in_network(stack: Stack, name: str) -> Iterator[Request]:
    """Lambda's interfaces for a function in a VPC."""
    cause = f"{name}: Lambda puts it into a network"
    place = stack.place
    for each in ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"):
        yield Request(each, "*", cause)
    of_function: dict[str, Any] = stack.get(name, "Properties.VpcConfig")
    parts = [f"subnet/{each}" for each in several(of_function.get("SubnetIds"))]
    parts += [f"security-group/{each}" for each in several(of_function.get("SecurityGroupIds"))]
    interfaces = [f"network-interface/{each}" for each in UNKNOWN]
    yield from (
        Request("ec2:CreateNetworkInterface", place.arn("ec2", each), cause) for each in (*interfaces, *parts)
    )
    for action in _ON_INTERFACE:
        yield from (Request(action, place.arn("ec2", each), cause) for each in interfaces)


def _task(stack: Stack, name: str) -> Iterator[Request]:
    cause = f"{name}: ECS starts a task"
    for container in several(stack.get(name, "Properties.ContainerDefinitions")):
        yield from _pulled(stack, [container["Image"]], _PULL, cause)
        options = container.get("LogConfiguration", {}).get("Options", {})
        if "awslogs-group" in options:
            yield from _logs(stack, options["awslogs-group"], cause)
        for secret in several(container.get("Secrets")):
            yield from _secret(stack, secret["ValueFrom"], cause)


def _secret(stack: Stack, value_from: str, cause: str) -> Iterator[Request]:
    """ECS Developer Guide, "Pass Secrets Manager secrets": after the ARN stand a key, a stage and a version."""
    arn = ":".join(value_from.split(":")[:7])
    yield Request("secretsmanager:GetSecretValue", arn, cause)
    for name in stack.resources("AWS::SecretsManager::Secret"):
        key = stack.get(name, "Properties.KmsKeyId", None)
        if stack.physical[name].ref == arn and key:
            implied = Implied("kms:Decrypt", key, "secretsmanager")
            yield request(implied, cause, stack.place.account, stack.place.url_suffix)


def _project(stack: Stack, name: str) -> Iterator[Request]:
    """A project with Docker looks for images in the repositories that its environment names, and pushes there.

    `docker manifest inspect` reads the image's configuration too, which is a layer to ECR.
    """
    cause = f"{name}: CodeBuild"
    group = stack.get(name, "Properties.LogsConfig.CloudWatchLogs.GroupName", None)
    if group:
        yield from _logs(stack, group, cause)
    environment: dict[str, Any] = stack.get(name, "Properties.Environment")
    if str(environment.get("PrivilegedMode", "")).lower() == "true":
        values = [str(each["Value"]) for each in several(environment.get("EnvironmentVariables"))]
        yield from _pulled(stack, values, (*_PULL, *_PUSH), cause)


def _pulled(stack: Stack, images: list[str], actions: tuple[str, ...], cause: str) -> Iterator[Request]:
    """What Docker asks of the stack's repositories that the images are in, after it has logged in."""
    for name in stack.resources("AWS::ECR::Repository"):
        attributes = stack.physical[name].attributes
        if attributes["RepositoryUri"] in [each.rpartition(":")[0] or each for each in images] + images:
            yield Request("ecr:GetAuthorizationToken", "*", cause)
            yield from (Request(action, attributes["Arn"], cause) for action in actions)


def _flow_log(stack: Stack, name: str) -> Iterator[Request]:
    group, cause = stack.get(name, "Properties.LogGroupName"), f"{name}: VPC delivers flow logs"
    yield from _logs(stack, group, cause)
    yield Request("logs:DescribeLogGroups", "*", cause)
    yield Request("logs:DescribeLogStreams", stack.place.arn("logs", f"log-group:{group}:log-stream:"), cause)


def _logs(stack: Stack, group: str, cause: str) -> Iterator[Request]:
    for arn in log_streams(stack.place, group):
        yield from (Request(action, arn, cause) for action in _WRITING_LOGS)
