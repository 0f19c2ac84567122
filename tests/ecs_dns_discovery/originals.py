"""What was wrong with the post's agent, health function and template, and their logic as briefly as it shows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import yaml

from .world import AGENT, ZONE, World

# The rows of the parity page's table, in its order.
DEFECTS = {
    "D1.1": "a daemon's restart leaves it on a closed channel at 100 % CPU, never subscribed again",
    "D1.2": "what happens between its first look and its subscription is lost",
    "D1.3": "a container that is gone before it is inspected ends the agent",
    "D1.4": "of a container's two services one is deleted, the other leaks",
    "D1.5": "a container's second service is neither repaired nor removed",
    "D1.6": "two ports of one name have one identity",
    "D1.7": "zones of more than a page are read wrongly or for ever",
    "D1.8": "node1 owns node10's records",
    "D1.9": "the zone is the first of its name or any other",
    "D1.10": "a host's address that has changed stays wrong",
    "D1.11": "the target of an SRV record may not resolve",
    "D1.12": "clients see one endpoint in each answer",
    "D1.13": "containers in the host's network are never registered",
    "D1.14": "containers without a service count as one to add",
    "D1.15": "it logs creation although the call failed",
    "D1.16": "a late creation overtakes the deletion",
    "D1.17": "an unknown task ends the agent",
    "D1.18": "malformed wishes are ignored in silence",
    "D1.19": "a batch is as large as it happens to be",
    "D1.20": "its filter filters nothing",
    "D1.21": "the record stays until the container is dead; no TTL but 0",
    "D1.22": "stale records wait for a schedule",
    "D1.23": "the first cluster alone is looked at, and one terminated instance ends the run",
    "D1.24": "healthy tasks are stopped, all of them if the network fails",
    "D1.25": "records of others are deleted",
    "D1.26": "a target that does not resolve keeps its record for ever",
    "D1.27": "the function may not stop tasks, and everybody may change every zone",
    "D1.28": "clean-up by hand, and parts that no longer exist",
    "D1.29": "no other way of discovery",
}


class FatalError(Exception):
    """log.Fatal."""


class Original:
    """The post's agent."""

    def __init__(self, world: World) -> None:
        self.world, self.zone, self.pool = world, world.zone(), ThreadPoolExecutor(5)
        self.over, self.counted, self.spins, self.futures = False, 0, 0, list[Any]()
        self.host_name = world.host_name + ".eu-west-1.compute.internal"

    def run(self, world: World) -> None:
        self.create(
            AGENT.records.Record(
                world.host_name + "." + ZONE, "A", self.host_name, world.address, 0, "weighted"
            )
        )
        self.sync()
        stream = world.daemon.events(0, lambda: None)
        for event in stream:
            self.futures.append(self.pool.submit(self.handle, event))
            if event["Action"] == "start":
                time.sleep(0.02)
            [each.result() for each in self.futures if each.done()]
        while not self.over:
            self.spins += 1  # the closed channel
            time.sleep(0.001)

    def handle(self, event: dict[str, Any]) -> None:
        if event["Action"] not in ("start", "die"):
            return
        container = event["Actor"]["ID"]
        try:
            inspected = self.world.daemon.inspect(container)
        except AGENT.daemon.GoneError as error:
            raise FatalError(str(error)) from error
        if event["Action"] == "start":
            self.counted += 1
            for record in self.records(inspected):
                self.create(record)
        else:
            self.delete(container)

    def records(self, inspected: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        for entry in inspected["Config"]["Env"]:
            parts = entry.split("=")
            words = parts[0].split("_")
            if len(parts) == 2 and len(words) == 3 and words[0] == "SERVICE" and words[2] == "NAME":
                for port, bindings in inspected["NetworkSettings"]["Ports"].items():
                    if port.split("/")[0] == words[1]:
                        value = f"1 1 {bindings[0]['HostPort']} {self.host_name}"
                        identifier = f"{self.world.host_name}:{inspected['Id']}"
                        found.append(
                            AGENT.records.Record(
                                f"{parts[1]}.{ZONE}", "SRV", identifier, value, 0, "weighted"
                            )
                        )
        return found

    def create(self, record: Any) -> None:
        with suppress(AGENT.route53.RefusedError, AGENT.route53.UnavailableError):
            self.zone.change([AGENT.route53.Change("CREATE", record)])
        self.world.told("changed", upserted=[record.name], deleted=[])

    def delete(self, container: str) -> None:
        found = [each for each in self.listed(container) if each.kind == "SRV"]
        if found:
            self.zone.change([AGENT.route53.Change("DELETE", found[-1])])

    def listed(self, part: str) -> list[Any]:
        """By prefix for a host, by suffix for a container."""

        def owns(identifier: str) -> bool:
            return identifier.startswith(part) or identifier.endswith(part)

        return self.zone.records(owns)

    def sync(self) -> None:
        managed = {each.id: each for each in self.listed(self.world.host_name)}
        wanted = {
            record.id: record
            for container in self.world.daemon.running()
            for record in self.records(self.world.daemon.inspect(container))
        }
        changes = [
            AGENT.route53.Change("DELETE", e)
            for i, e in managed.items()
            if i not in wanted and e.kind == "SRV"
        ]
        changes += [AGENT.route53.Change("UPSERT", each) for i, each in wanted.items() if i not in managed]
        if changes:
            try:
                self.zone.change(changes)
            except AGENT.route53.RefusedError:
                self.world.told("failed")

    def idle(self) -> bool:
        return all(each.done() for each in self.futures)

    def end(self) -> None:
        self.over = True
        for each in self.futures:
            if each.done() and each.exception():
                raise each.exception()


class OriginalHealth:
    """The post's health function; `ask` says whether an address answers."""

    def clean(self, clients: dict[str, Any], zone: str) -> None:
        ecs, ec2, route53 = clients["ecs"], clients["ec2"], clients["route53"]
        addresses: set[str] = set()
        for cluster in ecs.list_clusters()["clusterArns"]:
            instances = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
            described = ecs.describe_container_instances(cluster=cluster, containerInstances=instances)
            ids = [each["ec2InstanceId"] for each in described["containerInstances"]]
            for part in ec2.describe_instances(InstanceIds=ids)["Reservations"]:
                addresses |= {each["PrivateDnsName"].split(".")[0] for each in part["Instances"]}
            break
        for each in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
            target = each["ResourceRecords"][0]["Value"].split()[-1]
            if (
                each["Type"] == "SRV"
                and target.split(".")[0] not in addresses
                and not target.startswith("ip-")
            ):
                change = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": each}]}
                route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)

    def checked(self, clients: dict[str, Any], zone: str, ask: Any) -> None:
        for cluster in clients["ecs"].list_clusters()["clusterArns"]:
            for task in clients["ecs"].list_tasks(cluster=cluster)["taskArns"]:
                if not any(ask(task) for _ in range(3)):
                    clients["ecs"].stop_task(cluster=cluster, task=task)


TEMPLATE: dict[str, Any] = yaml.safe_load("""
Parameters:
  KeyName: {Type: AWS::EC2::KeyPair::KeyName}
Mappings:
  AmazonLinuxAMI: {us-west-2: {AMI: ami-022b9262}}
Resources:
  SshIngress:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
  HostedZone: {Type: AWS::Route53::HostedZone, Properties: {Name: servicediscovery.internal}}
  TimeRepository: {Type: AWS::ECR::Repository}
  LaunchConfig: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {InstanceType: t2.micro}}
  InstanceRole:
    Type: AWS::IAM::Role
    Properties: {ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonRoute53FullAccess']}
  DockerBuilder: {Type: AWS::EC2::Instance}
  CalcDefinition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
      - Environment: [{Name: CALC_USERNAME, Value: admin}, {Name: CALC_PASSWORD, Value: password}]
""")
