"""What the commands share: options, and how bad input is told. It imports what it needs when it runs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")

STALE, BAD_INPUT = 1, 2

stack_names = click.argument("stacks", nargs=-1, metavar="[STACK]...")
env = click.option("--env", metavar="ENV", help="Only the stacks of this environment, a folder of --stacks.")
stacks_folder = click.option(
    "--stacks", "folder", type=click.Path(path_type=Path), default=Path("stacks"), show_default=True,
    help="Folder of the stack files.",
)  # fmt: skip
out = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("templates"), show_default=True,
    help="Folder of the rendered templates.",
)  # fmt: skip


def tell(lines: Iterable[object]) -> None:
    """One line each on standard error."""
    for line in lines:
        click.echo(str(line), err=True)


def refuse(lines: Iterable[object]) -> NoReturn:
    """End with exit status 2, and one line for each fault."""
    tell(lines)
    sys.exit(BAD_INPUT)


def tell_faults(command: Callable[P, R]) -> Callable[P, R]:
    """Print the faults of bad input, one a line, instead of a traceback; the exit status is 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from .checks.tools import ToolMissingError
        from .core.errors import BlueprintError

        try:
            return command(*args, **kwargs)
        except BlueprintError as error:
            refuse(error.faults)
        except ToolMissingError as error:
            refuse([error])

    return run
