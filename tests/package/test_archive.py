"""Archives: equal bytes from anywhere, named by what they hold, and nothing in them that should not be."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blueprints.core import BlueprintError
from blueprints.package import archive

ROOT = Path(__file__).resolve().parents[2]

# Prints the hashes of the archive's bytes and of its listing.
PROGRAM = """
import hashlib, os, sys
from pathlib import Path
from blueprints.package import archive
os.umask(int(sys.argv[3], 8))
entries = archive.entries_of(Path(sys.argv[1]))
archive.write(entries, Path(sys.argv[2]))
print(hashlib.sha256(Path(sys.argv[2]).read_bytes()).hexdigest(), archive.key(entries))
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a module, a program, a folder and a name that is not ASCII."""
    folder = tmp_path / "code"
    (folder / "lib" / "deep").mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "Zeta.txt").write_text("Z")
    (folder / "lib" / "größe.json").write_text("{}" * 5000, encoding="utf-8")
    (folder / "lib" / "deep" / "empty").touch()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def packed(folder: Path, to: Path) -> tuple[str, str]:
    entries = archive.entries_of(folder)
    archive.write(entries, to)
    return hashlib.sha256(to.read_bytes()).hexdigest(), archive.key(entries)


def refused(folder: Path) -> list[str]:
    with pytest.raises(BlueprintError) as caught:
        archive.entries_of(folder)
    return [str(each) for each in caught.value.faults]


# Equal bytes


def elsewhere(code: Path) -> Path:
    return Path(shutil.copytree(code, code.parent / "another" / "place"))


def other_dates(code: Path) -> Path:
    for number, path in enumerate(sorted(code.rglob("*"))):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    return code


def other_modes(code: Path) -> Path:
    """As a checkout under umask 077 has them."""
    for path in code.rglob("*"):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
    return code


def other_order(code: Path) -> Path:
    """Made again, last first, so that most file systems list them otherwise."""
    copy = code.parent / "copy"
    for path in sorted((each for each in code.rglob("*") if each.is_file()), reverse=True):
        (copy / path.relative_to(code)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy / path.relative_to(code))
    return copy


def litter(code: Path) -> Path:
    """What caches, histories, desktops and editors leave."""
    for name in (
        "__pycache__/app.cpython-311.pyc",
        ".git/HEAD",
        "lib/.DS_Store",
        "app.pyc",
        "app.py~",
        ".app.py.swp",
    ):
        (code / name).parent.mkdir(exist_ok=True)
        (code / name).write_text("litter")
    (code / "nothing" / "here").mkdir(parents=True)
    return code


@pytest.mark.parametrize("changed", [elsewhere, other_dates, other_modes, other_order, litter])
def test_equal_bytes_whatever_is_around_the_content(
    code: Path, tmp_path: Path, changed: Callable[[Path], Path]
) -> None:
    before = packed(code, tmp_path / "before.zip")
    assert packed(changed(code), tmp_path / "after.zip") == before


def test_equal_bytes_in_another_order_of_the_directory(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = packed(code, tmp_path / "before.zip")
    real: Any = os.scandir

    @contextmanager
    def reversed_scandir(path: str | os.PathLike[str]) -> Generator[Iterator[os.DirEntry[str]]]:
        with real(path) as listing:
            yield iter(sorted(listing, key=lambda each: each.name, reverse=True))

    monkeypatch.setattr(os, "scandir", reversed_scandir)
    assert packed(code, tmp_path / "after.zip") == before


@pytest.mark.parametrize(
    "environment",
    [
        {
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "TZ": "Asia/Tokyo",
            "PYTHONHASHSEED": "1",
        },
        {"LC_ALL": "C.UTF-8", "TZ": "America/New_York", "PYTHONHASHSEED": "2"},
    ],
)
@pytest.mark.parametrize("umask", ["077", "000"])
def test_equal_bytes_in_another_process(
    code: Path, tmp_path: Path, environment: dict[str, str], umask: str
) -> None:
    before = packed(code, tmp_path / "before.zip")
    command = [sys.executable, "-c", PROGRAM, code, tmp_path / "after.zip", umask]
    there = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        command, cwd=tmp_path, env=there, capture_output=True, text=True, check=True, timeout=60
    )
    assert tuple(done.stdout.split()) == before


def test_another_compressor_changes_the_bytes_and_not_the_name(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = packed(code, tmp_path / "before.zip")
    monkeypatch.setattr(archive, "_LEVEL", 1)
    after = packed(code, tmp_path / "after.zip")
    assert after[0] != before[0]
    assert after[1] == before[1]


def other_content(code: Path) -> None:
    (code / "app.py").write_text("def handler(event, context): pass\n")


def other_mode(code: Path) -> None:
    (code / "app.py").chmod(0o755)


def other_name(code: Path) -> None:
    (code / "app.py").rename(code / "main.py")


def one_more(code: Path) -> None:
    (code / "new.py").touch()


@pytest.mark.parametrize("change", [other_content, other_mode, other_name, one_more])
def test_what_it_holds_changes_the_name(code: Path, change: Callable[[Path], None]) -> None:
    before = archive.key(archive.entries_of(code))
    change(code)
    assert archive.key(archive.entries_of(code)) != before


# What is in it


def test_an_archive_holds_files_sorted_with_fixed_dates_and_modes(code: Path, tmp_path: Path) -> None:
    packed(litter(code), tmp_path / "code.zip")
    with zipfile.ZipFile(tmp_path / "code.zip") as made:
        listing = [
            (each.filename, each.date_time[:3], oct(each.external_attr >> 16)) for each in made.infolist()
        ]
        assert made.read("app.py") == (code / "app.py").read_bytes()
        assert {each.create_system for each in made.infolist()} == {3}
    assert listing == [
        ("Zeta.txt", (1980, 1, 1), "0o100644"),
        ("app.py", (1980, 1, 1), "0o100644"),
        ("lib/deep/empty", (1980, 1, 1), "0o100644"),
        ("lib/größe.json", (1980, 1, 1), "0o100644"),
        ("run.sh", (1980, 1, 1), "0o100755"),
    ]


def test_links_inside_the_folder_are_followed(code: Path) -> None:
    (code / "again.py").symlink_to("app.py")
    (code / "library").symlink_to("lib")
    by_name = {each.name: each for each in archive.entries_of(code)}
    assert by_name["again.py"].sha256 == by_name["app.py"].sha256
    assert "library/deep/empty" in by_name


def test_links_that_lead_astray_and_files_that_are_none_are_refused_together(
    code: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    (code / "out").symlink_to(tmp_path / "secret")
    (code / "lib" / "round").symlink_to(code / "lib")
    (code / "broken").symlink_to("nowhere")
    os.mkfifo(code / "pipe")
    (Path(os.fsdecode(os.fsencode(code) + b"/caf\xe9"))).touch()
    told = refused(code)
    assert [(line.partition(": ")[0].rpartition("/")[2], line.partition("; ")[2]) for line in told] == [
        ("broken", "remove it"),
        ("caf\\udce9", "rename it"),
        ("round", "remove it"),
        ("out", "copy what it names into the folder"),
        ("pipe", "remove it"),
    ]
    assert "nowhere, which does not exist" in told[0]
    assert told[2] == f"{code}/lib/round: a symbolic link to {code}/lib, which holds it; remove it"
    assert f"a symbolic link to {tmp_path}/secret, outside of {code}" in told[3]


def test_a_file_that_changes_meanwhile_is_not_packed_under_the_old_name(code: Path, tmp_path: Path) -> None:
    entries = archive.entries_of(code)
    (code / "app.py").write_text("def handler(event, context): return 1\n")
    with pytest.raises(BlueprintError, match=r"app\.py: changed while it was packaged; package again"):
        archive.write(entries, tmp_path / "code.zip")
    assert not (tmp_path / "code.zip").exists()


def test_a_failure_leaves_no_archive(code: Path, tmp_path: Path) -> None:
    entries = archive.entries_of(code)
    (code / "run.sh").unlink()
    with pytest.raises(FileNotFoundError):
        archive.write(entries, tmp_path / "zips" / "code.zip")
    assert list((tmp_path / "zips").iterdir()) == []
