"""The style guide that runs: what every blueprint of the catalogue keeps to."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from blueprints.blocks.user_data import LIMIT
from blueprints.catalogue import Entry, entries
from blueprints.checks import template as templates
from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.finding import Source
from blueprints.checks.lint import lint
from blueprints.checks.model import Model
from blueprints.checks.rules.network import ingress
from blueprints.checks.validation import validate
from blueprints.core.render import Rendered, instantiate, load_class, orphans, render_all, stale
from blueprints.core.stack_file import discover
from blueprints.review.documents import refresh

ROOT = Path(__file__).parent.parent
STACKS, TEMPLATES = ROOT / "stacks", ROOT / "templates"
RUNTIME_FOLDERS = ("functions", "bootstrap", "agent", "image", "documents")
PACKAGES_THAT_ARE_NOT_BLUEPRINTS = {
    "core",
    "doctor",
    "blocks",
    "checks",
    "review",
    "deploy",
    "local",
    "package",
}
# Names that would keep a second copy of a stack out of an account; a key pair has to have one.
PHYSICAL_NAMES = re.compile(r"(?!KeyName$)\w+Name")
NAMES_THAT_ARE_REFERENCES = {
    "AttributeName", "AutoScalingGroupName", "DeviceName", "FromPortName", "GroupName", "InstanceProfileName",
    "PolicyName", "RoleName", "ServiceName", "StageName", "LaunchTemplateName",
}  # fmt: skip


def rendered_examples() -> list[Rendered]:
    rendered, faults = render_all(discover(STACKS), "yaml")
    assert not faults, "\n".join(map(str, faults))
    return rendered


EXAMPLES = rendered_examples()
each_blueprint = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stack.name)


def template_of(example: Rendered) -> dict[str, Any]:
    return templates.load(example.template)


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, value
    for key, each in children(value):
        yield from walk(each, (*path, key))


def children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from cast("dict[str, Any]", value).items()
    elif isinstance(value, list):
        yield from ((str(index), each) for index, each in enumerate(cast("list[Any]", value)))


def strings(value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    return ((path, text) for path, text in walk(value) if isinstance(text, str))


def intrinsics(value: Any, name: str) -> Iterator[Any]:
    return (each for path, each in walk(value) if path and path[-1] == name)


def words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name)


# Register, folders, files


def test_register_and_folders_agree() -> None:
    folders = {path.parent.name for path in (ROOT / "blueprints").glob("*/template.py")}
    folders -= PACKAGES_THAT_ARE_NOT_BLUEPRINTS
    assert folders == {entry.name for entry in entries()}
    packages = {path.parent.name for path in (ROOT / "blueprints").glob("*/__init__.py")}
    assert packages - folders <= PACKAGES_THAT_ARE_NOT_BLUEPRINTS


@each_blueprint
def test_has_readme_tests_and_example(entry: Entry) -> None:
    assert (ROOT / "blueprints" / entry.name / "README.md").read_text().startswith("# ")
    assert (ROOT / "tests" / entry.name / "test_template.py").exists()
    assert any(load_class(each.stack.blueprint) is load_class(entry.blueprint) for each in EXAMPLES)


@each_blueprint
def test_one_sentence_everywhere(entry: Entry) -> None:
    assert load_class(entry.blueprint).description() == entry.description
    assert entry.description.endswith(".")


def test_catalogue_is_in_alphabetical_order() -> None:
    assert [entry.name for entry in entries()] == sorted(entry.name for entry in entries())


def test_readme_tables_are_current() -> None:
    assert refresh(ROOT, STACKS, write=False) == [], "run make docs"


def test_no_drawer_for_leftovers() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "util.py", "misc.py"}
    assert not [path for path in (ROOT / "blueprints").rglob("*.py") if path.name in drawers]


# Code


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_imports_inside_the_package_are_relative_and_reach_no_further_than_it() -> None:
    """A blueprint reaches one level up; what lies deeper may reach as far as the package that people vendor."""
    for path, tree in modules(ROOT / "blueprints"):
        deepest = len(path.relative_to(ROOT / "blueprints").parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("blueprints") for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level <= max(deepest, 1), path
                assert node.level or not (node.module or "").startswith("blueprints"), path


@each_blueprint
def test_imports_no_other_blueprint(entry: Entry) -> None:
    others = {each.name for each in entries()} - {entry.name}
    for path, tree in modules(ROOT / "blueprints" / entry.name):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                named = [node.module] if node.module else [alias.name for alias in node.names]
                assert not {name.partition(".")[0] for name in named} & others, path


def runtime_modules() -> list[Path]:
    return [
        path
        for entry in entries()
        for folder in RUNTIME_FOLDERS
        for path in sorted((ROOT / "blueprints" / entry.name / folder).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", runtime_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_runtime_code_stands_alone(path: Path, tmp_path: Path) -> None:
    """It imports with an empty environment from a folder of its own, as it will in a function or on a host."""
    package = (path.parent / "__init__.py").exists() and path.parent.name == "agent"
    shutil.copytree(path.parent, tmp_path / path.parent.name)
    name = f"{path.parent.name}.{path.stem}" if package else path.stem
    folder = tmp_path if package else tmp_path / path.parent.name
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import importlib; importlib.import_module({name!r})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    beyond = r"\.\." if package else r"\."
    forbidden = rf"^\s*(?:from|import) +({beyond}|blueprints|troposphere|awacs|pydantic)"
    assert not re.findall(forbidden, path.read_text(), re.M)


@each_blueprint
def test_a_blueprint_is_built_and_not_constructed(entry: Entry) -> None:
    blueprint = load_class(entry.blueprint)
    assert "build" in vars(blueprint)
    assert "__init__" not in vars(blueprint)


# Parameters, names, outputs


@each_blueprint
def test_parameters_are_described_and_bounded(entry: Entry) -> None:
    for parameter in load_class(entry.blueprint).declared_parameters().values():
        assert parameter.description.endswith("."), parameter.name
        assert parameter.label, parameter.name
        assert parameter.group != "Settings", f"{parameter.name} is in no group"
        if parameter.type in ("String", "CommaDelimitedList"):
            assert parameter.pattern or parameter.allowed, f"{parameter.name} takes any text"
        if parameter.type == "Number":
            assert parameter.minimum is not None, f"{parameter.name} takes any number"
        if parameter.pattern:
            assert parameter.constraint, f"{parameter.name} does not say what it takes"
            re.compile(parameter.pattern)


@each_blueprint
def test_settings_are_described(entry: Entry) -> None:
    from blueprints.review.documents import config_table

    for row in config_table(load_class(entry.blueprint).config_type()).rows:
        assert row[1], f"{row[0]} has no description"


@each_example
def test_every_parameter_is_used(example: Rendered) -> None:
    template = template_of(example)
    used = set(intrinsics(template, "Ref"))
    used |= {name for _, text in strings(template) for name in re.findall(r"\$\{(\w+)\}", text)}
    assert set(template.get("Parameters", {})) <= used


@each_example
def test_logical_ids_end_with_the_last_word_of_their_type(example: Rendered) -> None:
    for title, resource in template_of(example)["Resources"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", title)
        assert not re.search(r"[A-Z]{3}", title), f"{title}: acronyms are words"
        last = words(resource["Type"].rpartition("::")[2])[-1]
        assert words(title)[-1].lower() == last.lower(), f"{title} is a {resource['Type']}"


@each_example
def test_nothing_has_a_physical_name(example: Rendered) -> None:
    for title, resource in template_of(example)["Resources"].items():
        if resource["Type"] in ("AWS::Lambda::Permission", "AWS::EC2::FlowLog"):
            continue  # their FunctionName and LogGroupName are references
        for name in resource.get("Properties", {}):
            named = PHYSICAL_NAMES.fullmatch(name) and name not in NAMES_THAT_ARE_REFERENCES
            assert not named, f"{title}.{name} keeps a second copy of the stack out of the account"


@each_example
def test_outputs_are_described_and_not_exported(example: Rendered) -> None:
    for name, output in template_of(example)["Outputs"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
        assert output["Description"].endswith("."), name
        assert "Export" not in output, name


# Portability and security


@each_example
def test_holds_nothing_of_one_account_region_or_partition(example: Rendered) -> None:
    for path, text in strings(template_of(example)):
        where = ".".join(path)
        assert not re.search(r"arn:aws[a-z-]*:", text) or path[0] == "Parameters", where
        assert not re.search(r"\bami-[0-9a-f]{8,}", text), where
        assert not re.search(r"(?<![0-9])[0-9]{12}(?![0-9])", text), where
        assert not re.search(r"\b(us|eu|ap|sa|ca|me|af|il)-[a-z]+-[0-9][a-z]?\b", text), where


@each_example
def test_policies_name_their_actions_and_resources(example: Rendered) -> None:
    for title, resource in template_of(example)["Resources"].items():
        explained = [each["Actions"] for each in resource.get("Metadata", {}).get("AllowedEverywhere", [])]
        for statement in statements(resource):
            if statement["Effect"] == "Deny":
                continue  # the wider, the better
            assert all("*" not in action for action in statement["Action"]), title
            if "Resource" in statement and "*" in statement["Resource"]:
                assert statement["Action"] in explained, f"{title} allows on every resource without a reason"
        for _, text in strings(resource):
            assert "FullAccess" not in text, title


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for documents in intrinsics(resource, "Statement"):
        yield from documents


@each_example
def test_nothing_is_open_to_the_world(example: Rendered) -> None:
    """Inline rules and rules that are resources of their own alike."""
    for rule in ingress(Model(Source(example.path, example.template))):
        assert not {"0.0.0.0/0", "::/0"} & set(rule.networks), rule.path


@each_example
def test_values_that_reach_a_shell_cannot_leave_their_quotes(example: Rendered) -> None:
    template = template_of(example)
    parameters = template.get("Parameters", {})
    for data in intrinsics(template, "UserData"):
        for text in intrinsics(data, "Fn::Sub"):
            for name in re.findall(r"\$\{(\w+)\}", text):
                if name in parameters and parameters[name]["Type"] != "Number":
                    pattern = parameters[name]["AllowedPattern"]
                    assert not any(re.fullmatch(pattern, bad) for bad in ("'", "a'b", "\n", "a\n", "$(x)'"))


@each_example
def test_fits_the_limits(example: Rendered) -> None:
    """CloudFormation, "Quotas": a body of 51,200 bytes without S3; EC2, "User data": 16,384 bytes."""
    assert len(example.template.encode()) <= 51_200
    for data in intrinsics(template_of(example), "UserData"):
        longest = sum(len(text.encode()) + 256 for _, text in strings(data))
        assert longest <= LIMIT


# Rendering


def test_renders_the_same_bytes_twice() -> None:
    assert [each.files for each in rendered_examples()] == [each.files for each in EXAMPLES]


@each_example
def test_the_template_is_the_same_data_in_json(example: Rendered) -> None:
    blueprint = instantiate(example.stack)
    assert templates.load(blueprint.render("json")) == templates.load(blueprint.render("yaml"))


def test_committed_templates_are_current() -> None:
    assert list(stale(EXAMPLES, TEMPLATES)) == [], "run make render"
    assert orphans(EXAMPLES, TEMPLATES, None) == []


def test_committed_templates_pass_both_engines() -> None:
    sources = [Source(each.path, each.template) for each in EXAMPLES]
    warnings: list[str] = []
    found = validate(sources, Cache(default_folder(), "validation", warnings.append))
    found += lint(sources, Cache(default_folder(), "lint", warnings.append))
    assert found == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("boto3", "cfnlint", "samtranslator", "moto", "pydantic", "troposphere", "awacs", "yaml", "click")
    code = f"import sys, blueprints; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
