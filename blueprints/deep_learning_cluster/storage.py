"""The file system that all nodes share, and how a node mounts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Ref, Sub, ec2, efs, fsx

from ..blocks.properties import given
from ..blocks.user_data import Value
from .config import Efs, FsxLustre


@dataclass(frozen=True)
class FileSystem:
    """A file system as user data mounts it: `source` on `mount_point`."""

    kind: str
    id: AWSHelperFn | None = None
    source: Value = ""
    mount_point: Value = ""
    resources: tuple[AWSObject, ...] = ()
    ready: tuple[AWSObject, ...] = ()


def new_efs(
    choice: Efs, mount_point: Value, subnet: AWSHelperFn, group: ec2.SecurityGroup, key: AWSHelperFn | None
) -> FileSystem:
    """An encrypted EFS file system with a mount target in the nodes' subnet, in their security group."""
    system = efs.FileSystem(
        "FileSystem",
        Encrypted=True,
        PerformanceMode="generalPurpose",
        ThroughputMode="elastic",
        **given(KmsKeyId=key),
        **_fate(choice.on_delete),
    )
    target = efs.MountTarget(
        "MountTarget", FileSystemId=Ref(system), SubnetId=subnet, SecurityGroups=[Ref(group)]
    )
    return FileSystem("efs", Ref(system), efs_source(Ref(system)), mount_point, (system,), (target,))


def efs_source(system: Ref) -> Sub:
    """What NFS mounts."""
    return Sub(f"${{{system.data['Ref']}}}.efs.${{AWS::Region}}.${{AWS::URLSuffix}}:/")


def new_fsx(
    choice: FsxLustre,
    mount_point: Value,
    capacity: AWSHelperFn,
    subnet: AWSHelperFn,
    group: ec2.SecurityGroup,
    key: AWSHelperFn | None,
) -> FileSystem:
    """An FSx for Lustre file system in the nodes' subnet and security group."""
    throughput = choice.throughput or 125 if choice.deployment == "PERSISTENT_2" else None
    system = fsx.FileSystem(
        "FileSystem",
        FileSystemType="LUSTRE",
        FileSystemTypeVersion="2.15",
        StorageCapacity=capacity,
        SubnetIds=[subnet],
        SecurityGroupIds=[Ref(group)],
        LustreConfiguration=fsx.LustreConfiguration(
            DeploymentType=choice.deployment,
            DataCompressionType="LZ4",
            **given(PerUnitStorageThroughput=throughput),
        ),
        **given(KmsKeyId=key),
        **_fate(choice.on_delete),
    )
    source = Sub("${FileSystem.DNSName}@tcp:/${FileSystem.LustreMountName}")
    return FileSystem("fsx_lustre", Ref(system), source, mount_point, (system,))


def fsx_source(system: Ref, mount_name: Ref) -> Sub:
    """What Lustre mounts, for a file system that exists."""
    name, mount = system.data["Ref"], mount_name.data["Ref"]
    return Sub(f"${{{name}}}.fsx.${{AWS::Region}}.${{AWS::URLSuffix}}@tcp:/${{{mount}}}")


def folder(name: Ref) -> Sub:
    """Where to mount: the folder below / that a parameter names."""
    return Sub(f"/${{{name.data['Ref']}}}")


def _fate(on_delete: str) -> dict[str, Any]:
    policy = on_delete.capitalize()
    return {"DeletionPolicy": policy, "UpdateReplacePolicy": policy}
