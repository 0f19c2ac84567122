"""The resources of a stack, created in the emulated AWS by its APIs, in the order of their dependencies.

moto's CloudFormation says CREATE_COMPLETE of types that it does not know, so it is not asked. Each resource is created
by the function that `creators/` registers for its type, and looked up afterwards. Types without one are told in
`not_run`, by name. Deletion is the server's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from . import creators
from .aws import Aws
from .creator import REGISTRY, Creator, New
from .placeholders import placeholder
from .resolver import Physical
from .stack import Stack


@dataclass
class Deployment:
    """What exists after a deployment: created here, provided from elsewhere, or not run, each by logical id.

    `not_run` gives the type of each resource that nothing here carries out.
    """

    stack: Stack
    created: dict[str, Physical] = field(default_factory=dict[str, Physical])
    provided: dict[str, Physical] = field(default_factory=dict[str, Physical])
    not_run: dict[str, str] = field(default_factory=dict[str, str])

    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self.stack.outputs()


def deploy(stack: Stack, aws: Aws, provided: Mapping[str, Physical] | None = None) -> Deployment:
    """Create the resources of a stack, whose `physical` then knows all of them.

    `provided` are resources that somebody else runs, such as an API by the HTTP front; they are not created. Raises
    BlueprintError, with the resource's place, for one that cannot be created or is not there afterwards, and for a
    reference to one that is not run and has no id here.
    """
    creators.load()
    done = Deployment(stack)
    for name in order(stack):
        kind = stack.resources()[name]
        if provided and name in provided:
            stack.physical[name] = done.provided[name] = provided[name]
        elif kind in REGISTRY.creators:
            stack.physical[name] = done.created[name] = _created(stack, name, aws, REGISTRY.creators[kind])
        else:
            done.not_run[name] = kind
            stands_for = placeholder(kind, stack.place, name)
            if stands_for is not None:
                stack.physical[name] = stands_for
    _verify(done, aws)
    return done


def order(stack: Stack) -> list[str]:
    """Logical ids, each after those that it needs. Raises BlueprintError for a circle."""
    graph = {name: sorted(stack.dependencies(name)) for name in sorted(stack.resources())}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise stack.resolver.fault(
            "Resources", f"a circle: {' -> '.join(error.args[1])}; break it"
        ) from error


def _created(stack: Stack, name: str, aws: Aws, creator: Creator) -> Physical:
    from botocore.exceptions import BotoCoreError, ClientError

    where = f"Resources.{name}"
    _expect_signals(stack, name, aws)
    new = New(stack, name, aws.client, creator.ignored)
    try:
        physical = creator.create(new)
    except (ClientError, BotoCoreError, ValueError, KeyError) as error:
        what = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise stack.resolver.fault(where, f"{creator.type} cannot be created here: {what}") from error
    if new.untouched:
        names = ", ".join(sorted(new.untouched))
        raise stack.resolver.fault(
            where, f"{names}: not carried out by the creator of {creator.type}; teach it"
        )
    missing = set(creator.attributes) - physical.attributes.keys()
    if missing or not physical.ref:
        raise stack.resolver.fault(
            where, f"the creator of {creator.type} gives no {', '.join(missing) or 'Ref'}"
        )
    return physical


def _expect_signals(stack: Stack, name: str, aws: Aws) -> None:
    signal: Any = stack.get(name, "CreationPolicy.ResourceSignal", None)
    if signal is not None:
        aws.expect_signals(stack.place.stack_id, name, int(signal.get("Count", 1)))


def _verify(done: Deployment, aws: Aws) -> None:
    """Look every created resource up. Creation alone proves nothing: an emulator may answer and forget."""
    from botocore.exceptions import ClientError

    for name, physical in done.created.items():
        creator = REGISTRY.creators[done.stack.resources()[name]]
        try:
            found, why = creator.exists(aws.client, physical), "it is not listed"
        except ClientError as error:
            found, why = None, str(error)
        if not found:
            fault = done.stack.resolver.fault
            raise fault(
                f"Resources.{name}", f"{creator.type} {physical.ref!r} is not there after creation: {why}"
            )
