"""Resources and outputs of a template, resolved: what CloudFormation would create, and tell when it is done."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from .intrinsics import NO_VALUE, text
from .references import references
from .resolver import Physical, Resolver, function, listed

_REQUIRED = object()


class Resolved:
    """What a resolver makes of the template it is for. Only what exists under the template's conditions is there."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    @property
    def physical(self) -> MutableMapping[str, Physical]:
        """What exists, by logical id."""
        return self.resolver.physical

    @property
    def parameters(self) -> Mapping[str, str | list[str]]:
        """What Ref gives for each parameter."""
        return self.resolver.parameters

    # Resources

    def resources(self, *types: str) -> dict[str, str]:
        """Types of the resources that exist, by logical id; of some types only, if given."""
        return {
            name: str(entry.get("Type"))
            for name, entry in self.resolver.section("Resources").items()
            if (not types or entry.get("Type") in types) and self.resolver.exists(name)
        }

    def resource(self, name: str) -> Mapping[str, Any]:
        """A resource as the (expanded) template has it, unresolved."""
        if name not in self.resources():
            known = ", ".join(self.resources()) or "none"
            raise self.resolver.fault(f"Resources.{name}", f"no such resource here; the template has {known}")
        return self.resolver.section("Resources")[name]

    def properties(self, name: str) -> dict[str, Any]:
        """All properties of a resource."""
        return self.resolver.value(
            self.resource(name).get("Properties") or {}, f"Resources.{name}.Properties"
        )

    def get(self, name: str, path: str, default: Any = _REQUIRED) -> Any:
        """The value at a dotted path below a resource: `Properties.Tags.0.Value`, `CreationPolicy`.

        Only what stands at that path is resolved. Steps through Fn::If follow the arm that is chosen. Where nothing
        stands there, `default`; without one that is an error.
        """
        raw: Any = self.resource(name)
        where = f"Resources.{name}"
        for step in path.split("."):
            raw, where = self._chosen(raw, where), f"{where}.{step}"
            below = _below(raw)
            if step not in below:
                if default is not _REQUIRED:
                    return default
                raise self.resolver.fault(
                    where, f"nothing stands there; write one of {', '.join(below) or 'none'}"
                )
            raw = below[step]
        found = self.resolver.value(raw, where)
        return default if found is NO_VALUE and default is not _REQUIRED else found

    def _chosen(self, raw: Any, where: str) -> Any:
        name, argument = function(entries(raw))
        while name == "Fn::If":
            condition, yes, no = argument
            raw = yes if self.resolver.condition(str(condition), where) else no
            name, argument = function(entries(raw))
        return raw

    def dependencies(self, name: str) -> set[str]:
        """Logical ids that have to exist before a resource: DependsOn, and what its properties refer to."""
        raw = self.resource(name)
        needed = {
            *listed(raw.get("DependsOn")),
            *references(self.resolver, raw.get("Properties"), f"Resources.{name}"),
        }
        return {each for each in needed if self.resolver.exists(each)} - {name}

    def outputs(self) -> dict[str, str]:
        """Values of all outputs that exist."""
        return {name: self.output(name) for name in self.resolver.section("Outputs")
                if self.resolver.exists(name, "Outputs")}  # fmt: skip

    def output(self, name: str) -> str:
        """The value of one output."""
        where = f"Outputs.{name}"
        if not self.resolver.exists(name, "Outputs"):
            known = ", ".join(self.resolver.section("Outputs")) or "none"
            raise self.resolver.fault(where, f"no such output here; the template has {known}")
        return text(self.resolver.value(self.resolver.section("Outputs")[name]["Value"], f"{where}.Value"))


def entries(value: Any) -> Mapping[str, Any]:
    """The entries of a mapping; none where a value is something else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _below(value: Any) -> Mapping[str, Any]:
    """What stands one step below a value, by the name of the step; elements of a list have their numbers."""
    if isinstance(value, list):
        return {str(index): each for index, each in enumerate(cast("list[Any]", value))}
    return entries(value)
