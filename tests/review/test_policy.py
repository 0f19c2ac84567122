"""The deploying role's policy: what a small template needs, written by hand, and what is told about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import iam
from blueprints.checks.finding import Source
from blueprints.checks.template import load
from blueprints.core import BlueprintError
from blueprints.review.policy import MANAGED_POLICY, Deployment, deployment

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.yaml"))

TRUST = (
    """{{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "sts:AssumeRole", Principal: {0}}}]}}"""
)
SMALL = f"""\
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {{DeliveryStatusLogging: [{{Protocol: sqs, SuccessFeedbackRoleArn: !GetAtt Role.Arn}}]}}
  Association: {{Type: AWS::EC2::VPCGatewayAttachment, Properties: {{VpcId: vpc-1, InternetGatewayId: igw-1}}}}
  Handle: {{Type: AWS::CloudFormation::WaitConditionHandle}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {TRUST.format("{Service: sns.amazonaws.com}")}
"""


def needed(text: str, stack_name: str = "news") -> Deployment:
    return deployment(Source("small.yaml", text), stack_name)


def statements(found: Deployment) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in found.policy["Statement"]}


def role(properties: str) -> str:
    topic = "  Topic: {Type: AWS::SNS::Topic}\n"
    return f"Resources:\n{topic}  Role:\n    Type: AWS::IAM::Role\n    Properties: {properties}\n"


def test_a_small_template_needs_this_and_nothing_else() -> None:
    found = needed(SMALL)
    assert found.policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Ec2",
                "Effect": "Allow",
                "Action": [
                    "ec2:AttachInternetGateway",
                    "ec2:AttachVpnGateway",
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeVpnGateways",
                    "ec2:DetachInternetGateway",
                    "ec2:DetachVpnGateway",
                ],
                "Resource": "*",
            },
            {
                "Sid": "Iam",
                "Effect": "Allow",
                "Action": [
                    "iam:AttachRolePolicy",
                    "iam:CreateRole",
                    "iam:DeleteRole",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoles",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:TagRole",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                    "iam:UpdateRoleDescription",
                ],
                "Resource": "*",
            },
            {
                "Sid": "Sns",
                "Effect": "Allow",
                "Action": [
                    "sns:CreateTopic",
                    "sns:DeleteTopic",
                    "sns:GetDataProtectionPolicy",
                    "sns:GetTopicAttributes",
                    "sns:ListSubscriptionsByTopic",
                    "sns:ListTagsForResource",
                    "sns:ListTopics",
                    "sns:PutDataProtectionPolicy",
                    "sns:SetTopicAttributes",
                    "sns:Subscribe",
                    "sns:TagResource",
                    "sns:Unsubscribe",
                    "sns:UntagResource",
                ],
                "Resource": "*",
            },
            {
                "Sid": "PassRoleSns",
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": ["arn:*:iam::*:role/news-Role-*"],
                "Condition": {"StringEquals": {"iam:PassedToService": ["sns.amazonaws.com"]}},
            },
        ],
    }
    assert (found.unknown, found.elsewhere, found.unlisted, list(found.remarks())) == ([], [], [], [])
    assert all(iam.matching(action) for each in found.policy["Statement"] for action in each["Action"])


def test_types_without_handlers_are_named_and_no_others() -> None:
    found = needed(
        "Resources:\n  A: {Type: AWS::FSx::FileSystem}\n  B: {Type: Custom::Thing}\n  C: {Type: AWS::SNS::Topic}\n"
    )
    assert found.unknown == ["AWS::FSx::FileSystem", "Custom::Thing"]
    assert [line.partition(":  ")[0].split(": ")[0] for line in found.remarks()] == found.unknown
    assert set(statements(found)) == {"Iam", "Sns"}


@pytest.mark.parametrize(
    ("properties", "principal", "arn", "services"),
    [
        (
            "",
            "{Service: !Sub 'ec2.${AWS::URLSuffix}'}",
            "news-Role-*",
            ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
        ),
        ("Path: /team/, ", "{Service: [states.amazonaws.com]}", "team/news-Role-*", ["states.amazonaws.com"]),
        (
            "RoleName: !Sub '${AWS::StackName}-${AWS::Region}', ",
            "{Service: a.amazonaws.com}",
            "news-*",
            ["a.amazonaws.com"],
        ),
        ("", "{AWS: !Ref AWS::AccountId}", "news-Role-*", None),
    ],
)
def test_roles_are_passed_by_name_to_the_service_that_they_trust(
    properties: str, principal: str, arn: str, services: list[str] | None
) -> None:
    text = role(f"{{{properties}AssumeRolePolicyDocument: {TRUST.format(principal)}}}")
    (passing,) = [each for sid, each in statements(needed(text)).items() if sid.startswith("PassRole")]
    assert passing["Resource"] == [f"arn:*:iam::*:role/{arn}"]
    assert passing.get("Condition") == (services and {"StringEquals": {"iam:PassedToService": services}})


def test_a_name_too_long_for_a_role_is_matched_by_its_beginning() -> None:
    text = role(f"{{AssumeRolePolicyDocument: {TRUST.format('{Service: sns.amazonaws.com}')}}}")
    passing = statements(needed(text, "a-name-that-somebody-has-made-as-long-as-it-may-be"))["PassRoleSns"]
    assert passing["Resource"] == ["arn:*:iam::*:role/a-name-that-somebody*"]
    assert statements(needed(text, "*"))["PassRoleSns"]["Resource"] == ["arn:*:iam::*:role/*-Role-*"]


def test_a_role_from_elsewhere_is_named() -> None:
    text = """\
Parameters: {Role: {Type: String}}
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: {Role: !Ref Role, Code: {ZipFile: "x"}, Handler: index.handler, Runtime: python3.13}
"""
    found = needed(text)
    assert found.elsewhere == ["Function.Properties.Role"]
    assert not any(sid.startswith("PassRole") for sid in statements(found))
    assert "allow iam:PassRole on its ARN" in next(found.remarks())


def test_what_cloudformation_reads_first_is_allowed_too() -> None:
    text = """\
Parameters: {Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /image}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: "{{resolve:secretsmanager:name}}"}}
"""
    found = statements(needed(text))
    assert found["Ssm"]["Action"] == ["ssm:GetParameters"]
    assert found["Secretsmanager"]["Action"] == ["secretsmanager:GetSecretValue"]


def test_what_a_wildcard_allows_is_not_said_twice() -> None:
    found = needed(
        "Resources:\n  G: {Type: AWS::AutoScaling::AutoScalingGroup}\n  V: {Type: AWS::EC2::VPC}\n"
    )
    actions = statements(found)["Ec2"]["Action"]
    assert "ec2:Describe*" in actions
    assert "ec2:CreateVpc" in actions
    assert not [each for each in actions if each.startswith("ec2:Describe") and each != "ec2:Describe*"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_policy_of_each_committed_stack_is_whole_or_says_what_it_lacks(path: Path) -> None:
    found = deployment(Source(path.name, path.read_text()), path.stem)
    listed = found.policy["Statement"]
    sids = [each["Sid"] for each in listed]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    assert sids == sorted(sids, key=lambda sid: (sid.startswith("PassRole"), sid))
    assert all(each["Action"] == sorted(set(each["Action"])) for each in listed)
    assert all(each["Resource"] == "*" or each["Action"] == ["iam:PassRole"] for each in listed)
    told = list(found.remarks())
    actions = {action for each in listed for action in each["Action"]}
    assert {each for each in actions if not iam.matching(each)} == set(found.unlisted) < actions
    assert (len(json.dumps(found.policy, separators=(",", ":"))) > MANAGED_POLICY) == any(
        "characters" in each for each in told
    )
    types = {str(each["Type"]) for each in load(path.read_text())["Resources"].values()}
    lacking = {"AWS::CodeBuild::Project", "AWS::FSx::FileSystem"} & types
    assert found.unknown == sorted(lacking | {each for each in types if each.startswith("Custom::")})


def test_an_action_that_only_the_schemas_name_is_told() -> None:
    found = needed("Resources:\n  A: {Type: AWS::ApiGatewayV2::Stage}\n")
    assert found.unlisted == ["apigateway:TagResource", "apigateway:UntagResource"]
    assert next(found.remarks()).startswith(
        "apigateway:TagResource, apigateway:UntagResource: the schemas name these"
    )


def test_a_sam_template_is_expanded_first() -> None:
    text = (ROOT / "templates/example/crud-api.yaml").read_text()
    assert "AWS::Serverless::Function" in text
    assert "lambda:CreateFunction" in statements(needed(text))["Lambda"]["Action"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a list", "small.yaml: no template: a template is a mapping, got list"),
        (
            "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}\n",
            "small.yaml: .*F",
        ),
    ],
)
def test_what_is_no_template_is_told(text: str, fault: str) -> None:
    with pytest.raises(BlueprintError, match=fault):
        needed(text)
