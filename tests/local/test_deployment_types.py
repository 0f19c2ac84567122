"""What each creator makes of its resource in `everything.yaml`, asked of the APIs afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprints.local.aws import Aws
from blueprints.local.deployment import Deployment, deploy
from blueprints.local.lookup import from_clients
from blueprints.local.place import Place
from blueprints.local.stack import Stack

EVERYTHING = Path(__file__).with_name("everything.yaml")


@pytest.fixture(scope="module")
def everything(emulated: Aws) -> Iterator[tuple[Deployment, Aws]]:
    """One deployment for all tests of this module, which only look and never reset."""
    emulated.reset()
    yield deploy(Stack.read(EVERYTHING, place=Place("demo")), emulated), emulated
    emulated.reset()


def ref(deployment: Deployment, name: str) -> str:
    return deployment.created[name].ref


def test_what_is_not_run_is_told(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    assert done.not_run == {
        "Permission": "AWS::Lambda::Permission",
        "Firehose": "AWS::KinesisFirehose::DeliveryStream",
    }
    assert "Unborn" not in done.created
    assert aws.unimplemented() == []


def test_storage(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    dynamodb, s3, bucket = aws.client("dynamodb"), aws.client("s3"), ref(done, "Bucket")
    table = dynamodb.describe_table(TableName=ref(done, "Table"))["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert table["LatestStreamArn"] == done.created["Table"].attributes["StreamArn"]
    assert [each["IndexName"] for each in table["GlobalSecondaryIndexes"]] == ["by-time"]
    assert table["SSEDescription"]["Status"] == "ENABLED"
    live = dynamodb.describe_time_to_live(TableName=ref(done, "Table"))["TimeToLiveDescription"]
    assert live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName=ref(done, "Table"))[
        "ContinuousBackupsDescription"
    ]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert (
        rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == done.created["Key"].attributes["Arn"]
    )
    life, markers = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert markers["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert (life["ID"], life["Expiration"], life["Transitions"]) == (
        "old",
        {"Days": 30},
        [{"Days": 10, "StorageClass": "GLACIER"}],
    )
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["MaxAgeSeconds"] == 300
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"


def test_messaging(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    sqs, sns, events = aws.client("sqs"), aws.client("sns"), aws.client("events")
    attributes = sqs.get_queue_attributes(QueueUrl=ref(done, "Queue"), AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 3
    assert "sns.amazonaws.com" in attributes["Policy"]
    assert ref(done, "Ordered").endswith(".fifo")
    subscription = sns.get_subscription_attributes(SubscriptionArn=ref(done, "Subscription"))["Attributes"]
    assert (subscription["RawMessageDelivery"], json.loads(subscription["FilterPolicy"])) == (
        "true",
        {"kind": ["urgent"]},
    )
    assert len(sns.list_subscriptions_by_topic(TopicArn=ref(done, "Topic"))["Subscriptions"]) == 2
    bus, _, rule = ref(done, "Rule").partition("|")
    assert bus == ref(done, "Bus") == "demo-bus"
    described = events.describe_rule(Name=rule, EventBusName=bus)
    assert json.loads(described["EventPattern"]) == {"source": ["app"]}
    (target,) = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
    assert target["Arn"] == done.created["Queue"].attributes["Arn"]
    assert events.describe_rule(Name=ref(done, "Schedule"))["State"] == "DISABLED"


def test_identity(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    iam, kms, role = aws.client("iam"), aws.client("kms"), ref(done, "Role")
    described = iam.get_role(RoleName=role)["Role"]
    assert (described["Path"], described["MaxSessionDuration"]) == ("/app/", 7200)
    assert sorted(iam.list_role_policies(RoleName=role)["PolicyNames"]) == ["read", "write"]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert {each["PolicyName"] for each in attached} == {
        ref(done, "Managed").rsplit("/", 1)[1],
        "AWSLambdaBasicExecutionRole",
    }
    assert kms.get_key_rotation_status(KeyId=ref(done, "Key"))["KeyRotationEnabled"]
    assert kms.describe_key(KeyId="alias/demo")["KeyMetadata"]["KeyId"] == ref(done, "Key")
    fetch = from_clients(aws.client)
    secret = ref(done, "Secret")
    source = f"{{{{resolve:secretsmanager:{secret}:SecretString:"
    text = f'Resources: {{T: {{Type: X, Properties: {{A: "{source}user}}}}", B: "{source}password}}}}"}}}}}}'
    values = Stack(text, fetch=fetch).properties("T")
    assert values["A"] == "admin"
    assert len(values["B"]) == 20


def test_operations(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    ssm = aws.client("ssm")
    assert ssm.get_parameter(Name=ref(done, "Parameter"))["Parameter"]["Value"] == ref(done, "Table")
    content = json.loads(ssm.get_document(Name=ref(done, "Document"))["Content"])
    assert content == done.stack.document("Document")
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix=ref(done, "LogGroup"))["logGroups"]
    assert group["retentionInDays"] == 14
    (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[ref(done, "Alarm")])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["AlarmActions"]) == (
        600.0,
        3,
        [ref(done, "Topic")],
    )


def test_compute(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    function = aws.client("lambda").get_function(FunctionName=ref(done, "Function"))
    assert function["Configuration"]["Environment"]["Variables"] == {"TABLE": ref(done, "Table")}
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 2
    machine = aws.client("stepfunctions").describe_state_machine(stateMachineArn=ref(done, "Machine"))
    assert json.loads(machine["definition"])["States"]["Send"]["Result"] == ref(done, "Queue")
    autoscaling, group = aws.client("autoscaling"), ref(done, "Group")
    (described,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    assert [each["LifecycleState"] for each in described["Instances"]] == ["InService"]
    (hook,) = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (300, "CONTINUE")
    assert [(each["resource"], each["count"]) for each in aws.signals()] == [("Group", 2)]
    assert done.stack.user_data("Template") == f"#!/bin/sh\necho {ref(done, 'Table')}\n".encode()


def test_network(everything: tuple[Deployment, Aws]) -> None:
    done, aws = everything
    ec2 = aws.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[ref(done, "SecurityGroup")])["SecurityGroups"]
    (ingress,), (egress,) = group["IpPermissions"], group["IpPermissionsEgress"]
    assert (ingress["FromPort"], ingress["IpRanges"]) == (
        443,
        [{"CidrIp": "10.0.0.0/8", "Description": "HTTPS"}],
    )
    assert (egress["FromPort"], egress["IpProtocol"]) == (443, "tcp")
    (subnet,) = ec2.describe_subnets(SubnetIds=[ref(done, "Subnet")])["Subnets"]
    assert (subnet["CidrBlock"], subnet["AvailabilityZone"]) == ("10.9.0.0/24", "us-east-1a")
    hostnames = ec2.describe_vpc_attribute(VpcId=ref(done, "Vpc"), Attribute="enableDnsHostnames")
    assert hostnames["EnableDnsHostnames"] == {"Value": True}


def test_names_are_like_cloudformations(everything: tuple[Deployment, Aws]) -> None:
    done, _ = everything
    assert ref(done, "Bucket") == ref(done, "Bucket").lower()
    name = ref(done, "Table")
    assert name.startswith("demo-Table-")
    assert len(name) == len("demo-Table-") + 12
