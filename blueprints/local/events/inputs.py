"""What a target is given of an event: all of it, a part, a constant, or a text made of it.

Source: EventBridge User Guide, "Amazon EventBridge input transformation"; API Reference, "InputTransformer".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]")
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


@dataclass(frozen=True)
class Origin:
    """The rule whose target is given something, and when its event came in, in ISO 8601."""

    arn: str
    name: str
    ingested: str


def body(target: Mapping[str, Any], event: Mapping[str, Any], origin: Origin) -> str:
    """What a target is given. Raises ValueError for a path or a template that cannot be carried out."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(find(str(target["InputPath"]), event))
    if target.get("InputTransformer"):
        return _transformed(target["InputTransformer"], event, origin)
    return json.dumps(event)


def find(path: str, event: Mapping[str, Any]) -> Any:
    """The value at a JSON path such as `$.detail.items[0]['a b']`; None where there is none."""
    steps = path.removeprefix("$")
    if not path.startswith("$") or _STEP.sub("", steps):
        raise ValueError(f"path {path!r}; only names and numbers of elements are followed here")
    value: Any = event
    for name, index, quoted in cast("list[tuple[str, str, str]]", _STEP.findall(steps)):
        key = name or quoted
        if key and isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(key)
        elif index and isinstance(value, list) and int(index) < len(cast("list[Any]", value)):
            value = value[int(index)]
        else:
            return None
    return cast("Any", value)


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any], origin: Origin) -> str:
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    values: dict[str, Any] = {
        **{name: find(path, event) for name, path in paths.items()},
        "aws.events.rule-arn": origin.arn,
        "aws.events.rule-name": origin.name,
        "aws.events.event.ingestion-time": origin.ingested,
        "aws.events.event.json": event,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
    }
    template = str(transformer["InputTemplate"])
    done = "".join(_filled(text, quoted, values) for text, quoted in _parts(template))
    # Text that is no JSON is given as a string of it, line by line where each is quoted.
    try:
        json.loads(done)
    except ValueError:
        lines = [line for line in done.splitlines() if line.strip()]
        if not all(_is_json(line) for line in lines):
            return json.dumps(done)
    return done


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parts(template: str) -> list[tuple[str, bool]]:
    """The template in pieces that stand within quotation marks, or outside of them."""
    pieces = cast("list[str]", re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+|"', template))
    return [(piece, piece.startswith('"')) for piece in pieces]


def _filled(text: str, quoted: bool, values: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        found = values[match[1]]
        if not quoted:
            return json.dumps(found)
        if found is None:
            return ""
        return json.dumps(found if isinstance(found, str) else json.dumps(found))[1:-1]

    return _PLACEHOLDER.sub(value, text)
