"""Findings that a blueprint's author has looked at and lets stand, with the reason in the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from troposphere import BaseAWSObject

from ..checks.acceptance import blocks, faults
from ..core.errors import BuildError

R = TypeVar("R", bound=BaseAWSObject)


def accept(resource: R, ids: Sequence[str], reason: str) -> R:
    """Let the findings of these rules stand on one resource; in its Metadata, for every tool that has a rule.

    `ids` are written as the tools print them (`CB105`, `W3010`, `CKV_AWS_117`). The reason names the harm, why there
    is none here, and what would change that. Raises BuildError for what nothing excuses, for what is no id, and for
    a reason that explains nothing.
    """
    wrong = list(faults(ids, reason))
    if wrong:
        raise BuildError(f"{resource.title}: {'; '.join(wrong)}")
    known: dict[str, Any] = resource.resource.get("Metadata", {})
    resource.Metadata = _merged(known, blocks(ids, reason))
    return resource


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both: mappings key by key, lists one after the other."""
    return {**old, **{key: _both(old[key], value) if key in old else value for key, value in new.items()}}


def _both(old: Any, new: Any) -> Any:
    if isinstance(old, list):
        return [*cast("list[Any]", old), *new]
    return _merged(cast("dict[str, Any]", old), new) if isinstance(old, dict) else new
