"""Who may do what: instances join, agents and the health function write one zone, CodeBuild pushes three images."""

from __future__ import annotations

from collections.abc import Sequence

from awacs import (
    awslambda,
    cloudformation,
    codebuild,
    ec2,
    ecr,
    ecs,
    logs,
    route53,
    secretsmanager,
)
from awacs.aws import (
    ArnEquals,
    Condition,
    ForAllValuesStringEquals,
    ForAllValuesStringLike,
)
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, iam
from troposphere import ecr as repositories
from troposphere import logs as groups
from troposphere import route53 as zones

from ..blocks import roles

_LOOKS = "the action has no resource-level permissions, as the Service Authorization Reference says"


def join(cluster: Ref, arn: AWSHelperFn) -> list[roles.Grant]:
    """What the ECS agent of an instance does. It pulls images and writes logs by the tasks' execution role.

    ECS Developer Guide, "Amazon ECS container instance IAM role", narrowed to one cluster.
    """
    instances = roles.arn("ecs", "container-instance", Sub(f"${{{cluster.data['Ref']}}}/*"))
    ours = Condition(ArnEquals({"ecs:cluster": arn}))
    return [
        roles.allow(
            ecs.RegisterContainerInstance,
            ecs.DeregisterContainerInstance,
            ecs.SubmitAttachmentStateChanges,
            ecs.SubmitContainerStateChange,
            ecs.SubmitTaskStateChange,
            on=arn,
        ),
        roles.allow(
            ecs.Poll,
            ecs.StartTelemetrySession,
            ecs.UpdateContainerInstancesState,
            on=instances,
            condition=ours,
        ),
        roles.allow_everywhere(
            ecs.DiscoverPollEndpoint,
            because=f"{_LOOKS}; it tells an address that depends on the region alone",
        ),
    ]


def fetch(layer: AWSHelperFn) -> roles.Grant:
    """Fetch what a layer holds."""
    return roles.allow(awslambda.GetLayerVersion, on=layer)


def boot(layer: AWSHelperFn) -> list[roles.Grant]:
    """Fetch the agent, and say how the boot went."""
    return [
        fetch(layer),
        roles.allow(cloudformation.SignalResource, on=Ref("AWS::StackId")),
    ]


def know_zone(zone: zones.HostedZone) -> roles.Grant:
    """See which name a zone has."""
    return roles.allow(route53.GetHostedZone, on=_arn(zone))


def read_zone(zone: zones.HostedZone) -> roles.Grant:
    """Look at the records of one zone."""
    return roles.allow(route53.ListResourceRecordSets, on=_arn(zone))


def write_zone(zone: zones.HostedZone, name: AWSHelperFn, actions: Sequence[str]) -> roles.Grant:
    """Change SRV and A records below the zone's name, and no other type, nor the name itself.

    Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control".
    """
    below = Sub(f"*.${{{name.data['Ref']}}}")
    prefix = "route53:ChangeResourceRecordSets"
    limits = Condition(
        [
            ForAllValuesStringLike({f"{prefix}NormalizedRecordNames": [below]}),
            ForAllValuesStringEquals({f"{prefix}RecordTypes": ["A", "SRV"], f"{prefix}Actions": [*actions]}),
        ]
    )
    return roles.allow(route53.ChangeResourceRecordSets, on=_arn(zone), condition=limits)


def clear_zone(zone: zones.HostedZone) -> roles.Grant:
    """Delete whatever stands in the zone, for its own deletion."""
    only = Condition(ForAllValuesStringEquals({"route53:ChangeResourceRecordSetsActions": ["DELETE"]}))
    return roles.allow(route53.ChangeResourceRecordSets, on=_arn(zone), condition=only)


def _arn(zone: zones.HostedZone) -> Sub:
    return Sub(f"arn:${{AWS::Partition}}:route53:::hostedzone/${{{zone.title}}}")


def look_around() -> roles.Grant:
    """See which instances and tasks there are, of all clusters.

    ListTasks names a container instance where it is asked for one instance's tasks, and nothing where it is not.
    """
    return roles.allow_everywhere(
        ec2.DescribeInstances,
        ecs.ListClusters,
        ecs.ListTasks,
        because=f"{_LOOKS}; what is gone is known by what is left, wherever it is",
    )


def tasks(*, stop: bool) -> list[roles.Grant]:
    """Look at the tasks of every cluster, and stop those that do not answer."""
    task = roles.arn("ecs", "task", "*")
    granted = [roles.allow(ecs.DescribeTasks, on=task)]
    if stop:
        granted += [
            roles.allow(ecs.StopTask, on=task),
            roles.allow_everywhere(
                ecs.DescribeTaskDefinition, because=f"{_LOOKS}; a definition says how its service is checked"
            ),
        ]
    return granted


def in_vpc() -> list[roles.Grant]:
    """What Lambda needs to put a function into a network.

    Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC", "Required IAM permissions".
    """
    return [
        roles.allow(
            ec2.CreateNetworkInterface,
            ec2.DeleteNetworkInterface,
            ec2.AssignPrivateIpAddresses,
            ec2.UnassignPrivateIpAddresses,
            on=Sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:*"),
        ),
        roles.allow_everywhere(ec2.DescribeNetworkInterfaces, ec2.DescribeSubnets, because=_LOOKS),
    ]


def _log_in() -> roles.Grant:
    return roles.allow_everywhere(
        ecr.GetAuthorizationToken, because=f"{_LOOKS}; what the token is good for, the other actions say"
    )


def push(repos: Sequence[repositories.Repository], log_group: groups.LogGroup) -> list[roles.Grant]:
    """Push images to these repositories, where they are not there yet."""
    return [
        _log_in(),
        roles.allow(
            ecr.BatchCheckLayerAvailability,
            ecr.BatchGetImage,
            ecr.CompleteLayerUpload,
            ecr.GetDownloadUrlForLayer,
            ecr.InitiateLayerUpload,
            ecr.PutImage,
            ecr.UploadLayerPart,
            on=[GetAtt(each, "Arn") for each in repos],
        ),
        roles.write_logs(GetAtt(log_group, "Arn")),
    ]


def build(project: AWSHelperFn) -> roles.Grant:
    """Start a build, look at it, stop it."""
    return roles.allow(codebuild.StartBuild, codebuild.BatchGetBuilds, codebuild.StopBuild, on=project)


def execution_role(
    repos: Sequence[repositories.Repository],
    log_group: groups.LogGroup,
    secret: Ref,
    key: AWSHelperFn | None,
) -> iam.Role:
    """What ECS does to start a task: pull, log, read the services' password. The tasks themselves may do nothing."""
    granted = [
        _log_in(),
        roles.allow(
            ecr.BatchCheckLayerAvailability,
            ecr.BatchGetImage,
            ecr.GetDownloadUrlForLayer,
            on=[GetAtt(each, "Arn") for each in repos],
        ),
        roles.write_logs(GetAtt(log_group, "Arn")),
        roles.allow(secretsmanager.GetSecretValue, on=secret),
    ]
    if key is not None:
        granted.append(roles.decrypt(key, via="secretsmanager"))
    return roles.role("ExecutionRole", "ecs-tasks", granted)


def flow_log_role(log_group: groups.LogGroup) -> iam.Role:
    """Deliver flow logs. VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs"."""
    return roles.role(
        "FlowLogRole",
        "vpc-flow-logs",
        [
            roles.allow(
                logs.CreateLogStream,
                logs.DescribeLogStreams,
                logs.PutLogEvents,
                on=GetAtt(log_group, "Arn"),
            ),
            roles.allow_everywhere(logs.DescribeLogGroups, because=_LOOKS),
        ],
    )
