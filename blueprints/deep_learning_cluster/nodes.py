"""What master and workers are launched from, and the groups that keep them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Base64, Ref, Sub, Tags, autoscaling, ec2, iam
from troposphere.policies import AutoScalingRollingUpdate, CreationPolicy, ResourceSignal, UpdatePolicy

from ..blocks import instances
from ..blocks.instances import UNDISTURBED
from ..blocks.network import waiting
from ..blocks.properties import given
from .config import CapacityBlock, OnDemand, Reservation, Spot
from .instance_types import GpuType

# A GPU image needs minutes to start its driver; user data gives up before CloudFormation does.
BOOT_SECONDS = 1500
SIGNAL_TIMEOUT = "PT30M"


@dataclass(frozen=True)
class Node:
    """One kind of node: `Master` or `Worker`."""

    kind: str
    subnet_ids: Sequence[AWSHelperFn]
    groups: tuple[ec2.SecurityGroup, ...]
    public: bool = False


@dataclass(frozen=True)
class Card:
    """One network interface: on which network card, as which device of it, and of which type."""

    index: int
    device: int
    interface_type: str


PLAIN = [Card(0, 0, "interface")]


def efa_cards(row: GpuType) -> list[Card]:
    """One interface for each EFA of a type; the first carries the node's address.

    EC2 User Guide, "Maximize network bandwidth": one EFA a network card; the primary interface is device 0 of
    card 0, the others are device 1 of theirs; `efa-only` has no address. A first card without EFA, where a type
    has one card more than EFA interfaces, gets a plain interface.
    """
    plain_first = row.network_cards > row.efa_interfaces
    primary = Card(0, 0, "interface" if plain_first else "efa")
    return [primary, *(Card(index, 1, "efa-only") for index in range(1, row.efa_interfaces + plain_first))]


def interfaces(node: Node, cards: Sequence[Card]) -> list[ec2.NetworkInterfaces]:
    """The interfaces of a launch template. EC2 gives a public address only to an instance with one of them.

    People connect to the first, so the others, which have no address, are in the cluster's group alone.
    """
    public = node.public if len(cards) == 1 else None
    return [
        ec2.NetworkInterfaces(
            DeviceIndex=card.device,
            NetworkCardIndex=card.index,
            InterfaceType=card.interface_type,
            Groups=[Ref(group) for group in (node.groups[:1] if card.index else node.groups)],
            DeleteOnTermination=True,
            **given(AssociatePublicIpAddress=public),
        )
        for card in cards
    ]


_INTERFACE = re.compile(r"^( +)- (DeviceIndex: .*\n(?:\1  (?:\w+: ?.*|- .*)\n)+)", re.MULTILINE)


def a_line_each(text: str) -> str:
    """A template's text in YAML, each network interface in a line of its own."""

    def line(found: re.Match[str]) -> str:
        rows = [row.strip() for row in found[2].splitlines()]
        groups = ", ".join(row[2:] for row in rows if row.startswith("- "))
        words = [f"{row} [{groups}]" if row == "Groups:" else row for row in rows if not row.startswith("- ")]
        return f"{found[1]}- {{{', '.join(words)}}}\n"

    return _INTERFACE.sub(line, text)


def launch_template(
    node: Node,
    network_interfaces: list[ec2.NetworkInterfaces],
    profile: iam.InstanceProfile,
    volume: ec2.LaunchTemplateBlockDeviceMapping,
    user_data: Base64,
    **more: Any,
) -> ec2.LaunchTemplate:
    """A node: IMDSv2 for itself alone, an encrypted gp3 volume, tags on all that belongs to it."""
    named = {name: value for name, value in tags(node).items() if name != "NodeType"}
    return instances.launch_template(
        f"{node.kind}LaunchTemplate",
        profile,
        volume,
        NetworkInterfaces=network_interfaces,
        TagSpecifications=[
            ec2.TagSpecifications(ResourceType=kind, Tags=Tags(**named))
            for kind in ("network-interface", "volume")  # the group tags the instance
        ],
        UserData=user_data,
        **more,
    )


def tags(node: Node) -> dict[str, str | Sub]:
    """Tags by which people and policies find a node."""
    return {
        "Cluster": Sub("${AWS::StackName}"),
        "Name": Sub(f"${{AWS::StackName}}-{node.kind}"),
        "NodeType": node.kind,
    }


def reserved(capacity: CapacityBlock | Reservation, reservation: AWSHelperFn) -> dict[str, Any]:
    """Launch into a reservation, and nowhere else."""
    target = ec2.CapacityReservationTarget(CapacityReservationId=reservation)
    settings: dict[str, Any] = {
        "CapacityReservationSpecification": ec2.CapacityReservationSpecification(
            CapacityReservationTarget=target
        )
    }
    if isinstance(capacity, CapacityBlock):
        settings["InstanceMarketOptions"] = ec2.InstanceMarketOptions(MarketType="capacity-block")
    return settings


def group(
    node: Node,
    template: ec2.LaunchTemplate,
    capacity: OnDemand | Spot | CapacityBlock | Reservation,
    instance_type: AWSHelperFn,
    ready: Sequence[AWSObject],
    *,
    size: AWSHelperFn | str,
    least: AWSHelperFn | str,
) -> autoscaling.AutoScalingGroup:
    """A group that keeps `size` nodes, and that CloudFormation calls created when `least` have signalled.

    A capacity error leaves the size asked for as it is, and EC2 Auto Scaling goes on trying.
    """
    return autoscaling.AutoScalingGroup(
        f"{node.kind}AutoScalingGroup",
        **waiting(ready),
        CreationPolicy=CreationPolicy(ResourceSignal=ResourceSignal(Count=least, Timeout=SIGNAL_TIMEOUT)),
        UpdatePolicy=_replace_together(size),
        MinSize=least,
        MaxSize=size,
        DesiredCapacity=size,
        HealthCheckType="EC2",
        HealthCheckGracePeriod=300,
        VPCZoneIdentifier=node.subnet_ids,
        Tags=autoscaling.Tags(**{name: (value, True) for name, value in tags(node).items()}),
        **_launched_from(instances.latest(template), capacity, instance_type),
    )


def _replace_together(size: AWSHelperFn | str) -> UpdatePolicy:
    """An update replaces all nodes of a kind at once: a half-updated cluster trains nothing."""
    return UpdatePolicy(
        AutoScalingRollingUpdate=AutoScalingRollingUpdate(
            MinInstancesInService="0",
            MaxBatchSize=size,
            PauseTime=SIGNAL_TIMEOUT,
            WaitOnResourceSignals=True,
            SuspendProcesses=UNDISTURBED,
        )
    )


def _launched_from(
    specification: autoscaling.LaunchTemplateSpecification,
    capacity: OnDemand | Spot | CapacityBlock | Reservation,
    instance_type: AWSHelperFn,
) -> dict[str, Any]:
    if not isinstance(capacity, Spot):
        return {"LaunchTemplate": specification}
    types: list[AWSHelperFn | str] = [instance_type, *capacity.other_types]
    return instances.mixed(
        specification,
        base=capacity.on_demand_base,
        percentage=capacity.on_demand_percentage,
        Overrides=[autoscaling.LaunchTemplateOverrides(InstanceType=each) for each in types],
    )
