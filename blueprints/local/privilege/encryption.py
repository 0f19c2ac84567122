"""What KMS is asked in a caller's name, when a service reads or writes what a customer's key encrypts.

A key that AWS manages lets every caller of its service in the account use it, and takes no grant: AWS KMS Developer
Guide, "AWS managed keys". All of it goes through the service, which is what kms:ViaService says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .call import Asked
from .request import Request

_BOTH = ("kms:GenerateDataKey", "kms:Decrypt")

# By what the service is asked. A row for what may be written or read encrypted; nothing else touches data.
ACTIONS: dict[str, tuple[str, ...]] = {
    # DynamoDB Developer Guide, "Encryption at rest": a table's key is decrypted for each principal, whatever it does
    **{f"dynamodb:{each}": ("kms:Decrypt",) for each in (
        "GetItem", "PutItem", "DeleteItem", "UpdateItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
        "ConditionCheckItem")},
    # S3 User Guide, "Using server-side encryption with AWS KMS keys"; "Multipart upload API and permissions"
    "s3:GetObject": ("kms:Decrypt",),
    "s3:GetObjectVersion": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey",),
    # SNS and SQS Developer Guides, "Key management"
    "sns:Publish": _BOTH,
    "sqs:SendMessage": _BOTH,
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    # Secrets Manager User Guide, "Secret encryption and decryption"
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    "secretsmanager:PutSecretValue": _BOTH,
    "secretsmanager:UpdateSecret": _BOTH,
    # Systems Manager User Guide, "AWS KMS encryption for Parameter Store SecureString parameters"
    "ssm:GetParameter": ("kms:Decrypt",),
    "ssm:GetParameters": ("kms:Decrypt",),
    "ssm:GetParametersByPath": ("kms:Decrypt",),
    "ssm:PutParameter": ("kms:Encrypt",),
}  # fmt: skip
_MULTIPART = "s3:CreateMultipartUpload"
_PART_OF_IT = ("s3:UploadPart", "s3:CompleteMultipartUpload")
_WITHOUT_DATA = ("s3:HeadObject",)


@dataclass(frozen=True)
class Implied:
    """A question to KMS that follows from another."""

    action: str
    key: str
    service: str


def implied(asked: Asked, action: str, resource: str) -> Iterator[Implied]:
    """What KMS is asked with a question to another service. Raises NotJudgedError for a key that is not known."""
    actions = ACTIONS.get(action, ())
    if asked.record.api == _MULTIPART:
        actions = _BOTH
    if not actions or asked.record.api in (*_PART_OF_IT, *_WITHOUT_DATA):
        return
    service = action.partition(":")[0]
    name = _key(asked, service, resource)
    key = asked.account.key(name) if name else None
    if key:
        yield from (Implied(each, key, service) for each in actions)


def _key(asked: Asked, service: str, resource: str) -> str | None:
    """The key under which a resource's data is, as its service names it."""
    account, name = asked.account, resource.rpartition(":")[2]
    if service == "dynamodb":
        found = account.ask("dynamodb", "describe_table", TableName=name.split("/")[1])
        described: dict[str, Any] = found.get("Table", {}).get("SSEDescription", {})
        return described.get("KMSMasterKeyArn")
    if service == "s3":
        return _of_object(asked, name.partition("/")[0])
    if service == "sns":
        return (
            account.ask("sns", "get_topic_attributes", TopicArn=resource)
            .get("Attributes", {})
            .get("KmsMasterKeyId")
        )
    if service == "sqs":
        url = account.ask("sqs", "get_queue_url", QueueName=name).get("QueueUrl")
        found = (
            account.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"]) if url else {}
        )
        return found.get("Attributes", {}).get("KmsMasterKeyId")
    if service == "secretsmanager":
        return account.ask("secretsmanager", "describe_secret", SecretId=resource).get("KmsKeyId")
    return _of_parameter(asked, name)


def _of_object(asked: Asked, bucket: str) -> str | None:
    """The key of one upload, or the bucket's; of what is read the bucket's, since nobody here writes under another."""
    given = asked.get("x-amz-server-side-encryption-aws-kms-key-id")
    if given:
        return str(given)
    found = asked.account.ask("s3", "get_bucket_encryption", Bucket=bucket)
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    for rule in rules:
        default: dict[str, Any] = rule.get("ApplyServerSideEncryptionByDefault", {})
        if default.get("SSEAlgorithm", "").startswith("aws:kms"):
            return default.get("KMSMasterKeyID")
    return None


def _of_parameter(asked: Asked, name: str) -> str | None:
    """The key of a SecureString that is read decrypted, or written."""
    if asked.get("Type") == "SecureString":
        return asked.get("KeyId")
    if str(asked.get("WithDecryption")).lower() != "true":
        return None
    plain = name.removeprefix("parameter/")
    for each in (plain, f"/{plain}"):
        chosen = [{"Key": "Name", "Values": [each]}]
        found = asked.account.ask("ssm", "describe_parameters", ParameterFilters=chosen).get("Parameters", [])
        for described in found:
            return described.get("KeyId") if described["Type"] == "SecureString" else None
    return None


def request(implied: Implied, cause: str, caller: str, url_suffix: str) -> Request:
    """The question, with what AWS says of it."""
    region = implied.key.split(":")[3]
    context = {
        "kms:viaservice": (f"{implied.service}.{region}.{url_suffix}",),
        "kms:calleraccount": (caller,),
        "aws:viaawsservice": ("true",),
        "aws:calledvia": (f"{implied.service}.amazonaws.com",),
    }
    return Request(implied.action, implied.key, f"{cause}, encrypted", context)
