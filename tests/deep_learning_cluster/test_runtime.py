"""The packed runtime: what templates carry is what stands in the sources, and fits."""

from __future__ import annotations

import ast
import base64
import hashlib
import lzma
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks.rules.limits import INLINE_BODY
from blueprints.core import BuildError
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster, runtime
from blueprints.review.variants import variants

OLDEST = (3, 9)  # the system's Python of Amazon Linux 2023


def unpacked(folder: Path, text: str) -> dict[str, str]:
    """What a node has after it has run the packed program, as the user data does."""
    program = lzma.decompress(base64.b85decode(text.translate({44: "{", 46: "}"})))
    subprocess.run([sys.executable, "-c", program.decode(), folder], check=True)
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def meaning(text: str) -> str:
    """The tree of a module, without what only readers and type checkers see."""
    tree = ast.parse(text)
    kept = [
        each for each in tree.body if not (isinstance(each, ast.ImportFrom) and each.module == "__future__")
    ]
    tree.body = kept
    tree.body = [each for each in tree.body if not (isinstance(each, ast.If) and for_types(each))]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.names = [each for each in node.names if each.name != "TYPE_CHECKING"]
    tree.body = [each for each in tree.body if not isinstance(each, ast.ImportFrom) or each.names]
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            node.body = [
                ast.Assign([each.target], each.value)
                if isinstance(each, ast.AnnAssign) and each.value
                else each
                for each in node.body
            ]
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def for_types(node: ast.If) -> bool:
    """Whether a block is what only a type checker reads."""
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("care", [False, True])
def test_the_committed_runtime_is_of_these_sources(tmp_path: Path, care: bool) -> None:
    found = unpacked(tmp_path, runtime.runtime(care=care).text)
    sources = {name: path for name, path in runtime.sources() if care or name != "agent/care.py"}
    assert found.keys() == sources.keys()
    for name, path in sources.items():
        if path.suffix == ".py":
            assert meaning(found[name]) == meaning(path.read_text()), name
        else:
            lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("# ")]
            assert found[name].splitlines() == lines, name


def test_a_source_that_has_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "runtime.json"
    changed.write_text(runtime.PACKED.read_text().replace(runtime.digest(), "0" * 64))
    monkeypatch.setattr(runtime, "PACKED", changed)
    with pytest.raises(BuildError, match=r"run python -m blueprints\.deep_learning_cluster\.packing"):
        runtime.runtime()


def test_what_runs_on_a_node_is_python_of_the_oldest_image() -> None:
    for name, path in runtime.sources():
        if path.suffix == ".py":
            ast.parse(path.read_text(), filename=name, feature_version=OLDEST)


def test_what_runs_on_a_node_imports_the_standard_library_alone() -> None:
    for name, path in runtime.sources():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(str(node.module))
            for each in names:
                assert each.partition(".")[0] in sys.stdlib_module_names, f"{name}: {each}"


def template(**config: Any) -> dict[str, Any]:
    chosen = ClusterConfig.model_validate({"access": "session_manager"} | config)
    return DeepLearningCluster(chosen).template()


def test_parameters_carry_it_once_and_both_kinds_check_it() -> None:
    whole = template()
    resources = whole["Resources"]
    parts = [each for name, each in sorted(resources.items()) if name.startswith("Runtime")]
    text = "".join(each["Properties"]["Value"] for each in parts)
    assert text == runtime.runtime().text
    assert all(len(each["Properties"]["Value"]) <= 4096 for each in parts)
    assert "{{" not in text
    for kind in ("Master", "Worker"):
        data = str(resources[f"{kind}LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"])
        assert "{'Fn::FindInMap': ['Boot', 'BothKinds', 'Script']}" in data
    shared = whole["Mappings"]["Boot"]["BothKinds"]["Script"]
    assert f"RUNTIME_SHA256='{hashlib.sha256(text.encode()).hexdigest()}'\n" in shared


def test_what_cares_for_gpus_is_packed_where_it_is_asked_for() -> None:
    def text(**config: Any) -> str:
        resources = template(**config)["Resources"]
        parts = [each for name, each in sorted(resources.items()) if name.startswith("Runtime")]
        return "".join(each["Properties"]["Value"] for each in parts)

    assert text() == text(gpus={"metrics": False}) == runtime.runtime().text
    assert text(gpus={"replace": True}) == runtime.runtime(care=True).text != text()


def test_every_variant_is_taken_inline() -> None:
    """The largest has 32 EFA interfaces on both kinds of node."""
    sizes = [len(each.render().encode()) for each in variants(DeepLearningCluster)]
    assert max(sizes) <= INLINE_BODY


def test_the_largest_type_is_taken_inline_with_all_that_is_common() -> None:
    config = {
        "access": "ssh",
        "instance_type": "p5.48xlarge",
        "fabric": {"efa": True, "placement_group": True},
        "storage": {"kind": "fsx_lustre", "deployment": "PERSISTENT_2", "throughput": 250},
    }
    largest = DeepLearningCluster(ClusterConfig.model_validate(config)).render()
    assert len(largest.encode()) <= INLINE_BODY
