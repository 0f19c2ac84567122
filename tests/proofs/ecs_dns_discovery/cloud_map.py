"""A namespace of Cloud Map as the zone that Cloud Map would keep for it, and ECS's part in registering tasks.

Cloud Map API Reference, "DnsRecord": an SRV record's value ends with `instance.service.namespace`, and there is an A
record of that name. "RoutingPolicy": with MULTIVALUE up to eight instances are in an answer. ECS Developer Guide,
"Service discovery": the attributes that ECS registers.
"""

from __future__ import annotations

import random
from typing import Any

from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

from .conftest import Machine
from .mirror import Source, UnknownRecordError

_KNOWN = {
    "AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT", "AVAILABILITY_ZONE", "EC2_INSTANCE_ID", "ECS_CLUSTER_NAME",
    "ECS_SERVICE_NAME", "ECS_TASK_DEFINITION_FAMILY", "REGION",
}  # fmt: skip
_MOST = 8


def of_cloud_map(client: Any, namespace: str) -> Source:
    """What a namespace's services and their instances are, and the lines of a zone file."""
    choose = random.Random(7)  # noqa: S311 - no secret

    def listed() -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """By the list calls alone."""
        by_namespace = [{"Name": "NAMESPACE_ID", "Values": [namespace], "Condition": "EQ"}]
        pages = client.get_paginator("list_services").paginate(Filters=by_namespace)
        services = [each for page in pages for each in page["Services"]]
        found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        for service in services:
            pages = client.get_paginator("list_instances").paginate(ServiceId=service["Id"])
            found.append((service, [each for page in pages for each in page["Instances"]]))
        return found

    def lines(found: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> list[str]:
        return [line for service, instances in found for line in _of_service(service, instances, choose)]

    return listed, lines


def _of_service(service: dict[str, Any], instances: list[dict[str, Any]], choose: random.Random) -> list[str]:
    """Names are relative to the zone. Raises UnknownRecordError."""
    dns: dict[str, Any] = service.get("DnsConfig") or {}
    records: list[dict[str, Any]] = dns.get("DnsRecords") or []
    if dns.get("RoutingPolicy") != "MULTIVALUE" or [each["Type"] for each in records] != ["SRV"]:
        raise UnknownRecordError(f"{service['Name']}: {dns}")
    ttl = records[0]["TTL"]
    found: list[str] = []
    chosen = choose.sample(instances, min(_MOST, len(instances)))
    for each in instances:
        attributes, host = each["Attributes"], f"{each['Id']}.{service['Name']}"
        unknown = attributes.keys() - _KNOWN
        if unknown or not {"AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT"} <= attributes.keys():
            raise UnknownRecordError(f"{host}: {attributes}")
        found.append(f"{host} {ttl} IN A {attributes['AWS_INSTANCE_IPV4']}")
        if each in chosen:
            found.append(f"{service['Name']} {ttl} IN SRV 1 1 {attributes['AWS_INSTANCE_PORT']} {host}")
    return found


class Registries:
    """The template's namespace and services in Cloud Map, and tasks that ECS registers there."""

    def __init__(self, machine: Machine, stack: Stack) -> None:
        self.machine = machine
        self.client = machine.aws.client("servicediscovery")
        given = stack.properties("DnsNamespace")
        self.zone: str = given["Name"]
        made = self.client.create_private_dns_namespace(Name=given["Name"], Vpc=given["Vpc"])
        operation = self.client.get_operation(OperationId=made["OperationId"])["Operation"]
        self.namespace: str = operation["Targets"]["NAMESPACE"]
        stack.physical["DnsNamespace"] = Physical(self.namespace)
        for name in stack.resources("AWS::ServiceDiscovery::Service"):
            service = self._service(stack.properties(name))
            stack.physical[name] = Physical(service["Id"], {"Arn": service["Arn"]})
        self._registries = {
            each: stack.get(f"{each}Service", "Properties.ServiceRegistries")[0] for each in ("Time", "Calc")
        }

    def _service(self, given: dict[str, Any]) -> dict[str, Any]:
        dns = given["DnsConfig"]
        made = self.client.create_service(
            Name=given["Name"],
            DnsConfig={
                "NamespaceId": dns["NamespaceId"],
                "RoutingPolicy": dns["RoutingPolicy"],
                "DnsRecords": [{"Type": each["Type"], "TTL": int(each["TTL"])} for each in dns["DnsRecords"]],
            },
        )
        return made["Service"]

    def _id(self, service: str) -> str:
        return self._registries[service]["RegistryArn"].rpartition("/")[2]

    def register(self, service: str, container: str) -> str:
        """As ECS does with a task, by the port of the container that its registry names; the instance's id."""
        inside = self._registries[service]["ContainerPort"]
        port = self.machine.docker.port(container, f"{inside}/tcp")
        attributes = {
            "AWS_INSTANCE_IPV4": self.machine.host.address,
            "AWS_INSTANCE_PORT": str(port),
            "ECS_SERVICE_NAME": service,
            "REGION": self.machine.aws.region,
        }
        task = container[:32]
        self.client.register_instance(ServiceId=self._id(service), InstanceId=task, Attributes=attributes)
        return task

    def deregister(self, service: str, task: str) -> None:
        """As ECS does before it stops a task."""
        self.client.deregister_instance(ServiceId=self._id(service), InstanceId=task)
