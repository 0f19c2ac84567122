"""What a rendered template with its parameters needs of an account, whichever blueprint made it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..checks.model import entries

_GROUP, _INSTANCE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::Instance"
_LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"

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


def needs(template: Mapping[str, Any], given: Mapping[str, str], zones: Zones) -> Needs:
    """Read a template. `zones` lists those of the region, and is asked only where the template does."""
    reader = _Reader(template, given, zones)
    found = Needs()
    for name, parameter in reader.parameters.items():
        kind = re.sub(r"^List<(.*)>$", r"\1", str(parameter.get("Type", "")))
        values = {each.strip() for each in reader.values.get(name, "").split(",")} - {""}
        if values and kind.startswith("AWS::"):
            found.existing.setdefault(kind, set()).update(values)
    for name, resource in reader.resources.items():
        kind = str(resource.get("Type"))
        found.counts[kind] = found.counts.get(kind, 0) + 1
        if kind in (_GROUP, _INSTANCE):
            found.launches.append(reader.launch(name, kind, resource.get("Properties", {})))
    return found


class _Reader:
    """A template whose parameters have values."""

    def __init__(self, template: Mapping[str, Any], given: Mapping[str, str], zones: Zones) -> None:
        self.parameters: Mapping[str, Any] = template.get("Parameters", {})
        self.resources: Mapping[str, Any] = template.get("Resources", {})
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self.values = {
            name: str(each["Default"]) for name, each in self.parameters.items() if "Default" in each
        }
        self.values.update(given)
        self._zones = zones

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
        found = entries(self.resources.get(str(asked.get("Ref"))))
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
        made = entries(self.resources.get(str(entries(subnet).get("Ref"))))
        return self.value(entries(made.get("Properties")).get("AvailabilityZone"))

    def _listed(self, found: Any) -> list[Any]:
        """The elements of a list, or of a list parameter."""
        if isinstance(found, list):
            return cast("list[Any]", found)
        whole = self.value(found)
        return (
            [each.strip() for each in whole.split(",")]
            if isinstance(whole, str)
            else cast("list[Any]", whole or [])
        )

    def _texts(self, found: Iterable[Any]) -> list[str]:
        return [text for each in found if isinstance(text := self.value(each), str) and text]

    def _number(self, found: Any) -> int:
        value = str(self.value(found))
        return int(value) if value.isdigit() else 0

    def value(self, found: Any) -> Any:
        """What a part of the template comes to; None where only a deployment knows."""
        if not isinstance(found, Mapping) or len(cast("Mapping[str, Any]", found)) != 1:
            return cast("Any", found)
        ((name, argument),) = cast("Mapping[str, Any]", found).items()
        match name:
            case "Ref":
                return self.values.get(argument)
            case "Fn::If":
                return self.value(argument[1] if self.holds(argument[0]) else argument[2])
            case "Fn::GetAZs":
                return self._zones()
            case "Fn::Select":
                listed = self._listed(argument[1])
                index = self._number(argument[0])
                return self.value(listed[index]) if index < len(listed) else None
            case "Fn::GetAtt":
                resource, _, attribute = (
                    argument if isinstance(argument, str) else ".".join(argument)
                ).partition(".")
                return self.value(self.resources.get(resource, {}).get("Properties", {}).get(attribute))
            case _:
                return None

    def holds(self, condition: Any) -> bool:
        """Whether a condition does, by its name or as written."""
        if isinstance(condition, str):
            return self.holds(self._conditions.get(condition, {}))
        ((name, argument),) = cast("Mapping[str, Any]", condition or {"": None}).items()
        match name:
            case "Fn::Equals":
                return self.value(argument[0]) == self.value(argument[1])
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(each) for each in argument)
            case "Fn::Or":
                return any(self.holds(each) for each in argument)
            case "Condition":
                return self.holds(argument)
            case _:
                return False
