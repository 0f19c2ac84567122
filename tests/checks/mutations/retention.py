"""Defects of what is kept, and of what keeps a stack from going."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .permissions import with_statement
from .plant import (
    ABSENT,
    ATTRIBUTE,
    FUNCTION,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    launch_templates,
    mutates,
    of,
    put,
    with_resources,
)

KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
REPOSITORY = "Resources.Repository"
ZONE = "Resources.Zone"
STORES = {
    "AWS::DAX::Cluster": "SSESpecification.SSEEnabled",
    "AWS::DocDB::DBCluster": "StorageEncrypted",
    "AWS::EC2::Volume": "Encrypted",
    "AWS::EFS::FileSystem": "Encrypted",
    "AWS::ElastiCache::ReplicationGroup": "AtRestEncryptionEnabled",
    "AWS::OpenSearchService::Domain": "EncryptionAtRestOptions.Enabled",
}


def kept(kind: str, **properties: Any) -> dict[str, Any]:
    """A resource of a type that stays when the stack goes."""
    return {"Type": kind, **KEPT, "Properties": properties}


@mutates("CB001", no_if=ATTRIBUTE, no_parameter=ATTRIBUTE)
def bucket_deleted(template: Template) -> Iterator[Plant]:
    base = with_resources(template, Bucket=kept("AWS::S3::Bucket"))
    for policy in (ABSENT, "Delete"):
        yield Plant(base, "Resources.Bucket.DeletionPolicy", policy, "Resources.Bucket")


@mutates("CB002")
def repository_not_emptied(template: Template) -> Iterator[Plant]:
    base = with_resources(
        template, Repository={"Type": "AWS::ECR::Repository", "Properties": {"EmptyOnDelete": True}}
    )
    yield Plant(base, f"{REPOSITORY}.Properties.EmptyOnDelete", False, REPOSITORY)


@mutates("CB002", no_parameter=GONE)
def emptying_gone(template: Template) -> Iterator[Plant]:
    base = with_resources(
        template, Repository={"Type": "AWS::ECR::Repository", "Properties": {"EmptyOnDelete": True}}
    )
    yield Plant(base, f"{REPOSITORY}.Properties.EmptyOnDelete", ABSENT, REPOSITORY)


@mutates("CB002", no_if=ATTRIBUTE, no_parameter=ATTRIBUTE)
def repository_deleted(template: Template) -> Iterator[Plant]:
    base = with_resources(template, Repository=kept("AWS::ECR::Repository"))
    yield Plant(base, f"{REPOSITORY}.DeletionPolicy", ABSENT, REPOSITORY)


def with_zone(template: Template, **statement: Any) -> Iterator[tuple[str, Template]]:
    """For each role the path of a statement, and a template with a zone and with that statement."""
    zone = {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "example.com"}}
    for at, base in with_statement(template, **{"Effect": "Allow", **statement}):
        yield at, with_resources(base, Zone=zone)


@mutates("CB003")
def records_written(template: Template) -> Iterator[Plant]:
    for at, base in with_zone(template, Action=["route53:GetHostedZone"], Resource=["*"]):
        yield Plant(base, f"{at}.Action.0", "route53:ChangeResourceRecordSets", ZONE)
    writes = {"Action": ["route53:ChangeResourceRecordSets"]}
    for at, base in with_zone(template, **writes, Resource=["arn:aws:route53:::hostedzone/Z1"]):
        yield Plant(base, f"{at}.Resource.0", "arn:aws:route53:::hostedzone/*", ZONE)
    for at, base in with_zone(template, Effect="Deny", **writes, Resource=["*"]):
        yield Plant(base, f"{at}.Effect", "Allow", ZONE)


@mutates("CB003", no_parameter=STRUCTURE)
def records_of_our_zone_written(template: Template) -> Iterator[Plant]:
    ours = {"Fn::Sub": "arn:${AWS::Partition}:route53:::hostedzone/${Zone}"}
    writes = {"Action": ["route53:ChangeResourceRecordSets"]}
    for at, base in with_zone(template, **writes, Resource=["arn:aws:route53:::hostedzone/Z1"]):
        yield Plant(base, f"{at}.Resource.0", ours, ZONE)
        yield Plant(base, f"{at}.Resource", [ours], ZONE)


@mutates("CB003")
def records_written_by_managed_policy(template: Template) -> Iterator[Plant]:
    for _, base in with_zone(template, Action=["sqs:SendMessage"], Resource=["*"]):
        for name, _ in of(base, "AWS::IAM::Role"):
            at = f"Resources.{name}.Properties.ManagedPolicyArns"
            base = put(base, at, [])
            yield Plant(base, f"{at}.0", "arn:aws:iam::aws:policy/AmazonRoute53FullAccess", ZONE)


@mutates("CB003", no_if=ATTRIBUTE, no_parameter=ATTRIBUTE)
def zone_deleted(template: Template) -> Iterator[Plant]:
    for _, base in with_zone(template, Action=["route53:ChangeResourceRecordSets"], Resource=["*"]):
        yield Plant(put(base, f"{ZONE}.DeletionPolicy", "Retain"), f"{ZONE}.DeletionPolicy", ABSENT, ZONE)


@mutates("CB021", no_parameter=GONE)
def log_group_gone(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        for part in ("LoggingConfig", "LoggingConfig.LogGroup"):
            yield Plant(template, f"Resources.{name}.Properties.{part}", ABSENT, f"Resources.{name}")


@mutates("CB021")
def log_group_made_by_role(template: Template) -> Iterator[Plant]:
    for at, base in with_statement(template, Effect="Allow", Action=["sqs:SendMessage"], Resource=["*"]):
        role = ".".join(at.split(".")[:2])
        if any(of(template, FUNCTION)):
            yield Plant(base, f"{at}.Action.0", "logs:CreateLogGroup", role)
            managed = f"{role}.Properties.ManagedPolicyArns"
            policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
            yield Plant(put(base, managed, []), f"{managed}.0", policy, role)


@mutates("CB022", no_parameter=GONE)
def retention_gone(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::Logs::LogGroup"):
        yield Plant(template, f"Resources.{name}.Properties.RetentionInDays", ABSENT, f"Resources.{name}")


def volumes(template: Template) -> Iterator[tuple[str, str]]:
    """Paths of the volumes that nodes start with, and of what says that they are encrypted."""
    for _, data in launch_templates(template):
        for index, mapping in enumerate(get(template, f"{data}.BlockDeviceMappings")):
            if "Ebs" in mapping:
                at = f"{data}.BlockDeviceMappings.{index}"
                yield at, f"{at}.Ebs.Encrypted"


@mutates("CB051")
def volume_plain(template: Template) -> Iterator[Plant]:
    for finds, at in volumes(template):
        yield Plant(template, at, False, finds)


@mutates("CB051", no_parameter=GONE)
def volume_plain_by_default(template: Template) -> Iterator[Plant]:
    for finds, at in volumes(template):
        yield Plant(template, at, ABSENT, finds)


def stores(template: Template) -> Iterator[tuple[str, str, Template]]:
    """Stores with the path of what encrypts them: our file systems, and one of each other type."""
    for name, resource in of(template, *STORES):
        yield f"Resources.{name}", f"Resources.{name}.Properties.{STORES[resource['Type']]}", template
    for kind, path in STORES.items():
        base = put(with_resources(template, Store=kept(kind)), f"Resources.Store.Properties.{path}", True)
        yield "Resources.Store", f"Resources.Store.Properties.{path}", base


@mutates("CB051")
def store_plain(template: Template) -> Iterator[Plant]:
    for finds, at, base in stores(template):
        yield Plant(base, at, False, finds)


@mutates("CB051", no_parameter=GONE)
def store_plain_by_default(template: Template) -> Iterator[Plant]:
    for finds, at, base in stores(template):
        yield Plant(base, at, ABSENT, finds)
        if at.count(".") > 3:
            yield Plant(base, at.rpartition(".")[0], ABSENT, finds)


@mutates("CB051")
def queue_plain(template: Template) -> Iterator[Plant]:
    at = "Resources.Queue.Properties.SqsManagedSseEnabled"
    base = with_resources(template, Queue={"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 0}})
    yield Plant(base, at, False, at)
