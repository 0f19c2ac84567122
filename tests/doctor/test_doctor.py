"""The doctor: what templates need, and what accounts answer; the emulated AWS answers where it can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from blueprints.checks.template import load
from blueprints.core import Environment
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster
from blueprints.doctor.needs import Launch, Needs, needs
from blueprints.doctor.questions import Answer, Doctor
from blueprints.doctor.quotas import of_instances

ROOT = Path(__file__).parents[2]
ZONES = ["us-east-1a", "us-east-1b"]
VALUES = {"WorkerCount": "3", "KeyName": "my-key", "SSHLocation": "198.51.100.0/24"}


def of_cluster(
    values: dict[str, str] | None = None, environment: Environment | None = None, **config: Any
) -> Needs:
    """What a deep-learning cluster needs."""
    shape = ClusterConfig.model_validate({"access": "ssh"} | config)
    template = DeepLearningCluster(shape, environment).template()
    return needs(template, VALUES | (values or {}), "us-east-1", lambda: ZONES)


# Needs


def test_a_cluster_launches_a_master_and_its_workers_in_the_first_zone() -> None:
    found = of_cluster()
    assert found.launches == [
        Launch("MasterAutoScalingGroup", ("g6.xlarge",), 1, 0, ("us-east-1a",), (), ""),
        Launch("WorkerAutoScalingGroup", ("g6.xlarge",), 3, 0, ("us-east-1a",), (), ""),
    ]
    assert found.existing["AWS::EC2::KeyPair::KeyName"] == {"my-key"}
    (image,) = found.existing["AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"]
    assert image.startswith("/aws/service/deeplearning/ami/")
    assert (found.counts["AWS::EC2::EIP"], found.counts["AWS::EC2::VPC"]) == (2, 1)


def test_a_zone_that_is_chosen() -> None:
    assert of_cluster({"AvailabilityZone": "us-east-1b"}).launches[0].zones == ("us-east-1b",)


def test_spot_workers_above_their_base_and_the_types_they_may_take() -> None:
    spot = {"market": "spot", "on_demand_base": 1, "on_demand_percentage": 50, "other_types": ["g5.xlarge"]}
    worker = of_cluster({"WorkerCount": "5"}, capacity=spot).launches[1]
    assert (worker.types, worker.on_demand, worker.spot) == (("g6.xlarge", "g5.xlarge"), 3, 2)


def test_subnets_that_exist_and_a_reservation() -> None:
    values = {"PublicSubnetId": "subnet-1", "PrivateSubnetId": "subnet-2", "CapacityReservationId": "cr-1"}
    found = of_cluster(values, Environment(network="existing"), capacity={"market": "reservation"})
    assert [each.subnets for each in found.launches] == [("subnet-1",), ("subnet-2",)]
    assert {each.reservation for each in found.launches} == {"cr-1"}
    assert found.existing["AWS::EC2::Subnet::Id"] == {"subnet-1", "subnet-2"}


PLAIN = """\
Parameters:
  Large: {Type: String, Default: 'no'}
  Subnets: {Type: List<AWS::EC2::Subnet::Id>}
Mappings:
  Types: {Cache: {Name: r7g.large}}
Conditions:
  IsLarge: !Not [!Equals [!Ref Large, 'no']]
  IsSmall: !Not [!Condition IsLarge]
  IsNear: !Equals [!Ref AWS::Region, us-east-1]
  IsOwn: !Equals [!Ref AWS::AccountId, '123456789012']
  Circle: !Condition Circle
Resources:
  Cache:
    Type: AWS::EC2::Instance
    Condition: IsLarge
    Properties: {InstanceType: !FindInMap [Types, Cache, Name], SubnetId: !Select [7, !Ref Subnets]}
  Spare:
    Type: AWS::EC2::Instance
    Condition: IsSmall
    Properties: {InstanceType: m5.large}
  Far:
    Type: AWS::EC2::Instance
    Condition: IsNear
    Properties: {InstanceType: m5.large}
  Derived:
    Type: AWS::EC2::Instance
    Properties: {InstanceType: !Join [., [!Ref Net, large]], SubnetId: !Sub 'subnet-${Net}'}
  Owned:
    Type: AWS::EC2::Instance
    Condition: IsOwn
    Properties: {InstanceType: !If [IsOwn, m5.large, m5.xlarge], SubnetId: !GetAtt Subnet.SubnetId}
  Broken:
    Type: AWS::EC2::Instance
    Condition: Circle
    Properties: {InstanceType: !Ref [a, list], SubnetId: !Ref Round}
  Nothing: {Type: AWS::EC2::Instance, Properties: }
  Net:
    Type: AWS::EC2::Subnet
    Properties: {AvailabilityZone: !Sub '${AWS::Region}a'}
  Round:
    Type: AWS::EC2::Subnet
    Properties: {AvailabilityZone: !GetAtt Round.AvailabilityZone}
  Either:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: 1
      MaxSize: 1
      VPCZoneIdentifier: !If [IsLarge, [!Ref Net, !ImportValue Other, !Select [0, [subnet-9, !Ref Round]]], []]
  Server:
    Type: AWS::EC2::Instance
    Properties: {InstanceType: !If [IsLarge, m5.24xlarge, m5.large], SubnetId: !Select [1, !Ref Subnets]}
  Fleet:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: '2', MaxSize: '4', VPCZoneIdentifier: !Ref Subnets, LaunchTemplate: {LaunchTemplateId: lt-1}}
"""


def test_any_template_is_read() -> None:
    found = needs(load(PLAIN), {"Subnets": "subnet-1, subnet-2", "Large": "yes"}, "eu-west-1", lambda: ZONES)
    launches = {each.resource: each for each in found.launches}
    assert launches.keys() == {"Cache", "Derived", "Owned", "Broken", "Nothing", "Either", "Server", "Fleet"}
    assert found.counts["AWS::EC2::Instance"] == 6
    assert (launches["Cache"].types, launches["Cache"].subnets) == (("r7g.large",), ())
    # Only a deployment knows what these come to.
    for each in (launches[name] for name in ("Derived", "Owned", "Broken", "Nothing")):
        assert (each.types, each.zones, each.subnets) == ((), (), ())
    assert (launches["Either"].zones, launches["Either"].subnets) == (("eu-west-1a",), ("subnet-9",))
    server, fleet = launches["Server"], launches["Fleet"]
    assert (server.types, server.on_demand, server.subnets) == (("m5.24xlarge",), 1, ("subnet-2",))
    assert (fleet.types, fleet.on_demand, fleet.subnets) == ((), 2, ("subnet-1", "subnet-2"))


def test_every_committed_template_is_read() -> None:
    templates = sorted((ROOT / "templates").rglob("*.yaml"))
    assert templates
    for path in templates:
        needs(load(path.read_text()), {}, "us-east-1", lambda: ZONES)


@pytest.mark.parametrize(
    ("name", "spot", "code"),
    [
        ("g6.xlarge", False, "L-DB2E81BA"),
        ("gr6.4xlarge", True, "L-3819A6DF"),
        ("p5en.48xlarge", False, "L-417A185B"),
        ("p5en.48xlarge", True, "L-C4BD4855"),
        ("p4d.24xlarge", True, "L-7212CCBC"),
        ("p6-b200.48xlarge", False, "L-417A185B"),
        ("c7i.large", False, "L-1216C47A"),
        ("t3.micro", True, "L-34B43A08"),
    ],
)
def test_each_family_counts_against_its_quota(name: str, spot: bool, code: str) -> None:
    found = of_instances(name, spot=spot)
    assert found
    assert found.code == code


def test_a_family_whose_quota_is_not_known_is_not_guessed() -> None:
    assert of_instances("p6-b200.48xlarge", spot=True) is None
    assert of_instances("trn2.48xlarge", spot=False) is None


# Questions


class Account:
    """An account in moto, with quotas and reservations, which moto lacks, as they are given."""

    def __init__(self) -> None:
        self.quotas = {"L-DB2E81BA": 64.0, "L-417A185B": 0.0, "L-0263D0A3": 5.0, "L-F678F1CE": 5.0}
        self.reservation: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        import boto3

        boto: Any = boto3
        if service == "service-quotas":
            return self
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto.client(service, region_name="us-east-1", **keys)
        if service == "ec2":
            client.describe_capacity_reservations = self.describe_capacity_reservations
        return client

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        if QuotaCode not in self.quotas:
            error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}
            raise ClientError(error, "GetServiceQuota")
        return {"Quota": {"Value": self.quotas[QuotaCode]}}

    def describe_capacity_reservations(self, CapacityReservationIds: list[str]) -> dict[str, Any]:  # noqa: N803
        assert CapacityReservationIds == ["cr-1"]
        return {"CapacityReservations": [self.reservation]}


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        made = Account()
        made("ec2").create_key_pair(KeyName="my-key")
        yield made


def told(found: Needs, account: Account) -> dict[str, Answer]:
    return {f"{each.about}: {each.what}": each for each in Doctor(found, account).answers()}


def faults(found: Needs, account: Account) -> list[str]:
    return [text for text, each in told(found, account).items() if not each.good]


IMAGE: dict[str, Any] = {"image": {"source": "pinned"}}


def image(account: Account) -> dict[str, str]:
    return {"ImageId": account("ec2").describe_images()["Images"][0]["ImageId"]}


def test_an_account_that_can_take_the_stack(account: Account) -> None:
    answers = told(of_cluster(image(account), **IMAGE), account)
    assert all(each.good for each in answers.values()), answers
    assert "Quota L-DB2E81BA: vCPUs of On-Demand G and VT instances: 16 needed, 0 of 64 in use" in answers
    assert "Quota L-0263D0A3: Elastic IP addresses: 2 needed, 0 of 5 in use" in answers
    assert "WorkerAutoScalingGroup in us-east-1a: g6.xlarge is offered" in answers
    assert "EC2::KeyPair::KeyName: my-key exists" in answers


def test_everything_that_stands_against_it_at_once(account: Account) -> None:
    account.quotas.update({"L-DB2E81BA": 8.0, "L-0263D0A3": 1.0})
    found = faults(of_cluster({"KeyName": "lost", "AvailabilityZone": "us-east-1e"}), account)
    about = [text.partition(": ")[0] for text in found]
    assert about == [
        "EC2::KeyPair::KeyName",
        "SSM::Parameter",
        "MasterAutoScalingGroup in us-east-1e",
        "WorkerAutoScalingGroup in us-east-1e",
        "Quota L-DB2E81BA",
        "Quota L-0263D0A3",
    ]
    assert found[-2].endswith("16 needed, 0 of 8 in use; ask for more")


def test_a_parameter_with_an_image_that_is_there(account: Account) -> None:
    path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert not [text for text in faults(of_cluster({"ImageParameter": path}), account) if "SSM" in text]


def test_what_runs_already_counts(account: Account) -> None:
    images = account("ec2").describe_images()["Images"]
    account("ec2").run_instances(
        ImageId=images[0]["ImageId"], InstanceType="g6.12xlarge", MinCount=1, MaxCount=1
    )
    account.quotas["L-DB2E81BA"] = 63.0
    (fault,) = faults(of_cluster(image(account), **IMAGE), account)
    assert fault.endswith("On-Demand G and VT instances: 16 needed, 48 of 63 in use; ask for more")


def test_a_type_that_the_region_lacks(account: Account) -> None:
    row = {"gpus": 8}
    found = faults(
        of_cluster(image(account), **IMAGE, instance_type="p9.48xlarge", instance_types={"p9.48xlarge": row}),
        account,
    )
    assert "Instance type: p9.48xlarge is not in this region; choose another type or region" in found


def test_a_quota_that_may_not_be_read_is_told_and_stops_nothing(account: Account) -> None:
    del account.quotas["L-DB2E81BA"]
    answers = told(of_cluster(image(account), **IMAGE), account)
    (fault,) = (text for text, each in answers.items() if not each.good)
    assert fault.startswith("Quota L-DB2E81BA: vCPUs of On-Demand G and VT instances: AWS does not say: ")
    assert any("Elastic IP" in text for text in answers)


GOOD: dict[str, Any] = {
    "State": "active",
    "InstanceType": "p5.48xlarge",
    "AvailabilityZone": "us-east-1a",
    "AvailableInstanceCount": 4,
    "StartDate": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("differs", "fault"),
    [
        ({}, ""),
        (
            {"State": "scheduled", "StartDate": datetime(2999, 1, 2, 11, 30, tzinfo=UTC)},
            "it is scheduled and begins at 2999-01-02 11:30 UTC; nothing is launched into it until it is active",
        ),
        ({"State": "expired"}, "it is expired; nothing is launched into it until it is active"),
        ({"InstanceType": "p4d.24xlarge"}, "it is for p4d.24xlarge, the stack launches p5.48xlarge"),
        ({"AvailabilityZone": "us-east-1b"}, "it is in us-east-1b, the stack in us-east-1a"),
        ({"AvailableInstanceCount": 3}, "3 instances are free in it, the stack launches 4"),
    ],
)
def test_a_capacity_block(account: Account, differs: dict[str, Any], fault: str) -> None:
    account.reservation = GOOD | differs
    values = {"CapacityReservationId": "cr-1", "AvailabilityZone": "us-east-1a", **image(account)}
    block = of_cluster(values, capacity={"market": "capacity_block"}, instance_type="p5.48xlarge", **IMAGE)
    found = [text for text in faults(block, account) if text.startswith("Capacity")]
    assert found == ([f"Capacity cr-1: {fault}"] if fault else [])
    assert not [
        text for text in told(block, account) if "L-417A185B" in text
    ]  # a block has no quota of vCPUs


# The command


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {"PATH": "", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **environment}
    command = [sys.executable, "-m", "blueprints", "doctor", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=120, check=False
    )


def test_bad_input_is_told_without_a_traceback() -> None:
    for arguments, what in (
        (("lost", "--region", "us-east-1"), "lost"),
        (("deep-learning-small", "--out", "nowhere"), "not rendered yet; run make render"),
        (("deep-learning-small",), "region: none is set"),
        (("deep-learning-small", "--region", "us-east-1"), "credentials: none found"),
    ):
        done = doctor(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert what in done.stderr
        assert "Traceback" not in done.stderr


def test_an_account_that_does_not_answer_is_told_without_a_traceback() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    done = doctor("deep-learning-small", **keys, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 1
    assert "FAULT  zones: AWS does not say: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_against_an_emulated_account() -> None:
    from blueprints.local.aws import Aws

    with Aws() as aws:
        aws.client("ec2").create_key_pair(KeyName="my-key")
        done = doctor("deep-learning-small", **aws.environment())
        assert done.returncode == 1, done.stderr
        assert "ok  EC2::KeyPair::KeyName: my-key exists\n" in done.stdout
        assert "ok  WorkerAutoScalingGroup in us-east-1a: g6.xlarge is offered\n" in done.stdout
        assert "FAULT  SSM::Parameter: /aws/service/deeplearning/" in done.stderr
        assert "FAULT  Quota L-DB2E81BA" in done.stderr  # which it does not have
        done = doctor("crud-api", **aws.environment())
        assert (done.returncode, done.stdout) == (0, "0 answers, 0 faults\n")
