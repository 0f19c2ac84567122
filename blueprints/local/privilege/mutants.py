"""Roles with one grant altered: an action dropped, a resource narrowed, a resource widened.

Each has to fail the recorded run, or the grants are not what the run needs. Statements that deny are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .policies import Role, Statement


@dataclass(frozen=True)
class Mutant:
    """Roles of which one statement is altered; `reason` is what the template says of an action in it, or empty."""

    what: str
    roles: Mapping[str, Role]
    reason: str = ""


def mutants(roles: Mapping[str, Role]) -> Iterator[Mutant]:
    """One after another, each with a single alteration."""
    for role in roles.values():
        for index, statement in enumerate(role.statements):
            if statement.allows:
                for what, altered, reason in _altered(statement):
                    statements = [*role.statements]
                    statements[index : index + 1] = [altered] if altered.actions and altered.resources else []
                    changed = replace(role, statements=tuple(statements))
                    yield Mutant(f"{statement.place}: {what}", {**roles, role.id: changed}, reason)


def _altered(statement: Statement) -> Iterator[tuple[str, Statement, str]]:
    for action in statement.actions:
        left = tuple(each for each in statement.actions if each != action)
        yield f"without {action}", replace(statement, actions=left), statement.unused.get(action, "")
    # A resource stands for all the actions beside it, so a reason has to be given for each.
    reasons = [statement.unused.get(each, "") for each in statement.actions]
    reason = "; ".join(reasons) if all(reasons) else ""
    for resource in statement.resources:
        for what, other in (
            ("narrowed to", _narrower(resource)),
            *(("widened to", each) for each in _wider(resource)),
        ):
            resources = tuple(other if each == resource else each for each in statement.resources)
            yield f"{resource} {what} {other}", replace(statement, resources=resources), reason


def _narrower(resource: str) -> str:
    """A resource of the same kind that no run uses."""
    return f"{resource}-another" if resource != "*" else "arn:aws:none:::another"


def _wider(resource: str) -> Iterator[str]:
    """Everything beside the resource, everything of its kind, every region, and everything."""
    parts = resource.split(":", 5)
    if len(parts) == 6:
        beside = re.sub(r"[^:/]+[:/]?\*?$", "*", parts[5])
        wider = [[*parts[:5], beside], [*parts[:5], "*"], [*parts[:3], "*", *parts[4:]]]
        found = [":".join(each) for each in wider]
        yield from dict.fromkeys(each for each in found if each != resource)
    if resource != "*":
        yield "*"
