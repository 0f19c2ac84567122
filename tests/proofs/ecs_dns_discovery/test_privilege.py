"""The roles of the system, against the calls of a host's life, of the health function, and of a build of images.

Each way of discovery is a shape with roles of its own; the health function belongs to the agent's alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blueprints.core import Environment
from blueprints.local.aws import Aws
from blueprints.local.functions import Function
from blueprints.local.hosts import Host, Network
from blueprints.local.specs import specs
from blueprints.local.stack import Stack

from .boot import Hosts, Layers
from .cloudformation import CloudFormation
from .codebuild import Builder
from .conftest import ZONE, layer, private_zone, until
from .deployed import SCHEDULED, deployed
from .ecs import Tasks
from .registry import Registry

if TYPE_CHECKING:
    from blueprints.local.privilege.plugin import Privileges

pytest_plugins = ("blueprints.local.privilege.plugin",)

KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
AGENT = {"discovery": {"kind": "agent"}}
CHECKED = {
    "discovery": {"kind": "agent", "health": {"checks": True, "stop_percent": 30}},
    "sessions": True,
    "flow_logs": True,
}
CONNECTED = {"discovery": {"kind": "service_connect"}, "sessions": True}
SHAPES: dict[str, tuple[dict[str, Any], Environment, dict[str, str]]] = {
    "plain": (AGENT, Environment(), {}),
    "checked": (CHECKED, Environment(kms_key=True), {"KmsKeyArn": KEY}),
    "cloud_map": ({"flow_logs": True}, Environment(), {}),
    "service_connect": (CONNECTED, Environment(kms_key=True), {"KmsKeyArn": KEY}),
}
with_agent = pytest.mark.parametrize("case", ["plain", "checked"], indirect=True, scope="module")
in_each_shape = pytest.mark.parametrize("case", list(SHAPES), indirect=True, scope="module")


@dataclass
class Case:
    """A system that is watched, with what runs of it."""

    stack: Stack
    aws: Aws
    zone: str
    functions: dict[str, Function]
    host: Host
    hosts: Hosts
    builder: Builder
    registry: Registry
    tasks: Tasks
    cloudformation: CloudFormation

    def records(self) -> set[str]:
        """What agents have written, by its identifiers."""
        found = self.aws.client("route53").list_resource_record_sets(HostedZoneId=self.zone)
        return {each["SetIdentifier"] for each in found["ResourceRecordSets"] if "SetIdentifier" in each}

    def invoke(self, name: str, event: bytes) -> dict[str, Any]:
        done = self.functions[name].invoke(event)
        assert done.error is None, done.payload
        return json.loads(done.payload or b"null")


@pytest.fixture(scope="module")
def registry(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    name = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    made = Registry(name, network.gateway, tmp_path_factory.mktemp("registry"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def case(
    request: pytest.FixtureRequest,
    privileges: Privileges,
    network: Network,
    cli: Path,
    registry: Registry,
    layer_archives: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Case]:
    settings, environment, parameters = SHAPES[request.param]
    with ExitStack() as ending:
        aws = ending.enter_context(Aws(addresses=[network.gateway]))
        zone = private_zone(aws)
        stack = deployed(aws, f"privilege-{request.param}", zone, settings, environment, **parameters)
        kept = {
            stack.physical[name].ref: path for name, path in layer_archives.items() if name in stack.physical
        }
        layers = Layers(network.gateway, kept)
        ending.callback(layers.close)
        aws.forward("lambda:GetLayerVersionByArn", layers.url)
        tasks = Tasks(aws, stack.place)
        ending.callback(tasks.close)
        made_project(aws, stack)
        token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        registry.password = base64.b64decode(token).decode().partition(":")[2]
        builder = Builder(network, aws, cli, registry)
        ending.callback(builder.close)
        cloudformation = CloudFormation()
        ending.callback(cloudformation.close)
        hosts = Hosts(network, aws, cli)
        ending.callback(hosts.close)
        number = instance(aws)
        ending.enter_context(privileges.watch(aws, stack, {number: "InstanceRole"}))
        host = hosts.boot(stack, number=number)
        functions = started(aws, stack, tmp_path_factory.mktemp("functions"))
        for each in functions.values():
            ending.callback(each.close)
        yield Case(stack, aws, zone, functions, host, hosts, builder, registry, tasks, cloudformation)


@pytest.fixture(scope="session")
def layer_archives(packaged: Path) -> dict[str, Path]:
    """What the layers of the packaged template hold."""
    return {name: layer(packaged, name) for name in ("AgentLayerVersion", "ImagesLayerVersion")}


def made_project(aws: Aws, stack: Stack) -> None:
    """moto's project, whose builds succeed at the first look."""
    aws.client("codebuild").create_project(
        name=stack.physical["ImagesProject"].ref,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2", "location": "moto asks for one"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=stack.get("ImagesProject", "Properties.ServiceRole"),
    )


def instance(aws: Aws) -> str:
    """An instance of EC2's, so that the health function finds it alive."""
    made = aws.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def started(aws: Aws, stack: Stack, folder: Path) -> dict[str, Function]:
    """The functions; the one that has images built also with so little time that it has to stop the build."""
    found = specs(stack, folder)
    found["Hurried"] = replace(found["ImagesFunction"], timeout=30)
    roles = {name: stack.get(each.name, "Properties.Role").rpartition("/")[2] for name, each in found.items()}
    return {
        name: Function(
            each, endpoint_url=aws.endpoint, log=lambda _, __: None, credentials=aws.credentials(roles[name])
        )
        for name, each in found.items()
    }


@in_each_shape
def test_a_host_joins_the_cluster(case: Case) -> None:
    """The verdict follows after the last test: `privileges` gives it."""
    joined = (case.host.disk / "etc/ecs/ecs.config").read_text().splitlines()
    assert joined[0] == f"ECS_CLUSTER={case.stack.physical['Cluster'].ref}", case.hosts.said


@with_agent
def test_an_agent_writes_and_takes_back(case: Case) -> None:
    assert case.records() == {f"{case.host.name}:host"}, case.hosts.said
    docker = case.hosts.daemons[case.host.name]
    docker.import_small()
    docker.serve("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")
    until(lambda: len(case.records()) == 2)
    docker.clear()
    until(lambda: len(case.records()) == 1)


def record(case: Case, name: str, kind: str, identifier: str, value: str) -> None:
    """As an agent of another host has written it."""
    made = {"Name": f"{name}.{ZONE}", "Type": kind, "TTL": 0, "Weight": 1, "SetIdentifier": identifier}
    change = {"Action": "CREATE", "ResourceRecordSet": {**made, "ResourceRecords": [{"Value": value}]}}
    case.aws.client("route53").change_resource_record_sets(
        HostedZoneId=case.zone, ChangeBatch={"Changes": [change]}
    )


@with_agent
def test_the_function_looks_at_two_clusters_and_stops_and_deletes(case: Case) -> None:
    """On the machine's own loopback, where one service answers and one does not."""
    host, dead = case.host.name, "i-00000000000000bad"
    record(case, "ip-127-0-0-1", "A", f"{host}:{'a' * 64}:a", "127.0.0.1")
    record(case, "_calc._tcp", "SRV", f"{dead}:{'b' * 64}:8081/tcp", f"1 1 1 ip-127-0-0-1.{ZONE}")
    case.tasks.definitions["asked"] = [{"name": "SERVICE_8081_CHECK", "value": "tcp"}]
    answering = case.cloudformation.port
    for number in range(10):
        container = f"{number:064x}"
        case.tasks.add("one" if number % 2 else "two", container, definition="asked")
        port = answering if number > 1 else 9
        record(case, "_time._tcp", "SRV", f"{host}:{container}:8081/tcp", f"1 1 {port} ip-127-0-0-1.{ZONE}")
    for cluster in ("one", "two"):
        case.tasks.add(cluster, cluster, status="STOPPED")
    done = case.invoke("HealthFunction", json.dumps(SCHEDULED).encode())
    assert [each.partition(" ")[0] for each in done["deleted"]] == [f"_calc._tcp.{ZONE}."]
    if "VpcConfig" in case.stack.properties("HealthFunction"):
        assert done == {**done, "checked": 10, "failing": 2, "stopped": 2}
        assert {each for _, each in case.tasks.stopped} == {"Service Discovery Health Check failed"}
        assert len({arn.split("/")[1] for arn, _ in case.tasks.stopped}) == 2
    else:
        assert case.tasks.stopped == []


@with_agent
def test_cloudformation_has_the_zone_emptied(case: Case) -> None:
    case.invoke("HealthFunction", case.cloudformation.request("Delete", "ZoneRecords"))
    assert case.cloudformation.answers[-1]["Status"] == "SUCCESS"
    assert case.records() <= {f"{case.host.name}:host"}  # the agent lives here, and may have noticed


@in_each_shape
@pytest.mark.parametrize(("function", "status"), [("ImagesFunction", "SUCCESS"), ("Hurried", "FAILED")])
def test_cloudformation_has_the_images_built(case: Case, function: str, status: str) -> None:
    before = len(case.cloudformation.answers)
    case.invoke(function, case.cloudformation.request("Create", "ServiceImages"))
    (answer,) = case.cloudformation.answers[before:]
    assert answer["Status"] == status, answer


@in_each_shape
def test_the_build_pushes_what_is_not_there(case: Case) -> None:
    uris = [
        case.stack.physical[f"{each}Repository"].attributes["RepositoryUri"]
        for each in ("Portal", "Calc", "Clock")
    ]
    tag = case.stack.get("ServiceImages", "Properties.ImageTag")
    expected = [f"{each.partition('/')[2]}:{tag}" for each in uris]
    for already in (0, 3):
        done = case.builder.build(case.stack, "ImagesProject")
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        assert [each for each in case.registry.pushed if each in expected] == expected
        assert done.stdout.decode().count("is there already") == already


@in_each_shape
def test_tasks_may_do_nothing(case: Case) -> None:
    definitions = case.stack.resources("AWS::ECS::TaskDefinition")
    assert len(definitions) == 3
    for each in definitions:
        assert "TaskRoleArn" not in case.stack.properties(each)
