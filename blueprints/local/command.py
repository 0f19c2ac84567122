"""The command `local`. It imports what it needs when it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import options

if TYPE_CHECKING:
    from .running import Running
    from .stack import Stack


@dataclass(frozen=True)
class Sources:
    """What a stack is read from, what that comes of, and the command that makes it anew; none where it is given."""

    template: Path
    parameters: Path | None
    watched: tuple[Path, ...]
    render: tuple[str, ...] = ()

    def read(self) -> Stack:
        """The stack as it stands there now."""
        from .place import Place
        from .stack import Stack

        return Stack.read(self.template, self.parameters, Place(self.template.stem))


@click.command()
@click.argument("name", metavar="[STACK]", default="")
@click.option(
    "--template", type=click.Path(path_type=Path), metavar="FILE", help="Any template, instead of a stack's."
)
@click.option(
    "--parameters", type=click.Path(path_type=Path), metavar="FILE", help="Values for --template, as JSON."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the first API.  [default: any free]"
)
@click.option("--watch", is_flag=True, help="Render and reload when the stack's blueprint or files change.")
@options.env
@options.stacks_folder
@options.out
@options.tell_faults
def local(
    name: str,
    template: Path | None,
    parameters: Path | None,
    port: int,
    watch: bool,
    env: str | None,
    folder: Path,
    out: Path,
) -> None:
    """Run a stack on this machine, without an account: its APIs over HTTP, its functions, emulated AWS behind them.

    STACK is a stack whose rendered template is run. Ctrl-C ends it, and leaves nothing behind.
    """
    if bool(name) == (template is not None):
        raise click.UsageError("name a STACK or a --template, one of the two")
    try:
        sources = _given(template, parameters) if template else _of_stack(name, env, folder, out)
        _run(sources, port, watch)
    except ModuleNotFoundError as error:
        options.refuse([f"Python package {error.name} is missing; pip install 'compute-blueprints[local]'"])
    except OSError as error:  # a port, but also no space or no process
        options.refuse([f"{error.filename}: {error.strerror}" if error.filename else error])


def _given(template: Path, parameters: Path | None) -> Sources:
    return Sources(template, parameters, (template.parent,))


def _of_stack(name: str, env: str | None, folder: Path, out: Path) -> Sources:
    """The rendered files of a stack. Raises BlueprintError unless the name is one stack's, and rendered."""
    from ..core.render import load_class
    from ..core.rendered import parameters, templates
    from ..core.stack_file import discover_one, load_environment, load_stack

    path = discover_one(folder, env, name)
    template = templates([path], out)[path][0]
    given = parameters(template)
    blueprint = load_class(load_stack(path, load_environment(path.parent)).blueprint)
    code = Path(sys.modules[blueprint.__module__].__file__ or "").parent
    command = (sys.executable, "-m", (__package__ or "").rpartition(".")[0], "render", str(path))
    render = (*command, "--stacks", str(folder), "--out", str(out), "--no-validate")
    return Sources(template, given if given.exists() else None, (code, path.parent), render)


def _run(sources: Sources, port: int, watch: bool) -> None:
    from .aws import Aws
    from .running import Running

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_end, ended))
    aws = Aws()  # comes up while the template is read
    try:
        running = Running(sources.read(), aws, port=port, log=_say)
    except BaseException:
        aws.stop()
        raise
    with running:
        for line in greeting(running, sources.template):
            click.echo(line)
        if watch:
            _watch(sources, running, ended)
        else:
            while not ended.wait(1):
                pass


def _end(ended: threading.Event, *_: object) -> None:
    ended.set()


_OUT = threading.Lock()


def _say(name: str, line: str) -> None:
    with _OUT:
        click.echo(f"{name} | {line.rstrip()}")


def greeting(running: Running, template: Path) -> Iterable[str]:
    """What runs where, a command that gets an answer, and what does not run."""
    yield f"{template} runs on this machine until Ctrl-C"
    for name in running.functions:
        yield f"  {name}: a function, its lines below"
    for api in running.apis:
        yield f"  {api.logical_id}: {running.urls[api.logical_id]}"
        yield from (f"    not emulated: {what}" for what in api.unsupported)
    kept = running.deployment.created
    yield from (f"  {name}: {each.ref}" for name, each in kept.items() if name not in running.functions)
    if running.sources:
        yield from (f"  {line}" for line in running.sources.lines())
        yield from (f"    not emulated: {what}" for what in running.sources.unsupported)
    for kind, count in sorted(running.not_run.items()):
        yield f"  not run here: {kind}" + (f", {count} of them" if count > 1 else "")
    yield f"  AWS itself: {running.aws.endpoint}, for `aws --endpoint-url`, with any access key"
    yield from (f"  try: {line}" for line in running.calls())


def _watch(sources: Sources, running: Running, ended: threading.Event) -> None:
    """Reload on every change of what the stack comes of; what cannot be read is told, and the old goes on."""
    from watchfiles import watch

    from ..core.errors import BlueprintError

    watched = [*sources.watched, sources.template.parent, *running.code()]
    turns = watch(*watched, stop_event=ended, rust_timeout=500, yield_on_timeout=True)
    for turn, changes in enumerate(turns):
        if turn and not changes:  # the first turn is for what changed before the watch began
            continue
        if sources.render:
            done = subprocess.run(sources.render, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
            if done.returncode:
                click.echo(done.stderr, nl=False, err=True)
                continue
        try:
            told = running.replace(sources.read())
        except BlueprintError as error:
            for fault in error.faults:
                click.echo(str(fault), err=True)
            continue
        except OSError as error:  # a folder that is being made anew
            click.echo(f"{error.filename}: {error.strerror}", err=True)
            continue
        for line in told:
            click.echo(line)
