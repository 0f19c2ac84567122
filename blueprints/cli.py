"""The command line. One subcommand a job; each imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from . import __version__, options
from .doctor.command import doctor
from .local.command import local
from .options import BAD_INPUT, STALE, tell
from .package.command import package

if TYPE_CHECKING:
    from .checks.finding import Finding, Source
    from .core.errors import Fault
    from .core.render import Rendered


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="blueprints")
def cli() -> None:
    """Render, validate and lint CloudFormation and SAM templates from blueprints.

    Exit status: 0 all is well, 1 something is stale or a linter objects, 2 bad input.
    """


cli.add_command(doctor)
cli.add_command(local)
cli.add_command(package)


def main() -> None:
    """Entry point of the console script."""
    # No plugin of pydantic has business here, and looking for one reads the metadata of every package installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    # A short run makes many objects and little garbage; looking for it at the usual pace is a tenth of the time.
    gc.set_threshold(200_000, 10, 10)
    cli(prog_name="blueprints")


@cli.command("list")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_blueprints(style: Literal["text", "json"]) -> None:
    """List the catalogue."""
    from .catalogue import entries

    if style == "json":
        click.echo(json.dumps([entry._asdict() for entry in entries()], indent=2))
        return
    width = max(len(entry.name) for entry in entries())
    for entry in entries():
        click.echo(f"{entry.name:<{width}}  {entry.description}")


@cli.command()
@options.stack_names
@options.env
@options.stacks_folder
@options.out
@click.option(
    "--check", is_flag=True, help="Write nothing; show what is stale and exit with 1 if anything is."
)
@click.option("--strict", is_flag=True, help="The validator's warnings are errors.")
@click.option("--no-validate", is_flag=True, help="Render only.")
@click.option("--format", "style", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@options.tell_faults
def render(
    stacks: tuple[str, ...],
    env: str | None,
    folder: Path,
    out: Path,
    check: bool,
    strict: bool,
    no_validate: bool,
    style: Literal["yaml", "json"],
) -> None:
    """Render stack files into templates and validate them, without an AWS account.

    STACK is a stack's name, ENV/STACK or the path of a stack file; without one, all are rendered. A stack that
    fails keeps its old template and does not stop the others.
    """
    from .core.errors import BlueprintError
    from .core.render import orphans, render_all, stale, write
    from .core.stack_file import discover, overlooked

    whole = not stacks
    rendered, faults = render_all(discover(folder, env, stacks), style, whole=whole)
    faults += overlooked(folder, env) if whole else []
    if not no_validate:
        rendered, refused = _validated(rendered, out, strict)
        faults += refused
    leftover = [] if stacks or faults else orphans(rendered, out, env)
    diffs: list[str] = []
    try:
        if check:
            diffs = list(stale(rendered, out))
        else:
            _say_written(write(rendered, out), len(rendered))
    except BlueprintError as error:
        faults += error.faults
    click.echo("".join(diffs), nl=False)
    tell(f"{path}: no stack file renders it; delete it or restore its stack file" for path in leftover)
    if diffs:
        tell([f"{len(diffs)} stale files in {out}; run make render"])
    tell(sorted(set(faults)))
    if faults:
        sys.exit(BAD_INPUT)
    if check and (diffs or leftover):
        sys.exit(STALE)


def _say_written(written: Sequence[Path], stacks: int) -> None:
    for path in written:
        click.echo(f"wrote {path}")
    if stacks and not written:
        click.echo(f"{stacks} {'stack' if stacks == 1 else 'stacks'}, nothing changed")


def _validated(rendered: list[Rendered], out: Path, strict: bool) -> tuple[list[Rendered], list[Fault]]:
    """The stacks whose templates pass, and what the validator has against the others."""
    from .checks.cache import Cache, default_folder
    from .checks.finding import Source
    from .checks.validation import validate

    by_path = {str(out / each.path): each for each in rendered}
    sources = [Source(path, each.template) for path, each in by_path.items()]
    found = validate(sources, Cache(default_folder(), "validation", lambda line: tell([line])))
    fatal = [each for each in found if strict or each.severity == "error"]
    tell(f"{_fault(each)} (warning)" for each in found if each not in fatal)
    failed = {each.template.removesuffix(" (expanded)") for each in fatal}
    return [each for path, each in by_path.items() if path not in failed], [_fault(each) for each in fatal]


def _fault(finding: Finding) -> Fault:
    from .core.errors import Fault

    place = f"{finding.where} (line {finding.line})" if finding.line else finding.where
    return Fault(finding.template, place, f"{finding.rule} {finding.message}")


@cli.command()
@options.stack_names
@options.env
@options.stacks_folder
@options.out
@options.tell_faults
def lint(stacks: tuple[str, ...], env: str | None, folder: Path, out: Path) -> None:
    """Lint rendered templates, and the scripts, code and policies in them; unchanged ones come from a cache."""
    from .checks.cache import Cache, default_folder
    from .checks.inspection import inspect
    from .checks.lint import lint as lint_sources
    from .core.stack_file import discover

    sources = _committed(discover(folder, env, stacks), out)
    found = lint_sources(sources, Cache(default_folder(), "lint", lambda line: tell([line])))
    found += inspect(sources, Cache(default_folder(), "inspection", lambda line: tell([line])))
    tell(_fault(each) for each in found)
    if found:
        sys.exit(STALE)
    click.echo(f"{len(sources)} {'template' if len(sources) == 1 else 'templates'}, no findings")


@cli.command()
@click.argument("templates", nargs=-1, metavar="[FILE|STACK]...")
@options.env
@options.stacks_folder
@options.out
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True
)
@click.option("--explain", is_flag=True, help="List what the templates accept instead, and why.")
@options.tell_faults
def check(
    templates: tuple[str, ...],
    env: str | None,
    folder: Path,
    out: Path,
    style: Literal["text", "json", "sarif"],
    explain: bool,
) -> None:
    """Check rendered templates, ours or anybody's, for what fails at deployment and in use.

    FILE is any CloudFormation or SAM template, YAML or JSON; STACK names a stack whose rendered template is
    checked. Without one, all rendered templates are.
    """
    from .checks.cache import Cache, default_folder
    from .checks.check import UNREADABLE, examine

    sources = _sources(templates, env, folder, out)
    if explain:
        _explain(sources, style)
        return
    found = examine(sources, Cache(default_folder(), "check", lambda line: tell([line])))
    if style == "text":
        tell(_fault(each) for each in found)
    else:
        click.echo(_report(found, style))
    if any(each.rule == UNREADABLE for each in found):
        sys.exit(BAD_INPUT)
    if found:
        sys.exit(STALE)
    if style == "text":
        click.echo(f"{len(sources)} {'template' if len(sources) == 1 else 'templates'}, no findings")


def _sources(templates: Sequence[str], env: str | None, folder: Path, out: Path) -> list[Source]:
    """Files as they are named, and the rendered templates of stacks; without a name those of all stacks."""
    files = [name for name in templates if Path(name).is_file()]
    names = [name for name in templates if name not in files]
    sources = [_source(Path(name)) for name in files]
    if names or not templates:
        from .core.stack_file import discover

        sources += _committed(discover(folder, env, names), out)
    return sources


def _explain(sources: Sequence[Source], style: str) -> None:
    """Every acceptance of the templates."""
    from .checks.acceptance import acceptances

    found = [(source.name, each) for source in sources for each in acceptances(source)]
    if style == "text":
        for name, each in found:
            click.echo(f"{name}: {each.resource}: {', '.join(each.ids)}: {each.reason}")
        click.echo(f"{len(found)} {'acceptance' if len(found) == 1 else 'acceptances'}")
        return
    if style == "sarif":
        raise click.UsageError("--explain lists no findings; write --format text or json")
    listed = [
        {"template": name, "resource": each.resource, "ids": each.ids, "reason": each.reason}
        for name, each in found
    ]
    click.echo(json.dumps(listed, indent=2))


def _report(found: Sequence[Finding], style: Literal["json", "sarif"]) -> str:
    if style == "sarif":
        from .checks.sarif import log

        return json.dumps(log(found, __version__), indent=2)
    return json.dumps([each.to_dict() for each in found], indent=2)


def _source(path: Path) -> Source:
    from .checks.finding import Source

    return Source(str(path), path.read_bytes().decode("utf-8", "replace"))


def _committed(paths: Sequence[Path], out: Path) -> list[Source]:
    """The rendered templates of these stacks. Raises BlueprintError for what is not rendered."""
    from .core.rendered import templates

    return [_source(each) for found in templates(paths, out).values() for each in found]


@cli.command()
@click.argument("template", metavar="FILE|STACK")
@options.env
@options.stacks_folder
@options.out
@click.option(
    "--stack-name",
    metavar="NAME",
    help="Name it is deployed under; by default that of STACK, for a FILE any.",
)
@click.option(
    "--format", "style", type=click.Choice(["policy", "json"]), default="policy", show_default=True,
    help="The document alone, or in an object beside what it lacks.",
)  # fmt: skip
@options.tell_faults
def policy(
    template: str,
    env: str | None,
    folder: Path,
    out: Path,
    stack_name: str | None,
    style: Literal["policy", "json"],
) -> None:
    """Print the IAM policy that the role which deploys a template needs, without an AWS account.

    FILE is any CloudFormation or SAM template; STACK names a stack whose rendered template is read. What the policy
    lacks is told on standard error.
    """
    from .core.stack_file import discover_one
    from .review.policy import deployment

    file = Path(template)
    paths = [] if file.is_file() else [discover_one(folder, env, template)]
    (source, *_) = _committed(paths, out) or [_source(file)]
    found = deployment(source, stack_name or (paths[0].stem if paths else "*"))
    tell(found.remarks())
    click.echo(json.dumps(found.policy if style == "policy" else found.to_dict(), indent=2))


@cli.command()
@click.argument("name")
@options.stacks_folder
@options.tell_faults
def show(name: str, folder: Path) -> None:
    """Show a blueprint's parameters, settings and outputs. NAME is a name of the catalogue or package.module:Class."""
    from .review.documents import describe

    click.echo(describe(name, folder), nl=False)


@cli.command()
@click.argument("name")
@options.tell_faults
def new(name: str) -> None:
    """Start a blueprint: its folder, its test, an example stack file, a README and its line in the catalogue."""
    from .core.scaffold import scaffold

    for path in scaffold(name, Path.cwd()):
        click.echo(f"wrote {path}")


@cli.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a table is stale.")
@options.stacks_folder
@options.tell_faults
def docs(check: bool, folder: Path) -> None:
    """Write the generated tables of every README."""
    from .review.documents import refresh

    changed = refresh(Path.cwd(), folder, write=not check)
    tell(f"{path}: stale; run make docs" for path in changed if check)
    if check and changed:
        sys.exit(STALE)
    click.echo(f"{len(changed)} files written" if changed else "tables are current")
