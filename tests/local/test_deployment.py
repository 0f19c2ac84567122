"""Deployments: what a template describes exists afterwards, and what does not is told by name."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from blueprints.core import BlueprintError
from blueprints.local import creator, creators
from blueprints.local.aws import Aws
from blueprints.local.creator import Creator, New
from blueprints.local.deployment import Deployment, deploy, order
from blueprints.local.place import Place
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

EXAMPLES = Path("templates/example")
EVERYTHING = Path(__file__).with_name("everything.yaml")


def stack(resources: str) -> Stack:
    return Stack(f"Resources:\n{resources}", place=Place("demo"), file="t.yaml")


def example(name: str) -> Stack:
    """A committed stack. Images of publishers are in no emulator's parameter store."""
    parameters = EXAMPLES / f"{name}.parameters.json"
    return Stack.read(
        EXAMPLES / f"{name}.yaml", parameters, Place("demo"), fetch=lambda _: "ami-0123456789abcdef0"
    )


def ref(deployment: Deployment, name: str) -> str:
    return deployment.created[name].ref


# Committed templates


def test_the_committed_crud_api(aws: Aws) -> None:
    found = example("crud-api")
    done = deploy(found, aws)
    (table,) = found.resources("AWS::DynamoDB::Table")
    described = aws.client("dynamodb").describe_table(TableName=ref(done, table))["Table"]
    assert described["KeySchema"] == found.properties(table)["KeySchema"]
    indexes: list[Any] = found.properties(table).get("GlobalSecondaryIndexes", [])
    assert [each["IndexName"] for each in described.get("GlobalSecondaryIndexes", [])] == [
        each["IndexName"] for each in indexes
    ]
    for name in found.resources("AWS::Lambda::Function"):
        configuration = aws.client("lambda").get_function_configuration(FunctionName=ref(done, name))
        assert configuration["Environment"]["Variables"] == found.environment(name)
    assert done.not_run["HttpApi"] == "AWS::ApiGatewayV2::Api"
    assert done.created.keys() | done.not_run.keys() == found.resources().keys()
    assert not done.created.keys() & done.not_run.keys()
    assert all("${" not in value for value in done.outputs().values())
    assert aws.unimplemented() == []


@pytest.mark.parametrize("name", ["deep-learning-small", "deep-learning-large"])
def test_the_committed_deep_learning_clusters(aws: Aws, name: str) -> None:
    found = example(name)
    done = deploy(found, aws)
    assert set(done.not_run.values()) <= {"AWS::FSx::FileSystem"}
    assert aws.unimplemented() == []
    ec2 = aws.client("ec2")
    for template in found.resources("AWS::EC2::LaunchTemplate"):
        versions = ec2.describe_launch_template_versions(LaunchTemplateId=ref(done, template))
        data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert base64.b64decode(data["UserData"]) == found.user_data(template)
    groups = found.resources("AWS::AutoScaling::AutoScalingGroup")
    assert {each["resource"] for each in aws.signals()} == groups.keys()
    key = done.outputs().get("ClusterKeyParameter")
    if key:
        value = aws.client("ssm").get_parameter(Name=key, WithDecryption=True)["Parameter"]["Value"]
        assert "PRIVATE KEY" in value


# Types and names


def test_each_registered_type_is_deployed_by_these_tests() -> None:
    creators.load()
    stacks = [
        Stack.read(EVERYTHING),
        example("crud-api"),
        example("deep-learning-small"),
        example("deep-learning-large"),
    ]
    deployed = {kind for each in stacks for kind in each.resources().values()}
    assert creator.REGISTRY.creators.keys() <= deployed


@pytest.mark.parametrize("stack_name", ["s", "a-rather-long-name-of-a-stack-in-production-" * 2])
@pytest.mark.parametrize("logical_id", ["T", "TheFunctionThatDoesWhatTheOtherDoesNot" * 2])
def test_names_fit_their_limit(stack_name: str, logical_id: str) -> None:
    found = Place(stack_name).physical_name(logical_id, 64)
    assert len(found) <= 64
    assert found.startswith(stack_name[:1])
    assert found != Place(stack_name).physical_name(logical_id + "2", 64)


# What goes wrong


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            "  Q: {Type: AWS::Logs::LogGroup, Properties: {DataProtectionPolicy: {a: 1}}}",
            r"t\.yaml: Resources\.Q: DataProtectionPolicy: not carried out by the creator",
        ),
        (
            "  Q: {Type: AWS::EC2::VPC, Properties: {CidrBlok: 10.0.0.0/16}}",
            r"Resources\.Q: AWS::EC2::VPC cannot be created here: create_vpc has no 'CidrBlok'",
        ),
        (
            "  Q: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/a, TargetKeyId: absent}}",
            r"Resources\.Q: AWS::KMS::Alias cannot be created here: .*NotFoundException",
        ),
        (
            "  Q: {Type: AWS::Events::Rule, Properties: {State: !Ref F}}\n  F: {Type: AWS::Glue::Job}",
            r"Properties\.State\.Ref: F \(AWS::Glue::Job\) has no emulated id",
        ),
        (
            "  A: {Type: AWS::SNS::Topic, DependsOn: B}\n  B: {Type: AWS::SNS::Topic, DependsOn: A}",
            r"Resources: a circle: .*; break it",
        ),
        (
            "  Q: {Type: AWS::CloudWatch::Alarm, Properties: {ActionsEnabled: maybe}}",
            r"put_metric_alarm\.ActionsEnabled is 'maybe'; write true or false",
        ),
    ],
)
def test_what_cannot_be_deployed_is_one_clear_error(aws: Aws, resources: str, message: str) -> None:
    with pytest.raises(BlueprintError, match=message) as caught:
        deploy(stack(resources), aws)
    assert len(caught.value.faults) == 1


def lie(**attributes: str) -> Creator:
    """A creator that creates nothing."""

    def create(_: New) -> Physical:
        return Physical("lie", attributes)

    def exists(client: Any, physical: Physical) -> Any:
        return client("sqs").list_queues(QueueNamePrefix=physical.ref).get("QueueUrls")

    return Creator("AWS::Lie", create, ("Arn",), exists, frozenset())


def test_a_resource_that_is_not_there_after_creation_is_an_error(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(creator.REGISTRY.creators, "AWS::Lie", lie(Arn="arn"))
    with pytest.raises(BlueprintError, match=r"Resources\.L: AWS::Lie 'lie' is not there after creation"):
        deploy(stack("  L: {Type: AWS::Lie}"), aws)


def test_a_creator_that_forgets_an_attribute_is_an_error(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(creator.REGISTRY.creators, "AWS::Lie", lie())
    with pytest.raises(BlueprintError, match=r"Resources\.L: the creator of AWS::Lie gives no Arn"):
        deploy(stack("  L: {Type: AWS::Lie}"), aws)


def test_a_type_has_one_creator() -> None:
    creators.load()
    with pytest.raises(ValueError, match="AWS::SQS::Queue has a creator already"):
        creator.creates("AWS::SQS::Queue", exists=lie().exists)(lie().create)


def test_resources_of_somebody_else_are_not_created(aws: Aws) -> None:
    found = stack("""
  Api: {Type: AWS::ApiGatewayV2::Api}
  Parameter:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !GetAtt Api.ApiEndpoint}
""")
    done = deploy(found, aws, {"Api": Physical("local", {"ApiEndpoint": "http://127.0.0.1:8080"})})
    assert done.provided.keys() == {"Api"}
    assert not done.not_run
    value = aws.client("ssm").get_parameter(Name=ref(done, "Parameter"))["Parameter"]["Value"]
    assert value == "http://127.0.0.1:8080"


def test_dependencies_come_first() -> None:
    found = Stack.read(EVERYTHING)
    listed = order(found)
    assert sorted(listed) == sorted(found.resources())
    for name in listed:
        assert all(listed.index(each) < listed.index(name) for each in found.dependencies(name))
    assert order(Stack.read(EVERYTHING)) == listed


def test_policies_without_version_as_sam_writes_them(aws: Aws) -> None:
    statement = 'Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]'
    trust = (
        'Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]'
    )
    found = stack(f"""
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{{trust}}}
      Policies: [{{PolicyName: read, PolicyDocument: {{{statement}}}}}]
  Old:
    Type: AWS::IAM::Policy
    Properties: {{PolicyName: old, Roles: [!Ref Role], PolicyDocument: {{Version: "2008-10-17", {statement}}}}}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {{Roles: [!Ref Role], PolicyDocument: {{{statement}}}}}
""")
    done = deploy(found, aws)
    names = aws.client("iam").list_role_policies(RoleName=ref(done, "Role"))["PolicyNames"]
    assert sorted(names) == ["old", "read"]
