"""Networks and launch templates as blueprints get them."""

from __future__ import annotations

import json
from typing import Any

from troposphere import AWSObject, GetAtt, GetAZs, Ref, Select, Template, iam

from blueprints.blocks import instances
from blueprints.blocks.network import NewSubnet, name_rules, new_network, waiting
from blueprints.core.emit import to_json

ZONES = [Select(0, GetAZs("")), Select(1, GetAZs(""))]


def resources(*made: AWSObject) -> dict[str, Any]:
    """As a template has them."""
    template = Template()
    for each in made:
        template.add_resource(each)
    return json.loads(to_json(template.to_dict()))["Resources"]


def two_zones() -> dict[str, Any]:
    net = new_network(
        "10.0.0.0/16",
        [
            NewSubnet("Public1Subnet", "10.0.0.0/24", ZONES[0]),
            NewSubnet("Public2Subnet", "10.0.1.0/24", ZONES[1]),
        ],
        [NewSubnet("PrivateSubnet", "10.0.2.0/24", GetAtt("Public1Subnet", "AvailabilityZone"))],
    )
    return resources(*net.others, *net.public_ready, *net.private_ready)


def test_every_subnet_has_the_way_out_of_its_kind() -> None:
    made = two_zones()
    ways: dict[str, Any] = {}
    for each in made.values():
        if each["Type"] == "AWS::EC2::SubnetRouteTableAssociation":
            table = each["Properties"]["RouteTableId"]
            (route,) = (
                other["Properties"]
                for other in made.values()
                if other["Type"] == "AWS::EC2::Route" and other["Properties"]["RouteTableId"] == table
            )
            target = route.get("GatewayId") or route["NatGatewayId"]
            ways[each["Properties"]["SubnetId"]["Ref"]] = target["Ref"]
    assert ways == {
        "Public1Subnet": "InternetGateway",
        "Public2Subnet": "InternetGateway",
        "PrivateSubnet": "NatGateway",
    }
    assert made["NatGateway"]["Properties"]["SubnetId"] == {"Ref": "Public1Subnet"}
    tables = [each["Ref"] for each in made["S3Endpoint"]["Properties"]["RouteTableIds"]]
    assert tables == ["PublicRouteTable", "PrivateRouteTable"]


def test_what_needs_the_internet_waits_for_the_gateway_and_no_subnet_gives_addresses() -> None:
    made = two_zones()
    after = {name for name, each in made.items() if each.get("DependsOn") == "InternetGatewayAttachment"}
    assert after == {"NatEip", "NatGateway", "PublicRoute"}
    subnets = [each["Properties"] for each in made.values() if each["Type"] == "AWS::EC2::Subnet"]
    assert [each["MapPublicIpOnLaunch"] for each in subnets] == [False] * 3


def test_who_starts_in_a_subnet_waits_for_its_route_and_its_association() -> None:
    net = new_network(
        "10.0.0.0/16",
        [NewSubnet("PublicSubnet", "10.0.0.0/24", ZONES[0])],
        [NewSubnet("PrivateSubnet", "10.0.1.0/24", ZONES[0])],
    )
    assert waiting(net.private_ready) == {"DependsOn": ["PrivateRoute", "PrivateRouteTableAssociation"]}
    assert waiting(()) == {}


def test_names_are_asked_for_by_both_protocols() -> None:
    assert [(each.IpProtocol, each.FromPort, each.ToPort) for each in name_rules()] == [
        ("udp", 53, 53),
        ("tcp", 53, 53),
    ]


def test_a_launch_template_is_for_its_instance_alone_and_encrypted() -> None:
    profile = iam.InstanceProfile("Profile", Roles=["role"])
    made = instances.launch_template(
        "LaunchTemplate", profile, instances.root_volume("/dev/xvda", 30, Ref("Key")), ImageId="ami-1"
    )
    data = resources(made)["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    options = {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert data["MetadataOptions"] == options
    (disk,) = data["BlockDeviceMappings"]
    assert disk["DeviceName"] == "/dev/xvda"
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["KmsKeyId"] == {"Ref": "Key"}
    assert data["ImageId"] == "ami-1"


def test_spot_is_beside_what_is_on_demand_and_follows_its_template() -> None:
    profile = iam.InstanceProfile("Profile", Roles=["role"])
    template = instances.launch_template(
        "LaunchTemplate", profile, instances.root_volume("/dev/xvda", 30, None)
    )
    found = instances.mixed(instances.latest(template), base=2, percentage=10)
    policy = json.loads(to_json(found["MixedInstancesPolicy"].to_dict()))
    assert policy["InstancesDistribution"]["OnDemandBaseCapacity"] == 2
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 10
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"] == {
        "LaunchTemplateId": {"Ref": "LaunchTemplate"},
        "Version": {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]},
    }
    assert found["CapacityRebalance"] is True
