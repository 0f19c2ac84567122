"""Deep-learning cluster: what the template promises, row by row, in the shapes the example stacks do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from blueprints.checks.finding import Source
from blueprints.checks.model import Model
from blueprints.checks.rules.limits import USER_DATA, longest, user_data
from blueprints.checks.template import load
from blueprints.core import Environment
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster
from blueprints.deep_learning_cluster.instance_types import GPU_TYPES


def cluster(environment: Environment | None = None, **config: Any) -> DeepLearningCluster:
    return DeepLearningCluster(ClusterConfig.model_validate({"access": "ssh"} | config), environment)


def resources(environment: Environment | None = None, **config: Any) -> dict[str, Any]:
    return cluster(environment, **config).template()["Resources"]


def data(found: dict[str, Any], node: str = "Worker") -> dict[str, Any]:
    return found[f"{node}LaunchTemplate"]["Properties"]["LaunchTemplateData"]


def group(found: dict[str, Any], node: str = "Worker") -> dict[str, Any]:
    return found[f"{node}AutoScalingGroup"]


def statements(found: dict[str, Any], node: str) -> list[dict[str, Any]]:
    role, shared = found[f"{node}Role"]["Properties"], found["NodeManagedPolicy"]["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": "NodeManagedPolicy"}]
    documents = [role["Policies"][0]["PolicyDocument"], shared["PolicyDocument"]]
    return [statement for document in documents for statement in document["Statement"]]


def actions(found: dict[str, Any], node: str) -> set[str]:
    return {action for statement in statements(found, node) for action in statement["Action"]}


def names(blueprint: DeepLearningCluster) -> set[str]:
    blueprint.template()
    return {each.name for each in blueprint.parameters()}


EXISTING = Environment(network="existing")


# Size and capacity


def test_worker_count_workers_beside_one_master() -> None:
    found = resources()
    master, workers = group(found, "Master")["Properties"], group(found)["Properties"]
    assert (master["MinSize"], master["MaxSize"], master["DesiredCapacity"]) == ("1", "1", "1")
    assert workers["DesiredCapacity"] == workers["MaxSize"] == {"Ref": "WorkerCount"}


def test_the_stack_waits_for_min_workers_and_not_for_all() -> None:
    """The second original cut the desired size on the first capacity error, and the first rolled back."""
    found = resources()
    assert group(found)["CreationPolicy"]["ResourceSignal"]["Count"] == {"Ref": "MinWorkers"}
    assert group(found, "Master")["CreationPolicy"]["ResourceSignal"]["Count"] == "1"


def test_min_workers_above_worker_count_is_a_contradiction() -> None:
    blueprint = cluster()
    assert list(blueprint.contradictions({"WorkerCount": "4", "MinWorkers": "4"})) == []
    told = dict(blueprint.contradictions({"WorkerCount": "3", "MinWorkers": "4"}))
    assert told == {"MinWorkers": "got 4 of 3 workers; write at most WorkerCount"}


def test_an_update_replaces_all_nodes_of_a_kind_and_waits_for_them() -> None:
    rolling = group(resources())["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert rolling["MaxBatchSize"] == {"Ref": "WorkerCount"}
    assert rolling["WaitOnResourceSignals"] is True
    assert "ReplaceUnhealthy" in rolling["SuspendProcesses"]


def test_failed_workers_go_on_being_replaced() -> None:
    """The original suspended ReplaceUnhealthy for good."""
    assert "SuspendProcesses" not in group(resources())["Properties"]


def test_spot_workers_and_an_on_demand_master() -> None:
    found = resources(capacity={"market": "spot", "on_demand_base": 2, "other_types": ["g5.xlarge"]})
    policy = group(found)["Properties"]["MixedInstancesPolicy"]
    assert policy["InstancesDistribution"]["OnDemandBaseCapacity"] == 2
    types = [each["InstanceType"] for each in policy["LaunchTemplate"]["Overrides"]]
    assert types == [{"Ref": "InstanceType"}, "g5.xlarge"]
    assert group(found)["Properties"]["CapacityRebalance"] is True
    assert "MixedInstancesPolicy" not in group(found, "Master")["Properties"]


def test_a_capacity_block_for_all_nodes_and_never_with_a_placement_group() -> None:
    block: dict[str, Any] = {"capacity": {"market": "capacity_block"}, "instance_type": "p5.48xlarge"}
    found = resources(**block)
    for node in ("Master", "Worker"):
        assert data(found, node)["InstanceMarketOptions"] == {"MarketType": "capacity-block"}
        target = data(found, node)["CapacityReservationSpecification"]["CapacityReservationTarget"]
        assert target == {"CapacityReservationId": {"Ref": "CapacityReservationId"}}
    with pytest.raises(ValidationError, match="a place of its own"):
        resources(**block, fabric={"placement_group": True})
    with pytest.raises(ValidationError, match=r"no Capacity Blocks exist for g6\.xlarge"):
        resources(capacity={"market": "capacity_block"})


def test_a_reservation_names_its_zone() -> None:
    """Elsewhere nothing is launched, while a Capacity Block's paid hours run."""
    blueprint = cluster(capacity={"market": "reservation"})
    assert "ZoneOfReservation" in blueprint.template()["Rules"]
    values = {"WorkerCount": "1", "MinWorkers": "1", "AvailabilityZone": ""}
    assert [name for name, _ in blueprint.contradictions(values)] == ["AvailabilityZone"]
    assert list(blueprint.contradictions(values | {"AvailabilityZone": "eu-west-1a"})) == []
    assert "Rules" not in cluster().template()


def test_a_type_is_named_once() -> None:
    """Auto Scaling refuses a type that stands in two overrides."""
    with pytest.raises(ValidationError, match="named twice"):
        cluster(capacity={"market": "spot", "other_types": ["g6.xlarge"]})
    spot = cluster(capacity={"market": "spot", "other_types": ["g5.xlarge"]}).template()
    assert "g5.xlarge" not in spot["Parameters"]["InstanceType"]["AllowedValues"]


def test_a_reservation_is_bought_on_demand() -> None:
    found = resources(capacity={"market": "reservation"})
    assert "InstanceMarketOptions" not in data(found)
    assert "CapacityReservationSpecification" in data(found)


# Instance types and interfaces


def test_an_unknown_type_names_the_table() -> None:
    with pytest.raises(ValidationError, match=r"'p9\.48xlarge' is not in the table of .*instance_types\.py"):
        cluster(instance_type="p9.48xlarge")


def test_a_stack_file_adds_a_type() -> None:
    row = {"gpus": 8, "efa_interfaces": 2, "network_cards": 2}
    found = resources(instance_type="p9.48xlarge", instance_types={"p9.48xlarge": row}, fabric={"efa": True})
    assert len(data(found)["NetworkInterfaces"]) == 2


@pytest.mark.parametrize(("name", "row"), [(n, r) for n, r in GPU_TYPES.items() if r.efa_interfaces])
def test_every_efa_of_every_type_once(name: str, row: Any) -> None:
    """EC2 User Guide: one EFA a card, the primary interface on card 0, and `efa-only` never primary."""
    for node in ("Master", "Worker"):
        interfaces = data(resources(instance_type=name, fabric={"efa": True}), node)["NetworkInterfaces"]
        efa = [each for each in interfaces if each["InterfaceType"] in ("efa", "efa-only")]
        assert len(efa) == row.efa_interfaces
        assert [each["NetworkCardIndex"] for each in interfaces] == list(range(row.network_cards))
        assert interfaces[0]["DeviceIndex"] == 0
        assert interfaces[0]["InterfaceType"] != "efa-only"
        assert all(each["DeviceIndex"] == 1 for each in interfaces[1:])
        assert {str(each["Groups"][0]) for each in interfaces} == {str({"Ref": "ClusterSecurityGroup"})}


def test_only_a_single_interface_asks_for_a_public_address() -> None:
    single = data(resources(), "Master")["NetworkInterfaces"]
    assert [each["AssociatePublicIpAddress"] for each in single] == [True]
    several = data(resources(instance_type="p5.48xlarge", fabric={"efa": True}), "Master")[
        "NetworkInterfaces"
    ]
    assert not [each for each in several if "AssociatePublicIpAddress" in each]
    assert data(resources())["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False


def test_a_master_without_an_address_reaches_the_apis_that_give_it_one() -> None:
    found = resources(instance_type="p5.48xlarge", fabric={"efa": True})
    endpoints = {name for name, each in found.items() if each["Type"] == "AWS::EC2::VPCEndpoint"}
    assert endpoints == {"S3Endpoint", "Ec2Endpoint", "CloudFormationEndpoint"}
    assert {"Ec2Endpoint", "CloudFormationEndpoint"} <= set(group(found, "Master")["DependsOn"])
    assert found["Ec2Endpoint"]["Properties"]["SubnetIds"] == [{"Ref": "PublicSubnet"}]
    assert not {"Ec2Endpoint"} & set(resources())
    assert not {"Ec2Endpoint"} & set(
        resources(access="session_manager", instance_type="p5.48xlarge", fabric={"efa": True})
    )


def test_instance_type_takes_what_fits_the_template() -> None:
    blueprint = cluster(instance_type="p5.48xlarge", fabric={"efa": True})
    allowed = blueprint.template()["Parameters"]["InstanceType"]
    assert allowed["AllowedValues"] == ["p5.48xlarge", "p5e.48xlarge"]
    assert allowed["Default"] == "p5.48xlarge"
    assert cluster().template()["Parameters"]["InstanceType"]["AllowedValues"] == list(GPU_TYPES)


def test_efa_of_a_type_without() -> None:
    with pytest.raises(ValidationError, match=r"g6\.xlarge has no EFA"):
        cluster(fabric={"efa": True})
    with pytest.raises(ValidationError, match=r"g5\.8xlarge has other EFA interfaces than p5\.48xlarge"):
        cluster(
            instance_type="p5.48xlarge",
            fabric={"efa": True},
            capacity={"market": "spot", "other_types": ["g5.8xlarge"]},
        )


# Network and access


def test_one_group_lets_all_nodes_speak_every_protocol_both_ways() -> None:
    """The originals let TCP and ICMP through, so that EFA could not work."""
    found = resources()
    inward = found["ClusterSecurityGroupIngress"]["Properties"]
    outward = found["ClusterSecurityGroupEgress"]["Properties"]
    itself = {"Ref": "ClusterSecurityGroup"}
    assert (inward["IpProtocol"], inward["GroupId"], inward["SourceSecurityGroupId"]) == (
        "-1",
        itself,
        itself,
    )
    assert (outward["IpProtocol"], outward["GroupId"], outward["DestinationSecurityGroupId"]) == (
        "-1",
        itself,
        itself,
    )


def test_ssh_parameters_exist_with_ssh_alone() -> None:
    assert {"KeyName", "SSHLocation"} <= names(cluster())
    assert not {"KeyName", "SSHLocation"} & names(cluster(access="session_manager"))


def test_session_manager_opens_no_port_and_takes_no_address() -> None:
    found = resources(access="session_manager")
    assert "AdminSecurityGroup" not in found
    assert "MasterEip" not in found
    assert group(found, "Master")["Properties"]["VPCZoneIdentifier"] == [{"Ref": "PrivateSubnet"}]
    assert "ssmmessages:OpenDataChannel" in actions(found, "Master")
    assert "ssmmessages:OpenDataChannel" not in actions(resources(), "Master")


def test_the_masters_group_lets_in_what_is_asked_for_and_nothing_out() -> None:
    rule = {"cidr": "10.20.0.0/16", "port": 6006, "reason": "TensorBoard"}
    rules = resources(ingress=[rule])["AdminSecurityGroup"]["Properties"]
    assert [(each["FromPort"], each["ToPort"], each["CidrIp"]) for each in rules["SecurityGroupIngress"]] == [
        (22, 22, {"Ref": "SSHLocation"}),
        (6006, 6006, "10.20.0.0/16"),
    ]
    assert [each["CidrIp"] for each in rules["SecurityGroupEgress"]] == ["127.0.0.1/32"]


def test_the_address_goes_to_this_clusters_nodes_alone() -> None:
    found = resources()
    (address,) = (each for each in statements(found, "Master") if each["Action"] == ["ec2:AssociateAddress"])
    assert address["Resource"][0]["Fn::Sub"].endswith(":elastic-ip/${MasterEip.AllocationId}")
    assert address["Condition"] == {"StringEquals": {"ec2:ResourceTag/Cluster": {"Ref": "AWS::StackName"}}}
    assert {"Key": "Cluster", "Value": {"Fn::Sub": "${AWS::StackName}"}} in found["MasterEip"]["Properties"][
        "Tags"
    ]
    for node in ("Master", "Worker"):
        tags = {each["Key"]: each for each in group(resources(), node)["Properties"]["Tags"]}
        assert tags["Cluster"]["Value"] == {"Fn::Sub": "${AWS::StackName}"}
        assert tags["NodeType"]["Value"] == node
        assert all(each["PropagateAtLaunch"] for each in tags.values())


def test_user_data_is_taken_with_the_longest_values() -> None:
    """EC2 takes 16,384 bytes. What comes from the mapping is measured here: checks take it for some text."""
    everything: dict[str, Any] = {"storage": {"kind": "fsx_lustre", "file_system": "existing"}}
    environment = Environment(network="existing", proxy=True, kms_key=True, permissions_boundary=True)
    model = Model(Source("cluster.yaml", cluster(environment, **everything, gpus={"idle": {}}).render()))
    (script,) = model.section("Mappings")["Boot"]["BothKinds"].values()
    parts = [value for _, value in user_data(model)]
    assert len(parts) == 2
    assert max(longest(model, each) for each in parts) + len(script.encode()) <= USER_DATA


def test_user_data_gives_up_before_cloudformation_does() -> None:
    assert nodes_of_boot() == ("1500", "PT30M")


def nodes_of_boot() -> tuple[str, str]:
    found = cluster().template()
    script = found["Mappings"]["Boot"]["BothKinds"]["Script"]
    deadline = script.partition("BOOT_DEADLINE='")[2].partition("'")[0]
    return deadline, group(found["Resources"])["CreationPolicy"]["ResourceSignal"]["Timeout"]


def test_workers_are_private() -> None:
    assert group(resources())["Properties"]["VPCZoneIdentifier"] == [{"Ref": "PrivateSubnet"}]


def test_nodes_of_each_kind_may_do_only_what_they_do() -> None:
    common = {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeScalingActivities",
        "cloudwatch:PutMetricData",
        "cloudformation:SignalResource",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "ec2:DescribeInstanceTypes",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "ssm:GetParameters",
    }
    assert actions(resources(), "Worker") == common | {"dynamodb:GetItem"}
    assert actions(resources(), "Master") == common | {"ec2:AssociateAddress"}


def test_metrics_go_into_this_blueprints_namespace_alone() -> None:
    (put,) = (
        each for each in statements(resources(), "Worker") if each["Action"] == ["cloudwatch:PutMetricData"]
    )
    assert put["Condition"] == {"StringEquals": {"cloudwatch:namespace": "DeepLearningCluster"}}


def test_only_the_master_changes_groups_of_this_cluster_and_only_if_asked() -> None:
    scaling = {"autoscaling:SetInstanceHealth", "autoscaling:UpdateAutoScalingGroup"}
    assert not scaling & actions(resources(), "Master")
    assert actions(resources(gpus={"replace": True}), "Master") & scaling == {"autoscaling:SetInstanceHealth"}
    found = resources(gpus={"replace": True, "idle": {"minutes": 30}})
    assert scaling <= actions(found, "Master")
    assert not scaling & actions(found, "Worker")
    (change,) = (each for each in statements(found, "Master") if set(each["Action"]) == scaling)
    assert change["Condition"] == {
        "StringEquals": {"autoscaling:ResourceTag/Cluster": {"Ref": "AWS::StackName"}}
    }
    assert change["Resource"][0]["Fn::Sub"].endswith(":autoScalingGroup:*:autoScalingGroupName/*")


def test_nodes_are_told_what_to_do_about_gpus() -> None:
    def told(**gpus: Any) -> str:
        script = cluster(gpus=gpus).template()["Mappings"]["Boot"]["BothKinds"]["Script"]
        return script.partition("export UPKEEP='")[2].partition("'")[0]

    assert told() == ""
    assert told(metrics=True, replace=True, idle={}) == "metrics,replace,idle:5:60"
    assert told(idle={"percent": 10, "minutes": 90}) == "idle:10:90"


def test_idle_workers_of_reserved_capacity_are_not_given_back() -> None:
    with pytest.raises(ValidationError, match="paid for in any case"):
        cluster(capacity={"market": "reservation"}, gpus={"idle": {}})


def test_the_outputs_name_the_one_place_that_says_how_many_nodes_there_are() -> None:
    output = cluster().template()["Outputs"]["CapacityCommand"]
    assert '--table-name ${RegistryTable} --key \'{"Slot":{"S":"epoch"}}\'' in output["Value"]["Fn::Sub"]
    assert "like metrics of DeepLearningCluster" in output["Description"]


def test_each_network_interface_has_a_line_and_the_template_stays_the_same() -> None:
    blueprint = cluster(instance_type="p5.48xlarge", fabric={"efa": True})
    text = blueprint.render()
    assert load(text) == blueprint.template()
    assert len([line for line in text.splitlines() if line.strip().startswith("- {DeviceIndex: ")]) == 64
    assert json.loads(blueprint.render("json")) == blueprint.template()


def test_the_key_of_no_other_cluster_can_be_read() -> None:
    (read,) = (each for each in statements(resources(), "Worker") if each["Action"] == ["ssm:GetParameters"])
    names = [each["Fn::Sub"].partition(":parameter/")[2] for each in read["Resource"]]
    assert names[0] == "ec2/keypair/${ClusterKeyPair.KeyPairId}"
    assert names[1:] == [f"${{Runtime{number}Parameter}}" for number in (1, 2, 3, 4)]


def test_a_worker_writes_nothing_of_the_masters_slot() -> None:
    """A compromised worker could else put its own address and host key there."""
    (worker,) = (
        each for each in statements(resources(), "Worker") if "dynamodb:UpdateItem" in each["Action"]
    )
    (master,) = (
        each for each in statements(resources(), "Master") if "dynamodb:UpdateItem" in each["Action"]
    )
    assert worker["Condition"] == {"ForAllValues:StringNotEquals": {"dynamodb:LeadingKeys": ["1"]}}
    assert "Condition" not in master
    assert worker["Resource"] == master["Resource"] == [{"Fn::GetAtt": ["RegistryTable", "Arn"]}]


def test_secondary_interfaces_admit_the_cluster_alone() -> None:
    """They have no address that anybody outside could connect to."""
    first, *others = data(resources(instance_type="p5.48xlarge", fabric={"efa": True}), "Master")[
        "NetworkInterfaces"
    ]
    assert [each["Ref"] for each in first["Groups"]] == ["ClusterSecurityGroup", "AdminSecurityGroup"]
    assert {each["Ref"] for other in others for each in other["Groups"]} == {"ClusterSecurityGroup"}


def test_the_registry_is_encrypted_and_ends_with_the_stack() -> None:
    table = resources(Environment(kms_key=True))["RegistryTable"]
    assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Delete"
    assert "kms:Decrypt" in actions(resources(Environment(kms_key=True)), "Worker")
    assert "kms:Decrypt" not in actions(resources(), "Worker")


def test_the_period_is_a_setting_of_at_most_thirty_seconds() -> None:
    same = cluster(membership={"period": 7}).template()["Mappings"]["Boot"]["BothKinds"]["Script"]
    assert "export PERIOD='7'\n" in same
    with pytest.raises(ValidationError):
        cluster(membership={"period": 31})


@pytest.mark.parametrize("location", ["10.0.0.0/8", "198.51.100.7/32", "0.1.2.3/24"])
def test_networks_that_may_connect(location: str) -> None:
    assert list(DeepLearningCluster.ssh_location.resolve(cluster()).faults(location)) == []


@pytest.mark.parametrize(
    "location", ["0.0.0.0/0", "999.1.1.1/24", "10.0.0.0/33", "10.0.0.0/7", "10.0.0.0", "a", ""]
)
def test_networks_that_may_not(location: str) -> None:
    """The originals took 999.1.1.1/24, and the world."""
    assert list(DeepLearningCluster.ssh_location.resolve(cluster()).faults(location))


def test_both_subnets_share_the_zone_asked_for() -> None:
    found = resources()
    assert found["PrivateSubnet"]["Properties"]["AvailabilityZone"] == {
        "Fn::GetAtt": ["PublicSubnet", "AvailabilityZone"]
    }
    assert found["PublicSubnet"]["Properties"]["AvailabilityZone"]["Fn::If"][:2] == [
        "ZoneChosen",
        {"Ref": "AvailabilityZone"},
    ]


def test_nodes_boot_after_their_way_out_exists() -> None:
    found = resources()
    assert {"PrivateRoute", "PrivateRouteTableAssociation"} <= set(group(found)["DependsOn"])
    assert {"PublicRoute", "PublicRouteTableAssociation"} <= set(group(found, "Master")["DependsOn"])
    for name in ("PublicRoute", "NatEip", "NatGateway", "MasterEip"):
        assert "InternetGatewayAttachment" in found[name]["DependsOn"], name


def test_an_existing_network_is_used_as_it_is() -> None:
    blueprint = cluster(EXISTING)
    template = blueprint.template()
    made = {each["Type"] for each in template["Resources"].values()}
    assert not made & {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::NatGateway", "AWS::EC2::VPCEndpoint"}
    assert group(template["Resources"], "Master")["Properties"]["VPCZoneIdentifier"] == [
        {"Ref": "PublicSubnetId"}
    ]
    assert {"VpcId", "PublicSubnetId", "PrivateSubnetId"} <= names(blueprint)
    assert {"SubnetsInVpc", "SubnetsInOneZone"} <= set(template["Rules"])
    names_out = [
        rule["FromPort"]
        for rule in template["Resources"]["ClusterSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    ]
    assert names_out.count(53) == 2
    assert "PublicSubnetId" not in names(cluster(EXISTING, access="session_manager"))


# Nodes


@pytest.mark.parametrize("node", ["Master", "Worker"])
def test_metadata_is_for_the_node_alone_and_disks_are_encrypted(node: str) -> None:
    launched = data(resources(Environment(kms_key=True)), node)
    assert launched["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    disk = launched["BlockDeviceMappings"][0]["Ebs"]
    assert (disk["VolumeType"], disk["Encrypted"], disk["KmsKeyId"]) == ("gp3", True, {"Ref": "KmsKeyArn"})


def test_the_placement_group_is_the_workers_alone() -> None:
    found = resources(fabric={"placement_group": True})
    assert data(found)["Placement"] == {"GroupName": {"Ref": "WorkerPlacementGroup"}}
    assert "Placement" not in data(found, "Master")


def test_a_pinned_image_asks_for_its_id_and_the_latest_for_its_publishers_parameter() -> None:
    assert "ImageId" in names(cluster(image={"source": "pinned"}))
    assert data(resources(image={"source": "pinned"}))["ImageId"] == {"Ref": "ImageId"}
    assert data(resources())["ImageId"] == {"Ref": "ImageParameter"}


def test_each_operating_system_has_its_image_user_and_device() -> None:
    blueprint = cluster(image={"operating_system": "amazon_linux_2023"})
    template = blueprint.template()
    assert "amazon-linux-2023" in template["Parameters"]["ImageParameter"]["Default"]
    assert data(template["Resources"])["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
    assert template["Outputs"]["SshCommand"]["Value"]["Fn::Sub"] == "ssh -A ec2-user@${MasterEip}"


# Storage


def test_a_new_file_system_is_encrypted_kept_and_reachable_before_nodes_boot() -> None:
    found = resources(storage={"kind": "efs"})
    assert found["FileSystem"]["Properties"]["Encrypted"] is True
    assert found["FileSystem"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert found["FileSystem"]["UpdateReplacePolicy"] == "Retain"
    assert found["MountTarget"]["Properties"]["SecurityGroups"] == [{"Ref": "ClusterSecurityGroup"}]
    assert "MountTarget" in group(found)["DependsOn"]
    assert "MountTarget" in group(found, "Master")["DependsOn"]


def test_on_delete_decides_what_becomes_of_it() -> None:
    assert (
        resources(storage={"kind": "efs", "on_delete": "delete"})["FileSystem"]["DeletionPolicy"] == "Delete"
    )


def test_a_new_lustre_file_system_waits_for_its_ports_and_ends_with_the_stack() -> None:
    """FSx looks for its ports when it is created; one that is kept would hold the network for ever."""
    found = resources(Environment(kms_key=True), storage={"kind": "fsx_lustre"})["FileSystem"]
    assert set(found["DependsOn"]) == {"ClusterSecurityGroupIngress", "ClusterSecurityGroupEgress"}
    assert found["DeletionPolicy"] == "Delete"
    assert found["Properties"]["SecurityGroupIds"] == [{"Ref": "ClusterSecurityGroup"}]
    assert "KmsKeyId" not in found["Properties"]  # FSx takes another key for persistent file systems alone
    assert "PerUnitStorageThroughput" not in found["Properties"]["LustreConfiguration"]
    persistent = resources(
        Environment(kms_key=True),
        storage={"kind": "fsx_lustre", "deployment": "PERSISTENT_2", "throughput": 250},
    )["FileSystem"]["Properties"]
    assert persistent["KmsKeyId"] == {"Ref": "KmsKeyArn"}
    assert persistent["LustreConfiguration"]["PerUnitStorageThroughput"] == 250


def test_an_existing_file_system_gets_no_mount_target() -> None:
    """The original always made one, and so failed with a file system of another network."""
    storage = {"kind": "efs", "file_system": "existing"}
    assert "MountTarget" not in resources(storage=storage)
    parameter = DeepLearningCluster.efs_file_system_id.resolve(cluster())
    assert list(parameter.faults("fs-0123456789abcdef0")) == []  # the original's pattern ended at 8 digits
    assert list(parameter.faults("fs-0123456"))


@pytest.mark.parametrize(("kind", "ports"), [("efs", {2049}), ("fsx_lustre", {988, 1018})])
def test_an_existing_file_system_admits_the_nodes_before_they_boot(kind: str, ports: set[int]) -> None:
    found = resources(storage={"kind": kind, "file_system": "existing"})
    server, nodes = {"Ref": "FileSystemSecurityGroupId"}, {"Ref": "ClusterSecurityGroup"}
    outward = {
        name: each["Properties"]
        for name, each in found.items()
        if name.startswith("FileSystem") and "Egress" in name
    }
    inward = {
        name: each["Properties"]
        for name, each in found.items()
        if name.startswith("FileSystem") and "Ingress" in name
    }
    assert (
        {each["FromPort"] for each in outward.values()}
        == {each["FromPort"] for each in inward.values()}
        == ports
    )
    assert all(
        each["GroupId"] == nodes and each["DestinationSecurityGroupId"] == server for each in outward.values()
    )
    assert all(
        each["GroupId"] == server and each["SourceSecurityGroupId"] == nodes for each in inward.values()
    )
    for node in ("Master", "Worker"):
        assert set(outward) | set(inward) <= set(group(found, node)["DependsOn"])


@pytest.mark.parametrize("folder", ["etc", "usr/bin", "/efs", "a//b", ""])
def test_folders_that_nothing_is_mounted_over(folder: str) -> None:
    assert list(DeepLearningCluster.efs_mount_point.resolve(cluster()).faults(folder))
    assert list(DeepLearningCluster.efs_mount_point.resolve(cluster()).faults("etcetera")) == []


def test_fsx_sizes_that_are_sold() -> None:
    blueprint = cluster(storage={"kind": "fsx_lustre"})
    sizes = {"WorkerCount": "1", "MinWorkers": "1"}
    told = {
        size: list(blueprint.contradictions(sizes | {"FSxStorageCapacity": size}))
        for size in ("1200", "4800", "3600")
    }
    assert [size for size, faults in told.items() if faults] == ["3600"]


# Outputs


def test_outputs_of_the_originals_and_those_they_lacked() -> None:
    ssh = set(cluster(storage={"kind": "efs"}).template()["Outputs"])
    originals = {"AdminSSHSecurityGroup", "MasterAutoScalingGroup", "WorkerAutoScalingGroup", "MountTargetID"}
    assert originals <= ssh
    more = {"ClusterName", "ClusterSecurityGroup", "ClusterKeyParameter", "LogGroupName", "FindMasterCommand"}
    assert more | {"SshCommand", "MasterAddress", "FileSystemId", "FileSystemMountPoint"} <= ssh
    assert "SessionCommand" in cluster(access="session_manager").template()["Outputs"]
