"""ECS DNS discovery: what the template promises, and the shapes that the example stacks do not show."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from blueprints.core.environment import Environment
from blueprints.ecs_dns_discovery import DiscoveryConfig, EcsDnsDiscovery
from blueprints.review.variants import variants

FOLDER = Path(EcsDnsDiscovery.__module__.replace(".", "/")).parent
ROOT = Path(__file__).parents[2]
Template = dict[str, Any]
AGENT = {"kind": "agent"}
CHECKED = {"kind": "agent", "health": {"checks": True}}


def rendered(environment: dict[str, Any] | None = None, **settings: Any) -> Template:
    return EcsDnsDiscovery(
        DiscoveryConfig.model_validate(settings), Environment.model_validate(environment or {})
    ).template()


def properties(template: Template, title: str) -> dict[str, Any]:
    return template["Resources"][title]["Properties"]


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}


def variables(template: Template, title: str) -> dict[str, Any]:
    (container,) = properties(template, title)["ContainerDefinitions"]
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def user_data(template: Template) -> str:
    lines = properties(template, "LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"][
        "Fn::Join"
    ][1]
    return "\n".join(each if isinstance(each, str) else each["Fn::Sub"] for each in lines)


def test_every_shape_can_be_passed_inline() -> None:
    """CloudFormation, "Quotas": a body of 51,200 bytes without S3."""
    made = variants(EcsDnsDiscovery)
    assert len(made) > 10
    assert max(len(each.render().encode()) for each in made) <= 51_200


# Discovery


def test_by_default_cloud_map_finds_what_ecs_registers() -> None:
    template = rendered()
    registered = {name: properties(template, f"{name}DiscoveryService") for name in ("Time", "Calc")}
    assert registered["Time"]["Name"] == "_time._tcp"
    assert registered["Calc"]["DnsConfig"]["DnsRecords"] == [{"TTL": 10, "Type": "SRV"}]
    for name in registered:
        (registry,) = properties(template, f"{name}Service")["ServiceRegistries"]
        assert registry["RegistryArn"] == {"Fn::GetAtt": [f"{name}DiscoveryService", "Arn"]}
        assert registry["ContainerPort"] == 8081
    assert variables(template, "PortalTaskDefinition") == {
        "TIME_SERVICE": {"Fn::Sub": "_time._tcp.${ZoneName}"},
        "CALC_SERVICE": {"Fn::Sub": "_calc._tcp.${ZoneName}"},
    }
    assert "LAYER" not in user_data(template)


def test_service_connect_gives_names_and_ports() -> None:
    template = rendered(discovery={"kind": "service_connect"})
    assert variables(template, "PortalTaskDefinition") == {
        "TIME_SERVICE": "time:8081",
        "CALC_SERVICE": "calc:8081",
    }
    connected = properties(template, "CalcService")["ServiceConnectConfiguration"]
    assert connected["Services"] == [
        {"ClientAliases": [{"DnsName": "calc", "Port": 8081}], "PortName": "http"}
    ]
    assert "Services" not in properties(template, "PortalService")["ServiceConnectConfiguration"]
    assert "ZoneName" not in template["Parameters"]


def test_the_agents_containers_say_what_they_are_found_as() -> None:
    template = rendered(discovery=AGENT)
    assert variables(template, "TimeTaskDefinition") == {"SERVICE_8081_NAME": "_time._tcp"}
    assert variables(template, "CalcTaskDefinition") == {"SERVICE_8081_NAME": "_calc._tcp"}
    assert (
        variables(rendered(discovery=CHECKED), "CalcTaskDefinition")["SERVICE_8081_CHECK"] == "http:/health"
    )


def test_the_boot_verifies_what_the_layer_holds() -> None:
    template = rendered(discovery=AGENT)
    digest = hashlib.sha256()
    for path in sorted((ROOT / "blueprints" / "ecs_dns_discovery" / "agent").iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    assert f"export AGENT_SHA256='{digest.hexdigest()}'" in user_data(template)
    assert properties(template, "AgentLayerVersion")["Content"] == "../../blueprints/ecs_dns_discovery/agent"


def test_the_zone_is_emptied_after_the_last_instance_and_before_it_goes() -> None:
    template = rendered(discovery=AGENT)
    assert "ZoneRecords" in template["Resources"]["AutoScalingGroup"]["DependsOn"]
    assert properties(template, "ZoneRecords")["HostedZoneId"] == {"Ref": "HostedZone"}


def test_the_function_is_in_the_network_only_where_it_asks_tasks() -> None:
    assert "VpcConfig" not in properties(rendered(discovery=AGENT), "HealthFunction")
    asking = rendered(discovery=CHECKED)
    assert properties(asking, "HealthFunction")["VpcConfig"]["SecurityGroupIds"] == [
        {"Ref": "CheckerSecurityGroup"}
    ]
    assert properties(asking, "HealthFunction")["Environment"]["Variables"]["STOP_PERCENT"] == "30"


# Cluster and services


@pytest.mark.parametrize("discovery", [{"kind": "cloud_map"}, AGENT])
def test_services_start_when_their_images_are_there_and_their_cluster_has_room(
    discovery: dict[str, Any],
) -> None:
    template = rendered(discovery=discovery)
    for name in ("Portal", "Time", "Calc"):
        needs = set(template["Resources"][f"{name}Service"]["DependsOn"])
        assert {"ServiceImages", "CapacityProviderAssociations"} <= needs
    assert "Listener" in template["Resources"]["PortalService"]["DependsOn"]


def test_the_posts_numbers_and_ports() -> None:
    template = rendered()
    counts = {
        name: properties(template, f"{name}Service")["DesiredCount"] for name in ("Portal", "Time", "Calc")
    }
    assert counts == {"Portal": 1, "Time": 2, "Calc": 2}
    (portal,) = properties(template, "PortalTaskDefinition")["ContainerDefinitions"]
    assert portal["PortMappings"][0] == {
        "AppProtocol": "http",
        "ContainerPort": 8080,
        "HostPort": 0,
        "Name": "http",
    }


def test_instances_are_drained_and_can_go_with_the_stack() -> None:
    provider = properties(rendered(), "CapacityProvider")["AutoScalingGroupProvider"]
    assert provider["ManagedDraining"] == "ENABLED"
    assert provider["ManagedTerminationProtection"] == "DISABLED"
    assert provider["ManagedScaling"]["Status"] == "ENABLED"


def test_containers_may_write_nothing_and_call_nothing() -> None:
    for each in of_type(rendered(), "AWS::ECS::TaskDefinition").values():
        assert "TaskRoleArn" not in each
        (container,) = each["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}


def test_passwords_come_from_secrets_manager() -> None:
    for each in of_type(rendered(), "AWS::ECS::TaskDefinition").values():
        (container,) = each["ContainerDefinitions"]
        assert {part["ValueFrom"]["Fn::Sub"].split(":")[0] for part in container["Secrets"]} == {
            "${CredentialsSecret}"
        }


def test_nobody_connects_but_the_clients_named_and_groups() -> None:
    template = rendered(discovery=CHECKED)
    (rule,) = properties(template, "BalancerSecurityGroup")["SecurityGroupIngress"]
    assert rule["CidrIp"] == {"Ref": "ClientCidr"}
    for each in of_type(template, "AWS::EC2::SecurityGroupIngress").values():
        assert "CidrIp" not in each
    assert "KeyName" not in properties(template, "LaunchTemplate")["LaunchTemplateData"]


def test_tls_by_default_and_without_it_for_a_reason() -> None:
    listener = properties(rendered(), "Listener")
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert rendered()["Outputs"]["PortalURL"]["Value"] == {"Fn::Sub": "https://${LoadBalancer.DNSName}/"}
    plain = rendered(tls=False, http_reason="A demonstration that one office sees.")
    assert properties(plain, "Listener")["Protocol"] == "HTTP"
    assert "CertificateArn" not in plain["Parameters"]


@pytest.mark.parametrize(
    "settings", [{"tls": False}, {"tls": True, "http_reason": "There is no reason at all."}]
)
def test_tls_and_its_reason_contradict(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"http_reason|TLS"):
        DiscoveryConfig.model_validate(settings)


def test_an_existing_network_is_used_and_nothing_of_it_made() -> None:
    template = rendered({"network": "existing"})
    assert not of_type(template, "AWS::EC2::VPC")
    assert properties(template, "AutoScalingGroup")["VPCZoneIdentifier"] == {"Ref": "PrivateSubnetIds"}
    assert properties(template, "LoadBalancer")["Subnets"] == {"Ref": "PublicSubnetIds"}


def test_flow_logs_and_sessions_are_settings() -> None:
    assert not of_type(rendered(), "AWS::EC2::FlowLog")
    template = rendered(flow_logs=True, sessions=True)
    assert properties(template, "FlowLog")["TrafficType"] == "ALL"
    assert "ssmmessages:OpenDataChannel" in str(properties(template, "InstanceRole"))
    assert "ssmmessages" not in str(properties(rendered(), "InstanceRole"))


def test_sizes_that_contradict_are_refused() -> None:
    blueprint = EcsDnsDiscovery(DiscoveryConfig(), Environment())
    assert [name for name, _ in blueprint.contradictions({"MinSize": "3", "MaxSize": "2"})] == ["MinSize"]
    assert list(blueprint.contradictions({"MinSize": "2", "MaxSize": "2"})) == []


# Images


def test_the_build_carries_the_images_folder_as_it_is() -> None:
    build = properties(rendered(), "ImagesProject")["Source"]["BuildSpec"]
    packed = next(line for line in build.splitlines() if "CONTEXT=" in line).split("'")[1]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(base64.b64decode(packed)))) as archive:
        held = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    folder = ROOT / "blueprints" / "ecs_dns_discovery" / "image"
    assert held == {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def test_the_tag_changes_with_the_content_and_services_use_it() -> None:
    template = rendered()
    tag = properties(template, "ServiceImages")["ImageTag"]
    (container,) = properties(template, "CalcTaskDefinition")["ContainerDefinitions"]
    assert container["Image"] == {"Fn::Sub": f"${{CalcRepository.RepositoryUri}}:{tag}"}
    named = {
        each["Name"]: each["Value"]
        for each in properties(template, "ImagesProject")["Environment"]["EnvironmentVariables"]
    }
    assert named["IMAGE_TAG"] == tag


def test_repositories_go_with_their_images() -> None:
    for each in of_type(rendered(), "AWS::ECR::Repository").values():
        assert each["EmptyOnDelete"] is True
        assert each["ImageTagMutability"] == "IMMUTABLE"


def test_the_environments_key_is_used_wherever_something_is_kept() -> None:
    template = rendered({"kms_key": True}, discovery=AGENT)
    key = {"Ref": "KmsKeyArn"}
    assert all(each["KmsKeyId"] == key for each in of_type(template, "AWS::Logs::LogGroup").values())
    assert properties(template, "CredentialsSecret")["KmsKeyId"] == key
    assert properties(template, "CalcRepository")["EncryptionConfiguration"] == {
        "EncryptionType": "KMS",
        "KmsKey": key,
    }
    assert "kms:Decrypt" in str(properties(template, "ExecutionRole"))
