"""What the proofs of asg_backup share: the committed templates deployed, and instances that run their documents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.aws import Aws
from blueprints.local.deployment import Deployment, deploy
from blueprints.local.hosts import Network, unavailable
from blueprints.local.lookup import from_mapping
from blueprints.local.place import Place
from blueprints.local.stack import Stack
from scripts.foreign.environments import UnavailableError, aws_cli

from .instance import ROOT, Content, Instance, launch

COMMITTED = ROOT / "templates" / "example"
IMAGES = from_mapping(
    {"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "ami-12c6146b"}
)
Launch = Callable[[], Instance]


@dataclass(frozen=True)
class System:
    """The committed stacks, deployed: one that backs up, one that restores from its bucket."""

    aws: Aws
    backup: Deployment
    restore: Deployment

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.backup.created["Bucket"].ref

    def documents(self) -> dict[str, Content]:
        """The documents as Systems Manager would send them, by their logical ids."""
        return {
            name: json.loads(self.aws.client("ssm").get_document(Name=done.created[name].ref)["Content"])
            for name, done in (("BackupDocument", self.backup), ("RestoreDocument", self.restore))
        }

    def stored(self) -> list[str]:
        """The keys in the bucket."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in listed.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """An object."""
        return self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def write(self, key: str, body: bytes) -> str:
        """Put an object in the place of another; its version."""
        return self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"]

    def empty(self) -> None:
        """Nothing is in the bucket, and nothing half uploaded."""
        s3 = self.aws.client("s3")
        listed = s3.list_object_versions(Bucket=self.bucket)
        for each in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
        for each in self.uploads():
            s3.abort_multipart_upload(Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"])

    def uploads(self) -> list[dict[str, Any]]:
        """Uploads that were begun and neither completed nor aborted."""
        return self.aws.client("s3").list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])


def possible(reason: str) -> None:
    """What cannot run is a skip on a laptop and a failure in CI."""
    if reason:
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)


@pytest.fixture(scope="session")
def cli() -> Path:
    """The AWS CLI's folder."""
    try:
        return aws_cli()
    except UnavailableError as error:
        possible(f"the AWS CLI cannot be installed: {error}")
        raise


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """One network for all instances."""
    possible(unavailable())
    with Network() as made:
        yield made


def subnets(aws: Aws) -> dict[str, str]:
    """A VPC with two subnets, as parameters that name them."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for number, zone in enumerate("ab")
    ]
    return {"VpcId": vpc, "SubnetIds": ",".join(each["Subnet"]["SubnetId"] for each in made)}


def read(name: str, **overrides: str) -> Stack:
    """A committed template with its committed parameters."""
    template, parameters = COMMITTED / f"{name}.yaml", COMMITTED / f"{name}.parameters.json"
    return Stack.read(template, parameters, Place(name), overrides=overrides, fetch=IMAGES)


def install(aws: Aws) -> System:
    """Deploy both committed stacks."""
    backup = deploy(read("asg-backup", **subnets(aws)), aws)
    bucket = backup.created["Bucket"].ref
    # It refuses whatever does not come over TLS, and nothing here does; moto obeys it without reading its condition.
    aws.client("s3").delete_bucket_policy(Bucket=bucket)
    restore = deploy(read("asg-backup-restore", BucketName=bucket), aws)
    return System(aws, backup, restore)


@pytest.fixture(scope="session")
def deployed(network: Network) -> Iterator[System]:
    """One deployment for all that leave it as they found it."""
    with Aws(addresses=[network.gateway], seed=7) as aws:
        yield install(aws)


@pytest.fixture
def system(deployed: System) -> Iterator[System]:
    """The deployment with an empty bucket and no faults."""
    deployed.aws.faults.clear()
    deployed.empty()
    yield deployed
    deployed.aws.faults.clear()


@pytest.fixture
def launched(network: Network, system: System, cli: Path) -> Iterator[Launch]:
    """Makes instances, each with an empty disk, and ends them."""
    made: list[Instance] = []

    def make() -> Instance:
        role = system.backup.created["InstanceRole"].ref
        made.append(launch(network, system.aws, system.documents(), cli, role=role))
        return made[-1]

    yield make
    for each in made:
        each.host.power_off()


@pytest.fixture
def instance(launched: Launch) -> Instance:
    """One instance."""
    return launched()
