"""Other tools read our templates and classes, each in its environment, and what comes out is compared with ours.

They do it as README.md says: the code blocks there are taken from it, repeated for every stack and run. Blocks are
known by their first line, a comment with the file's path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from benchmarks.cfn_yaml import Json
from benchmarks.equality import canonical, differences
from blueprints.checks.template import TemplateError, load
from blueprints.package.addresses import InBucket
from blueprints.package.bundle import bundle

from .stacks import Stack, rendered

DRIVERS = Path(__file__).parent / "drivers"

Blocks = Mapping[str, str]
Reader = Callable[[Path, Sequence[Stack], Path, Path], list[str]]


class ReaderError(Exception):
    """A tool that did not read what it was given, or a README that does not say how."""


@dataclass(frozen=True)
class Expected:
    """What a tool has to make of a stack."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]


def blocks(readme: str) -> dict[str, str]:
    """The code blocks that name a file, by its path."""
    return dict(re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE))


def with_cdk(root: Path, stacks: Sequence[Stack], python: Path, folder: Path) -> list[str]:
    """CfnInclude over every committed template; what differs. Raises ReaderError."""
    app = _block(_readme(root), "app.py")
    found: list[str] = []
    for env in sorted({each.env for each in stacks}):
        there = [each for each in stacks if each.env == env]
        _project(root, folder)
        expected = {each.path: each.template for each in there} | _packaged(root, there, folder)
        names = json.dumps([each.name for each in there])
        text = _replaced(_replaced(app, '["crud-api"]', names), "templates/example", f"templates/{env}")
        (folder / "app.py").write_text(text)
        _run([python, "app.py"], folder, {"CDK_OUTDIR": str(folder / "cdk.out")})
        for each in there:
            made = json.loads((folder / "cdk.out" / f"{each.name}.template.json").read_text())
            found += compare(each.path, as_cdk(expected[each.path]), as_cdk(_without_bootstrap(made)))
    return found


def _packaged(root: Path, stacks: Sequence[Stack], folder: Path) -> dict[str, Mapping[str, Any]]:
    """Templates that name code beside them, packaged in their place: the CDK takes code by its address alone."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in stacks:
        (made,) = bundle([root / each.path], folder / "build", InBucket("artifacts", "", "https://s3"))
        if made.made:
            (folder / each.path).write_text(made.text)
            found[each.path] = load(made.text)
    return found


def with_cfngin(root: Path, stacks: Sequence[Stack], python: Path, folder: Path) -> list[str]:
    """`template_path` and `class_path` for every stack; what differs. Raises ReaderError."""
    given = _readme(root)
    _project(root, folder)
    config = yaml.safe_load(_block(given, "cfngin.yml"))
    module_text = _block(given, "cfngin_stacks.py")
    (folder / "cfngin_stacks.py").write_text(module_text)
    of_file, of_class = config["stacks"]
    expected = {
        of_file["name"]: _of_file(of_file["template_path"], of_file["variables"], stacks),
        of_class["name"]: _of_class(module_text, of_class["variables"]),
    }
    for number, each in enumerate(stacks):
        module = f"stacks_{number}"
        (folder / f"{module}.py").write_text(_for_class(module_text, each))
        name = f"{each.env}-{each.name}"
        path = _replaced(of_class["class_path"], "cfngin_stacks.CrudApi", f"{module}.{each.class_name}")
        config["stacks"] += [
            {**of_file, "name": name, "template_path": each.path, "variables": dict(each.parameters)},
            {**of_class, "name": f"{name}-of-class", "class_path": path,
             "variables": {**each.settings, **each.parameters}},
        ]  # fmt: skip
        expected |= {key: Expected(each.template, each.parameters) for key in (name, f"{name}-of-class")}
    (folder / "cfngin.yml").write_text(yaml.safe_dump(config))
    return judge(expected, _driven(root, python, "cfngin", folder))


def with_sceptre(root: Path, stacks: Sequence[Stack], python: Path, folder: Path) -> list[str]:
    """A template file and a Python template for every stack; what differs. Raises ReaderError."""
    given = _readme(root)
    _project(root, folder)
    group = {"project_code": "blueprints", "region": "eu-west-1"}
    _write(folder / "config" / "config.yaml", yaml.safe_dump(group))
    names = ("config/example/crud-api.yaml", "config/example/crud-api-of-class.yaml")
    texts = [_block(given, name) for name in names]
    of_file, of_class = [cast("dict[str, Any]", yaml.safe_load(text)) for text in texts]
    handler = _block(given, "templates/crud_api.py")
    for name, text in (*zip(names, texts, strict=True), ("templates/crud_api.py", handler)):
        _write(folder / "config" / "readme" / Path(name).name if "config" in name else folder / name, text)
    expected = {
        "readme/crud-api": _of_file(
            f"templates/{of_file['template']['path']}", of_file["parameters"], stacks
        ),
        "readme/crud-api-of-class": _of_class(
            handler, of_class["sceptre_user_data"] | of_class["parameters"]
        ),
    }
    for each in stacks:
        name, python_template = f"{each.env}/{each.name}", f"{each.env}_{each.name}.py"
        _write(folder / "templates" / python_template, _for_class(handler, each))
        shapes = {
            name: {"template": {**of_file["template"], "path": f"{name}.yaml"}},
            f"{name}-of-class": {
                "template": {**of_class["template"], "path": python_template},
                "sceptre_user_data": dict(each.settings),
            },
        }
        for key, shape in shapes.items():
            content = shape | {"parameters": dict(each.parameters)}
            _write(folder / "config" / f"{key}.yaml", yaml.safe_dump(content))
            expected[key] = Expected(each.template, each.parameters)
    return judge(expected, _driven(root, python, "sceptre", folder))


def compare(where: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Each place where two templates differ, CloudFormation's synonyms apart."""
    left, right = canonical(cast("Json", ours)), canonical(cast("Json", theirs))
    return [f"{where}: {each}" for each in differences(left, right)]


def judge(expected: Mapping[str, Expected], made: Mapping[str, Any]) -> list[str]:
    """What differs between what a driver printed and what it had to."""
    found = [f"{name}: not read" for name in sorted(expected.keys() - made.keys())]
    for name, each in expected.items():
        if name not in made:
            continue
        try:
            template = load(made[name]["template"])
        except TemplateError as error:
            found.append(f"{name}: no template came out: {error}")
            continue
        found += compare(name, each.template, template)
        values = {key: str(value) for key, value in made[name]["parameters"].items()}
        found += compare(f"{name}: parameters", each.parameters, values)
        told = {key: made[name][key] for key in ("change_set", "outputs") if key in made[name]}
        known = {"change_set": "Transform" in template, "outputs": sorted(template.get("Outputs", {}))}
        found += [f"{name}: {key}: got {value!r}" for key, value in told.items() if value != known[key]]
    return found


def _of_file(path: str, variables: Mapping[str, str], stacks: Sequence[Stack]) -> Expected:
    """What README's own example of a template's path has to give."""
    found = [each.template for each in stacks if each.path == path]
    if not found:
        raise ReaderError(f"README.md: {path} is no template of this repository")
    return Expected(found[0], variables)


def _of_class(text: str, given: Mapping[str, Any]) -> Expected:
    """What README's own example of a class has to give."""
    named = re.search(r"^from (blueprints\.(?!runners)\w+) import (\w+)$", text, re.MULTILINE)
    if named is None:
        raise ReaderError("README.md: no example imports a blueprint")
    parameters = {key: value for key, value in given.items() if key not in ("config", "environment")}
    return Expected(rendered(named[1], named[2], given, "README.md"), parameters)


def _for_class(text: str, stack: Stack) -> str:
    return _replaced(_replaced(text, "blueprints.crud_api", stack.module), "CrudApi", stack.class_name)


def _replaced(text: str, what: str, by: str) -> str:
    if what not in text:
        raise ReaderError(
            f"README.md: {what} no longer stands in the example that is repeated for every stack"
        )
    return text.replace(what, by)


def as_cdk(template: Mapping[str, Any]) -> dict[str, Any]:
    """The CDK reads counts in policies, which CloudFormation takes as text too, as numbers."""
    resources = {name: {key: _counted(value) if key in ("CreationPolicy", "UpdatePolicy") else value
                        for key, value in each.items()}
                 for name, each in template["Resources"].items()}  # fmt: skip
    return {**template, "Resources": resources}


def _counted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _counted(each) for key, each in cast("dict[str, Any]", value).items()}
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _without_bootstrap(template: Mapping[str, Any]) -> dict[str, Any]:
    """Less the parameter and the rule that the CDK adds to every stack."""
    made: dict[str, Any] = json.loads(json.dumps(template))
    made["Parameters"].pop("BootstrapVersion")
    made["Rules"].pop("CheckBootstrapVersion")
    return {name: section for name, section in made.items() if section}


def _readme(root: Path) -> Blocks:
    return blocks((root / "README.md").read_text())


def _block(given: Blocks, path: str) -> str:
    if path not in given:
        raise ReaderError(f"README.md: no code block begins with `# {path}`")
    return given[path]


def _project(root: Path, folder: Path) -> None:
    """An empty folder with the committed templates, as somebody has it who copied them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(root / "templates", folder / "templates")


def _driven(root: Path, python: Path, tool: str, folder: Path) -> dict[str, Any]:
    printed = _run([python, DRIVERS / f"{tool}.py"], folder, {"PYTHONPATH": str(root)})
    return json.loads(printed)


def _run(command: Sequence[str | Path], folder: Path, extra: Mapping[str, str]) -> str:
    """What a command prints. Raises ReaderError with its last lines where it fails."""
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=folder, env={**os.environ, **extra}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReaderError("\n".join(done.stderr.strip().splitlines()[-8:]) or f"status {done.returncode}")
    return done.stdout


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
