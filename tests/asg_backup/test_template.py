"""ASG backup: what the template promises, and the shapes that the example stacks do not show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blueprints.asg_backup import AsgBackup, BackupConfig
from blueprints.asg_backup.config import Timing
from blueprints.core import Environment

DOCUMENTS = Path(__file__).parents[2] / "blueprints" / "asg_backup" / "documents"


def blueprint(environment: Environment | None = None, **config: Any) -> AsgBackup:
    return AsgBackup(BackupConfig.model_validate({"group": "new"} | config), environment)


def resources(environment: Environment | None = None, **config: Any) -> dict[str, Any]:
    return blueprint(environment, **config).template()["Resources"]


def names(made: AsgBackup) -> set[str]:
    made.template()
    return {each.name for each in made.parameters()}


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    properties = resource["Properties"]
    document = properties.get("PolicyDocument") or properties["Policies"][0]["PolicyDocument"]
    return document["Statement"]


def allowed(resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Action -> the statement that allows it; of two the one with a condition."""
    found: dict[str, dict[str, Any]] = {}
    for statement in statements(resource):
        for action in statement["Action"]:
            if action not in found or "Condition" in statement:
                found[action] = statement
    return found


def definition(machine: dict[str, Any]) -> dict[str, Any]:
    text, _ = machine["Properties"]["DefinitionString"]["Fn::Sub"]
    return json.loads(text)["States"]


# The group and its hook


def test_the_hook_of_a_new_group_comes_and_goes_with_it() -> None:
    """A hook of its own would be deleted before the group, and the rules before the hook."""
    found = resources(timing={"heartbeat_seconds": 900})
    group = found["AutoScalingGroup"]
    (hook,) = group["Properties"]["LifecycleHookSpecificationList"]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (900, "ABANDON")
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert "LifecycleRule" in group["DependsOn"]
    assert not [each for each in found.values() if each["Type"] == "AWS::AutoScaling::LifecycleHook"]


def test_a_group_that_exists_gets_a_hook_once_something_answers_it() -> None:
    found = resources(group="existing", on_failure="continue")
    hook = found["LifecycleHook"]
    assert hook["Properties"]["AutoScalingGroupName"] == {"Ref": "AutoScalingGroupName"}
    assert hook["Properties"]["DefaultResult"] == "CONTINUE"
    assert set(hook["DependsOn"]) == {"IntakeStateMachine", "InstancePolicy"}
    assert found["InstancePolicy"]["Properties"]["Roles"] == [{"Ref": "InstanceRoleName"}]
    assert not {"AutoScalingGroup", "LaunchTemplate", "InstanceRole"} & found.keys()


def test_instances_of_a_new_group_are_closed_and_encrypted() -> None:
    """The original asked for a key pair and opened SSH; it named no VPC for its security group."""
    found = resources()
    data = found["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert not {"KeyName", "UserData"} & data.keys()
    group = found["InstanceSecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert group["VpcId"] == {"Ref": "VpcId"}


def test_spot_buys_spot_and_heeds_its_warnings() -> None:
    found = resources(spot=True)
    group = found["AutoScalingGroup"]["Properties"]
    assert group["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 0
    assert group["CapacityRebalance"] is True
    assert {"LifecycleRule", "SpotRule"} <= set(found["AutoScalingGroup"]["DependsOn"])
    assert "TakeOut" in definition(found["IntakeStateMachine"])
    assert "SpotRule" not in resources()
    assert "TakeOut" not in definition(resources()["IntakeStateMachine"])


def test_a_proxy_is_told_to_the_agent() -> None:
    environment = Environment(proxy=True)
    data = resources(environment)["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    assert "try-restart amazon-ssm-agent.service" in json.dumps(data["UserData"])
    assert {"ProxyUrl", "NoProxy"} <= names(blueprint(environment))


# Events


def test_only_this_group_and_this_hook_reach_the_state_machine() -> None:
    detail = resources()["LifecycleRule"]["Properties"]["EventPattern"]["detail"]
    assert detail["AutoScalingGroupName"] == [{"prefix": {"Fn::Sub": "${AWS::StackName}-AutoScalingGroup-"}}]
    assert detail["LifecycleHookName"] == ["backup"]
    detail = resources(group="existing")["LifecycleRule"]["Properties"]["EventPattern"]["detail"]
    assert detail["AutoScalingGroupName"] == [{"Ref": "AutoScalingGroupName"}]
    assert detail["LifecycleHookName"] == [{"Ref": "LifecycleHook"}]


def test_an_event_that_is_not_delivered_is_kept_and_raises_an_alarm() -> None:
    found = resources(spot=True)
    for rule in ("LifecycleRule", "SpotRule"):
        (target,) = found[rule]["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}}
        assert target["RoleArn"] == {"Fn::GetAtt": ["RuleRole", "Arn"]}
    (statement,) = statements(found["UndeliveredQueuePolicy"])
    assert len(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == 2
    assert found["UndeliveredAlarm"]["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]


# Permissions


def test_the_state_machine_reaches_this_group_and_this_document_alone() -> None:
    """The original's policies were on every resource, and its rule fired for every group of the account."""
    for group, name in (
        ("new", "${AWS::StackName}-AutoScalingGroup-*"),
        ("existing", "${AutoScalingGroupName}"),
    ):
        granted = allowed(resources(group=group)["StateMachineRole"])
        (arn,) = granted["autoscaling:CompleteLifecycleAction"]["Resource"]
        assert arn["Fn::Sub"].endswith(f":autoScalingGroupName/{name}")
        condition = granted["ssm:SendCommand"]["Condition"]["StringLike"]
        assert list(condition) == ["ssm:resourceTag/aws:autoscaling:groupName"]
    documents = [
        each["Resource"] for each in statements(resources()["StateMachineRole"]) if "Condition" not in each
    ]
    assert any("document/${BackupDocument}" in json.dumps(each) for each in documents)


def test_an_instance_writes_below_its_prefix_and_reads_nothing() -> None:
    found = resources()
    granted = allowed(found["InstanceRole"])
    assert granted["s3:PutObject"]["Resource"] == [{"Fn::Sub": "${Bucket.Arn}/${BackupPrefix}/*"}]
    assert granted["s3:ListBucketVersions"]["Condition"] == {
        "StringLike": {"s3:prefix": {"Fn::Sub": "${BackupPrefix}/*"}}
    }
    assert not {
        action for action in granted if action.startswith(("s3:Get", "s3:Delete", "sns:", "autoscaling:"))
    }
    assert resources(group="existing")["InstancePolicy"]["Properties"]["PolicyDocument"]["Statement"] == [
        granted["s3:PutObject"],
        granted["s3:ListBucketVersions"],
    ]


def test_with_a_key_of_the_environment_everything_is_encrypted_with_it() -> None:
    found = resources(Environment(kms_key=True))
    key = {"Ref": "KmsKeyArn"}
    (rule,) = found["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"}
    assert found["Topic"]["Properties"]["KmsMasterKeyId"] == key
    assert "TopicKey" not in found
    assert allowed(found["InstanceRole"])["kms:GenerateDataKey"]["Resource"] == [key]


# Storage and notification


def test_backups_outlive_the_stack_and_expire() -> None:
    bucket = resources(retention_days=30)["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    rule = bucket["Properties"]["LifecycleConfiguration"]["Rules"][0]
    assert rule["ExpirationInDays"] == 30
    assert (
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] > 2
    )  # an instance waits two days at most


def test_nobody_reaches_the_bucket_without_tls() -> None:
    (statement,) = statements(resources()["BucketPolicy"])
    assert (statement["Effect"], statement["Action"]) == ("Deny", ["s3:*"])
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_may_use_the_topic_and_its_key() -> None:
    found = resources()
    key = [each for each in found["TopicKey"]["Properties"]["KeyPolicy"]["Statement"] if "Condition" in each]
    (topic,) = statements(found["TopicPolicy"])
    for statement in (*key, topic):
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert found["FailureAlarm"]["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]


def test_an_address_is_told_where_one_is_given() -> None:
    assert resources(email=True)["EmailSubscription"]["Properties"]["Endpoint"] == {"Ref": "SnsEmail"}
    assert "SnsEmail" not in names(blueprint())


# Documents


@pytest.mark.parametrize(
    ("group", "document", "script"),
    [("new", "BackupDocument", "backup.sh"), ("none", "RestoreDocument", "restore.sh")],
)
def test_a_document_holds_its_script_as_it_stands(group: str, document: str, script: str) -> None:
    content = resources(group=group)[document]["Properties"]["Content"]
    assert content["schemaVersion"] == "2.2"
    (step,) = content["mainSteps"]
    assert step["inputs"]["timeoutSeconds"] == "{{ DeadlineSeconds }}"
    shebang, *exports, body = step["inputs"]["runCommand"]
    assert f"{shebang}\n{body}" == (DOCUMENTS / script).read_text()
    assert "{{" not in body  # Systems Manager would take it for a parameter
    assert {re.findall(r"\{\{ (\w+) \}\}", line)[0] for line in exports} == set(content["parameters"])
    for parameter in content["parameters"].values():
        assert ("allowedPattern" in parameter) != ("allowedValues" in parameter)


def test_a_stack_to_restore_with_has_that_and_nothing_else() -> None:
    assert set(resources(group="none")) == {"RestoreDocument", "RestoreManagedPolicy"}
    assert names(blueprint(group="none")) == {"BackupPrefix", "BucketName"}
    granted = allowed(resources(group="none")["RestoreManagedPolicy"])
    assert set(granted) == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}


# Settings


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"group": "none", "spot": False}, "a stack to restore with watches no group"),
        ({"timing": {"heartbeat_seconds": 60, "deadline_minutes": 101}}, "Auto Scaling allows 100"),
        (
            {"timing": {"deadline_minutes": 2880, "poll_seconds": 120}, "on_failure": "park"},
            "Auto Scaling allows 2880",
        ),
        ({"timing": {"deadline_minutes": 2880}}, "write 116 or more"),
        ({"timing": {"heartbeat_seconds": 30, "poll_seconds": 16}}, "write at most 15"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BackupConfig.model_validate({"group": "new"} | config)


def test_parameters_that_contradict_each_other_are_told() -> None:
    made = blueprint()
    told = dict(
        made.contradictions({"MinSize": "4", "MaxSize": "3", "BackupDirectories": "", "TaskCommand": ""})
    )
    assert told == {
        "MinSize": "got 4, more than MaxSize; write at most 3",
        "BackupDirectories": "empty, and so is TaskCommand; write folders, a command or both",
    }
    assert not dict(
        made.contradictions({"MinSize": "1", "MaxSize": "3", "BackupDirectories": "", "TaskCommand": "x"})
    )
    assert not dict(blueprint(group="none").contradictions({"BucketName": "b"}))


def test_an_execution_has_room_for_the_longest_deadline() -> None:
    """Step Functions ends an execution after 25,000 events; a look at the command takes 13, a heartbeat 9."""
    timing = Timing(deadline_minutes=2880, poll_seconds=116, heartbeat_seconds=1800)
    beats = timing.deadline_minutes * 60 / timing.pulse_seconds
    assert timing.looks * 13 + beats * 9 < 25_000
