"""Render: from a stack file to the texts that belong beside each other under `templates/`."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from .blueprint import Blueprint
from .config import parse
from .emit import Format, to_json
from .environment import Environment
from .errors import BlueprintError, Fault
from .parameter import ResolvedParameter
from .stack_file import EnvironmentFile, StackFile, load_environment, load_stack

AnyBlueprint = Blueprint[Any]


@dataclass(frozen=True)
class Rendered:
    """What one stack file gives: path below the output folder -> text. The template comes first."""

    stack: StackFile
    files: Mapping[str, str]
    declared: frozenset[str]

    @property
    def path(self) -> str:
        """The template's path below the output folder."""
        return next(iter(self.files))

    @property
    def template(self) -> str:
        """The template's text."""
        return next(iter(self.files.values()))


def render_all(paths: Sequence[Path], format: Format) -> tuple[list[Rendered], list[Fault]]:  # noqa: A002
    """Render every stack file; the faults of one stack do not stop the others."""
    rendered: list[Rendered] = []
    faults: list[Fault] = []
    environments: dict[Path, EnvironmentFile | None] = {}
    for path in paths:
        try:
            environment = _environment(path.parent, environments)
            if environment is not None:  # else its faults are told already, once
                rendered.append(render_stack(load_stack(path, environment), format))
        except BlueprintError as error:
            faults.extend(error.faults)
    return rendered, faults


def _environment(folder: Path, known: dict[Path, EnvironmentFile | None]) -> EnvironmentFile | None:
    if folder not in known:
        known[folder] = None
        known[folder] = load_environment(folder)
    return known[folder]


def render_stack(stack: StackFile, format: Format = "yaml") -> Rendered:  # noqa: A002
    """Render one stack. Raises BlueprintError with every fault of its file."""
    blueprint = instantiate(stack)
    template = _build(blueprint, stack, format)
    declared = blueprint.parameters()
    faults = [*_parameter_faults(stack, blueprint, declared), *_missing_tags(stack)]
    faults += _contradictions(stack, blueprint, declared) if not faults else []
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
        frozenset(blueprint.declared_parameters()),
    )


def undeclared(rendered: Sequence[Rendered]) -> list[Fault]:
    """Parameters of an environment file that no blueprint of its stacks declares: misspelt, or left behind."""
    known: dict[str, set[str]] = {}
    files: dict[str, EnvironmentFile] = {}
    for each in rendered:
        known.setdefault(each.stack.environment.path, set()).update(each.declared)
        files[each.stack.environment.path] = each.stack.environment
    return [
        Fault(
            path, f"parameters.{name}", "no stack of this environment has this parameter; mend or remove it"
        )
        for path, file in files.items()
        for name in sorted(file.parameters.keys() - known[path])
    ]


def load_class(spec: str) -> type[AnyBlueprint]:
    """The blueprint class that `package.module:Class` names. Raises BlueprintError that says why there is none."""
    module_name, _, class_name = spec.partition(":")
    if os.getcwd() not in sys.path:  # a console script does not see the folder it is run from
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module may raise anything while it is imported
        raise BlueprintError(Fault("", "blueprint", _import_fault(module_name, error))) from error
    found = getattr(module, class_name, None)
    if _is_blueprint(found):
        return found
    classes = [
        each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Blueprint)
    ]
    known = sorted({each.__name__ for each in classes} - {"Blueprint"})
    what = f"{module_name} has no blueprint {class_name!r}; it has {', '.join(known) or 'none'}"
    raise BlueprintError(Fault("", "blueprint", what))


def _is_blueprint(value: object) -> TypeGuard[type[AnyBlueprint]]:
    return isinstance(value, type) and issubclass(value, Blueprint)


def _import_fault(module: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"no module {error.name!r}; run `blueprints list` for the catalogue, or mend the path"
    return f"importing {module} failed at {_origin(error)}: {type(error).__name__}: {error}; mend it there"


def _origin(error: BaseException) -> str:
    """File and line that raised, relative to the working directory where it lies below it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, SyntaxError):
        return f"{_shown(error.filename or '')}:{error.lineno}"
    return f"{_shown(frame.filename)}:{frame.lineno}"


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def instantiate(stack: StackFile) -> AnyBlueprint:
    """The blueprint of a stack with its config. Raises BlueprintError with every fault in either."""
    try:
        blueprint = load_class(stack.blueprint)
    except BlueprintError as error:
        raise BlueprintError([Fault(stack.path, each.where, each.what) for each in error.faults]) from error
    config = parse(blueprint.config_type(), stack.config, stack.path, "config")
    if isinstance(config, list):
        raise BlueprintError(config)
    return blueprint(config, stack.environment.environment)


def _build(blueprint: AnyBlueprint, stack: StackFile, format: Format) -> str:  # noqa: A002
    try:
        return blueprint.render(format)
    except BlueprintError as error:
        raise BlueprintError(
            [Fault(stack.path, each.where or "build", each.what) for each in error.faults]
        ) from error
    except (
        Exception
    ) as error:  # troposphere refuses with ValueError, TypeError, AttributeError; a blueprint may err
        what = f"{stack.blueprint} failed at {_own_line(error)}: {type(error).__name__}: {error}"
        raise BlueprintError(Fault(stack.path, "build", " ".join(what.split()))) from error


def _own_line(error: BaseException) -> str:
    """The deepest line that is not troposphere's: the one an author can mend."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}troposphere{os.sep}" not in frame.filename]
    return f"{_shown(own[-1].filename)}:{own[-1].lineno}"


def _values(stack: StackFile, declared: Sequence[ResolvedParameter]) -> dict[str, str]:
    """Values given by the stack or its environment; what is left out keeps the template's default."""
    given = {**stack.environment.parameters, **stack.parameters}
    return {each.name: given[each.name] for each in declared if each.name in given}


def _parameter_faults(
    stack: StackFile, blueprint: AnyBlueprint, declared: Sequence[ResolvedParameter]
) -> Iterator[Fault]:
    names = [each.name for each in declared]
    for name in stack.parameters.keys() - set(names):
        known = f"{type(blueprint).__name__} has {', '.join(names) or 'no parameters'}"
        reason = (
            "not in this shape of the template"
            if name in blueprint.declared_parameters()
            else "unknown parameter"
        )
        yield Fault(stack.path, f"parameters.{name}", f"{reason}; {known}")
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
            yield Fault(
                stack.path, f"tags.{key}", f"missing; {stack.environment.path} requires it of every stack"
            )


def write(rendered: Sequence[Rendered], out: Path) -> list[Path]:
    """Write what differs from the files in `out`, each whole or not at all; the paths written.

    Raises BlueprintError where a folder or file cannot be written; what was there stays.
    """
    written: list[Path] = []
    faults: list[Fault] = []
    for name, text in _texts(rendered):
        path = out / name
        try:
            if _current(path) != text:
                _replace(path, text)
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


def stale(rendered: Sequence[Rendered], out: Path) -> Iterator[str]:
    """A unified diff for every file in `out` that is not what its stack file renders to."""
    for name, text in _texts(rendered):
        path = out / name
        committed = _current(path)
        if committed != text:
            before = (committed or "").splitlines(keepends=True)
            yield "".join(
                difflib.unified_diff(before, text.splitlines(keepends=True), f"a/{path}", f"b/{path}")
            )


def orphans(rendered: Sequence[Rendered], out: Path) -> list[Path]:
    """Files in `out` whose stack file is gone, in the environments that were rendered whole."""
    kept = {f"{each.stack.env}/{each.stack.name}" for each in rendered}
    folders = {out / each.stack.env for each in rendered}
    found = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
    return sorted(path for path in found if f"{path.parent.name}/{path.name.partition('.')[0]}" not in kept)


def _texts(rendered: Sequence[Rendered]) -> Iterator[tuple[str, str]]:
    for each in rendered:
        yield from each.files.items()


def _current(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write beside the file and rename, so that a reader or an interrupt never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(text.encode())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
