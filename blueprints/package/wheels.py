"""Dependencies as wheels for the function's platform, whichever machine packages.

pip fetches them, with the hashes and the index that it is configured for; what a wheel holds is taken as it is, so no
path, installer or compiled file of this machine gets in. AWS's builder for Python, aws-lambda-builders, does so too.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path, PurePosixPath

from ..core.errors import BlueprintError, Fault
from .archive import Entry, digest_of, is_omitted
from .requirements import Pinned, Requirements, incomplete
from .target import Target

_UNMATCHED = re.compile(
    r"No matching distribution found for ([A-Za-z0-9][\w.-]*?)(?:\[|==| |$)", re.MULTILINE
)
_GOT = re.compile(r"^\s+Got\s+([0-9a-f]+)", re.MULTILINE)
# Parts of a wheel's `.data` folder that are merged with the rest; scripts and headers serve an installation.
_MERGED = ("purelib", "platlib", "data")


class _PipError(Exception):
    """pip failed; what it said."""


def wheels(requirements: Requirements, target: Target, cache: Path) -> list[Path]:
    """The wheels, sorted, from `cache` or else by pip. Raises BlueprintError with every fault of the file."""
    if not requirements.pinned:
        return []
    told = f"{requirements.text}\n{target}"
    folder = cache / hashlib.sha256(told.encode()).hexdigest()
    if not _is_whole(folder, requirements):
        shutil.rmtree(folder, ignore_errors=True)
        _fetch(requirements, target, folder)
    found = sorted(folder.glob("*.whl"))
    faults = list(incomplete(requirements, [(_name(each), _needs(each)) for each in found], target))
    if faults:
        raise BlueprintError(faults)
    return found


def _is_whole(folder: Path, requirements: Requirements) -> bool:
    """Whether a folder holds what is required and nothing else, by the hashes of the file."""
    known = {each for pinned in requirements.pinned for each in pinned.hashes}
    kinds = {kind for kind, _ in known}
    found = list(folder.iterdir()) if folder.is_dir() else []
    return len(found) == len(requirements.pinned) and all(
        any((kind, digest_of(each, kind)[0]) in known for kind in kinds) for each in found
    )


def _fetch(requirements: Requirements, target: Target, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "wheels"
        try:
            _download(requirements, target, made)
        except _PipError as error:
            raise BlueprintError(_faults(requirements, target, error)) from error
        if not _is_whole(made, requirements):
            names = ", ".join(sorted(each.name for each in made.iterdir()))
            what = f"pip fetched {names}, which is not one wheel with one of its hashes for each line"
            raise BlueprintError(requirements.fault(0, what))
        os.replace(made, folder)


def _download(requirements: Requirements, target: Target, folder: Path) -> None:
    """Run pip. Raises _PipError."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirements.text)
        file.flush()
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += [
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--no-input",
            "--dest",
            str(folder.resolve()),
        ]
        command += ["--implementation", "cp", "--python-version", f"3.{target.minor}"]
        command += ["--abi", f"cp3{target.minor}", *(f"--platform={each}" for each in target.platforms)]
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [*command, "-r", file.name],
            cwd=requirements.path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise _PipError(done.stderr)


def _faults(requirements: Requirements, target: Target, error: _PipError) -> list[Fault]:
    """What pip said in our words. It stops at the first of several, so each requirement is then asked for alone."""
    if not _is_of_requirement(str(error)):
        return [requirements.fault(0, _last_words(str(error)))]
    faults: list[Fault] = []
    for each in requirements.pinned:
        alone = Requirements(requirements.path, requirements.options, (each,))
        try:
            with tempfile.TemporaryDirectory() as folder:
                _download(alone, target, Path(folder))
        except _PipError as told:
            faults.append(requirements.fault(each.line, _what(each, target, str(told))))
    return faults or [requirements.fault(0, _last_words(str(error)))]


def _is_of_requirement(said: str) -> bool:
    return bool(_UNMATCHED.search(said) or _GOT.search(said))


def _what(pinned: Pinned, target: Target, said: str) -> str:
    name = pinned.text.split(" ")[0]
    if found := _GOT.search(said):
        return f"{name} as pip found it has the hash {found[1]}, which the line does not list; compile the file anew"
    if _UNMATCHED.search(said):
        return f"{name} has no wheel for {target} (glibc 2.{target.glibc}); choose a version that has one"
    return _last_words(said)


def _last_words(said: str) -> str:
    if "No module named pip" in said:
        return f"{sys.executable} has no pip, which fetches wheels; run `{sys.executable} -m ensurepip`"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
    return f"pip failed: {errors[-1].removeprefix('ERROR: ')}"


def entries_of(wheel: Path) -> list[Entry]:
    """What a wheel puts beside the handler. Raises BlueprintError for a path that leads out of it."""
    with zipfile.ZipFile(wheel) as archive:
        return [
            _entry(name, member, archive.read(member))
            for member in archive.infolist()
            if not member.is_dir() and (name := _placed(wheel, member.filename))
        ]


def _entry(name: str, member: zipfile.ZipInfo, data: bytes) -> Entry:
    executable = bool(member.external_attr >> 16 & 0o111)
    return Entry(name, executable, hashlib.sha256(data).hexdigest(), len(data), lambda: data)


def _placed(wheel: Path, name: str) -> str:
    """The path in the archive, or nothing for what stays out."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise BlueprintError(
            Fault(str(wheel), name, "a path that leads out of the wheel; do not use this wheel")
        )
    if any(is_omitted(part) for part in parts):
        return ""
    if not parts[0].endswith(".data"):
        return name
    return "/".join(parts[2:]) if parts[1] in _MERGED else ""


def _needs(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        for name in _metadata(archive):
            return [str(each) for each in message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])]
    return []


def _metadata(archive: zipfile.ZipFile) -> Iterator[str]:
    return (each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each))


def _name(wheel: Path) -> str:
    return wheel.name.split("-")[0]
