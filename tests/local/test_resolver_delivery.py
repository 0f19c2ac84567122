"""What a stack delivers: parameter values, user data, code, documents, definitions, outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blueprints.core import BlueprintError
from blueprints.local.aws import Aws
from blueprints.local.lookup import Lookup, from_mapping
from blueprints.local.place import Place
from blueprints.local.resolver import Physical
from blueprints.local.stack import Asset, InlineCode, Stack

EXAMPLES = Path("templates/example")
IMAGE = "ami-0123456789abcdef0"

PARAMETERS = """
Parameters:
  Name: {Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: small letters, MaxLength: 5}
  Size: {Type: Number, MinValue: 1, MaxValue: 4, Default: 2}
  Mode: {Type: String, AllowedValues: [fast, slow], Default: slow}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>", Default: "subnet-11111111, subnet-22222222"}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /images/newest}
  Words: {Type: "AWS::SSM::Parameter::Value<List<String>>", Default: /words}
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
STORED = from_mapping({"/images/newest": IMAGE, "/words": "a, b"})


def stack(resources: str, **parameters: str) -> Stack:
    return Stack(f"Resources:\n{resources}", parameters, Place("demo"), file="t.yaml")


def deep_learning(text: str | None = None) -> Stack:
    """The committed template, with ids for what its user data refers to."""
    path = EXAMPLES / "deep-learning-small.yaml"
    found = Stack(
        text or path.read_text(),
        {"KeyName": "my-key", "SSHLocation": "198.51.100.0/24"},
        Place("train", region="eu-central-1"),
        fetch=lambda _: IMAGE,
    )
    found.physical["ClusterKeyPair"] = Physical("pair", {"KeyPairId": "key-0a1b"})
    found.physical["LogGroup"] = Physical("train-logs")
    found.physical["RegistryTable"] = Physical("train-registry")
    for name in found.resources("AWS::SSM::Parameter"):
        found.physical[name] = Physical(f"train-{name}")
    found.physical["MasterEip"] = Physical("192.0.2.1", {"AllocationId": "eipalloc-1"})
    return found


# Parameters


def test_parameters_take_defaults_and_types() -> None:
    found = Stack(PARAMETERS, {"Name": "abc"}, fetch=STORED).parameters
    assert found == {
        "Name": "abc",
        "Size": "2",
        "Mode": "slow",
        "Subnets": ["subnet-11111111", "subnet-22222222"],
        "Image": IMAGE,
        "Words": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Parameters.Name: missing and without default; give a value"),
        ({"Name": "abc", "Nmae": "x"}, "Parameters.Nmae: unknown; the template has Name, Size"),
        ({"Name": "ABC"}, "Parameters.Name: got 'ABC'; write small letters"),
        ({"Name": "abcdef"}, "Parameters.Name: got 6 characters; write at most 5"),
        ({"Name": "abc", "Size": "5"}, "Parameters.Size: got 5; write 4 or less"),
        ({"Name": "abc", "Size": "many"}, "Parameters.Size: got 'many'; write a number"),
        ({"Name": "abc", "Mode": "medium"}, "Parameters.Mode: got 'medium'; write one of fast, slow"),
        ({"Name": "abc", "Subnets": "subnet-1"}, "Parameters.Subnets: got 'subnet-1'; write a subnet id"),
        (
            {"Name": "abc", "Image": "/absent"},
            "Parameters.Image: got '/absent', which cannot be fetched: no ssm value",
        ),
    ],
)
def test_parameters_are_refused_as_cloudformation_does(given: dict[str, str], message: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        Stack(PARAMETERS, given, file="t.yaml", fetch=STORED)
    assert [str(fault) for fault in caught.value.faults] == [
        str(fault) for fault in caught.value.faults if str(fault).startswith(f"t.yaml: {message}")
    ]


def test_all_wrong_parameters_are_told_together() -> None:
    with pytest.raises(BlueprintError) as caught:
        Stack(PARAMETERS, {"Size": "0", "Mode": "?", "Other": ""}, fetch=STORED)
    assert [fault.where for fault in caught.value.faults] == [
        "Parameters.Mode",
        "Parameters.Name",
        "Parameters.Other",
        "Parameters.Size",
    ]


def test_a_parameters_file_is_read_and_overridden(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(PARAMETERS)
    (tmp_path / "p.json").write_text(json.dumps([{"ParameterKey": "Name", "ParameterValue": "file"}]))
    read = {
        name: Stack.read(tmp_path / "t.yaml", tmp_path / "p.json", overrides=over, fetch=STORED).parameters[
            "Name"
        ]
        for name, over in (("file", None), ("over", {"Name": "over"}))
    }
    assert read == {"file": "file", "over": "over"}
    (tmp_path / "p.json").write_text('{"Name": "x"}')
    with pytest.raises(BlueprintError, match=r"p\.json: not a list"):
        Stack.read(tmp_path / "t.yaml", tmp_path / "p.json")


RULES = """
Parameters:
  Type: {Type: String}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
Rules:
  Large:
    RuleCondition: !Equals [!Ref Type, large]
    Assertions:
      - {Assert: !Contains [!Ref Zones, c], AssertDescription: a large one needs zone c}
  Known:
    Assertions:
      - Assert: !EachMemberIn [!Ref Zones, [a, b, c]]
      - Assert: !Not [!EachMemberEquals [!Ref Zones, b]]
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({"Type": "small"}, []),
        ({"Type": "large", "Zones": "a,c"}, []),
        ({"Type": "large"}, ["Rules.Large.Assertions.0: a large one needs zone c; give other values"]),
        (
            {"Type": "small", "Zones": "a,x"},
            ["Rules.Known.Assertions.0: the parameters given do not fulfil it; give other values"],
        ),
        (
            {"Type": "small", "Zones": "b,b"},
            ["Rules.Known.Assertions.1: the parameters given do not fulfil it; give other values"],
        ),
    ],
)
def test_rules_are_asserted(given: dict[str, str], broken: list[str]) -> None:
    try:
        Stack(RULES, given, file="t.yaml")
        found: list[str] = []
    except BlueprintError as error:
        found = [str(fault) for fault in error.faults]
    assert found == [f"t.yaml: {each}" for each in broken]


# User data


def test_user_data_of_the_committed_template_is_delivered_byte_for_byte() -> None:
    found = deep_learning().user_data("MasterLaunchTemplate").decode()
    lines = found.splitlines()
    # Worked out by hand from the template: `/ec2/keypair/${ClusterKeyPair.KeyPairId}`, `${AWS::StackId}`.
    assert lines[0] == "#!/bin/bash"
    assert "export KEY_PARAMETER='/ec2/keypair/key-0a1b'" in lines
    assert f"export STACK_ID='{Place('train', region='eu-central-1').stack_id}'" in lines
    assert "export LOG_GROUP='train-logs'" in lines
    script = Path("blueprints/deep_learning_cluster/bootstrap/boot.sh").read_text()
    assert found.endswith("\n" + script.split("\n", 1)[1])


def test_one_changed_byte_of_the_template_is_one_changed_byte_of_user_data() -> None:
    text = (EXAMPLES / "deep-learning-small.yaml").read_text()
    before = deep_learning().user_data("MasterLaunchTemplate")
    after = deep_learning(text.replace("signal=FAILURE", "signal=FAILURF", 1)).user_data(
        "MasterLaunchTemplate"
    )
    assert len(before) == len(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_user_data_that_lacks_an_id_says_which() -> None:
    found = deep_learning()
    del found.physical["LogGroup"]
    with pytest.raises(
        BlueprintError, match=r"UserData.*LogGroup \(AWS::Logs::LogGroup\) has no emulated id"
    ):
        found.user_data("MasterLaunchTemplate")


@pytest.mark.parametrize(
    ("user_data", "message"),
    [
        ("plain text", "not base64"),
        ('{"Fn::Base64": "' + "x" * 16_385 + '"}', "16385 bytes; EC2 takes 16384"),
    ],
)
def test_user_data_that_ec2_refuses(user_data: str, message: str) -> None:
    found = stack(f"  Node: {{Type: AWS::EC2::Instance, Properties: {{UserData: {user_data}}}}}")
    with pytest.raises(BlueprintError, match=message):
        found.user_data("Node")


# Code and documents


def test_code_environment_and_outputs_of_the_committed_crud_api() -> None:
    found = Stack.read(EXAMPLES / "crud-api.yaml", EXAMPLES / "crud-api.parameters.json", Place("crud"))
    (table,) = found.resources("AWS::DynamoDB::Table")
    found.physical[table] = Physical("crud-Table-1", {"Arn": "arn"})
    functions = found.resources("AWS::Lambda::Function")
    assert functions
    for name in functions:
        code = found.code(name)
        assert isinstance(code, InlineCode)
        compile(code.text, name, "exec")
    # SAM expands a function's environment as it stands.
    assert any("crud-Table-1" in found.environment(name).values() for name in functions)


def test_code_beside_the_template_is_an_asset(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n"
        "    Properties: {Runtime: python3.13, Handler: a.b, CodeUri: src/f}\n"
        "  G: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: a.b}}\n"
        "Globals: {Function: {CodeUri: shared}}\n"
    )
    found = Stack.read(path)
    assert found.code("F") == Asset((tmp_path / "src/f").resolve())
    assert found.code("G") == Asset((tmp_path / "shared").resolve())


def test_a_function_without_code_here_is_an_error() -> None:
    found = stack("  F: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: b, S3Key: k}}}")
    with pytest.raises(BlueprintError, match="neither inline nor a path beside the template"):
        found.code("F")


def test_documents_in_both_notations() -> None:
    found = stack("""
  Json:
    Type: AWS::SSM::Document
    Properties: {Content: {schemaVersion: "2.2", description: !Sub "of ${AWS::StackName}"}}
  Yaml:
    Type: AWS::SSM::Document
    Properties: {Content: "schemaVersion: '2.2'"}
""")
    assert found.document("Json") == {"schemaVersion": "2.2", "description": "of demo"}
    assert found.document("Yaml") == {"schemaVersion": "2.2"}


MACHINE = """
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Arn}", "End": ${End}}}}'
      DefinitionSubstitutions: {Arn: 'a "quoted" arn', End: true}
"""


def test_a_definition_is_filled_in_and_stays_json() -> None:
    found = stack(MACHINE).state_machine("Machine")
    assert found["States"]["A"] == {"Type": "Task", "Resource": 'a "quoted" arn', "End": True}


def test_a_definition_with_an_open_place_is_an_error() -> None:
    with pytest.raises(BlueprintError, match="no DefinitionSubstitutions for End; give them"):
        stack(MACHINE.replace(", End: true", "")).state_machine("Machine")


def test_event_patterns_and_paths_through_conditions() -> None:
    found = Stack("""
Conditions: {Always: !Equals [a, a]}
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: !If [Always, {source: [!Sub "app.${AWS::StackName}"]}, {source: [!Ref Nobody]}]
""", place=Place("demo"))  # fmt: skip
    assert found.event_pattern("Rule") == {"source": ["app.demo"]}
    assert found.get("Rule", "Properties.EventPattern.source.0") == "app.demo"
    assert found.get("Rule", "Properties.Targets", []) == []
    with pytest.raises(
        BlueprintError, match=r"Properties\.Targets: nothing stands there; write one of EventPattern"
    ):
        found.get("Rule", "Properties.Targets")


def test_resources_and_outputs_follow_their_conditions() -> None:
    found = Stack("""
Conditions: {Never: !Equals [a, b]}
Resources:
  Kept: {Type: AWS::SNS::Topic}
  Gone: {Type: AWS::SNS::Topic, Condition: Never}
Outputs:
  Here: {Value: !Sub "${AWS::Region}-x"}
  There: {Value: !Ref Gone, Condition: Never}
""")
    assert list(found.resources()) == ["Kept"]
    assert found.outputs() == {"Here": "us-east-1-x"}
    with pytest.raises(BlueprintError, match="no such output here"):
        found.output("There")
    with pytest.raises(BlueprintError, match="no such resource here; the template has Kept"):
        found.properties("Gone")


def test_dependencies_follow_only_the_arm_that_is_taken() -> None:
    found = Stack("""
Conditions: {Never: !Equals [a, b]}
Resources:
  A: {Type: AWS::SNS::Topic}
  B: {Type: AWS::SNS::Topic}
  C:
    Type: AWS::SNS::Topic
    DependsOn: D
    Properties:
      TopicName: !If [Never, !Ref A, !Sub "${B.TopicName}-x"]
  D: {Type: AWS::SNS::Topic}
""")
    assert found.dependencies("C") == {"B", "D"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a template"),
        ("Transform: MyMacro\nResources: {}", "'MyMacro' runs in the account"),
        ("Transform: [AWS::Include]\nResources: {}", "'AWS::Include' runs in the account"),
    ],
)
def test_templates_that_cannot_be_expanded_here(text: str, message: str) -> None:
    with pytest.raises(BlueprintError, match=message):
        Stack(text, file="t.yaml")


def test_a_sam_template_that_the_translator_refuses() -> None:
    text = "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, Properties: {}}}"
    with pytest.raises(BlueprintError, match=r"^t\.yaml: "):
        Stack(text, file="t.yaml")


# A second opinion


def test_moto_resolves_alike(aws: Aws) -> None:
    """moto's CloudFormation, asked for the same values. It lacks Cidr and resolves no region in GetAZs."""
    expressions: dict[str, Any] = {
        "Sub": {"Fn::Sub": "${Stage}-${AWS::Region}-${!Literal}"},
        "SubMap": {"Fn::Sub": ["${A}/${Stage}", {"A": {"Ref": "Stage"}}]},
        "Join": {"Fn::Join": ["-", ["a", {"Ref": "Stage"}, "b"]]},
        "Select": {"Fn::Select": [1, {"Fn::Split": [",", "x,y,z"]}]},
        "Map": {"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "type"]},
        "If": {"Fn::If": ["IsProd", "yes", "no"]},
        "And": {"Fn::If": ["Both", "yes", "no"]},
        "Base64": {"Fn::Base64": {"Ref": "Stage"}},
        "Account": {"Ref": "AWS::AccountId"},
    }
    template = {
        "Parameters": {"Stage": {"Type": "String"}},
        "Mappings": {"Sizes": {"prod": {"type": "m5.large"}}},
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}]},
        },
        "Resources": {
            name: {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": f"/{name}", "Type": "String", "Value": value},
            }
            for name, value in expressions.items()
        },
    }
    ours = Stack(json.dumps(template), {"Stage": "prod"}, Place("demo"))
    aws.client("cloudformation").create_stack(
        StackName="demo",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": "prod"}],
    )
    for name in expressions:
        value = aws.client("ssm").get_parameter(Name=f"/{name}")["Parameter"]["Value"]
        assert ours.get(name, "Properties.Value") == value, name


def test_a_fetch_is_asked_for_what_the_template_names() -> None:
    asked: list[Lookup] = []

    def fetch(lookup: Lookup) -> str:
        asked.append(lookup)
        return IMAGE

    Stack.read(
        EXAMPLES / "deep-learning-large.yaml", EXAMPLES / "deep-learning-large.parameters.json", fetch=fetch
    )
    assert [each.service for each in asked] == ["ssm"]
    assert asked[0].name.startswith("/aws/service/")
