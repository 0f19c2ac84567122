"""Each row of the action map, against the Service Authorization Reference as data."""

from __future__ import annotations

from typing import Any

import pytest

from blueprints.checks import iam
from blueprints.checks.arns import overlap
from blueprints.local.place import Place
from blueprints.local.privilege.call import Asked
from blueprints.local.privilege.encryption import ACTIONS
from blueprints.local.privilege.request import NotJudgedError
from blueprints.local.privilege.table import ROWS, asks

from .harness import Known, called

ACCOUNT = "123456789012"
TASK = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/cluster/0123"
# Parameters that make every row ask all that it can
EVERYTHING: dict[str, Any] = {
    "TableName": "table", "RequestItems": {"table": {}}, "Key": "key", "Bucket": "bucket", "Name": "/a/b:3",
    "TransactItems": [{each: {"TableName": "table"}} for each in ("Get", "Put", "Update", "Delete", "ConditionCheck")],
    "x-amz-date": "20260101T000000Z", "x-amz-tagging": "a=b", "x-amz-acl": "private",
    "x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-legal-hold": "ON",
    "x-amz-copy-source": "/bucket/other%20key?versionId=1",
    "QueueUrl": f"http://localhost/{ACCOUNT}/queue", "TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:topic",
    "stateMachineArn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:machine", "SecretId": "secret",
    "executionArn": f"arn:aws:states:us-east-1:{ACCOUNT}:execution:machine:1", "FunctionName": "function",
    "Entries": [{}, {"EventBusName": "bus"}], "InstanceId": "i-1", "InstanceIds": ["i-1", "i-2"],
    "AllocationId": "eipalloc-1", "DocumentName": "document", "KeyId": "1", "StackName": "other",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "logGroupName": "group", "logStreamName": "stream",
    "HostedZoneId": "/hostedzone/Z1", "Id": "Z1", "ServiceId": "srv-1", "tasks": [TASK, "4567"], "cluster": "cluster",
    "task": TASK, "containerInstance": "1", "projectName": "project", "ids": ["project:1"], "id": "project:2",
    "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:layer:1",
    "containerInstances": ["1"], "services": ["service"], "service": "service", "clusters": ["cluster"],
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "describe_tags": {"Tags": [{"Key": "aws:autoscaling:groupName", "Value": "group"}]},
    "describe_network_interfaces": {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}]},
    "describe_key": {"KeyMetadata": {"KeyId": "1", "Arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"}},
    "get_object_tagging": {"TagSet": [{"Key": "a", "Value": "b"}]},
}
# What no journal can tell
UNTOLD = {"s3:DeleteObjects"}


def asked(api: str, **parameters: Any) -> list[tuple[str, str]]:
    call = Asked(called(api, **parameters), Place(), Known(**ANSWERS))
    return [(ask.action, resource) for ask, resource in asks(call)]


@pytest.mark.parametrize("api", sorted(set(ROWS) - UNTOLD))
def test_a_row_asks_for_actions_on_resources_that_they_take(api: str) -> None:
    found = asked(api, **EVERYTHING) + asked(api, **{**EVERYTHING, "versionId": "1"})
    assert {ask.action for ask in ROWS[api]} - {"s3:GetObject"} <= {action for action, _ in found}
    for action, resource in found:
        (known,) = iam.matching(action)
        if resource == "*":
            assert not known.always, action
        else:
            assert resource.count(":") >= 5
            assert any(overlap(resource, shape) for shape in known.arns), (action, resource, known.arns)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_what_implies_a_key_is_an_action(action: str) -> None:
    assert [each.name for each in iam.matching(action)] == [action]


@pytest.mark.parametrize(
    ("api", "parameters", "expected"),
    [
        ("dynamodb:Query", {"TableName": "t", "IndexName": "i"},
         [("dynamodb:Query", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/index/i")]),
        ("dynamodb:GetItem", {"TableName": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t"},
         [("dynamodb:GetItem", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t")]),
        ("s3:HeadObject", {"Bucket": "b", "Key": "k/l"}, [("s3:GetObject", "arn:aws:s3:::b/k/l")]),
        ("s3:GetObject", {"Bucket": "b", "Key": "k", "versionId": "1"},
         [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        ("s3:ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3:PutObject", {"Bucket": "b", "Key": "k", "x-amz-date": "1"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3:PutObject", {"Bucket": "b", "Key": "k", "x-amz-date": "1", "x-amz-tagging": "a=b"},
         [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectTagging", "arn:aws:s3:::b/k")]),
        ("ssm:SendCommand", {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-1"]},
         [("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"),
          ("ssm:SendCommand", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1")]),
        ("ssm:GetParameter", {"Name": "/a/b:3"},
         [("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/a/b")]),
        ("ec2:DescribeInstances", {}, [("ec2:DescribeInstances", "*")]),
        ("elbv2:DescribeTargetHealth", {}, [("elasticloadbalancing:DescribeTargetHealth", "*")]),
        ("sts:GetCallerIdentity", {}, []),
        ("ecs:ListTasks", {"cluster": "c"}, [("ecs:ListTasks", "*")]),
        ("codebuild:BatchGetBuilds", {"ids": ["p:1", "p:2", "q:1"]},
         [("codebuild:BatchGetBuilds", f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/p"),
          ("codebuild:BatchGetBuilds", f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/q")]),
        ("sns:Publish", {"PhoneNumber": "1"}, [("sns:Publish", "*")]),
    ],
)  # fmt: skip
def test_rows(api: str, parameters: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert asked(api, **parameters) == expected


@pytest.mark.parametrize(
    ("api", "parameters", "said"),
    [
        ("dynamodb:CreateTable", {"TableName": "t"}, "dynamodb:CreateTable has no row"),
        ("dynamodb:GetItem", {}, "without TableName"),
        ("s3:PutObject", {"Bucket": "b", "Key": "k"}, "none of its headers"),
        ("s3:DeleteObjects", {"Bucket": "b"}, "in the body"),
        ("ssm:SendCommand", {"DocumentName": "d", "Targets": ["a"]}, "by Targets"),
    ],
)
def test_what_a_call_does_not_tell_is_no_pass(api: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(NotJudgedError, match=said):
        asked(api, **parameters)
