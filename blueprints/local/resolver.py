"""The values a template has once its parameters and the ids of its resources are known.

Nothing is left open: a reference that cannot be resolved is an error that names its place. Which resources exist
follows from conditions, and only what is asked for is resolved, so that a deployment may learn ids as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..core import BlueprintError, Fault
from . import intrinsics
from .conditions import Conditions
from .intrinsics import NO_VALUE, elements
from .lookup import DYNAMIC, Fetch, dynamic, refuse, value
from .place import Place

EXTENSIONS = "AWS::LanguageExtensions"
SERVERLESS = "AWS::Serverless-2016-10-31"

# What cannot be evaluated on one machine, and what to do instead.
_REFUSED = {
    "Fn::ImportValue": "exports of other stacks are not known here; take the value as a parameter",
    "Fn::Transform": "macros run in the account; write what they would give",
    "Fn::ForEach": "loops are not expanded here; render the resources instead",
    "Fn::GetStackOutput": "outputs of other stacks are not known here; take the value as a parameter",
}


@dataclass(frozen=True)
class Physical:
    """What CloudFormation knows of a resource that exists: what `Ref` gives, and `Fn::GetAtt` by attribute."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Resolver:
    """Evaluates values of one template, which is plain data and already expanded.

    `parameters` are checked values, text or lists of text. `physical` may grow while this resolver is used.
    Raises BlueprintError, with file and place, for whatever does not resolve.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str | list[str]],
        place: Place,
        *,
        file: str = "",
        physical: MutableMapping[str, Physical] | None = None,
        fetch: Fetch = refuse,
    ) -> None:
        self.template = template
        self.parameters = parameters
        self.place = place
        self.file = file
        self.physical: MutableMapping[str, Physical] = {} if physical is None else physical
        self.fetch = fetch
        self.conditions = Conditions(self.section("Conditions"), self.value, self.fault)
        self._functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAZs": self._zones,
            "Fn::GetAtt": self._attribute,
            "Fn::If": self._if,
            "Fn::Sub": self._sub,
        }
        self._extended = EXTENSIONS in listed(template.get("Transform"))

    def fault(self, where: str, what: str) -> BlueprintError:
        """An error of this template."""
        return BlueprintError(Fault(self.file, where, what))

    def section(self, name: str) -> Mapping[str, Any]:
        """One section of the template; empty where it has none."""
        found = self.template.get(name)
        return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}

    def value(self, raw: Any, where: str) -> Any:
        """What `raw` comes to. Mapping entries and list elements of AWS::NoValue are dropped."""
        if isinstance(raw, Mapping):
            return self._mapping(cast("Mapping[str, Any]", raw), where)
        if isinstance(raw, list):
            found = [
                self.value(each, f"{where}.{index}") for index, each in enumerate(cast("list[Any]", raw))
            ]
            return [each for each in found if each is not NO_VALUE]
        return self._fetched(raw, where) if isinstance(raw, str) else raw

    def _mapping(self, raw: Mapping[str, Any], where: str) -> Any:
        name, argument = function(raw)
        if not name:
            found = {str(key): self.value(each, f"{where}.{key}") for key, each in raw.items()}
            return {key: each for key, each in found.items() if each is not NO_VALUE}
        place = f"{where}.{name}"
        try:
            return self._call(name, argument, place)
        except (ValueError, LookupError) as error:
            raise self.fault(place, str(error.args[0] if error.args else error)) from error

    def _call(self, name: str, argument: Any, where: str) -> Any:
        if name in self._functions:
            return self._functions[name](argument, where)
        plain = intrinsics.PLAIN | (intrinsics.EXTENSIONS if self._extended else {})
        if name in plain:
            # A text may become a dynamic reference only when it is put together.
            found = plain[name](self.value(argument, where))
            return self._fetched(found, where) if name == "Fn::Join" else found
        raise ValueError(_refusal(name))

    def _fetched(self, found: str, where: str) -> str:
        """Text with its dynamic references replaced."""
        if "{{resolve:" not in found:
            return found
        try:
            done = DYNAMIC.sub(lambda match: value(self.fetch, dynamic(match[1], match[2])), found)
        except LookupError as error:
            raise self.fault(where, str(error.args[0])) from error
        if "{{resolve:" in done:
            raise self.fault(where, f"{found!r} is no dynamic reference; write {{{{resolve:ssm:name}}}}")
        return done

    # References

    def _ref(self, name: Any, where: str) -> Any:
        if not isinstance(name, str):
            raise ValueError(f"got {name!r}; write the name of a parameter or a resource")
        if name == "AWS::NoValue":
            return NO_VALUE
        pseudo = self.place.pseudo()
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            found = self.parameters[name]
            return self._fetched(found, where) if isinstance(found, str) else found
        return self._resource(name, where).ref

    def _attribute(self, argument: Any, where: str) -> Any:
        parts: list[Any] = (
            list(argument.split(".", 1))
            if isinstance(argument, str)
            else elements(argument, 2, "[logical id, attribute]")
        )
        if len(parts) != 2:
            raise ValueError(f"got {argument!r}; write LogicalId.Attribute")
        return self._attribute_of(str(parts[0]), intrinsics.text(self.value(parts[1], where)), where)

    def _attribute_of(self, name: str, attribute: str, where: str) -> Any:
        found = self._resource(name, where).attributes
        if attribute not in found:
            known = ", ".join(sorted(found)) or "none"
            raise ValueError(f"{name} has no attribute {attribute!r} here; it has {known}")
        return found[attribute]

    def _resource(self, name: str, where: str) -> Physical:
        if name not in self.section("Resources"):
            raise ValueError(f"{name!r} is no parameter and no resource; mend the name")
        if not self.exists(name):
            raise ValueError(
                f"{name} does not exist, its condition is false; ask for it under the same condition"
            )
        if name not in self.physical:
            kind = self.section("Resources")[name].get("Type")
            raise ValueError(f"{name} ({kind}) has no emulated id; deploy it, or give one in `physical`")
        return self.physical[name]

    def _sub(self, argument: Any, where: str) -> str:
        template, given = argument, cast("dict[str, Any]", {})
        if isinstance(argument, list):
            template, given = elements(cast("list[Any]", argument), 2, "[text, mapping]")
        if not isinstance(template, str) or not isinstance(given, Mapping):
            raise ValueError("write a text, or [text, mapping]")

        def give(name: str) -> Any:
            if name in given:
                return self.value(cast("Mapping[str, Any]", given)[name], f"{where}.{name}")
            head, dot, attribute = name.partition(".")
            return self._attribute_of(head, attribute, where) if dot else self._ref(name, where)

        return self._fetched(intrinsics.substitute(template, give), where)

    # Look-ups

    def _zones(self, argument: Any, where: str) -> list[str]:
        region = intrinsics.text(self.value(argument, where)) or self.place.region
        return self.place.availability_zones(region)

    def _find_in_map(self, argument: Any, where: str) -> Any:
        keys = elements(argument)
        default: Any = NO_VALUE
        if len(keys) == 4 and isinstance(keys[3], Mapping):
            if not self._extended:
                raise ValueError(
                    f"DefaultValue needs the transform {EXTENSIONS}; declare it, or map every key"
                )
            default = cast("Mapping[str, Any]", keys[3]).get("DefaultValue", NO_VALUE)
            keys = keys[:3]
        if len(keys) != 3:
            raise ValueError("write [mapping, first key, second key]")
        names = [intrinsics.text(self.value(each, where)) for each in keys]
        found: Any = self.section("Mappings")
        for name in names:
            if not isinstance(found, Mapping) or name not in found:
                if default is NO_VALUE:
                    raise ValueError(f"no {name!r} on the way to {' / '.join(names)}; add it to Mappings")
                return self.value(default, where)
            found = cast("Mapping[str, Any]", found)[name]
        return found

    # Conditions

    def _if(self, argument: Any, where: str) -> Any:
        name, yes, no = elements(argument, 3, "[condition, value if true, value if false]")
        held = self.condition(str(name), where)
        return self.value(yes if held else no, f"{where}.{1 if held else 2}")

    def condition(self, name: str, where: str = "") -> bool:
        """Whether a condition of the template holds."""
        return self.conditions.holds(name, where or "Conditions")

    def exists(self, name: str, section: str = "Resources") -> bool:
        """Whether a resource or an output of the template exists, as its condition has it."""
        entry = self.section(section).get(name)
        if not isinstance(entry, Mapping):
            return False
        condition = cast("Mapping[str, Any]", entry).get("Condition")
        return condition is None or self.condition(str(condition), f"{section}.{name}.Condition")


def function(raw: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and argument of a function as written; ("", None) for a mapping that is none."""
    if len(raw) == 1:
        ((name, argument),) = raw.items()
        if name == "Ref" or str(name).startswith("Fn::"):
            return str(name), argument
    return "", None


def _refusal(name: str) -> str:
    if name in intrinsics.EXTENSIONS:
        return f"needs the transform {EXTENSIONS}; declare it"
    if name.startswith("Fn::ForEach"):
        name = "Fn::ForEach"
    return _REFUSED.get(name, "no such function here; see the list in the User Guide")


def listed(value: Any) -> list[str]:
    """The names where a template takes one or a list of them: DependsOn, Transform."""
    if isinstance(value, list):
        return [str(each) for each in cast("list[Any]", value)]
    return [] if value is None else [str(value)]
