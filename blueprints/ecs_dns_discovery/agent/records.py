"""Which records a container asks for: from its environment, its ports and its place on the network.

A record's identity is its name, its type and `host:container:port/protocol`, so that two services of a container, two
protocols of a port and two hosts never meet. Whatever begins with `host:` is the host's own, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_ASKED = re.compile(r"SERVICE_(.*)_NAME")
# RFC 1035 and RFC 2782: letters, digits, - and, for services, _.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Route 53 API Reference, "ResourceRecordSet": SetIdentifier has at most 128 characters. What follows has 75.
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,52}")
_TASK = "com.amazonaws.ecs.task-arn"


class Record(NamedTuple):
    """One record set: one answer, among others of its name and type. `routing` is weighted or multivalue."""

    name: str
    kind: str
    id: str
    value: str
    ttl: int
    routing: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What Route 53 tells record sets apart by."""
        return self.name, self.kind, self.id


class Host(NamedTuple):
    """Where the agent runs, and how its records are made."""

    id: str
    address: str
    zone: str
    ttl: int
    routing: str

    @property
    def name(self) -> str:
        """The host in the zone."""
        return _of_address(self.address, self.zone)

    def owns(self, identifier: str) -> bool:
        """Whether a record set is this host's: `node1` owns nothing of `node10`."""
        return identifier.startswith(self.id + ":")

    def record(self, name: str, kind: str, rest: str, value: str) -> Record:
        """A record set of this host's."""
        return Record(name, kind, self.id + ":" + rest, value, self.ttl, self.routing)

    def own(self) -> Record:
        """The address that SRV records point to, in the zone itself, whatever the network calls the host."""
        return self.record(self.name, "A", "host", self.address)


class Asked(NamedTuple):
    """A service that a container asks for; `port` is the container's."""

    port: int
    name: str

    def protocols(self, published: list[str]) -> list[str]:
        """The protocol that its name says, or all that the port has."""
        said = self.name.rpartition("._")[2]
        if said in ("tcp", "udp"):
            return [each for each in published if each == said]
        return published


def asked(environment: list[str], zone: str, problem: Callable[[str], None]) -> Iterator[Asked]:
    """The services of an environment such as `["SERVICE_8081_NAME=_calc._tcp"]`; what is malformed is told."""
    for entry in environment:
        key, _, value = entry.partition("=")
        found = _ASKED.fullmatch(key)
        if not found:
            continue
        name = value.lower().rstrip(".")
        if not re.fullmatch(r"[0-9]{1,5}", found[1]) or not 0 < int(found[1]) < 65536:
            problem(f"{key}: {found[1]!r} is no port")
        elif not all(_LABEL.fullmatch(each) for each in name.split(".")) or len(name) + len(zone) > 252:
            problem(f"{key}: {value!r} is no DNS name")
        else:
            yield Asked(int(found[1]), name)


def of_container(
    inspected: dict[str, Any],
    host: Host,
    address_of: Callable[[str], str],
    problem: Callable[[str], None],
) -> list[Record]:
    """The records of a running container, as Docker's inspect shows it.

    `address_of` knows the address of a task that has a network interface of its own, "" if nobody does.
    """
    config = inspected["Config"]
    services = list(asked(config.get("Env") or [], host.zone, problem))
    if not services:
        return []
    mode = str(inspected["HostConfig"].get("NetworkMode", ""))
    own_interface = mode == "none" or mode.startswith("container:")
    if own_interface and _TASK not in (config.get("Labels") or {}):
        problem(f"network mode {mode} and no ECS task: nobody can reach it")
        return []
    address = address_of(inspected["Id"]) if own_interface else host.address
    if not address:
        problem("ECS does not know its address yet")
        return []
    target = _of_address(address, host.zone)
    found = [host.record(target, "A", inspected["Id"] + ":a", address)] if own_interface else []
    for service in services:
        ports = _fixed(config, service) if own_interface or mode == "host" else _published(inspected, service)
        if not ports:
            problem(f"port {service.port} of {service.name} is not published")
        for protocol, port in ports:
            identifier = f"{inspected['Id']}:{service.port}/{protocol}"
            name = f"{service.name}.{host.zone}"
            found.append(host.record(name, "SRV", identifier, f"1 1 {port} {target}"))
    return found


def _published(inspected: dict[str, Any], service: Asked) -> list[tuple[str, int]]:
    """Host ports behind which Docker has published a port, one a protocol; none that only the host itself reaches.

    Addresses are IPv4, and the same port may be published behind another one for IPv6.
    """
    bindings: dict[str, Any] = inspected["NetworkSettings"].get("Ports") or {}
    reachable = {
        protocol: int(binding["HostPort"])
        for protocol in ("udp", "tcp")
        for binding in bindings.get(f"{service.port}/{protocol}") or ()
        if binding.get("HostPort") and not re.match(r"127\.|.*:", binding.get("HostIp", ""))
    }
    return [(protocol, reachable[protocol]) for protocol in service.protocols(sorted(reachable))]


def _fixed(config: dict[str, Any], service: Asked) -> list[tuple[str, int]]:
    """The container's own port, where nothing lies between it and the network."""
    exposed: dict[str, Any] = config.get("ExposedPorts") or {}
    named = service.name.rpartition("._")[2]
    protocols = [each for each in ("tcp", "udp") if f"{service.port}/{each}" in exposed]
    chosen = service.protocols(protocols) or [named if named in ("tcp", "udp") else "tcp"]
    return [(protocol, service.port) for protocol in chosen]


def _of_address(address: str, zone: str) -> str:
    return "ip-" + address.replace(".", "-") + "." + zone
