"""Defects of queues and notifications, added to the functions of our templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .functions import role_of
from .plant import (
    ABSENT,
    DEPENDS_ON,
    FUNCTION,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    mutates,
    of,
    put,
    with_resources,
)

QUEUE = "Resources.Queue.Properties"
DEAD = "Resources.Dead.Properties"
RULES = "Resources.Bucket.Properties.NotificationConfiguration.LambdaConfigurations"


def with_queue(template: Template) -> Iterator[Template]:
    """For each function a template with a queue that it empties and one for what it cannot handle."""
    for name, _ in of(template, FUNCTION):
        redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 5}
        mapping = {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "FunctionName": {"Ref": name}}
        yield with_resources(
            template,
            Dead={"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
            Queue={"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": redrive}},
            Mapping={"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        )


@mutates("CB043", no_parameter=GONE)
def redrive_gone(template: Template) -> Iterator[Plant]:
    for base in with_queue(template):
        yield Plant(base, f"{QUEUE}.RedrivePolicy", ABSENT, "Resources.Queue")


@mutates("CB043", no_parameter=STRUCTURE)
def queue_for_function(template: Template) -> Iterator[Plant]:
    for base in with_queue(template):
        at = "Resources.Mapping.Properties.EventSourceArn"
        source = get(base, at)
        base = put(put(base, f"{QUEUE}.RedrivePolicy", ABSENT), at, "elsewhere")
        yield Plant(base, at, source, "Resources.Queue")


@mutates("CB160")
def retention_not_longer(template: Template) -> Iterator[Plant]:
    for base in with_queue(template):
        yield Plant(base, f"{DEAD}.MessageRetentionPeriod", 345600, "Resources.Dead")
        base = put(base, f"{DEAD}.MessageRetentionPeriod", 600000)
        yield Plant(base, f"{QUEUE}.MessageRetentionPeriod", 700000, "Resources.Dead")


@mutates("CB160", no_parameter=GONE)
def retention_by_default(template: Template) -> Iterator[Plant]:
    for base in with_queue(template):
        yield Plant(base, f"{DEAD}.MessageRetentionPeriod", ABSENT, "Resources.Dead")


@mutates("CB160", no_parameter=STRUCTURE)
def dead_letters_to_short(template: Template) -> Iterator[Plant]:
    for base in with_queue(template):
        base = put(base, f"{DEAD}.MessageRetentionPeriod", 60)
        at = f"{QUEUE}.RedrivePolicy.deadLetterTargetArn"
        yield Plant(put(base, at, "elsewhere"), at, {"Fn::GetAtt": ["Dead", "Arn"]}, "Resources.Dead")


def with_bucket(template: Template) -> Iterator[tuple[str, Template]]:
    """For each function the path of a statement, and a template with a bucket that it reads and writes apart."""
    for name, _ in of(template, FUNCTION):
        statement = {
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": {"Fn::Sub": "${Bucket.Arn}/out/*"},
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        at = f"Resources.{role_of(template, name)}.Properties.Policies"
        policies: list[Any] = get(template, at)
        base = put(template, f"{at}.{len(policies)}", {"PolicyName": "Put", "PolicyDocument": document})
        key = {"Rules": [{"Name": "prefix", "Value": "in/"}]}
        rule = {
            "Event": "s3:ObjectCreated:*",
            "Function": {"Fn::GetAtt": [name, "Arn"]},
            "Filter": {"S3Key": key},
        }
        bucket = {"NotificationConfiguration": {"LambdaConfigurations": [rule]}}
        yield (
            f"{at}.{len(policies)}.PolicyDocument.Statement.0",
            with_resources(
                base,
                Permission={
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "FunctionName": {"Ref": name},
                        "Action": "lambda:InvokeFunction",
                        "Principal": "s3.amazonaws.com",
                        "SourceAccount": {"Ref": "AWS::AccountId"},
                    },
                },
                Bucket={
                    "Type": "AWS::S3::Bucket",
                    "DependsOn": "Permission",
                    "DeletionPolicy": "Retain",
                    "UpdateReplacePolicy": "Retain",
                    "Properties": bucket,
                },
            ),
        )


@mutates("CB044")
def reads_what_it_writes(template: Template) -> Iterator[Plant]:
    for statement, base in with_bucket(template):
        prefix = f"{RULES}.0.Filter.S3Key.Rules.0.Value"
        yield Plant(base, prefix, "out/", f"{RULES}.0")
        base = put(base, prefix, "out/")
        quiet = put(base, f"{RULES}.0.Event", "s3:ObjectRemoved:*")
        yield Plant(quiet, f"{RULES}.0.Event", "s3:ObjectCreated:Put", f"{RULES}.0")
        reading = put(base, f"{statement}.Action.0", "s3:GetObject")
        yield Plant(reading, f"{statement}.Action.0", "s3:PutObject", f"{RULES}.0")
        denied = put(base, f"{statement}.Effect", "Deny")
        yield Plant(denied, f"{statement}.Effect", "Allow", f"{RULES}.0")


@mutates("CB044", no_parameter=STRUCTURE)
def writes_what_it_reads(template: Template) -> Iterator[Plant]:
    for statement, base in with_bucket(template):
        wide = {"Fn::Sub": "${Bucket.Arn}/*"}
        yield Plant(base, f"{statement}.Resource", wide, f"{RULES}.0")
        at = f"{RULES}.0.Function"
        function = get(base, at)
        base = put(put(base, f"{statement}.Resource", wide), at, "elsewhere")
        yield Plant(base, at, function, f"{RULES}.0")


@mutates("CB044", no_parameter=GONE)
def filter_gone(template: Template) -> Iterator[Plant]:
    for _, base in with_bucket(template):
        for part in ("Filter", "Filter.S3Key", "Filter.S3Key.Rules", "Filter.S3Key.Rules.0"):
            yield Plant(base, f"{RULES}.0.{part}", ABSENT, f"{RULES}.0")


@mutates("CB159", no_if=DEPENDS_ON, no_parameter=GONE)
def permission_not_awaited(template: Template) -> Iterator[Plant]:
    for _, base in with_bucket(template):
        finds = "Resources.Bucket.Properties.NotificationConfiguration"
        yield Plant(base, "Resources.Bucket.DependsOn", ABSENT, finds)


@mutates("CB159", no_parameter=STRUCTURE)
def notifies_at_once(template: Template) -> Iterator[Plant]:
    for _, base in with_bucket(template):
        finds = "Resources.Bucket.Properties.NotificationConfiguration"
        base = put(base, "Resources.Bucket.DependsOn", ABSENT)
        for at in (f"{RULES}.0.Function", "Resources.Permission.Properties.FunctionName"):
            yield Plant(put(base, at, "elsewhere"), at, get(base, at), finds)


@mutates("CB159")
def principal_of_storage(template: Template) -> Iterator[Plant]:
    for _, base in with_bucket(template):
        finds = "Resources.Bucket.Properties.NotificationConfiguration"
        at = "Resources.Permission.Properties.Principal"
        base = put(put(base, "Resources.Bucket.DependsOn", ABSENT), at, "sns.amazonaws.com")
        yield Plant(base, at, "s3.amazonaws.com", finds)
