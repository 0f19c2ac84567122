"""Render: from a stack file to the texts that belong beside each other under `templates/`."""

from __future__ import annotations

import difflib
import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from .blueprint import Blueprint
from .config import parse
from .emit import Format, to_json
from .environment import Environment
from .errors import BlueprintError, Fault
from .parameter import ResolvedParameter
from .stack_file import EnvironmentFile, StackFile, load_environment, load_stack

AnyBlueprint = Blueprint[Any]
R = TypeVar("R")

_CORE = str(Path(__file__).parent)
# Which property a value does not suit, troposphere says on stderr and nowhere else.
_NAMED_BY_TROPOSPHERE = re.compile(
    r"<class '.*'>: (?:None\.)?(\S+) function validator '.*' threw exception:\n"
)


@dataclass(frozen=True)
class Rendered:
    """What one stack file gives: path below the output folder -> text. The template comes first."""

    stack: StackFile
    files: Mapping[str, str]

    @property
    def path(self) -> str:
        """The template's path below the output folder."""
        return next(iter(self.files))

    @property
    def template(self) -> str:
        """The template's text."""
        return next(iter(self.files.values()))


def render_all(
    paths: Sequence[Path],
    format: Format,  # noqa: A002 - the word of the command line
    *,
    whole: bool = False,
) -> tuple[list[Rendered], list[Fault]]:
    """Render every stack file; the faults of one stack do not stop the others.

    `whole` says that `paths` are all the stacks of their environments, so that a parameter of an environment
    file which none of them declares is a fault too.
    """
    rendered: list[Rendered] = []
    faults: list[Fault] = []
    for folder, group in groupby(paths, key=lambda path: path.parent):
        environment = _tried(faults, partial(load_environment, folder))
        shared = environment or EnvironmentFile(str(folder))
        stacks = [_tried(faults, partial(load_stack, path, shared)) for path in group]
        if environment is None:  # then nobody knows what the stacks lack
            continue
        read = [stack for stack in stacks if stack is not None]
        results = [_tried(faults, partial(render_stack, stack, format)) for stack in read]
        rendered += [each for each in results if each is not None]
        if whole and len(read) == len(stacks):
            faults += _undeclared(environment, read)
    return rendered, faults


def _tried(faults: list[Fault], attempt: Callable[[], R]) -> R | None:
    """What `attempt` returns, or nothing and its faults among `faults`."""
    try:
        return attempt()
    except BlueprintError as error:
        faults += error.faults
        return None


def render_stack(stack: StackFile, format: Format = "yaml") -> Rendered:  # noqa: A002
    """Render one stack. Raises BlueprintError with every fault of its file."""
    blueprint = instantiate(stack)
    with _blamed(stack, "build"):
        template = blueprint.render(format)
        declared = blueprint.parameters()
    faults = [*_parameter_faults(stack, blueprint, declared), *_missing_tags(stack)]
    if not faults:
        with _blamed(stack, "parameters"):
            faults += _contradictions(stack, blueprint, declared)
    if faults:
        raise BlueprintError(faults)
    values = _values(stack, declared)
    tags = {**stack.environment.tags, **stack.tags}
    below = f"{stack.env}/{stack.name}"
    listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    return Rendered(
        stack,
        {
            f"{below}.{format}": template,
            f"{below}.parameters.json": to_json(listed),
            f"{below}.configuration.json": to_json({"Parameters": values, "Tags": tags}),
        },
    )


def _undeclared(environment: EnvironmentFile, stacks: Sequence[StackFile]) -> Iterator[Fault]:
    """Parameters of an environment file that no blueprint of its stacks declares: misspelt, or left behind."""
    try:
        known = {name for stack in stacks for name in load_class(stack.blueprint).declared_parameters()}
    except BlueprintError:
        return  # told already; what that blueprint declares, nobody knows
    for name in environment.parameters.keys() - known:
        what = "no stack of this environment has this parameter; mend or remove it"
        yield Fault(environment.path, f"parameters.{name}", what)


def load_class(spec: str) -> type[AnyBlueprint]:
    """The blueprint class that `package.module:Class` names. Raises BlueprintError that says why there is none."""
    module_name, _, class_name = spec.partition(":")
    if os.getcwd() not in sys.path:  # a console script does not see the folder it is run from
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
        raise BlueprintError(Fault("", "blueprint", _import_fault(module_name, error))) from error
    found = getattr(module, class_name, None)
    if _is_blueprint(found):
        return found
    known = sorted(
        name for name, each in vars(module).items() if _is_blueprint(each) and each is not Blueprint
    )
    what = f"{module_name} has no blueprint {class_name!r}; it has {', '.join(known) or 'none'}"
    raise BlueprintError(Fault("", "blueprint", what))


def _is_blueprint(value: object) -> TypeGuard[type[AnyBlueprint]]:
    return isinstance(value, type) and issubclass(value, Blueprint)


def _import_fault(module: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"no module {error.name!r}; run `blueprints list` for the catalogue, or mend the path"
    return f"importing {module} failed{_raised(error)}"


def _raised(error: BaseException, about: str = "") -> str:
    """Where a blueprint's own code raised, what, about which property, and whose turn it is."""
    place, message = _place(error), " ".join(f"{error}{about}".split())
    what = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f" at {place}: {what}; mend it there" if place else f": {what}; mend it in its code"


def _place(error: BaseException) -> str:
    """File and line of the deepest frame that its author can mend: not Python's, a library's or our own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = [
        (_shown(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_CORE, "<")) and "site-packages" not in frame.filename
    ]
    nearest = [frame for frame in frames if not os.path.isabs(frame[0])] or frames
    return "{}:{}".format(*nearest[-1]) if nearest else ""


def _shown(path: str) -> str:
    """As seen from the working directory, for what lies below it."""
    relative = os.path.relpath(path)
    return os.path.abspath(path) if relative.startswith("..") else relative


def instantiate(stack: StackFile) -> AnyBlueprint:
    """The blueprint of a stack with its config. Raises BlueprintError with every fault in either."""
    with _blamed(stack, "config"):
        blueprint = load_class(stack.blueprint)
        config = parse(blueprint.config_type(), stack.config, stack.path, "config")
    if isinstance(config, list):
        raise BlueprintError([*config, *_shapeless_faults(stack, blueprint), *_missing_tags(stack)])
    with _blamed(stack, "build"):
        return blueprint(config, stack.environment.environment)


@contextmanager
def _blamed(stack: StackFile, where: str) -> Generator[None]:
    """Make faults of the stack file of whatever its blueprint's code raises."""
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            yield
    except BlueprintError as error:
        raise BlueprintError(
            [Fault(stack.path, each.where or where, each.what) for each in error.faults]
        ) from error
    except Exception as error:  # troposphere refuses with several kinds; a blueprint may raise any other
        named = _NAMED_BY_TROPOSPHERE.search(told.getvalue())
        what = f"{stack.blueprint} failed{_raised(error, f' ({named[1]})' if named else '')}"
        raise BlueprintError(Fault(stack.path, where, what)) from error
    finally:
        sys.stderr.write(_NAMED_BY_TROPOSPHERE.sub("", told.getvalue()))


def _shapeless_faults(stack: StackFile, blueprint: type[AnyBlueprint]) -> Iterator[Fault]:
    """What is wrong with a stack's parameters, whatever shape its config would give the template."""
    known = blueprint.declared_parameters()
    for name, value in stack.parameters.items():
        if name not in known:
            what = f"unknown parameter; {blueprint.__name__} has {', '.join(known) or 'none'}"
            yield Fault(stack.path, f"parameters.{name}", what)
        elif not callable(allowed := known[name].allowed):
            resolved = ResolvedParameter(known[name], None, tuple(allowed))
            yield from (Fault(stack.path, f"parameters.{name}", what) for what in resolved.faults(value))


def _values(stack: StackFile, declared: Sequence[ResolvedParameter]) -> dict[str, str]:
    """Values given by the stack or its environment; what is left out keeps the template's default."""
    given = {**stack.environment.parameters, **stack.parameters}
    return {each.name: given[each.name] for each in declared if each.name in given}


def _parameter_faults(
    stack: StackFile, blueprint: AnyBlueprint, declared: Sequence[ResolvedParameter]
) -> Iterator[Fault]:
    names = [each.name for each in declared]
    known = blueprint.declared_parameters()
    for name in stack.parameters.keys() - set(names):
        what = f"unknown parameter; {type(blueprint).__name__} has {', '.join(names) or 'none'}"
        if name in known:
            what = "the template that this config gives does not ask for it; remove it or mend config"
        yield Fault(stack.path, f"parameters.{name}", what)
    for each in declared:
        file, value = _given(stack, each.name)
        if value is not None:
            yield from (Fault(file, f"parameters.{each.name}", what) for what in each.faults(value))
        elif each.default is None and not each.declared.secret:
            what = f"missing; set it here or in {stack.environment.path}"
            yield Fault(stack.path, f"parameters.{each.name}", what)


def _contradictions(
    stack: StackFile, blueprint: AnyBlueprint, declared: Sequence[ResolvedParameter]
) -> Iterator[Fault]:
    defaults = {each.name: each.default for each in declared if each.default is not None}
    for name, what in blueprint.contradictions(defaults | _values(stack, declared)):
        yield Fault(_given(stack, name)[0], f"parameters.{name}", what)


def _given(stack: StackFile, name: str) -> tuple[str, str | None]:
    if name in stack.parameters:
        return stack.path, stack.parameters[name]
    return stack.environment.path, stack.environment.parameters.get(name)


def _missing_tags(stack: StackFile) -> Iterator[Fault]:
    shared: Environment = stack.environment.environment
    for key in shared.required_tags:
        if key not in stack.tags and key not in stack.environment.tags:
            what = f"missing; set it here or in {stack.environment.path}, which requires it of every stack"
            yield Fault(stack.path, f"tags.{key}", what)


def write(rendered: Sequence[Rendered], out: Path) -> list[Path]:
    """Write what differs from the files in `out`, each whole or not at all; the paths written.

    Raises BlueprintError where a folder or file cannot be written, and before anything is written where a template
    would take the place of its own stack file; what was there stays.
    """
    _spare_stack_files(rendered, out)
    written: list[Path] = []
    faults: list[Fault] = []
    for name, text in _texts(rendered):
        path = out / name
        try:
            if _current(path) != text:
                write_text(path, text)
                written.append(path)
        except OSError as error:
            faults.append(
                Fault(
                    str(path), "", f"cannot be written: {error.strerror}; mend that or choose another --out"
                )
            )
    if faults:
        raise BlueprintError(faults)
    return written


def _spare_stack_files(rendered: Sequence[Rendered], out: Path) -> None:
    taken = [each for each in rendered if (out / each.path).resolve() == Path(each.stack.path).resolve()]
    what = "its template would take its place; choose another --out"
    if taken:
        raise BlueprintError(Fault(each.stack.path, "", what) for each in taken)


def stale(rendered: Sequence[Rendered], out: Path) -> Iterator[str]:
    """A unified diff for every file in `out` that is not what its stack file renders to.

    Raises BlueprintError for a file that cannot be read.
    """
    for name, text in _texts(rendered):
        path = out / name
        try:
            committed = _current(path)
        except OSError as error:
            what = f"cannot be read: {error.strerror}; mend that or choose another --out"
            raise BlueprintError(Fault(str(path), "", what)) from error
        if committed != text:
            before = (committed or "").splitlines(keepends=True)
            yield "".join(
                difflib.unified_diff(before, text.splitlines(keepends=True), f"a/{path}", f"b/{path}")
            )


def orphans(rendered: Sequence[Rendered], out: Path, env: str | None) -> list[Path]:
    """Files beside ours in `out` that no stack file renders: of stacks that are gone, or in the other format.

    A folder is ours if we render into it or have: nobody else's configuration files end as ours do.
    """
    current = {out / name for name, _ in _texts(rendered)}
    folders = {path.parent for path in current}
    folders |= {path.parent for path in out.glob(f"{env or '*'}/*.configuration.json")}
    found = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
    return sorted(path for path in found if path not in current)


def _texts(rendered: Sequence[Rendered]) -> Iterator[tuple[str, str]]:
    for each in rendered:
        yield from each.files.items()


def _current(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def write_text(path: Path, text: str) -> None:
    """Write beside the file and rename, so that a reader or an interrupt never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(text.encode())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
