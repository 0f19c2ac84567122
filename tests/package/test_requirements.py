"""A requirements.txt is read strictly, and for the platform of the function."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints.core import BlueprintError
from blueprints.package import requirements
from blueprints.package.requirements import read
from blueprints.package.target import Target, target

ARM = Target(13, "arm64")
HASH = f"--hash=sha256:{'a' * 64}"


def listed(folder: Path, text: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text(text)
    return path


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(BlueprintError) as caught:
        read(listed(folder, text), ARM)
    return [str(each).removeprefix(f"{folder}/") for each in caught.value.faults]


def test_a_file_as_compilers_write_it(tmp_path: Path) -> None:
    text = f"""# made by a compiler
--index-url https://example.invalid/simple

first[extra]==1.0 \\
    {HASH} \\
    --hash=sha256:{"b" * 64}
    # via second
second==2.0 ; python_version >= "3.8" {HASH}  # a remark
"""
    found = read(listed(tmp_path, text), ARM)
    assert [each.line for each in found.pinned] == [4, 8]
    assert found.text == (
        f"--index-url https://example.invalid/simple\nfirst[extra]==1.0 {HASH} --hash=sha256:{'b' * 64}\n"
        f"second==2.0 {HASH}\n"
    )


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ('platform_machine == "aarch64"', True),
        ('platform_machine == "x86_64"', False),
        ('python_version < "3.13"', False),
        ('sys_platform == "win32" or sys_platform == "darwin"', False),
        ('platform_python_implementation == "CPython"', True),
    ],
)
def test_markers_are_judged_for_the_function_and_not_for_this_machine(
    tmp_path: Path, marker: str, holds: bool
) -> None:
    found = read(listed(tmp_path, f"first==1.0 ; {marker} {HASH}"), ARM)
    assert bool(found.pinned) is holds


def test_every_line_that_is_not_locked_is_named_with_the_remedy(tmp_path: Path) -> None:
    text = f"bare\nrange>=1 {HASH}\nwild==1.* {HASH}\nfirst==1.0\n-r other.txt\n-e .\n./here.whl\nfine==1 {HASH}\n"
    lines = told(tmp_path, text)
    assert [line.partition("; ")[0] for line in lines] == [
        "requirements.txt: line 1: 'bare' is not one exact version",
        "requirements.txt: line 2: 'range>=1' is not one exact version",
        "requirements.txt: line 3: 'wild==1.*' is not one exact version",
        "requirements.txt: line 4: 'first==1.0' has no hash",
        "requirements.txt: line 5: -r is not for a locked file",
        "requirements.txt: line 6: -e is not for a locked file",
        "requirements.txt: line 7: got './here.whl', which names no distribution",
    ]
    assert all(
        "`pip-compile --generate-hashes` or `uv pip compile --generate-hashes`" in line for line in lines
    )


def test_without_packaging_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_: str) -> None:
        return None

    monkeypatch.setattr(requirements, "find_spec", find_nothing)
    assert told(tmp_path, "") == [
        "requirements.txt: cannot be read without packaging; install compute-blueprints[package]"
    ]


# The platform


@pytest.mark.parametrize(
    ("runtimes", "architectures", "expected"),
    [
        (["python3.13"], [], "python3.13 on x86_64"),
        (["python3.9"], ["arm64"], "python3.9 on arm64"),
        (["nodejs22.x"], [], "None"),
        ([{"Ref": "Runtime"}], [], "a runtime chosen at deployment, and wheels fit one; write one such as python3.13"),
        (["python3.12", "python3.13"], [], "2 runtimes, and wheels fit one; write one such as python3.13"),
        ([], [], "0 runtimes, and wheels fit one; write one such as python3.13"),
        (["python3.13"], ["arm64", "x86_64"],
         "architectures ['arm64', 'x86_64'], and wheels fit one; write x86_64 or arm64"),
        (["python3.13"], ["mips"], "architectures ['mips'], and wheels fit one; write x86_64 or arm64"),
    ],
)  # fmt: skip
def test_one_runtime_and_one_architecture_decide(
    runtimes: list[object], architectures: list[str], expected: str
) -> None:
    assert str(target(runtimes, architectures)) == expected


def test_platforms_reach_up_to_the_runtimes_glibc() -> None:
    new, old = Target(12, "x86_64").platforms, Target(11, "x86_64").platforms
    assert new[0] == "manylinux_2_34_x86_64"
    assert old[0] == "manylinux_2_26_x86_64"
    assert {"manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"} <= set(old)
    assert Target(12, "arm64").platforms[-1] == "manylinux2014_aarch64"
