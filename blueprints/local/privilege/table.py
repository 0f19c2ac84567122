"""The action map: which questions IAM is asked for each operation. An operation without a row cannot be judged.

Operations are written as the journal has them, with boto3's names of services. Sources: the Service Authorization
Reference for actions and their resources, and each service's API reference where a call asks for more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import resources
from .call import Asked, On, everywhere, named, optional, with_header
from .request import NotJudgedError, several

Key = Callable[[Asked], list[str]]


@dataclass(frozen=True)
class Ask:
    """One question: an action, what it is asked on, and condition keys that the call itself tells."""

    action: str
    on: On
    keys: Mapping[str, Key] = field(default_factory=dict[str, Key])


Row = tuple[Ask, ...]


def _row(*asks: Ask) -> Row:
    return asks


def _same(
    service: str, names: str, on: On, keys: Mapping[str, Key] | None = None, iam: str = ""
) -> dict[str, Row]:
    """Rows of operations that are actions of the same name; `iam` is the service's name in IAM, if another."""
    asks = ((name, Ask(f"{iam or service}:{name}", on, keys or {})) for name in names.split())
    return {f"{service}:{name}": (ask,) for name, ask in asks}


def _given(*names: str) -> Key:
    """The values of parameters, as condition keys have them."""
    return lambda asked: [str(value) for name in names for value in several(asked.get(name))]


# DynamoDB


def _partitions(asked: Asked) -> list[str]:
    """Values of the partition key. DynamoDB Developer Guide, "Using IAM policy conditions": dynamodb:LeadingKeys."""
    item: Mapping[str, Any] | None = asked.get("Key") or asked.get("Item")
    if item is None:
        raise NotJudgedError(f"{asked.record.api}: the partition key is in an expression")
    return [str(value) for value in item[asked.account.partition_key(asked["TableName"])].values()]


_ITEM = {"dynamodb:leadingkeys": _partitions, "dynamodb:returnvalues": _given("ReturnValues")}
_DYNAMODB = {
    **_same("dynamodb", "GetItem PutItem DeleteItem UpdateItem", resources.table, _ITEM),
    **_same("dynamodb", "Query Scan", resources.table, {"dynamodb:select": _given("Select")}),
    **_same("dynamodb", "DescribeTable DescribeTimeToLive DescribeContinuousBackups UpdateTable", resources.table),
    **_same("dynamodb", "BatchGetItem BatchWriteItem", resources.tables),
    "dynamodb:TransactGetItems": _row(Ask("dynamodb:GetItem", resources.in_transaction("Get"))),
    # DynamoDB Developer Guide, "Using IAM with DynamoDB transactions": those of the single operations
    "dynamodb:TransactWriteItems": _row(
        Ask("dynamodb:PutItem", resources.in_transaction("Put")),
        Ask("dynamodb:UpdateItem", resources.in_transaction("Update")),
        Ask("dynamodb:DeleteItem", resources.in_transaction("Delete")),
        Ask("dynamodb:ConditionCheckItem", resources.in_transaction("ConditionCheck")),
    ),
    **_same("dynamodb", "ListTables", everywhere),
}  # fmt: skip

# S3: the journal has its parameters as they stand in path, query and headers

_LISTING = {
    "s3:prefix": _given("prefix"),
    "s3:delimiter": _given("delimiter"),
    "s3:max-keys": _given("max-keys"),
}


def _versioned(action: str) -> Row:
    """S3 API, "GetObject", "DeleteObject": with a version's id the action is another, and the plain one not asked."""
    return (
        Ask(f"s3:{action}", optional(resources.stored, "versionId", absent=True)),
        Ask(f"s3:{action}Version", optional(resources.stored, "versionId")),
    )


def _sent(*names: str) -> dict[str, Key]:
    return {f"s3:{name}": lambda asked, name=name: several(asked.header(name)) for name in names}


# S3 API, "PutObject", "CreateMultipartUpload", "CopyObject": what a header sets takes its own permission.
_GRANTS = (
    "x-amz-acl",
    *(f"x-amz-grant-{each}" for each in ("full-control", "read", "read-acp", "write-acp")),
)
_WRITING = _row(
    Ask(
        "s3:PutObject",
        resources.stored,
        _sent(*_GRANTS, "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
              "x-amz-storage-class"),
    ),
    Ask("s3:PutObjectTagging", with_header(resources.stored, "x-amz-tagging")),
    Ask("s3:PutObjectAcl", with_header(resources.stored, *_GRANTS)),
    Ask("s3:PutObjectRetention", with_header(resources.stored, "x-amz-object-lock-mode")),
    Ask("s3:PutObjectLegalHold", with_header(resources.stored, "x-amz-object-lock-legal-hold")),
)  # fmt: skip
_READING_A_COPY = _row(
    Ask("s3:GetObject", resources.copied(version=False)),
    Ask("s3:GetObjectVersion", resources.copied(version=True)),
)
_COPYING_TAGS = _row(
    Ask("s3:GetObjectTagging", resources.copied_with_tags),
    Ask("s3:PutObjectTagging", resources.stored_with_copied_tags),
)


def _in_the_body(asked: Asked) -> list[str]:
    raise NotJudgedError(f"{asked.record.api}: its keys are in the body, which the journal does not hold")


_S3 = {
    "s3:GetObject": _versioned("GetObject"),
    "s3:HeadObject": _versioned("GetObject"),
    "s3:GetObjectTagging": _row(
        Ask("s3:GetObjectTagging", optional(resources.stored, "versionId", absent=True)),
        Ask("s3:GetObjectVersionTagging", optional(resources.stored, "versionId")),
    ),
    "s3:DeleteObject": _versioned("DeleteObject"),
    "s3:DeleteObjects": _row(Ask("s3:DeleteObject", _in_the_body)),
    "s3:PutObject": _WRITING,
    "s3:CreateMultipartUpload": _WRITING,
    "s3:UploadPart": _row(Ask("s3:PutObject", resources.stored)),
    "s3:CompleteMultipartUpload": _row(Ask("s3:PutObject", resources.stored)),
    "s3:AbortMultipartUpload": _row(Ask("s3:AbortMultipartUpload", resources.stored)),
    "s3:ListParts": _row(Ask("s3:ListMultipartUploadParts", resources.stored)),
    "s3:ListMultipartUploads": _row(Ask("s3:ListBucketMultipartUploads", resources.bucket)),
    "s3:CopyObject": _READING_A_COPY + _COPYING_TAGS + _WRITING,
    "s3:UploadPartCopy": (*_READING_A_COPY, Ask("s3:PutObject", resources.stored)),
    **dict.fromkeys(
        ("s3:ListObjects", "s3:ListObjectsV2", "s3:HeadBucket"),
        _row(Ask("s3:ListBucket", resources.bucket, _LISTING)),
    ),
    "s3:ListObjectVersions": _row(Ask("s3:ListBucketVersions", resources.bucket, _LISTING)),
    "s3:ListBuckets": _row(Ask("s3:ListAllMyBuckets", everywhere)),
    **_same("s3", "GetBucketLocation GetBucketVersioning GetBucketTagging", resources.bucket),
}

# Messages, state machines, functions

_QUEUES = {
    **_same("sqs", "SendMessage ReceiveMessage DeleteMessage ChangeMessageVisibility", resources.queue),
    **_same("sqs", "GetQueueAttributes GetQueueUrl PurgeQueue", resources.queue),
    # SQS API, "SendMessageBatch" and others: the permission is that of the single operation
    "sqs:SendMessageBatch": _row(Ask("sqs:SendMessage", resources.queue)),
    "sqs:DeleteMessageBatch": _row(Ask("sqs:DeleteMessage", resources.queue)),
    "sqs:ChangeMessageVisibilityBatch": _row(Ask("sqs:ChangeMessageVisibility", resources.queue)),
}
_MESSAGES = {
    "sns:Publish": _row(Ask("sns:Publish", resources.topic)),
    "sns:PublishBatch": _row(Ask("sns:Publish", resources.topic)),
    "events:PutEvents": _row(Ask("events:PutEvents", resources.buses)),
    "lambda:Invoke": _row(Ask("lambda:InvokeFunction", resources.function)),
    "lambda:GetLayerVersionByArn": _row(Ask("lambda:GetLayerVersion", resources.layer)),
    **_same("stepfunctions", "StartExecution StartSyncExecution ListExecutions",
            named("states", "stateMachine:{}", "stateMachineArn"), iam="states"),
    **_same("stepfunctions", "DescribeExecution StopExecution GetExecutionHistory",
            named("states", "execution:{}", "executionArn"), iam="states"),
    **_same("stepfunctions", "SendTaskSuccess SendTaskFailure SendTaskHeartbeat", everywhere, iam="states"),
}  # fmt: skip

# Instances, and what is done on them

_INSTANCE = named("ec2", "instance/{}", "InstanceId", "InstanceIds")
_COMPUTE = {
    "ec2:AssociateAddress": _row(
        Ask("ec2:AssociateAddress", named("ec2", "elastic-ip/{}", "AllocationId")),
        Ask("ec2:AssociateAddress", optional(_INSTANCE, "InstanceId")),
        Ask("ec2:AssociateAddress", resources.interfaces),
    ),
    **_same("ec2", "StartInstances StopInstances RebootInstances TerminateInstances", _INSTANCE),
    **_same("autoscaling", "CompleteLifecycleAction RecordLifecycleActionHeartbeat SetInstanceHealth "
            "TerminateInstanceInAutoScalingGroup SetDesiredCapacity SetInstanceProtection "
            "UpdateAutoScalingGroup", resources.group),
    "ssm:SendCommand": _row(Ask("ssm:SendCommand", resources.document), Ask("ssm:SendCommand", resources.instances)),
    **_same("ssm", "GetCommandInvocation CancelCommand UpdateInstanceInformation", everywhere),
    **_same("ssm", "GetParameter GetParameters GetParametersByPath PutParameter DeleteParameter", resources.parameters),
    **_same("secretsmanager", "GetSecretValue DescribeSecret PutSecretValue UpdateSecret", resources.secret),
    **_same("kms", "GenerateDataKey Encrypt DescribeKey", resources.key),
    "kms:Decrypt": _row(Ask("kms:Decrypt", resources.key)),
    **_same("cloudformation", "SignalResource DescribeStackResource DescribeStackResources DescribeStacks",
            resources.stack),
    # STS API, "GetCallerIdentity": no permissions are required.
    "sts:GetCallerIdentity": (),
    "sts:AssumeRole": _row(Ask("sts:AssumeRole", named("iam", "role/{}", "RoleArn", region=False))),
}  # fmt: skip
_OBSERVATION = {
    **_same("cloudwatch", "PutMetricData", everywhere, {"cloudwatch:namespace": _given("Namespace")}),
    **_same("cloudwatch", "GetMetricData GetMetricStatistics ListMetrics", everywhere),
    **_same("logs", "CreateLogStream PutLogEvents", resources.log_stream),
    **_same("xray", "PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets", everywhere),
}

# Names, and what has them


def _changes(name: str) -> Key:
    """Something of each change. Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access"."""

    def values(asked: Asked) -> list[str]:
        batch: Mapping[str, Any] = asked.get("ChangeBatch") or {}
        sets = [{"Action": each["Action"], **each["ResourceRecordSet"]} for each in batch.get("Changes", [])]
        return list(dict.fromkeys(str(each[name]).lower().rstrip(".") if name == "Name" else str(each[name])
                                  for each in sets))  # fmt: skip

    return values


_CHANGES = {
    "route53:changeresourcerecordsetsnormalizedrecordnames": _changes("Name"),
    "route53:changeresourcerecordsetsrecordtypes": _changes("Type"),
    "route53:changeresourcerecordsetsactions": _changes("Action"),
}


def _cluster(asked: Asked) -> list[str]:
    """What ecs:cluster is: the ARN of the cluster."""
    return named("ecs", "cluster/{}", "cluster")(asked)


_ECS = {"ecs:cluster": _cluster}
_NAMES = {
    **_same("route53", "ChangeResourceRecordSets", resources.of_route53("hostedzone", "HostedZoneId"), _CHANGES),
    **_same("route53", "ListResourceRecordSets", resources.of_route53("hostedzone", "HostedZoneId")),
    **_same("route53", "GetHostedZone", resources.of_route53("hostedzone", "Id")),
    **_same("route53", "GetChange", resources.of_route53("change", "Id")),
    **_same("route53", "ListHostedZones ListHostedZonesByName", everywhere),
    **_same("servicediscovery", "RegisterInstance DeregisterInstance UpdateInstanceCustomHealthStatus",
            named("servicediscovery", "service/{}", "ServiceId")),
    **_same("ecs", "DescribeTasks", resources.in_cluster("task", "tasks"), _ECS),
    **_same("ecs", "DescribeContainerInstances UpdateContainerInstancesState",
            resources.in_cluster("container-instance", "containerInstances"), _ECS),
    **_same("ecs", "DescribeServices", resources.in_cluster("service", "services"), _ECS),
    **_same("ecs", "UpdateService", resources.in_cluster("service", "service"), _ECS),
    **_same("ecs", "ListContainerInstances", named("ecs", "cluster/{}", "cluster")),
    **_same("ecs", "DescribeClusters", named("ecs", "cluster/{}", "clusters")),
    **_same("ecs", "StopTask", resources.in_cluster("task", "task"), _ECS),
    **_same("ecs", "ListTasks", resources.tasks_of, _ECS),
    **_same("ecs", "DescribeTaskDefinition ListClusters", everywhere),
    **_same("ecr", "GetAuthorizationToken", everywhere),
    **_same("codebuild", "StartBuild", named("codebuild", "project/{}", "projectName")),
    **_same("codebuild", "BatchGetBuilds StopBuild", resources.projects),
}  # fmt: skip

ROWS: Mapping[str, Row] = {
    **_DYNAMODB, **_S3, **_QUEUES, **_MESSAGES, **_COMPUTE, **_OBSERVATION, **_NAMES
}  # fmt: skip

# Their Describe operations look at the whole account; none of them can name a resource that they use.
_LOOKING = ("ec2", "autoscaling", "elbv2")
_IN_IAM = {"elbv2": "elasticloadbalancing"}


def asks(asked: Asked) -> Iterator[tuple[Ask, str]]:
    """The questions of a call, each with one resource. Raises NotJudgedError for an operation without a row."""
    for ask in _found(asked.record.service, asked.record.operation):
        for resource in ask.on(asked):
            yield ask, resource


def _found(service: str, operation: str) -> Row:
    row = ROWS.get(f"{service}:{operation}")
    if row is not None:
        return row
    if service in _LOOKING and operation.startswith("Describe"):
        return (Ask(f"{_IN_IAM.get(service, service)}:{operation}", everywhere),)
    raise NotJudgedError(f"{service}:{operation} has no row in privilege/table.py")
