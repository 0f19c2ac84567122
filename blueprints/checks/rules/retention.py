"""Retention: what a stack leaves behind, what keeps it from being deleted, what is kept unencrypted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..check import Hit, at, check
from ..model import (
    Model,
    Reference,
    Resource,
    alternatives,
    either_way,
    entries,
    items,
    nodes,
    with_defaults,
    written,
)
from .launch import launched
from .permissions import Statement, statements


def _is_deleted(resource: Resource) -> bool:
    """Whether the stack's deletion tries to delete it; a policy that is computed counts as a decision."""
    return resource.raw.get("DeletionPolicy", "Delete") == "Delete"


def _is_emptied(model: Model, id: str) -> bool:  # noqa: A002
    """Whether a custom resource refers to it; nothing else can empty it during the stack's deletion."""
    return any(edge.target == id and _is_custom(model.resources.get(edge.source)) for edge in model.edges)


def _is_custom(resource: Resource | None) -> bool:
    if resource is None:
        return False
    return resource.type.startswith("Custom::") or resource.type == "AWS::CloudFormation::CustomResource"


@check(
    "CB001",
    "Bucket that cannot be deleted once something is in it",
    harm="The stack ends in DELETE_FAILED with its first object, and somebody has to empty the bucket by hand.",
    source="CloudFormation User Guide, 'DeletionPolicy attribute'; F5Networks/f5-aws-cloudformation#52",
    remedy="set DeletionPolicy and UpdateReplacePolicy to Retain, or add a custom resource that empties it",
)
def bucket_is_deleted_full(model: Model) -> Iterator[Hit]:
    for bucket in model.of("AWS::S3::Bucket"):
        if _is_deleted(bucket) and not _is_emptied(model, bucket.id):
            yield Hit(at(bucket.id), "the bucket is deleted with the stack, and nothing empties it")


@check(
    "CB002",
    "Image repository that cannot be deleted once an image is in it",
    harm="The stack ends in DELETE_FAILED with the first image pushed.",
    source="CloudFormation Template Reference, 'AWS::ECR::Repository'; aws/aws-parallelcluster#3314",
    remedy="set EmptyOnDelete: true, or DeletionPolicy and UpdateReplacePolicy to Retain",
)
@either_way
def repository_is_deleted_full(model: Model) -> Iterator[Hit]:
    for repository in model.of("AWS::ECR::Repository"):
        emptied = all(_true(each) for each in alternatives(repository.get("EmptyOnDelete", False)))
        if _is_deleted(repository) and not emptied and not _is_emptied(model, repository.id):
            yield Hit(at(repository.id), "the repository is deleted with the stack, and nothing empties it")


def _true(value: Any) -> bool:
    """Whether a flag is on; one that is known at deploy only may be."""
    return not (value is False or value is None or str(value).lower() == "false")


@check(
    "CB003",
    "Hosted zone that cannot be deleted once a service has written records",
    harm="The stack ends in DELETE_FAILED: a zone with records other than its own NS and SOA cannot go.",
    source="Route 53 Developer Guide, 'Deleting a public hosted zone'; rebuy-de/aws-nuke#215",
    remedy="add a custom resource that deletes the records, or set DeletionPolicy to Retain",
)
@with_defaults
def zone_is_deleted_full(model: Model) -> Iterator[Hit]:
    for zone in model.of("AWS::Route53::HostedZone"):
        writer = next(_writers(model, zone.id), None)
        if writer and _is_deleted(zone) and not _is_emptied(model, zone.id):
            yield Hit(at(zone.id), f"{writer} may write records, and nothing deletes them")


def _writers(model: Model, zone: str) -> Iterator[str]:
    """Who may write records into a zone, by a policy of the template or by one of AWS."""
    for each in statements(model):
        if each.may("route53:ChangeResourceRecordSets") and _reaches(model, each, zone):
            yield each.resource.id
    for role in model.of("AWS::IAM::Role"):
        for _, node in nodes(role.raw_properties().get("ManagedPolicyArns")):
            if _WRITES_RECORDS.search(written(node)):
                yield role.id


_WRITES_RECORDS = re.compile(r"/(?:AmazonRoute53FullAccess|AdministratorAccess|PowerUserAccess)$")


def _reaches(model: Model, statement: Statement, zone: str) -> bool:
    named = [each for each in statement.on if isinstance(each, str)]
    if any(each == "*" or each.endswith(":hostedzone/*") for each in named):
        return True
    return any(
        (isinstance(each, Reference) and each.target == zone)
        or re.search(rf"\$\{{{zone}\b", written(getattr(each, "raw", None)))
        for each in statement.on
    )


@check(
    "CB021",
    "Log group that the stack does not own",
    harm="Lambda makes the group by itself, for ever and without an end to its logs; it outlives the stack, and"
    " with a fixed name the next stack cannot create it.",
    source="Lambda Developer Guide, 'Configuring CloudWatch log groups'; serverless/serverless#3237",
    remedy="give the function LoggingConfig with a log group of the stack, and the role logs:CreateLogStream"
    " and logs:PutLogEvents on it, without logs:CreateLogGroup",
    severity="warning",
)
@with_defaults
def log_group_is_not_owned(model: Model) -> Iterator[Hit]:
    owners: set[str] = set()
    for function in model.of("AWS::Lambda::Function"):
        if _owns_log_group(model, function):
            owners |= _roles(function)
        else:
            yield Hit(at(function.id), "its log group is made by Lambda, outside the stack")
    for role in sorted(owners & _creators(model)):
        yield Hit(at(role), "its functions have a log group, and it may make another after the stack is gone")


def _owns_log_group(model: Model, function: Resource) -> bool:
    if function.get("LoggingConfig.LogGroup") is not None:
        return True
    name = written(function.raw_properties().get("FunctionName"))
    own = {f"/aws/lambda/${{{function.id}}}", f"/aws/lambda/{name}"}
    return any(
        written(group.raw_properties().get("LogGroupName")) in own
        for group in model.of("AWS::Logs::LogGroup")
    )


def _roles(function: Resource) -> set[str]:
    return {each.target for each in alternatives(function.get("Role")) if isinstance(each, Reference)}


def _creators(model: Model) -> set[str]:
    """Roles that may create log groups, by a policy of the template or by one of AWS."""
    found: set[str] = set()
    for each in statements(model):
        if each.may("logs:CreateLogGroup"):
            found.add(each.resource.id)
            found |= {
                role.target for role in items(each.resource.get("Roles", [])) if isinstance(role, Reference)
            }
    for role in model.of("AWS::IAM::Role"):
        for _, node in nodes(role.raw_properties().get("ManagedPolicyArns")):
            if re.search(r"/AWSLambda\w*ExecutionRole$", written(node)):
                found.add(role.id)
    return found


@check(
    "CB022",
    "Logs kept for ever",
    harm="Each line is stored and paid for until somebody remembers the log group.",
    source="CloudWatch Logs User Guide, 'Change log data retention in CloudWatch Logs'",
    remedy="set RetentionInDays",
    severity="warning",
)
@either_way
def logs_for_ever(model: Model) -> Iterator[Hit]:
    for group in model.of("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group.raw_properties():
            yield Hit(at(group.id), "the log group has no RetentionInDays")


# Types whose storage is plain unless a property says otherwise
_ENCRYPTED_BY = {
    "AWS::DAX::Cluster": "SSESpecification.SSEEnabled",
    "AWS::DocDB::DBCluster": "StorageEncrypted",
    "AWS::EC2::Volume": "Encrypted",
    "AWS::EFS::FileSystem": "Encrypted",
    "AWS::ElastiCache::ReplicationGroup": "AtRestEncryptionEnabled",
    "AWS::Elasticsearch::Domain": "EncryptionAtRestOptions.Enabled",
    "AWS::Kinesis::Stream": "StreamEncryption",
    "AWS::Neptune::DBCluster": "StorageEncrypted",
    "AWS::OpenSearchService::Domain": "EncryptionAtRestOptions.Enabled",
    "AWS::RDS::DBCluster": "StorageEncrypted",
}
# Where a cluster or a snapshot is restored, its source decides.
_RESTORED_FROM = (
    "SnapshotId",
    "SnapshotIdentifier",
    "SnapshotName",
    "SourceDBClusterIdentifier",
    "DBClusterSnapshotIdentifier",
)


@check(
    "CB051",
    "Storage without encryption",
    harm="Encryption cannot be turned on later without replacing the storage and moving its data.",
    source="AWS Security Hub User Guide, controls EFS.1, EC2.3, RDS.27, Kinesis.1, ES.1; checkov CKV_AWS_42",
    remedy="turn its encryption on",
)
@either_way
def storage_is_not_encrypted(model: Model) -> Iterator[Hit]:
    for resource in model.of(*_ENCRYPTED_BY):
        if not _is_encrypted(resource.properties, _ENCRYPTED_BY[resource.type]):
            yield Hit(at(resource.id), f"its storage is plain without {_ENCRYPTED_BY[resource.type]}")
    for resource in model.of("AWS::SQS::Queue"):
        managed = all(_true(each) for each in alternatives(resource.get("SqsManagedSseEnabled", True)))
        if not managed and resource.get("KmsMasterKeyId") is None:
            yield Hit(at(resource.id, "Properties.SqsManagedSseEnabled"), "encryption is turned off")
    for resource in launched(model):
        yield from _plain_volumes(resource)


def _plain_volumes(resource: Resource) -> Iterator[Hit]:
    within = "LaunchTemplateData." if resource.type == "AWS::EC2::LaunchTemplate" else ""
    path = f"{within}BlockDeviceMappings"
    for index, mapping in enumerate(items(resource.get(path, []))):
        for volume in alternatives(entries(mapping).get("Ebs")):
            if entries(volume) and not _is_encrypted(entries(volume), "Encrypted"):
                yield Hit(at(resource.id, f"Properties.{path}.{index}"), "the volume is plain")


def _is_encrypted(properties: Mapping[str, Any], path: str) -> bool:
    if any(name in properties for name in _RESTORED_FROM):
        return True
    value: Any = properties
    for key in path.split("."):
        value = next(iter(alternatives(value)), None)
        value = entries(value).get(key) if isinstance(value, Mapping) else value
    found = list(alternatives(value))
    return bool(found) and all(_true(each) for each in found)
