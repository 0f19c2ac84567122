"""The command `doctor`. It imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .. import options

_FAULTS = 1


@click.command()
@click.argument("stack", metavar="STACK")
@click.option("--region", metavar="REGION", help="Region to ask; by default the one of your AWS settings.")
@options.env
@options.stacks_folder
@options.out
@options.tell_faults
def doctor(stack: str, region: str | None, env: str | None, folder: Path, out: Path) -> None:
    """Ask an account whether it can take a stack: quotas, zones, capacity, images, keys. Changes nothing.

    Exit status: 0 nothing stands against it, 1 something does, or AWS does not say, 2 bad input.
    """  # fmt: skip
    template, given = _read(stack, env, folder, out)
    if not _tell(template, given, _session(region)):
        sys.exit(_FAULTS)


def _read(stack: str, env: str | None, folder: Path, out: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A stack's rendered template and its parameters. Raises BlueprintError."""
    from ..checks.template import TemplateError, load
    from ..core.errors import BlueprintError, Fault
    from ..core.rendered import parameters, templates
    from ..core.stack_file import discover_one
    from ..local.parameters import read

    path = discover_one(folder, env, stack)
    file = templates([path], out)[path][0]
    given = parameters(file)
    try:
        template = load(file.read_text(encoding="utf-8"))
    except TemplateError as error:
        raise BlueprintError([Fault(str(file), "", f"no template: {error}")]) from error
    return template, read(given) if given.exists() else {}


def _session(region: str | None) -> Any:
    """The AWS settings that are in force. Raises BlueprintError where there are none."""
    import boto3

    from ..core.errors import BlueprintError, Fault

    session: Any = boto3.Session(region_name=region)
    if session.region_name is None:
        raise BlueprintError([Fault("", "region", "none is set; write --region or set AWS_DEFAULT_REGION")])
    if session.get_credentials() is None:
        raise BlueprintError([Fault("", "credentials", "none found; log in, or set AWS_PROFILE")])
    return session


def _tell(template: dict[str, Any], given: dict[str, str], session: Any) -> bool:
    """Print every answer; whether all are good."""
    from .needs import needs
    from .questions import Doctor, Zones

    zones = Zones(session.client)
    found = needs(template, given, session.region_name, zones)
    answers = [*zones.answers, *Doctor(found, session.client).answers()]
    for each in answers:
        click.echo(str(each), err=not each.good)
    faults = sum(not each.good for each in answers)
    click.echo(f"{len(answers)} answers, {faults} {'fault' if faults == 1 else 'faults'}")
    return not faults
