"""Stack files: one YAML file per stack, `stacks/<env>/<stack>.yaml`, with `environment.yaml` beside them.

Four keys: `blueprint`, `config`, `parameters`, `tags`. No look-ups, no anchors, no templates in templates.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from .config import parse, short
from .environment import Environment
from .errors import BlueprintError, Fault

ENVIRONMENT_FILE = "environment.yaml"
_LARGEST = 1_000_000
_DEEPEST = 50
_YAML_TAG = "tag:yaml.org,2002:"
_TOO_DEEP = "nested too deeply to be a stack file; flatten it"
_STACK_KEYS = ("blueprint", "config", "parameters", "tags")
# CloudFormation, "CreateStack": StackName.
_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


@dataclass(frozen=True)
class EnvironmentFile:
    """What the stacks of one folder share. A folder without the file shares nothing."""

    path: str
    environment: Environment = field(default_factory=Environment)
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class StackFile:
    """One stack as its author wrote it."""

    path: str
    env: str
    name: str
    blueprint: str
    config: Mapping[str, Any]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    environment: EnvironmentFile


def discover(stacks: Path, env: str | None = None, names: Sequence[str] = ()) -> list[Path]:
    """Paths of the stack files below `stacks`, sorted; of one environment and of some names, if asked for.

    A name is a stack (`crud-api`), an environment and a stack (`example/crud-api`), or the path of the file.
    Raises BlueprintError for a folder, an environment or a name that does not exist.
    """
    found = [
        path
        for folder in _folders(stacks, env)
        for path in sorted(folder.glob("*.yaml"))
        if path.name != ENVIRONMENT_FILE
    ]
    if not names:
        return found
    chosen = {name: [path for path in found if _is_named(path, name)] for name in names}
    missing = [Fault(name, "", f"no stack of this name in {stacks}; write one of {_listed(found)}")
               for name, paths in chosen.items() if not paths]  # fmt: skip
    if missing:
        raise BlueprintError([*missing, *overlooked(stacks, env)])
    return sorted({path for paths in chosen.values() for path in paths})


def discover_one(stacks: Path, env: str | None, name: str) -> Path:
    """The only stack file of a name. Raises BlueprintError, also where several have it."""
    found = discover(stacks, env, [name])
    if len(found) > 1:
        raise BlueprintError(Fault(name, "", f"names {len(found)} stacks; write one of {_listed(found)}"))
    return found[0]


def overlooked(stacks: Path, env: str | None = None) -> list[Fault]:
    """Files that look like stack files and are not read, and two files that name one stack."""
    faults = [fault for folder in _folders(stacks, env) for fault in _overlooked(folder)]
    if env is None:
        faults += [
            Fault(str(path), "", f"not read; move it into a folder of {stacks}, which names its environment")
            for path in stacks.iterdir()
            if path.suffix in (".yaml", ".yml") and path.is_file()
        ]
    return faults


def _folders(stacks: Path, env: str | None) -> list[Path]:
    """The environments, or the one asked for."""
    if not stacks.is_dir():
        what = "no such folder; name the folder of stack files with --stacks"
        raise BlueprintError(Fault(str(stacks), "", what))
    folders = sorted(each for each in stacks.iterdir() if each.is_dir() and not each.name.startswith("."))
    chosen = [each for each in folders if env in (None, each.name)]
    if env is not None and not chosen:
        known = ", ".join(each.name for each in folders) or "none, there are no folders"
        raise BlueprintError(Fault(str(stacks / env), "", f"no such environment; write one of {known}"))
    return chosen


def _is_named(path: Path, name: str) -> bool:
    names = (path.stem, f"{path.parent.name}/{path.stem}")
    return name in names or os.path.abspath(name) == os.path.abspath(path)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(f"{path.parent.name}/{path.stem}" for path in paths) or "none, there are no stack files"


def _overlooked(folder: Path) -> Iterator[Fault]:
    """Files that look like stacks and would not be read, and two files that name one stack."""
    seen: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yml":
            yield Fault(str(path), "", f"not read; rename it to {path.stem}.yaml")
        if path.suffix in (".yaml", ".yml") and path.name != ENVIRONMENT_FILE:
            twin = seen.setdefault(path.stem.lower(), path.name)
            if twin != path.name:
                yield Fault(
                    str(path), "", f"a second stack named {path.stem!r} beside {twin}; rename one of them"
                )


def load_environment(folder: Path) -> EnvironmentFile:
    """The environment file of a folder of stacks. Raises BlueprintError with every fault in it."""
    path = folder / ENVIRONMENT_FILE
    if not path.exists():
        return EnvironmentFile(str(path))
    document = _Document.read(path)
    settings = {key: value for key, value in document.values.items() if key not in ("parameters", "tags")}
    parsed = parse(Environment, settings, str(path), "")
    faults = [*document.faults, *_tag_faults(str(path), document.strings("tags"), {})]
    if isinstance(parsed, list):
        raise BlueprintError(faults + [_with_shared(fault) for fault in parsed])
    if faults:
        raise BlueprintError(faults)
    return EnvironmentFile(str(path), parsed, document.strings("parameters"), document.strings("tags"))


def _with_shared(fault: Fault) -> Fault:
    what = fault.what.replace("Environment has ", "an environment file has parameters, tags, ")
    return Fault(fault.file, fault.where, what)


def load_stack(path: Path, environment: EnvironmentFile) -> StackFile:
    """One stack file. Raises BlueprintError with every fault in it."""
    document = _Document.read(path)
    faults = [*document.faults, *_stack_faults(path, document, environment.tags)]
    if faults:
        raise BlueprintError(faults)
    return StackFile(
        path=str(path),
        env=path.parent.name,
        name=path.stem,
        blueprint=document.values["blueprint"],
        config=document.values.get("config") or {},
        parameters=document.strings("parameters"),
        tags=document.strings("tags"),
        environment=environment,
    )


def _stack_faults(path: Path, document: _Document, shared: Mapping[str, str]) -> Iterator[Fault]:
    file, values = str(path), document.values
    if not _STACK_NAME.fullmatch(path.stem):
        yield Fault(
            file, "", f"{path.stem!r} cannot name a stack; use a letter, then letters, digits and hyphens"
        )
    for key in values.keys() - set(_STACK_KEYS):
        yield Fault(file, str(key), f"unknown key; a stack file has {', '.join(_STACK_KEYS)}")
    blueprint = values.get("blueprint")
    if blueprint is None:
        yield Fault(
            file, "blueprint", "missing; write package.module:Class, such as blueprints.crud_api:CrudApi"
        )
    elif not isinstance(blueprint, str) or not re.fullmatch(r"\w+(\.\w+)*:\w+", blueprint):
        yield Fault(file, "blueprint", f"got {short(blueprint)}; write package.module:Class")
    config = values.get("config")
    if config is not None and not isinstance(config, dict):
        yield Fault(file, "config", f"got {short(config)}; write settings, one `name: value` a line")
    yield from _tag_faults(file, document.strings("tags"), shared)


def _tag_faults(file: str, tags: Mapping[str, str], shared: Mapping[str, str]) -> Iterator[Fault]:
    """CloudFormation, "Tag": at most 50, keys of 1 to 128 characters that AWS has not reserved, values to 256."""
    count = len(tags.keys() | shared.keys())
    if count > 50:
        yield Fault(file, "tags", f"{count} tags, with those of the environment; keep 50")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            yield Fault(file, f"tags.{key}", "the prefix aws: belongs to AWS; choose another key")
        if not 1 <= len(key) <= 128:
            yield Fault(file, f"tags.{key[:20]}", f"a key of {len(key)} characters; write 1 to 128")
        if len(value) > 256:
            yield Fault(file, f"tags.{key}", f"a value of {len(value)} characters; write at most 256")


@dataclass(frozen=True)
class _Document:
    """A YAML file read with care: what it holds, and what is wrong with it.

    Scalars under `parameters` and `tags` stay as they are written, because CloudFormation takes text:
    `012345678901` is an account and not an octal number, `yes` is not true.
    """

    path: str
    values: dict[str, Any]
    faults: list[Fault]

    @classmethod
    def read(cls, path: Path) -> _Document:
        loader, root = _compose(path)
        try:
            document = cls(str(path), {}, [])
            document.values.update(document.mapping(loader, root, ()))
        finally:
            loader.dispose()
        return document

    def strings(self, key: str) -> dict[str, str]:
        """The entries of `parameters` or `tags`."""
        found = self.values.get(key)
        return cast("dict[str, str]", found) if isinstance(found, dict) else {}

    def mapping(
        self, loader: yaml.CSafeLoader, node: yaml.MappingNode, path: tuple[str, ...]
    ) -> dict[str, Any]:
        return {key: self.value(loader, each, (*path, key)) for key, each in self.entries(node, path)}

    def entries(self, node: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and value nodes; a key written twice is a fault, where YAML would keep the last in silence."""
        seen: set[str] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault(path, f"a key that is not a name in line {line}; write `name: value`")
                continue
            key = str(key_node.value)
            if key in seen:
                self.fault((*path, key), f"written twice, again in line {line}; keep one")
            seen.add(key)
            yield key, value_node

    def value(self, loader: yaml.CSafeLoader, node: yaml.Node, path: tuple[str, ...]) -> Any:
        if len(path) > _DEEPEST:
            raise BlueprintError(Fault(self.path, f"line {node.start_mark.line + 1}", _TOO_DEEP))
        if self.refuse_tag(node, path):
            return None
        if path in (("parameters",), ("tags",)):
            return self.texts(node, path)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(loader, each, (*path, str(index))) for index, each in enumerate(node.value)]
        try:
            return cast(Any, loader).construct_object(node)  # PyYAML's types know no loader of libyaml
        except (yaml.YAMLError, ValueError) as error:
            why = error.problem if isinstance(error, yaml.MarkedYAMLError) else error
            self.fault(path, f"got {short(node.value)}, which YAML cannot read ({why}); put it in quotes")
            return None

    def texts(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, str]:
        """`parameters` or `tags`: a mapping from names to text."""
        if _is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.fault(path, "write one `Name: value` a line")
            return {}
        return {key: self.text(each, (*path, key)) for key, each in self.entries(node, path)}

    def text(self, node: yaml.Node, path: tuple[str, ...]) -> str:
        if self.refuse_tag(node, path):
            return ""
        if isinstance(node, yaml.SequenceNode) and path[0] == "parameters":
            return ",".join(self.text(each, (*path, str(index))) for index, each in enumerate(node.value))
        if not isinstance(node, yaml.ScalarNode):
            self.fault(path, "not a single value; write text, a number or, for a parameter, a list of them")
            return ""
        if _is_null(node):
            self.fault(path, "no value; write one, or '' for empty text")
        return str(node.value)

    def refuse_tag(self, node: yaml.Node, path: tuple[str, ...]) -> bool:
        """Whether the value has a tag, such as `!Ref`, and is a fault."""
        refused = not node.tag.startswith(_YAML_TAG) or node.tag.startswith(f"{_YAML_TAG}python/")
        if refused:
            tag = node.tag.replace(_YAML_TAG, "!!")
            self.fault(path, f"the tag {tag} means nothing in a stack file; write the value itself")
        return refused

    def fault(self, path: tuple[str, ...], what: str) -> None:
        self.faults.append(Fault(self.path, ".".join(path), what))


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_YAML_TAG}null"


def _compose(path: Path) -> tuple[yaml.CSafeLoader, yaml.MappingNode]:
    """The file's root node, still with the loader that can turn scalars into values."""

    def refuse(what: str, where: str = "") -> BlueprintError:
        return BlueprintError(Fault(str(path), where, what))

    text = _text(path)
    try:
        if "&" in text or "*" in text:
            _refuse_anchors(path, text)
        loader = yaml.CSafeLoader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        lines = text.splitlines() or [""]
        number = min(error.problem_mark.line if error.problem_mark else 0, len(lines) - 1)
        raise refuse(_remedy(error, lines[number]), f"line {number + 1}") from error
    except yaml.YAMLError as error:
        raise refuse(f"not text ({str(error).splitlines()[0]}); take that character out") from error
    except RecursionError as error:
        raise refuse(_TOO_DEEP) from error
    if root is None or _is_null(root):
        if path.name == ENVIRONMENT_FILE:  # every key of it may be left out
            return loader, yaml.MappingNode("tag:yaml.org,2002:map", [])
        raise refuse("empty; write at least `blueprint: package.module:Class`")
    if not isinstance(root, yaml.MappingNode):
        raise refuse("not a mapping; write `blueprint:`, `config:`, `parameters:` and `tags:`")
    return loader, root


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise BlueprintError(Fault(str(path), "", f"over {_LARGEST:,} bytes; shorten it"))
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 at byte {error.start}; save it as UTF-8 text"
        raise BlueprintError(Fault(str(path), "", what)) from error
    except OSError as error:
        raise BlueprintError(Fault(str(path), "", f"cannot be read: {error.strerror}; mend that")) from error


def _refuse_anchors(path: Path, text: str) -> None:
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        if isinstance(token, (yaml.AnchorToken, yaml.AliasToken)):
            what = "anchors and aliases are not read; write the value out, or put it into environment.yaml"
            raise BlueprintError(Fault(str(path), f"line {token.start_mark.line + 1}", what))


def _remedy(error: yaml.MarkedYAMLError, line: str) -> str:
    problem = " ".join(str(error.problem).split())
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab; indent with spaces"
    if "expected a single document" in str(error.context):
        return "a second document; write one stack a file"
    if "nesting depth" in problem:
        return _TOO_DEEP
    return f"not YAML ({problem}); mend the indentation or the quotes there"
