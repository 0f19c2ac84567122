"""Dependencies come as wheels for the function's platform, checked by hash: pip really runs, over a local index."""

from __future__ import annotations

import sys
import venv
import zipfile
from pathlib import Path

import pytest

from blueprints.core import BlueprintError
from blueprints.package.requirements import read
from blueprints.package.target import Target
from blueprints.package.wheels import entries_of, wheels

from .conftest import MakeWheel

ARM, INTEL = Target(13, "arm64"), Target(13, "x86_64")
ON_ARM, ON_INTEL = "cp313-cp313-manylinux_2_34_aarch64", "cp313-cp313-manylinux2014_x86_64"


def fetched(folder: Path, text: str, target: Target) -> list[Path]:
    path = folder / "requirements.txt"
    path.write_text(text)
    return wheels(read(path, target), target, folder / "wheels")


def told(folder: Path, text: str, target: Target) -> list[str]:
    with pytest.raises(BlueprintError) as caught:
        fetched(folder, text, target)
    return [str(each).removeprefix(f"{folder}/") for each in caught.value.faults]


def hashes(*lines: str) -> str:
    """One requirement with the hashes of several."""
    return " ".join([lines[0], *(line.split(" ")[1] for line in lines[1:])])


def test_each_platform_gets_its_wheel_and_a_pure_one_suits_both(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    text = f"{hashes(make_wheel('fast', ON_ARM), make_wheel('fast', ON_INTEL))}\n{make_wheel('pure', 'py3-none-any')}\n"
    made = {target: fetched(tmp_path, text, target) for target in (ARM, INTEL)}
    assert [each.name for each in made[ARM]] == [f"fast-1.0-{ON_ARM}.whl", "pure-1.0-py3-none-any.whl"]
    assert [each.name for each in made[INTEL]] == [f"fast-1.0-{ON_INTEL}.whl", "pure-1.0-py3-none-any.whl"]
    (module,) = (each for each in entries_of(made[ARM][0]) if each.name == "fast.py")
    assert module.read() == f"TAG = {ON_ARM!r}\n".encode()


def test_a_stable_abi_fits_and_a_newer_glibc_does_not(tmp_path: Path, make_wheel: MakeWheel) -> None:
    stable = make_wheel("stable", "cp39-abi3-manylinux_2_17_aarch64")
    newer = make_wheel("newer", "cp311-cp311-manylinux_2_28_x86_64")
    assert len(fetched(tmp_path, stable, ARM)) == 1
    assert told(tmp_path, f"\n{newer}", Target(11, "x86_64")) == [
        "requirements.txt: line 2: newer==1.0 has no wheel for python3.11 on x86_64 (glibc 2.26);"
        " choose a version that has one"
    ]


def test_what_is_wrong_with_several_lines_is_told_at_once(tmp_path: Path, make_wheel: MakeWheel) -> None:
    other, pure = make_wheel("other", ON_INTEL), make_wheel("pure", "py3-none-any")
    digest = pure.rpartition(":")[2]
    wrong = make_wheel("wrong", "py3-none-any").rpartition(":")[0] + f":{digest}"
    lines = told(tmp_path, f"{pure}\n{other}\n{wrong}\nabsent==1 --hash=sha256:{digest}\n", ARM)
    assert [line.partition(" (")[0].partition("the hash ")[0] for line in lines] == [
        "requirements.txt: line 2: other==1.0 has no wheel for python3.13 on arm64",
        "requirements.txt: line 3: wrong==1.0 as pip found it has ",
        "requirements.txt: line 4: absent==1 has no wheel for python3.13 on arm64",
    ]
    assert list((tmp_path / "wheels").iterdir()) == []


def test_fetched_wheels_are_kept_while_they_have_their_hashes(
    tmp_path: Path, make_wheel: MakeWheel, index: Path
) -> None:
    text = make_wheel("pure", "py3-none-any")
    (first,) = fetched(tmp_path, text, ARM)
    content = first.read_bytes()
    stored = index / first.name
    stored.rename(tmp_path / "aside")
    assert fetched(tmp_path, text, ARM) == [first]
    (tmp_path / "aside").rename(stored)
    first.write_bytes(content + b"changed")
    assert fetched(tmp_path, text, ARM) == [first]
    assert first.read_bytes() == content


def test_a_dependency_that_the_file_leaves_out_is_named(tmp_path: Path, make_wheel: MakeWheel) -> None:
    needs = [
        "deep; extra == 'more'",
        "windows; sys_platform == 'win32'",
        "old; python_version < '3.13'",
        "pure>=1",
    ]
    outer = make_wheel("outer", "py3-none-any", requires=needs)
    pure = make_wheel("pure", "py3-none-any")
    assert len(fetched(tmp_path, f"{outer}\n{pure}\n", ARM)) == 2
    lines = told(tmp_path, f"{pure}\n{outer.replace('==', '[more]==')}\n", ARM)
    assert [line.partition("; ")[0] for line in lines] == [
        "requirements.txt: line 2: outer needs deep on python3.13 on arm64, which the file does not list"
    ]
    assert [line.partition("; ")[0] for line in told(tmp_path, outer, ARM)] == [
        "requirements.txt: line 1: outer needs pure on python3.13 on arm64, which the file does not list"
    ]


def test_what_a_wheel_keeps_for_an_installation_stays_out(
    tmp_path: Path, make_wheel: MakeWheel, index: Path
) -> None:
    files = {
        "tool/__init__.py": "",
        "tool/__pycache__/a.cpython-313.pyc": "",
        "tool-1.0.data/purelib/tool/pure.py": "",
        "tool-1.0.data/platlib/tool/plat.py": "",
        "tool-1.0.data/data/share/tool.txt": "",
        "tool-1.0.data/scripts/tool": "#!python",
        "tool-1.0.data/headers/tool.h": "",
    }
    make_wheel("tool", "py3-none-any", files)
    names = [each.name for each in entries_of(index / "tool-1.0-py3-none-any.whl")]
    assert sorted(each for each in names if "dist-info" not in each) == [
        "share/tool.txt", "tool/__init__.py", "tool/plat.py", "tool/pure.py",
    ]  # fmt: skip


def test_a_wheel_that_leads_out_of_itself_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("../outside.py", "")
    with pytest.raises(BlueprintError, match="leads out of the wheel"):
        entries_of(tmp_path / "bad-1.0-py3-none-any.whl")


def test_a_python_without_pip_is_told_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    python = tmp_path / "bare" / "bin" / "python"
    assert told(tmp_path, f"pure==1.0 --hash=sha256:{'a' * 64}\n", ARM) == [
        f"requirements.txt: {python} has no pip, which fetches wheels; run `{python} -m ensurepip`"
    ]
