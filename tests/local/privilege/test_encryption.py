"""What KMS is asked when a service reads or writes under a customer's key."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import TABLE, Known, called, failures, judged, stack_of, statement

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
QUEUE, TOPIC = "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:123456789012:t"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf"  # noqa: S105 - a name
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/p"
GET = called("dynamodb:GetItem", TableName="stack-Table")
READ = statement("dynamodb:GetItem", TABLE)
KNOWN: dict[str, dict[str, Any]] = {
    "describe_key": {"KeyMetadata": {"KeyId": "1", "Arn": KEY}},
    "describe_table": {"Table": {"SSEDescription": {"KMSMasterKeyArn": KEY}}},
    "get_topic_attributes": {"Attributes": {"KmsMasterKeyId": "1"}},
    "get_queue_url": {"QueueUrl": "http://localhost/123456789012/q"},
    "get_queue_attributes": {"Attributes": {"KmsMasterKeyId": "alias/own"}},
    "describe_secret": {"KmsKeyId": KEY, "ARN": SECRET},
    "describe_parameters": {"Parameters": [{"Type": "SecureString", "KeyId": "1"}]},
    "get_bucket_encryption": {"ServerSideEncryptionConfiguration": {"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}]}},
}  # fmt: skip


def decrypt(via: str, *actions: str) -> dict[str, Any]:
    through = {"StringEquals": {"kms:ViaService": f"{via}.us-east-1.amazonaws.com"}}
    return statement(list(actions or ("kms:Decrypt",)), KEY, Condition=through)


S3: dict[str, Any] = {"Bucket": "b", "Key": "k", "x-amz-date": "1"}
BOTH = ("kms:GenerateDataKey", "kms:Decrypt")


@pytest.mark.parametrize(
    ("action", "resource", "call", "via", "needed"),
    [
        ("dynamodb:GetItem", TABLE, GET, "dynamodb", ("kms:Decrypt",)),
        ("s3:GetObject", "arn:aws:s3:::b/k", called("s3:GetObject", **S3), "s3", ("kms:Decrypt",)),
        ("s3:GetObject", "arn:aws:s3:::b/k", called("s3:HeadObject", **S3), "s3", ()),
        ("s3:PutObject", "arn:aws:s3:::b/k", called("s3:PutObject", **S3), "s3", ("kms:GenerateDataKey",)),
        ("s3:PutObject", "arn:aws:s3:::b/k", called("s3:CreateMultipartUpload", **S3), "s3", BOTH),
        ("s3:PutObject", "arn:aws:s3:::b/k", called("s3:UploadPart", **S3), "s3", ()),
        ("sns:Publish", TOPIC, called("sns:Publish", TopicArn=TOPIC), "sns", BOTH),
        ("sqs:SendMessage", QUEUE, called("sqs:SendMessage", QueueUrl="http://localhost/1/q"), "sqs", BOTH),
        ("sqs:DeleteMessage", QUEUE, called("sqs:DeleteMessage", QueueUrl="http://localhost/1/q"), "sqs", ()),
        ("secretsmanager:GetSecretValue", SECRET, called("secretsmanager:GetSecretValue", SecretId="s"),
         "secretsmanager", ("kms:Decrypt",)),
        ("ssm:GetParameter", PARAMETER, called("ssm:GetParameter", Name="/p", WithDecryption=True), "ssm",
         ("kms:Decrypt",)),
        ("ssm:GetParameter", PARAMETER, called("ssm:GetParameter", Name="/p"), "ssm", ()),
    ],
)  # fmt: skip
def test_a_customers_key_is_needed_through_its_service(
    action: str, resource: str, call: Any, via: str, needed: tuple[str, ...]
) -> None:
    own = statement(action, resource)
    keyed = stack_of(own, decrypt(via, *needed)) if needed else stack_of(own)
    watched = judged(keyed, call, **KNOWN)
    assert failures(watched) == []
    assert watched.survivors() == []
    without = failures(judged(stack_of(own), call, **KNOWN))
    assert [each.split(" on ")[0] for each in without] == [
        f"not granted: Role: {each}" for each in sorted(needed)
    ]
    elsewhere = failures(judged(stack_of(own, decrypt("ec2", *needed)), call, **KNOWN))
    assert len([each for each in elsewhere if each.startswith("not granted")]) == len(needed)


def test_a_key_of_aws_needs_no_grant() -> None:
    managed = {"list_aliases": {"Aliases": [{"AliasName": "alias/aws/dynamodb"}]}}
    assert failures(judged(stack_of(READ), GET, **KNOWN, **managed)) == []
    topic = called("sns:Publish", TopicArn=TOPIC)
    named = {"get_topic_attributes": {"Attributes": {"KmsMasterKeyId": "alias/aws/sns"}}}
    assert failures(judged(stack_of(statement("sns:Publish", TOPIC)), topic, **named)) == []


def test_a_table_without_a_key_needs_no_grant_and_one_is_too_much() -> None:
    assert failures(judged(stack_of(READ), GET)) == []
    assert failures(judged(stack_of(READ, decrypt("dynamodb")), GET)) == [
        f"never used: Role.Own.1: kms:Decrypt on {KEY}"
    ]


def test_a_key_that_nothing_tells_is_a_failure() -> None:
    unknown = {"describe_table": {"Table": {"SSEDescription": {"KMSMasterKeyArn": "alias/none"}}}}
    assert "no key alias/none" in failures(judged(stack_of(READ), GET, **unknown))[0]


def test_an_upload_may_name_its_own_key() -> None:
    other = KEY.replace("key/1", "key/2")
    call = called("s3:PutObject", **S3, **{"x-amz-server-side-encryption-aws-kms-key-id": other})
    found = failures(judged(stack_of(statement("s3:PutObject", "arn:aws:s3:::b/k")), call))
    assert [each.split(" (")[0] for each in found] == [f"not granted: Role: kms:GenerateDataKey on {other}"]


def test_known_answers_are_all_that_is_there() -> None:
    assert Known().ask("kms", "describe_key", KeyId="1") == {}
