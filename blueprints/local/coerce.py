"""Values of a template in the types and the spelling of an API's parameters.

CloudFormation takes numbers and booleans as text, and spells members of ECS or API Gateway with a capital where
their APIs do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast


def coerce(shape: Any, value: Any, where: str) -> Any:
    """`value` as botocore's `shape` has it. Raises ValueError for what the shape does not have, with its place."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return _structure(shape, cast("Mapping[str, Any]", value), where)
    if kind == "list" and isinstance(value, list):
        listed = cast("list[Any]", value)
        return [coerce(shape.member, each, f"{where}.{index}") for index, each in enumerate(listed)]
    if kind == "map" and isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {str(key): coerce(shape.value, each, f"{where}.{key}") for key, each in entries.items()}
    return _scalar(kind, value, where)


def _structure(shape: Any, value: Mapping[str, Any], where: str) -> dict[str, Any]:
    if getattr(shape, "is_document_type", False):
        return dict(value)
    names = {name.lower(): name for name in shape.members}
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = key if key in shape.members else names.get(key.lower())
        if name is None:
            raise ValueError(f"{where} has no {key!r}; it has {', '.join(shape.members)}")
        found[name] = coerce(shape.members[name], each, f"{where}.{name}")
    return found


def _scalar(kind: str, value: Any, where: str) -> Any:
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else _boolean(str(value), where)
    if kind == "string":
        if isinstance(value, (dict, list)):
            return json.dumps(value)
        return ("true" if value else "false") if isinstance(value, bool) else str(value)
    return value


def _boolean(value: str, where: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{where} is {value!r}; write true or false")
    return value.lower() == "true"
