"""A watch over real calls to the emulated AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blueprints.local.aws import Aws
from blueprints.local.deployment import deploy
from blueprints.local.place import Place
from blueprints.local.privilege import watch
from blueprints.local.stack import Stack

from .harness import statement

TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: ec2.amazonaws.com}}]
      Policies:
      - PolicyName: Own
        PolicyDocument:
          Version: "2012-10-17"
          Statement: GRANTS
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      BillingMode: PAY_PER_REQUEST
      SSESpecification: {SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt Key.Arn}
  Bucket: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue}
  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {Version: "2012-10-17", Statement: []}}}
"""
THROUGH = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "dynamodb.${AWS::Region}.${AWS::URLSuffix}"}}}
GRANTS: list[dict[str, Any]] = [
    statement("dynamodb:GetItem", {"Fn::GetAtt": ["Table", "Arn"]}),
    statement("kms:Decrypt", {"Fn::GetAtt": ["Key", "Arn"]}, Condition=THROUGH),
    statement(
        "s3:ListBucket", {"Fn::GetAtt": ["Bucket", "Arn"]}, Condition={"StringLike": {"s3:prefix": "own/*"}}
    ),
    statement("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]}),
]


def run(aws: Aws, grants: list[dict[str, Any]], signed: str = "") -> tuple[list[str], list[str], int]:
    """What a program with the role leads to: failures, surviving mutants, and the number of mutants."""
    stack = Stack(TEMPLATE.replace("GRANTS", json.dumps(grants)), place=Place("watched"))
    deploy(stack, aws)
    role, principals = stack.physical["Role"].ref, {signed: "Role"} if signed else {}

    def client(service: str) -> Any:
        return aws.client(service, signed or role)

    client("dynamodb").list_tables()  # before the watch, so it is nobody's business
    with watch(aws, stack, principals) as watched:
        client("dynamodb").get_item(TableName=stack.physical["Table"].ref, Key={"id": {"S": "one"}})
        for prefix in ("own/a/", "own/b/"):
            client("s3").list_objects_v2(Bucket=stack.physical["Bucket"].ref, Prefix=prefix)
        client("sqs").send_message(QueueUrl=stack.physical["Queue"].ref, MessageBody="text")
        client("sts").get_caller_identity()
        aws.client("dynamodb").list_tables()
    failed = [str(each) for each in watched.verdict().failures]
    return failed, [each.what for each in watched.survivors()], len(watched.mutants())


def test_a_role_with_the_least_it_needs(aws: Aws) -> None:
    failed, survivors, mutants = run(aws, GRANTS)
    assert (failed, survivors) == ([], [])
    assert mutants > 15


def test_a_host_signs_with_a_name_of_its_own(aws: Aws) -> None:
    assert run(aws, GRANTS, signed="node-1")[:2] == ([], [])


@pytest.mark.parametrize("missing", range(len(GRANTS)))
def test_each_grant_is_missed(aws: Aws, missing: int) -> None:
    failed, _, _ = run(aws, [each for index, each in enumerate(GRANTS) if index != missing])
    action = GRANTS[missing]["Action"]
    assert failed
    assert all(
        each.startswith(f"not granted: Role: {action if isinstance(action, str) else action[0]} on ")
        for each in failed
    )


def test_another_prefix_is_not_allowed(aws: Aws) -> None:
    other = json.loads(json.dumps(GRANTS).replace("own/*", "other/*"))
    failed, _, _ = run(aws, other)
    assert [each.split(":")[0] for each in failed] == ["never used", "not granted"]


def test_a_call_that_is_refused_has_been_asked_for(aws: Aws) -> None:
    aws.faults.throttle("sqs:SendMessage", count=1)
    assert run(aws, GRANTS)[0] == []


@pytest.mark.parametrize(
    ("tag", "said"), [("stack", []), ("other", ["never used", "not granted", "not granted"])]
)
def test_tags_are_those_of_the_account(aws: Aws, tag: str, said: list[str]) -> None:
    ours = {"StringEquals": {"aws:ResourceTag/Cluster": "stack"}}
    on = {"Fn::Sub": "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*"}
    grants = [statement("ec2:StopInstances", on, Condition=ours)]
    stack = Stack(TEMPLATE.replace("GRANTS", json.dumps(grants)), place=Place("watched"))
    deploy(stack, aws)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Cluster", "Value": tag}]}]
    made = aws.client("ec2").run_instances(
        ImageId="ami-12c6146b", MinCount=2, MaxCount=2, TagSpecifications=tags
    )
    names = [each["InstanceId"] for each in made["Instances"]]
    with watch(aws, stack) as watched:
        aws.client("ec2", stack.physical["Role"].ref).stop_instances(InstanceIds=names)
    assert [each.kind for each in watched.verdict().failures] == said
