"""What a rendered template with its parameters needs of an account, whichever blueprint made it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..checks.model import entries
from ..core import BlueprintError
from ..local.intrinsics import NO_VALUE, text
from ..local.place import Place
from ..local.resolver import Physical, Resolver

_GROUP, _INSTANCE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::Instance"
_LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"

# What a resolver raises where something is not known, or goes in a circle.
_UNKNOWN = (BlueprintError, RecursionError)

# Begins what only a deployment knows, such as the id of a resource; nothing that AWS names has it.
_LATER = "\0"

Zones = Callable[[], list[str]]


@dataclass(frozen=True)
class Launch:
    """Instances that a resource launches: `on_demand` and `spot` of one of `types`, all in one of `zones`.

    No zones are named where only AWS knows them. `reservation` is the one they are launched into, or empty.
    """

    resource: str
    types: tuple[str, ...]
    on_demand: int
    spot: int
    zones: tuple[str, ...]
    subnets: tuple[str, ...]
    reservation: str


@dataclass
class Needs:
    """All that is asked about. `existing` are ids and names by the parameter's type."""

    launches: list[Launch] = field(default_factory=list[Launch])
    existing: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    counts: dict[str, int] = field(default_factory=dict[str, int])


def needs(template: Mapping[str, Any], given: Mapping[str, str], region: str, zones: Zones) -> Needs:
    """Read a template. `zones` lists those of the region, and is asked only where the template does."""
    reader = _Reader(template, given, _Account(region=region), zones)
    found = Needs()
    for name, parameter in reader.section("Parameters").items():
        kind = re.sub(r"^List<(.*)>$", r"\1", str(parameter.get("Type", "")))
        values = {each.strip() for each in reader.given.get(name, "").split(",")} - {""}
        if values and kind.startswith("AWS::"):
            found.existing.setdefault(kind, set()).update(values)
    for name, resource in reader.section("Resources").items():
        if not reader.is_made(name):
            continue
        kind = str(resource.get("Type"))
        found.counts[kind] = found.counts.get(kind, 0) + 1
        if kind in (_GROUP, _INSTANCE):
            found.launches.append(reader.launch(name, kind, entries(resource.get("Properties"))))
    return found


class _Account(Place):
    """The account that is asked, of which only the region is known."""

    def pseudo(self) -> dict[str, str | list[str]]:
        """What follows from the region, and nothing of the emulated account."""
        known = super().pseudo()
        return {name: known[name] for name in ("AWS::Partition", "AWS::Region", "AWS::URLSuffix")}


class _Reader(Resolver):
    """A template whose parameters have values, and whose resources have no ids yet."""

    def __init__(
        self, template: Mapping[str, Any], given: Mapping[str, str], account: _Account, zones: Zones
    ) -> None:
        declared = {name: entries(each) for name, each in entries(template.get("Parameters")).items()}
        defaults = {name: text(each["Default"]) for name, each in declared.items() if "Default" in each}
        self.given = {**defaults, **given}
        values = {name: _value(declared.get(name, {}), each) for name, each in self.given.items()}
        ids = {name: Physical(_LATER + name) for name in entries(template.get("Resources"))}
        super().__init__(template, values, account, physical=ids)
        self._functions["Fn::ImportValue"] = lambda _argument, _where: _LATER
        self._account_zones = zones

    def is_made(self, name: str) -> bool:
        """Whether a resource exists, or may."""
        try:
            return self.exists(name)
        except _UNKNOWN:
            return True

    def known(self, raw: Any) -> Any:
        """What a part of the template comes to; None where only a deployment knows."""
        try:
            found = self.value(raw, "")
        except _UNKNOWN:
            return None
        return None if found is NO_VALUE else found

    def _zones(self, argument: Any, where: str) -> list[str]:
        return self._account_zones()

    def _attribute_of(self, name: str, attribute: str, where: str) -> Any:
        """Attributes that are properties too: the zone of a subnet."""
        properties = entries(entries(self.section("Resources").get(name)).get("Properties"))
        return self.value(properties[attribute], where) if attribute in properties else _LATER

    def launch(self, name: str, kind: str, properties: Mapping[str, Any]) -> Launch:
        """What a group or an instance launches."""
        mixed = properties.get("MixedInstancesPolicy", {})
        data, distribution = self._data(properties, mixed), mixed.get("InstancesDistribution", {})
        size = 1
        if kind == _GROUP:
            size = self._number(properties.get("DesiredCapacity", properties.get("MinSize")))
        overrides = mixed.get("LaunchTemplate", {}).get("Overrides", [])
        types = [each.get("InstanceType") for each in overrides] or [data.get("InstanceType")]
        spot = self._spot(size, distribution, data)
        subnets = properties.get("VPCZoneIdentifier") or [properties.get("SubnetId")]
        target = data.get("CapacityReservationSpecification", {}).get("CapacityReservationTarget", {})
        return Launch(
            name,
            tuple(self._texts(types)),
            size - spot,
            spot,
            tuple(dict.fromkeys(self._texts(self._zone(each) for each in self._listed(subnets)))),
            tuple(each for each in self._texts(self._listed(subnets)) if each.startswith("subnet-")),
            next(iter(self._texts([target.get("CapacityReservationId")])), ""),
        )

    def _data(self, properties: Mapping[str, Any], mixed: Mapping[str, Any]) -> Mapping[str, Any]:
        """The launch template's data with the resource's own properties over it."""
        mixed_from = mixed.get("LaunchTemplate", {}).get("LaunchTemplateSpecification", {})
        asked = entries((properties.get("LaunchTemplate") or mixed_from).get("LaunchTemplateId"))
        found = entries(self.section("Resources").get(str(asked.get("Ref"))))
        made = entries(found.get("Properties") if found.get("Type") == _LAUNCH_TEMPLATE else None)
        data = entries(made.get("LaunchTemplateData"))
        return {**data, **{key: each for key, each in properties.items() if key == "InstanceType"}}

    def _spot(self, size: int, distribution: Mapping[str, Any], data: Mapping[str, Any]) -> int:
        """How many of a group are Spot instances. Auto Scaling API, "InstancesDistribution": none by default."""
        if data.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
            return size
        above = max(0, size - self._number(distribution.get("OnDemandBaseCapacity", 0)))
        return (
            above * (100 - self._number(distribution.get("OnDemandPercentageAboveBaseCapacity", 100))) // 100
        )

    def _zone(self, subnet: Any) -> Any:
        """The zone of a subnet that the template makes."""
        made = entries(self.section("Resources").get(str(self.known(subnet)).removeprefix(_LATER)))
        return self.known(entries(made.get("Properties")).get("AvailabilityZone"))

    def _listed(self, raw: Any) -> list[Any]:
        """The elements of a list, each of which may be known; or of what comes to a list."""
        if isinstance(raw, list):
            return cast("list[Any]", raw)
        whole = self.known(raw)
        return cast("list[Any]", whole) if isinstance(whole, list) else []

    def _texts(self, parts: Iterable[Any]) -> list[str]:
        return [
            found
            for each in parts
            if isinstance(found := self.known(each), str) and found and _LATER not in found
        ]

    def _number(self, found: Any) -> int:
        value = str(self.known(found))
        return int(value) if value.isdigit() else 0


def _value(declared: Mapping[str, Any], given: str) -> str | list[str]:
    """A parameter's value, a list where its type is one."""
    kind = str(declared.get("Type"))
    listed = kind == "CommaDelimitedList" or kind.startswith("List<")
    return [each.strip() for each in given.split(",")] if listed else given
