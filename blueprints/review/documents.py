"""The tables of the READMEs and the text of `blueprints show`, made from the declarations themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..catalogue import entries
from ..core.blueprint import Blueprint
from ..core.config import Config, descriptions, models_in
from ..core.errors import BlueprintError, Fault
from ..core.parameter import Parameter
from ..core.render import AnyBlueprint, instantiate, load_class, write_text
from ..core.stack_file import discover, load_environment, load_stack

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first column names the thing."""

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """As Markdown, names in code."""
        lines = [self.headings, tuple("---" for _ in self.headings)]
        lines += [(f"`{row[0]}`", *row[1:]) for row in self.rows]
        return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)

    def text(self) -> str:
        """For a terminal: the name, then what there is to say, indented."""
        if not self.rows:
            return "  none\n"
        blocks = (f"  {row[0]}\n    {'. '.join(cell for cell in row[1:] if cell)}\n" for row in self.rows)
        return "".join(blocks).replace("`", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def describe(name: str, stacks: Path) -> str:
    """What `blueprints show` prints. Raises BlueprintError for a name that nothing answers to."""
    blueprint = _find(name)
    outputs = _outputs(blueprint, stacks)
    parts = [
        f"{blueprint.__module__}:{blueprint.__name__}\n{blueprint.description()}\n",
        f"\nconfig: fixed when the template is rendered\n{config_table(blueprint.config_type()).text()}",
        f"\nparameters: given to CloudFormation; a template has those that its shape reads\n"
        f"{parameter_table(blueprint).text()}",
        f"\noutputs: of the stacks in {stacks} that use it\n{outputs.text()}",
    ]
    return "".join(parts)


def _find(name: str) -> type[AnyBlueprint]:
    known = {entry.name: entry.blueprint for entry in entries()}
    spec = known.get(name.replace("-", "_"), name)
    if ":" not in spec:
        raise BlueprintError(Fault(name, "", f"no such blueprint; the catalogue has {', '.join(known)}"))
    return load_class(spec)


def refresh(root: Path, stacks: Path, *, write: bool) -> list[Path]:
    """Bring the generated parts of every README below `root` up to date; the files that are or were stale."""
    changed: list[Path] = []
    for path, blueprint in _readmes(root):
        if not path.exists():
            continue  # a copy of the package may leave them out
        before = path.read_text(encoding="utf-8")
        after = _filled(before, path, blueprint, stacks)
        if after != before:
            changed.append(path)
            if write:
                write_text(path, after)
    return changed


def _readmes(root: Path) -> Iterator[tuple[Path, type[AnyBlueprint] | None]]:
    yield root / "README.md", None
    for entry in entries():
        yield root / "blueprints" / entry.name / "README.md", load_class(entry.blueprint)


def _filled(text: str, path: Path, blueprint: type[AnyBlueprint] | None, stacks: Path) -> str:
    return _PART.sub(lambda part: part[1] + _part(part[2], path, blueprint, stacks) + part[3], text)


def _part(name: str, path: Path, blueprint: type[AnyBlueprint] | None, stacks: Path) -> str:
    makers: dict[str, Callable[[], Table]] = {"catalogue": catalogue_table}
    if blueprint is not None:
        makers |= {
            "config": lambda: config_table(blueprint.config_type()),
            "parameters": lambda: parameter_table(blueprint),
            "outputs": lambda: _outputs(blueprint, stacks),
        }
    if name not in makers:
        raise BlueprintError(Fault(str(path), name, f"no such table; write one of {', '.join(makers)}"))
    return makers[name]().markdown()


def catalogue_table() -> Table:
    """Every blueprint with its sentence."""
    return Table(("Blueprint", "What it is"), [(entry.name, entry.description) for entry in entries()])


def parameter_table(blueprint: type[AnyBlueprint]) -> Table:
    """Every parameter that some shape of the blueprint has."""
    rows = [_parameter_row(each) for each in blueprint.declared_parameters().values()]
    return Table(("Parameter", "What it is", "Type", "Default", "Must be"), rows)


def _parameter_row(parameter: Parameter) -> tuple[str, ...]:
    default = "from config" if callable(parameter.default) else parameter.default
    shown = "required" if default is None else f"`{default}`" if default else "empty"
    return (
        parameter.name,
        parameter.description.rstrip("."),
        parameter.type,
        shown if default != "from config" else default,
        parameter.constraint or _bounds(parameter.minimum, parameter.maximum),
    )


def _bounds(minimum: int | None, maximum: int | None) -> str:
    if minimum is None and maximum is None:
        return ""
    return f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"


def config_table(model: type[Config]) -> Table:
    """Every setting, those of nested models by their path."""
    return Table(("Setting", "What it is", "Values", "Default"), list(_settings(model, "", "")))


def _settings(model: type[Config], path: str, only: str) -> Iterator[tuple[str, ...]]:
    described = descriptions(model)
    for name, field in model.model_fields.items():
        here = f"{path}{name}"
        nested = list(models_in(field.annotation))
        values = f"{only}{_values(field, nested)}"
        yield here, described.get(name, "").rstrip("."), values, _default(field)
        for each in nested:
            arm = f"with `{_tag(each)}`: " if len(nested) > 1 else ""
            rows = _settings(each, f"{here}{_step(field.annotation)}", arm)
            # The settings of a union's arms; what tells the arms apart stands in the row above.
            yield from (
                row for row in rows if len(nested) == 1 or not row[0].endswith(f".{_discriminator(each)}")
            )


def _step(annotation: Any) -> str:
    return {tuple: "[].", dict: ".<name>."}.get(_container(annotation), ".")


def _container(annotation: Any) -> type:
    return get_origin(annotation) or object


def _discriminator(model: type[Config]) -> str:
    return next(iter(model.model_fields))


def _tag(model: type[Config]) -> str:
    return f"{_discriminator(model)}: {get_args(model.model_fields[_discriminator(model)].annotation)[0]}"


def _values(field: FieldInfo, nested: Sequence[type[Config]]) -> str:
    if len(nested) > 1:
        return " or ".join(f"`{_tag(each)}`" for each in nested)
    if nested:
        return {tuple: "list", dict: "settings by name"}.get(_container(field.annotation), "settings")
    return _type(field.annotation) + _limits(field)


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    arguments = [each for each in get_args(annotation) if each not in (type(None), ...)]
    if get_origin(annotation) is tuple:
        return f"list of {_type(arguments[0])}"
    if arguments:
        return _type(arguments[0])
    return {bool: "`true` or `false`", int: "whole number", str: "text"}.get(
        annotation, getattr(annotation, "__name__", "")
    )


def _limits(field: FieldInfo) -> str:
    words = {"gt": "over {}", "ge": "{} or more", "le": "{} or less", "min_length": "{} or more long"}
    found = [
        text.format(getattr(rule, name))
        for rule in field.metadata
        for name, text in words.items()
        if getattr(rule, name, None) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value in ((), None):
        return "none"
    if isinstance(value, Config):
        return " ".join(f"`{name}: {_plain(each)}`" for name, each in value.model_dump().items()) or "none"
    return f"`{_plain(value)}`"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _outputs(blueprint: type[Blueprint[Any]], stacks: Path) -> Table:
    """Outputs of all stacks that use the blueprint, in the order of the first that has each."""
    found: dict[str, str] = {}
    for path in discover(stacks) if stacks.is_dir() else []:
        stack = load_stack(path, load_environment(path.parent))
        if load_class(stack.blueprint) is blueprint:
            outputs: dict[str, Any] = instantiate(stack).template().get("Outputs", {})
            found = {name: str(each["Description"]) for name, each in outputs.items()} | found
    return Table(("Output", "What it is"), [(name, text.rstrip(".")) for name, text in found.items()])
