"""Values for the parameters of a template, taken and refused as CloudFormation does it when a stack is created."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ..core import BlueprintError, Fault, Parameter
from .intrinsics import text
from .lookup import Fetch, Lookup

Values = Mapping[str, str]

_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")


def read(path: Path) -> dict[str, str]:
    """Values from a `.parameters.json`, as the AWS CLI takes it: a list of ParameterKey and ParameterValue."""
    try:
        entries: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(each["ParameterKey"]): str(each["ParameterValue"]) for each in entries}
    except OSError as error:
        raise BlueprintError(Fault(str(path), "", f"cannot be read: {error.strerror}; mend that")) from error
    except (ValueError, KeyError, TypeError) as error:
        what = 'not a list of {"ParameterKey": …, "ParameterValue": …}; write it as `blueprints render` does'
        raise BlueprintError(Fault(str(path), "", what)) from error


def resolve(
    declared: Mapping[str, Any], given: Values, fetch: Fetch, file: str
) -> dict[str, str | list[str]]:
    """The value of each declared parameter: text, or a list of text for a list type.

    Values of `AWS::SSM::Parameter::Value<…>` are fetched. Raises BlueprintError with a fault for every value that
    is missing, unknown or not allowed, or that cannot be fetched.
    """
    faults = [*_unknown(declared, given, file)]
    values: dict[str, str | list[str]] = {}
    for name, entry in declared.items():
        where = f"Parameters.{name}"
        if name not in given and "Default" not in entry:
            faults.append(Fault(file, where, "missing and without default; give a value"))
            continue
        value = given[name] if name in given else text(entry["Default"])
        wrong = [Fault(file, where, what) for what in _checked(name, entry).faults(value)]
        faults += wrong
        if not wrong:
            try:
                values[name] = _value(str(entry["Type"]), value, fetch)
            except LookupError as error:
                faults.append(Fault(file, where, f"got {value!r}, which cannot be fetched: {error.args[0]}"))
    if faults:
        raise BlueprintError(faults)
    return values


def _unknown(declared: Mapping[str, Any], given: Values, file: str) -> Iterator[Fault]:
    known = ", ".join(declared) or "none"
    for name in given.keys() - declared.keys():
        yield Fault(file, f"Parameters.{name}", f"unknown; the template has {known}")


def _checked(name: str, entry: Mapping[str, Any]) -> Any:
    """The checks of a declared parameter; the ones that a render applies to a stack file."""
    bound = {key: _bound(entry.get(key)) for key in ("MinValue", "MaxValue", "MinLength", "MaxLength")}
    return Parameter(
        str(entry["Type"]),
        "",
        name=name,
        allowed=[text(each) for each in cast("list[Any]", entry.get("AllowedValues") or [])],
        pattern=str(entry.get("AllowedPattern") or ""),
        constraint=str(entry.get("ConstraintDescription") or ""),
        minimum=bound["MinValue"],
        maximum=bound["MaxValue"],
        min_length=bound["MinLength"],
        max_length=bound["MaxLength"],
    ).resolve(None)


def _bound(value: Any) -> int | None:
    return None if value is None else int(value)


def _value(kind: str, value: str, fetch: Fetch) -> str | list[str]:
    """What Ref gives. Numbers stay text, and the elements of lists lose blanks around them."""
    found = _SSM_VALUE.fullmatch(kind)
    if found:
        kind, value = found[1], fetch(Lookup("ssm", value))
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [each.strip() for each in value.split(",")]
    return value
