"""Deep-learning cluster: a master people log in to, and workers in a private subnet that train with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from troposphere import (
    Base64,
    Equals,
    FindInMap,
    GetAtt,
    GetAZs,
    If,
    Join,
    Not,
    Ref,
    Select,
    Sub,
    autoscaling,
    dynamodb,
    ec2,
    iam,
    logs,
)

from ..blocks import functions, instances, roles
from ..blocks.network import SUBNETS_IN_VPC, Network
from ..blocks.properties import given
from ..blocks.user_data import Value, user_data
from ..core import Blueprint
from ..core.emit import Format
from . import membership, network, nodes, permissions, storage
from .config import CapacityBlock, ClusterConfig, Efs, FsxLustre, OnDemand, Reservation
from .parameters import ClusterParameters
from .runtime import Runtime, runtime

_SCRIPT = Path(__file__).parent / "bootstrap" / "boot.sh"
_SAME = ("Boot", "BothKinds", "Script")
_OF_A_KIND = re.compile(r"export (NODE|ADDRESS)")
_LOG_RETENTION_DAYS = 30
_CAPACITY = (
    'aws dynamodb get-item --region ${AWS::Region} --table-name ${RegistryTable} --key \'{"Slot":{"S":"epoch"}}\''
    " --query 'Item.[Expected,Joined,Refused,Reason][].*[]' --output text"
)


@dataclass(frozen=True)
class System:
    """An image's name in SSM (AWS Deep Learning AMIs, "Get the AMI ID"), its login user and its root device."""

    image: str
    user: str
    device: str


_SYSTEMS = {
    "ubuntu": System("base-oss-nvidia-driver-gpu-ubuntu-24.04", "ubuntu", "/dev/sda1"),
    "amazon_linux_2023": System("base-oss-nvidia-driver-gpu-amazon-linux-2023", "ec2-user", "/dev/xvda"),
}


@dataclass(frozen=True)
class Shared:
    """What both kinds of node are made with."""

    group: ec2.SecurityGroup
    files: storage.FileSystem
    key: ec2.KeyPair
    log_group: logs.LogGroup
    table: dynamodb.Table
    runtime: Runtime
    carriers: membership.Carriers
    policy: iam.ManagedPolicy


class DeepLearningCluster(ClusterParameters, Blueprint[ClusterConfig]):
    """A master and GPU workers that train one model together."""

    # Not in China, where none of the types with a current GPU is offered: the default would have to be another.
    regions = ("us-east-1", "eu-central-1", "us-gov-west-1")

    def build(self) -> None:
        net = self.add(self.network())
        cluster = self.add(self.cluster_group(net))
        files = self.add(self.file_system(net, cluster))
        shared = self.shared(cluster, files)
        admin = self.add(self.admin_group(net))
        address = self.add(network.master_address(net)) if self.public else None
        master = self.master(net, shared, admin, address)
        workers = self.workers(net, shared)

        self.output(
            "ClusterName",
            Sub("${AWS::StackName}"),
            "Name of the cluster, the value of its nodes' Cluster tag.",
        )
        self.output("MasterAutoScalingGroup", Ref(master), "Auto Scaling group that keeps the master.")
        self.output("WorkerAutoScalingGroup", Ref(workers), "Auto Scaling group that keeps the workers.")
        self.output("ClusterSecurityGroup", Ref(shared.group), "Security group of all nodes.")
        self.output(
            "ClusterKeyParameter",
            self.key_parameter(shared.key),
            "SSM parameter that holds the cluster's key.",
        )
        self.output("RegistryTableName", Ref(shared.table), "Table in which nodes register.")
        self.output(
            "CapacityCommand",
            Sub(_CAPACITY),
            "Prints nodes expected, joined, refused, like metrics of DeepLearningCluster.",
        )
        self.output("LogGroupName", Ref(shared.log_group), "Log group with every node's boot log.")
        self.access_outputs(admin, address)
        self.storage_outputs(files)

    def render(self, format: Format = "yaml") -> str:  # noqa: A002 - the word of the command line
        """The template's text, with a line for each network interface: 32 of them fill pages otherwise."""
        return nodes.a_line_each(super().render(format))

    def shared(self, cluster: network.ClusterGroup, files: storage.FileSystem) -> Shared:
        """What master and workers have in common."""
        key, log_group = self.add(self.cluster_key()), self.add(self.log_group())
        table, packed = self.add(membership.table(self.encryption_key)), runtime(care=bool(self.upkeep()))
        carriers = self.add(membership.carriers(packed))
        policy = permissions.node_policy(
            self.key_parameter(key),
            carriers,
            log_group,
            table,
            self.encryption_key,
            sessions=self.config.access == "session_manager",
        )
        return Shared(cluster.group, files, key, log_group, table, packed, carriers, self.add(policy))

    def contradictions(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Values that CloudFormation takes one by one and the services refuse together."""
        workers, least = int(values["WorkerCount"]), int(values["MinWorkers"])
        if least > workers:
            yield "MinWorkers", f"got {least} of {workers} workers; write at most WorkerCount"
        if self.reserved and not values.get("AvailabilityZone", "of the subnets"):
            yield (
                "AvailabilityZone",
                "missing; write the zone of the reservation, outside of which nothing is launched",
            )
        size = int(values.get("FSxStorageCapacity", "1200"))
        if size != 1200 and size % 2400:
            yield "FSxStorageCapacity", f"got {size}; FSx sells 1200 GiB and multiples of 2400"

    # Network and access

    def network(self) -> Network:
        """A new network in the zone asked for, or the subnets that exist."""
        if self.environment.network == "new":
            chosen = self.condition("ZoneChosen", Not(Equals(self.availability_zone, "")))
            if self.reserved:
                named = Not(Equals(self.availability_zone, ""))
                self.rule("ZoneOfReservation", {"AvailabilityZone must name the reservation's zone.": named})
            return network.one_zone_network(If(chosen, self.availability_zone, Select(0, GetAZs(""))))
        public = self.public_subnet_id if self.public else self.private_subnet_id
        self.rule("SubnetsInVpc", {"Every subnet must belong to VpcId.": SUBNETS_IN_VPC})
        if self.public:
            self.rule("SubnetsInOneZone", {"Both subnets must be in one zone.": network.SUBNETS_IN_ONE_ZONE})
        return Network(
            vpc_id=self.vpc_id, public_subnet_ids=[public], private_subnet_ids=[self.private_subnet_id]
        )

    def cluster_group(self, net: Network) -> network.ClusterGroup:
        """The group of all nodes."""
        exists = self.environment.network == "existing"
        return network.cluster_group(net.vpc_id, proxy=self.environment.proxy, own_resolvers=exists)

    @property
    def reserved(self) -> bool:
        """Whether nodes are launched into capacity that was bought before, in one zone."""
        return isinstance(self.config.capacity, (CapacityBlock, Reservation))

    @property
    def system(self) -> System:
        """What the config's operating system fixes."""
        return _SYSTEMS[self.config.image.operating_system]

    @property
    def public(self) -> bool:
        """Whether the master has an address that people connect to."""
        return self.config.access == "ssh"

    def admin_group(self, net: Network) -> ec2.SecurityGroup | None:
        """Who may connect to the master from outside the cluster, if anybody may."""
        if not self.public and not self.config.ingress:
            return None
        location = self.ssh_location if self.public else None
        return network.admin_group(net.vpc_id, location, self.config.ingress)

    def cluster_key(self) -> ec2.KeyPair:
        """The key by which nodes reach each other; EC2 keeps its private half in SSM."""
        # A key pair must be named; two stacks of one name cannot exist in a region.
        return ec2.KeyPair(
            "ClusterKeyPair", KeyName=Sub("${AWS::StackName}-${AWS::Region}-cluster"), KeyType="ed25519"
        )

    def key_parameter(self, key: ec2.KeyPair) -> Sub:
        """EC2, "Create a key pair using AWS CloudFormation": where the private half is kept."""
        return Sub(f"/ec2/keypair/${{{key.title}.KeyPairId}}")

    def log_group(self) -> logs.LogGroup:
        """Where nodes leave the log of their boot."""
        return functions.log_group("LogGroup", _LOG_RETENTION_DAYS, self.encryption_key)

    # Storage

    def file_system(self, net: Network, cluster: network.ClusterGroup) -> storage.FileSystem:
        """The shared file system that the config chose."""
        choice = self.config.storage
        if isinstance(choice, Efs):
            folder = storage.folder(self.efs_mount_point)
            if choice.file_system == "new":
                subnet, key = net.private_subnet_ids[0], self.encryption_key
                return storage.new_efs(choice, folder, subnet, cluster.group, key)
            system = self.efs_file_system_id
            return self.existing("efs", system, storage.efs_source(system), folder, cluster)
        if isinstance(choice, FsxLustre):
            folder = storage.folder(self.fsx_mount_point)
            if choice.file_system == "new":
                size, subnet, key = self.fsx_storage_capacity, net.private_subnet_ids[0], self.encryption_key
                return storage.new_fsx(choice, folder, size, subnet, cluster, key)
            system = self.fsx_file_system_id
            source = storage.fsx_source(system, self.fsx_mount_name)
            return self.existing("fsx_lustre", system, source, folder, cluster)
        return storage.FileSystem("none")

    def existing(
        self, kind: str, system: Ref, source: Sub, folder: Sub, cluster: network.ClusterGroup
    ) -> storage.FileSystem:
        """A file system that exists: its security group learns to admit the nodes before they boot."""
        rules = storage.admitted(kind, self.file_system_security_group_id, cluster.group)
        return storage.FileSystem(kind, system, source, folder, ready=rules)

    # Nodes

    def master(
        self, net: Network, shared: Shared, admin: ec2.SecurityGroup | None, address: ec2.EIP | None
    ) -> autoscaling.AutoScalingGroup:
        """A group of one, On-Demand unless capacity is reserved."""
        groups = (shared.group, admin) if admin else (shared.group,)
        subnet_ids = net.public_subnet_ids if self.public else net.private_subnet_ids
        node = nodes.Node("Master", subnet_ids, groups, self.public)
        ready = (*(net.public_ready if self.public else net.private_ready), *shared.files.ready)
        ready += self.add(self.endpoints(net, shared.group))
        template = self.launch_template(node, shared, address, None)
        capacity = (
            self.config.capacity
            if isinstance(self.config.capacity, (CapacityBlock, Reservation))
            else OnDemand()
        )
        return self.add(nodes.group(node, template, capacity, self.instance_type, ready, size="1", least="1"))

    def workers(self, net: Network, shared: Shared) -> autoscaling.AutoScalingGroup:
        """WorkerCount of them, of which MinWorkers have to be ready."""
        node = nodes.Node("Worker", net.private_subnet_ids, (shared.group,))
        placement = self.add(self.placement_group()) if self.config.fabric.placement_group else None
        template = self.launch_template(node, shared, None, placement)
        size, least = self.worker_count, self.min_workers
        ready = (*net.private_ready, *shared.files.ready)
        return self.add(
            nodes.group(
                node, template, self.config.capacity, self.instance_type, ready, size=size, least=least
            )
        )

    def placement_group(self) -> ec2.PlacementGroup:
        """Workers close together. The master stays out: one more node in the group is one more to find room for."""
        return ec2.PlacementGroup("WorkerPlacementGroup", Strategy="cluster")

    def endpoints(self, net: Network, group: ec2.SecurityGroup) -> tuple[ec2.VPCEndpoint, ...]:
        """What a master needs until it has its address: with several interfaces EC2 gives it none of its own."""
        if not self.public or self.environment.network == "existing" or len(self.interfaces_of_type()) == 1:
            return ()
        return (
            network.endpoint("ec2", "Ec2Endpoint", net, group),
            network.endpoint("cloudformation", "CloudFormationEndpoint", net, group),
        )

    def interfaces_of_type(self) -> list[nodes.Card]:
        """Network interfaces of every node: all the EFA interfaces of the type, or a plain one."""
        row = self.config.gpu_type(self.config.instance_type, "instance_type")
        return nodes.efa_cards(row) if self.config.fabric.efa else nodes.PLAIN

    def launch_template(
        self, node: nodes.Node, shared: Shared, address: ec2.EIP | None, placement: ec2.PlacementGroup | None
    ) -> ec2.LaunchTemplate:
        """A node with the role of its kind and the user data that boots it."""
        role = self.add(
            permissions.node_role(node.kind, shared.policy, shared.table, address, self.config.gpus)
        )
        profile = self.add(roles.instance_profile(f"{node.kind}InstanceProfile", role))
        data = self.user_data(
            {
                "STACK_ID": Ref("AWS::StackId"),
                "NODE_TYPE": node.kind,
                "NODES": "1" if node.kind == "Master" else self.worker_count,
                "NODES_NEEDED": "1" if node.kind == "Master" else self.min_workers,
                "LOGIN_USER": self.system.user,
                "LOG_GROUP": Ref(shared.log_group),
                "KEY_PARAMETER": self.key_parameter(shared.key),
                "TABLE": Ref(shared.table),
                "PERIOD": str(self.config.membership.period),
                "UPKEEP": self.upkeep(),
                "RUNTIME": shared.carriers.names,
                "RUNTIME_SHA256": shared.runtime.sha256,
                "BOOT_DEADLINE": str(nodes.BOOT_SECONDS),
                "ADDRESS_ID": GetAtt(address, "AllocationId") if address else "",
                "STORAGE_SOURCE": shared.files.source,
                "STORAGE_MOUNT": shared.files.mount_point,
                "STORAGE_OWNER": self.system.user if shared.files.new else "",
                **self.proxies(),
            },
        )
        return self.add(
            nodes.launch_template(
                node,
                nodes.interfaces(node, self.interfaces_of_type()),
                profile,
                instances.root_volume(self.system.device, self.volume_size, self.encryption_key),
                data,
                InstanceType=self.instance_type,
                ImageId=self.image_parameter if self.config.image.source == "latest" else self.image_id,
                **given(
                    KeyName=self.key_name if self.public else None,
                    Placement=ec2.Placement(GroupName=Ref(placement)) if placement else None,
                ),
                **self.reservation(),
            )
        )

    def user_data(self, values: Mapping[str, Value]) -> Base64:
        """User data of the values and the script; the script and what no deployment changes are in the mapping."""
        joined: Join = user_data(_SCRIPT, values).data["Fn::Base64"]
        shebang, *exports, body = joined.data["Fn::Join"][1]
        fixed = [each for each in exports if isinstance(each, str) and not _OF_A_KIND.match(each)]
        mapping, first, second = _SAME
        self.mapping(mapping, {first: {second: "\n".join([*fixed, body])}})
        own = [
            each.data["Fn::Sub"] if isinstance(each, Sub) else each for each in exports if each not in fixed
        ]
        return Base64(Join("\n", [shebang, Sub("\n".join(own)), FindInMap(*_SAME)]))

    def upkeep(self) -> str:
        """What nodes do about their GPUs, as the agent reads it."""
        gpus = self.config.gpus
        idle = f"idle:{gpus.idle.percent}:{gpus.idle.minutes}" if gpus.idle else ""
        return ",".join(filter(None, ["metrics" * gpus.metrics, "replace" * gpus.replace, idle]))

    def proxies(self) -> dict[str, Ref | Sub]:
        """The environment's proxy, by the names that programs read; the instance's metadata are not behind it."""
        if not self.environment.proxy:
            return {}
        direct = Sub(f"169.254.169.254,${{{self.no_proxy.data['Ref']}}}")
        return {"http_proxy": self.proxy_url, "https_proxy": self.proxy_url, "no_proxy": direct}

    def reservation(self) -> dict[str, Any]:
        """Properties that launch a node into capacity bought before, if it was."""
        capacity = self.config.capacity
        if isinstance(capacity, (CapacityBlock, Reservation)):
            return nodes.reserved(capacity, self.capacity_reservation_id)
        return {}

    # Outputs

    def access_outputs(self, admin: ec2.SecurityGroup | None, address: ec2.EIP | None) -> None:
        """How to reach the master, ready to paste."""
        find = (
            "aws ec2 describe-instances --region ${AWS::Region} --filters"
            " Name=tag:Cluster,Values=${AWS::StackName} Name=tag:NodeType,Values=Master"
            " Name=instance-state-name,Values=running"
            " --query 'Reservations[].Instances[].InstanceId' --output text"
        )
        self.output("FindMasterCommand", Sub(find), "Prints the instance id of the master.")
        if admin:
            self.output(
                "AdminSSHSecurityGroup", Ref(admin), "Security group that says who may connect to the master."
            )
        if address:
            self.output(
                "MasterAddress",
                Ref(address),
                "Public address of the master; a replaced master takes it over.",
            )
            self.output(
                "SshCommand", Sub(f"ssh -A {self.system.user}@${{{address.title}}}"), "Logs in to the master."
            )
        if self.config.access == "session_manager":
            session = f'aws ssm start-session --region ${{AWS::Region}} --target "$({find})"'
            self.output("SessionCommand", Sub(session), "Opens a session on the master.")

    def storage_outputs(self, files: storage.FileSystem) -> None:
        """The shared file system, if there is one."""
        if files.id is None:
            return
        self.output("FileSystemId", files.id, "File system that all nodes share.")
        self.output("FileSystemMountPoint", files.mount_point, "Folder where every node has it.")
        if files.kind == "efs" and files.new:
            self.output("MountTargetID", Ref(files.ready[0]), "Mount target of the file system.")
