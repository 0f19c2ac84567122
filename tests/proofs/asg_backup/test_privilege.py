"""The roles of the system, against the calls of backups that succeed, fail and are cut short, and of a restore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blueprints.asg_backup import AsgBackup, BackupConfig
from blueprints.core import Environment
from blueprints.local.deployment import deploy
from blueprints.local.hosts import Network
from blueprints.local.place import Place
from blueprints.local.stack import Stack

from .conftest import subnets
from .instance import Instance, launch
from .interpreted import Interpreted
from .orchestration import BEAT, SHORT, Scripted, System, deployed
from .run_command import State
from .test_end_to_end import OnHost
from .test_orchestration import warning

if TYPE_CHECKING:
    from blueprints.local.privilege.plugin import Privileges

pytest_plugins = ("blueprints.local.privilege.plugin",)

KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
GROUP = "fleet"
NEW = {"MinSize": "2"}
AGAIN = {"Token": "5f0c9c1e-0002"}
EXISTING = {"AutoScalingGroupName": GROUP, "InstanceRoleName": GROUP, "KmsKeyArn": KEY}


@dataclass
class Case:
    """A system that is watched, an instance of its group, and one that may restore."""

    system: System
    instance: Instance
    restoring: Instance


@pytest.fixture(scope="module")
def aws(network: Network) -> Iterator[Interpreted]:
    with Interpreted(network.gateway) as made:
        yield made


@pytest.fixture(scope="module", params=["new", "existing"])
def case(
    request: pytest.FixtureRequest, privileges: Privileges, aws: Interpreted, network: Network, cli: Path
) -> Iterator[Case]:
    """A new group with Spot Instances, and a group that exists with a key of one's own."""
    existing = request.param == "existing"
    environment = Environment(kms_key=existing)
    config = BackupConfig.model_validate(
        {
            "group": request.param,
            "spot": not existing,
            "timing": SHORT | {"deadline_minutes": 2, "poll_seconds": 5},
        }
    )
    if existing:
        group_that_exists(aws)
    system = deployed(
        aws, request.param, AsgBackup(config, environment), EXISTING if existing else NEW | subnets(aws)
    )
    reader = restore_stack(aws, system, environment, {"KmsKeyArn": KEY} if existing else {})
    writes, role = ("InstancePolicy", GROUP) if existing else ("InstanceRole", system.ref("InstanceRole"))
    with ExitStack() as ending:
        watched = ending.enter_context(
            privileges.watch(aws, system.stack, {role: writes}, besides=["reader"])
        )
        names = [role, *(each.name for each in watched.roles.values())]
        ending.enter_context(privileges.watch(aws, reader, {"reader": "RestoreManagedPolicy"}, besides=names))
        hosts = [
            launch(
                network,
                aws,
                {name: stack.document(name)},
                cli,
                role=role,
                instance=members(aws, system.group)[0],
            )
            for name, stack, role in (
                ("BackupDocument", system.stack, role),
                ("RestoreDocument", reader, "reader"),
            )
        ]
        for each in hosts:
            ending.callback(each.host.power_off)
        yield Case(system, *hosts)


def group_that_exists(aws: Interpreted) -> None:
    """Made by somebody else."""
    aws.client("iam").create_role(RoleName=GROUP, AssumeRolePolicyDocument="{}")
    aws.client("ec2").create_launch_template(
        LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}
    )
    aws.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateName": GROUP},
        MinSize=2,
        MaxSize=2,
        VPCZoneIdentifier=subnets(aws)["SubnetIds"],
    )


def members(aws: Interpreted, group: str) -> list[str]:
    """The instances of a group."""
    (found,) = aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    return [each["InstanceId"] for each in found["Instances"]]


def restore_stack(
    aws: Interpreted, system: System, environment: Environment, parameters: dict[str, str]
) -> Stack:
    """The stack that restores from the system's bucket."""
    blueprint = AsgBackup(BackupConfig.model_validate({"group": "none"}), environment)
    given = {"BucketName": system.ref("Bucket"), **parameters}
    stack = Stack(blueprint.render(), given, Place(f"{system.stack.place.stack_name}-restore"))
    deploy(stack, aws)
    return stack


def backed_up(case: Case, agent: Any, number: int = 0) -> list[dict[str, Any]]:
    """Let an agent answer for an instance that its group wants to end; what was told."""
    system = case.system
    action = system.begin(instance=members(system.aws, system.group)[number])
    system.aws.commands.agents[action.instance] = agent
    assert system.deliver(system.event(action))[0] == "SUCCEEDED"
    system.backup(action)
    return system.told()


def test_a_backup_is_made_listed_and_restored(case: Case) -> None:
    case.instance.sh("mkdir -p /var/log && head -c 9000000 /dev/urandom > /var/log/large")
    case.system.aws.clock.pace = 0.05
    (told,) = backed_up(case, OnHost(case.instance))
    case.system.aws.clock.pace = 0
    by_hand = case.instance.back_up("/var/log").report
    listed = case.restoring.restore("list").output.splitlines()
    for number, report in enumerate((json.loads(told["output"]), by_hand)):
        assert report["outcome"] == "complete", report
        assert report["key"] in listed
        there = f"/srv/{number}"
        assert case.restoring.restore("restore", report["key"], there).report["outcome"] == "restored"
        large = case.instance.sh("sha256sum < /var/log/large")
        assert case.restoring.sh(f"sha256sum < {there}/var/log/large") == large


def test_an_upload_that_breaks_off_is_given_up(case: Case) -> None:
    case.system.aws.faults.error("s3:UploadPart", "AccessDenied", status=403)
    assert case.instance.back_up("/var/log", **AGAIN).report["outcome"] == "failed"
    case.system.aws.faults.clear()
    assert case.system.aws.calls("s3:AbortMultipartUpload")


def test_a_deadline_cancels_what_runs(case: Case) -> None:
    (told,) = backed_up(case, Scripted([State("InProgress")]), number=1)
    assert told["outcome"] == "deadline"


def test_a_heartbeat_that_fails_is_looked_into(case: Case) -> None:
    case.system.aws.faults.error(BEAT, "InternalFailure", status=500, count=4)
    (told,) = backed_up(case, Scripted([State("Success", 0)]))
    assert told["outcome"] == "complete"


def test_a_spot_instance_is_taken_out(case: Case) -> None:
    system = case.system
    if not system.config.spot:
        assert "SpotRule" not in system.stack.template["Resources"]
        return
    assert system.deliver(warning(members(system.aws, system.group)[1]))[0] == "SUCCEEDED"
    assert system.calls("autoscaling:TerminateInstanceInAutoScalingGroup")
