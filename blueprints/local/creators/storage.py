"""Tables and buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..creator import Client, New, creates
from ..resolver import Physical


def _table(client: Client, physical: Physical) -> Any:
    return client("dynamodb").describe_table(TableName=physical.ref)["Table"]


@creates("AWS::DynamoDB::Table", attributes=("Arn",), exists=_table)
def table(new: New) -> Physical:
    """A table with its indexes, stream, encryption, time to live and recovery."""
    name = new.name("TableName")
    settings = new.given(
        "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "TableClass"
    )
    settings |= new.given("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "DeletionProtectionEnabled")
    settings |= new.given("OnDemandThroughput", "WarmThroughput")
    encryption, stream = new.get("SSESpecification"), new.get("StreamSpecification")
    if encryption:
        # The template says SSEEnabled where the API says Enabled.
        settings["SSESpecification"] = _renamed(encryption, SSEEnabled="Enabled")
    if stream:
        view = stream["StreamViewType"]
        settings["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    made = new.call("dynamodb", "create_table", TableName=name, Tags=new.tags() or None, **settings)[
        "TableDescription"
    ]
    expiry, recovery = new.get("TimeToLiveSpecification"), new.get("PointInTimeRecoverySpecification")
    if expiry:
        new.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=expiry)
    if recovery:
        new.call(
            "dynamodb", "update_continuous_backups", TableName=name, PointInTimeRecoverySpecification=recovery
        )
    attributes = {"Arn": made["TableArn"]}
    if stream:
        attributes["StreamArn"] = made["LatestStreamArn"]
    return Physical(name, attributes)


def _bucket(client: Client, physical: Physical) -> Any:
    return client("s3").head_bucket(Bucket=physical.ref)


# Notifications belong to whoever runs event sources, which calls functions.
@creates(
    "AWS::S3::Bucket",
    attributes=("Arn", "DomainName"),
    exists=_bucket,
    ignored=("NotificationConfiguration",),
)
def bucket(new: New) -> Physical:
    """A bucket with versions, encryption, life cycle, CORS, ownership and public access as the template has them."""
    name, place = new.name("BucketName", 63, lower=True), new.place
    elsewhere = {"LocationConstraint": place.region} if place.region != "us-east-1" else None
    new.call("s3", "create_bucket", Bucket=name, CreateBucketConfiguration=elsewhere)
    for key, operation, parameter in (
        ("VersioningConfiguration", "put_bucket_versioning", "VersioningConfiguration"),
        ("PublicAccessBlockConfiguration", "put_public_access_block", "PublicAccessBlockConfiguration"),
        ("OwnershipControls", "put_bucket_ownership_controls", "OwnershipControls"),
    ):
        value = new.get(key)
        if value:
            new.call("s3", operation, Bucket=name, **{parameter: value})
    _encryption(new, name)
    _lifecycle(new, name)
    _cors(new, name)
    tags = new.tags()
    if tags:
        new.call("s3", "put_bucket_tagging", Bucket=name, Tagging={"TagSet": tags})
    domain = f"{name}.s3.{place.url_suffix}"
    regional = f"{name}.s3.{place.region}.{place.url_suffix}"
    arn = f"arn:{place.partition}:s3:::{name}"
    return Physical(name, {"Arn": arn, "DomainName": domain, "RegionalDomainName": regional})


def _encryption(new: New, name: str) -> None:
    value = new.get("BucketEncryption")
    if value:
        rules = [
            _renamed(rule, ServerSideEncryptionByDefault="ApplyServerSideEncryptionByDefault")
            for rule in value["ServerSideEncryptionConfiguration"]
        ]
        new.call(
            "s3", "put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules}
        )


def _renamed(settings: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """The same settings, some under the name that the API has for them."""
    return {names.get(key, key): value for key, value in settings.items()}


def _lifecycle(new: New, name: str) -> None:
    value = new.get("LifecycleConfiguration")
    if value:
        rules = [_lifecycle_rule(rule) for rule in value["Rules"]]
        new.call(
            "s3", "put_bucket_lifecycle_configuration", Bucket=name, LifecycleConfiguration={"Rules": rules}
        )


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The template's flat rule as the API nests it. API Reference, "LifecycleRule"."""
    plain = {key: value for key, value in rule.items() if key in ("Status", "AbortIncompleteMultipartUpload")}
    done: dict[str, Any] = {**plain, "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        done["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        done["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "ExpiredObjectDeleteMarker" in rule:
        done["Expiration"] = {"ExpiredObjectDeleteMarker": rule["ExpiredObjectDeleteMarker"]}
    expiry = rule.get("NoncurrentVersionExpirationInDays")
    if expiry:
        done["NoncurrentVersionExpiration"] = {"NoncurrentDays": expiry}
    if "NoncurrentVersionExpiration" in rule:
        done["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "Transitions" in rule:
        done["Transitions"] = [
            {"Days": each["TransitionInDays"], "StorageClass": each["StorageClass"]}
            for each in rule["Transitions"]
        ]
    known = {"Status", "AbortIncompleteMultipartUpload", "Prefix", "Id", "ExpirationInDays", "Transitions"}
    known |= {"ExpiredObjectDeleteMarker", "NoncurrentVersionExpirationInDays", "NoncurrentVersionExpiration"}
    unknown = rule.keys() - known
    if unknown:
        raise ValueError(f"LifecycleConfiguration with {', '.join(sorted(unknown))}; teach the creator")
    return done


def _cors(new: New, name: str) -> None:
    value = new.get("CorsConfiguration")
    if value:
        names = {"MaxAge": "MaxAgeSeconds", "Id": "ID", "ExposedHeaders": "ExposeHeaders"}
        rules = [_renamed(rule, **names) for rule in value["CorsRules"]]
        new.call("s3", "put_bucket_cors", Bucket=name, CORSConfiguration={"CORSRules": rules})


def _bucket_policy(client: Client, physical: Physical) -> Any:
    return client("s3").get_bucket_policy(Bucket=physical.attributes["Bucket"])["Policy"]


@creates("AWS::S3::BucketPolicy", exists=_bucket_policy)
def bucket_policy(new: New) -> Physical:
    """The policy of one bucket."""
    bucket = new.get("Bucket")
    new.call("s3", "put_bucket_policy", Bucket=bucket, Policy=new.get("PolicyDocument"))
    return Physical(bucket, {"Bucket": bucket})
