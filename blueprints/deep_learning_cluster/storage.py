"""The file system that all nodes share, and how a node mounts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Ref, Sub, ec2, efs, fsx

from ..blocks.properties import given
from ..blocks.user_data import Value
from .config import Efs, FsxLustre
from .network import ClusterGroup

# Ports of a file server. EFS User Guide, "Using VPC security groups"; FSx for Lustre User Guide, "File system
# access control with Amazon VPC".
PORTS = {"efs": ((2049, 2049),), "fsx_lustre": ((988, 988), (1018, 1023))}


@dataclass(frozen=True)
class FileSystem:
    """A file system as user data mounts it: `source` on `mount_point`. `ready` is what a mount needs."""

    kind: str
    id: AWSHelperFn | None = None
    source: Value = ""
    mount_point: Value = ""
    resources: tuple[AWSObject, ...] = ()
    ready: tuple[AWSObject, ...] = ()

    @property
    def new(self) -> bool:
        """Whether the stack makes it, and may say whose it is."""
        return bool(self.resources)


def new_efs(
    choice: Efs, mount_point: Value, subnet: AWSHelperFn, group: ec2.SecurityGroup, key: AWSHelperFn | None
) -> FileSystem:
    """An encrypted EFS file system with a mount target in the nodes' subnet, in their security group."""
    fate = "RetainExceptOnCreate" if choice.on_delete == "retain" else "Delete"
    system = efs.FileSystem(
        "FileSystem",
        DeletionPolicy=fate,
        UpdateReplacePolicy="Retain" if choice.on_delete == "retain" else "Delete",
        Encrypted=True,
        PerformanceMode="generalPurpose",
        ThroughputMode="elastic",
        **given(KmsKeyId=key),
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
    cluster: ClusterGroup,
    key: AWSHelperFn | None,
) -> FileSystem:
    """An FSx for Lustre file system in the nodes' subnet and security group. It ends with the stack.

    FSx looks for Lustre's ports in the group's rules when it creates the file system, and not again. Its own key
    encrypts a scratch file system; another key is for persistent ones alone (FSx API, "CreateFileSystem").
    """
    persistent = choice.deployment == "PERSISTENT_2"
    system = fsx.FileSystem(
        "FileSystem",
        DependsOn=[cluster.inward.title, cluster.outward.title],
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        FileSystemType="LUSTRE",
        FileSystemTypeVersion="2.15",
        StorageCapacity=capacity,
        SubnetIds=[subnet],
        SecurityGroupIds=[Ref(cluster.group)],
        LustreConfiguration=fsx.LustreConfiguration(
            DeploymentType=choice.deployment,
            DataCompressionType="LZ4",
            **given(PerUnitStorageThroughput=choice.throughput or 125 if persistent else None),
        ),
        **given(KmsKeyId=key if persistent else None),
    )
    source = Sub("${FileSystem.DNSName}@tcp:/${FileSystem.LustreMountName}")
    return FileSystem("fsx_lustre", Ref(system), source, mount_point, (system,))


def fsx_source(system: Ref, mount_name: Ref) -> Sub:
    """What Lustre mounts, for a file system that exists."""
    name, mount = system.data["Ref"], mount_name.data["Ref"]
    return Sub(f"${{{name}}}.fsx.${{AWS::Region}}.${{AWS::URLSuffix}}@tcp:/${{{mount}}}")


def admitted(kind: str, server: AWSHelperFn, nodes: ec2.SecurityGroup) -> tuple[AWSObject, ...]:
    """Rules that let nodes reach a file system that exists, in its group and in theirs, both ways for Lustre."""
    rules: list[AWSObject] = []
    for index, (first, last) in enumerate(PORTS[kind], start=1):
        ports: dict[str, Any] = {
            "IpProtocol": "tcp",
            "FromPort": first,
            "ToPort": last,
            "Description": "Shared file system",
        }
        rules += [
            ec2.SecurityGroupEgress(
                f"FileSystem{index}SecurityGroupEgress",
                GroupId=Ref(nodes),
                DestinationSecurityGroupId=server,
                **ports,
            ),
            ec2.SecurityGroupIngress(
                f"FileSystem{index}SecurityGroupIngress",
                GroupId=server,
                SourceSecurityGroupId=Ref(nodes),
                **ports,
            ),
        ]
        if kind == "fsx_lustre":
            rules.append(
                ec2.SecurityGroupIngress(
                    f"Nodes{index}SecurityGroupIngress",
                    GroupId=Ref(nodes),
                    SourceSecurityGroupId=server,
                    **ports,
                )
            )
    return tuple(rules)


def folder(name: Ref) -> Sub:
    """Where to mount: the folder below / that a parameter names."""
    return Sub(f"/${{{name.data['Ref']}}}")
