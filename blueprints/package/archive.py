"""Zips whose bytes follow from what they hold: not from the folder, its dates, the umask or the order on disk.

An archive is named by the hash of its listing, uncompressed: another zlib packs the same files into other bytes, and
they need not be uploaded again for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from ..core.errors import BlueprintError, Fault

# The earliest that the format can say.
_DATE = (1980, 1, 1, 0, 0, 0)
_LEVEL = 9
_UNIX = 3
_BLOCK = 1 << 20

# Caches, histories and what editors and desktops leave behind.
_OMITTED = (
    "__pycache__", "*.pyc", "*.pyo", ".git", ".hg", ".svn", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".aws-sam",
    ".idea", ".vscode", ".DS_Store", "Thumbs.db", "desktop.ini", "*~", "*.swp", "*.swo", ".#*", "#*#",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Entry:
    """A file of an archive. `sha256` and `size`, in bytes, are those of its content, which `read` returns."""

    name: str
    executable: bool
    sha256: str
    size: int
    read: Callable[[], bytes] = field(compare=False, repr=False)

    @classmethod
    def of_file(cls, name: str, path: Path) -> Entry:
        """A file on disk, read once now for its hash."""
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        digest, size = digest_of(path)
        return cls(name, executable, digest, size, path.read_bytes)


def digest_of(path: Path, algorithm: str = "sha256") -> tuple[str, int]:
    """Hash and size of a file's content."""
    digest, size = hashlib.new(algorithm), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def key(entries: Iterable[Entry]) -> str:
    """SHA-256, in hex, of names, modes and contents."""
    listing = [[each.name, each.executable, each.sha256] for each in sorted(entries)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def write(entries: Iterable[Entry], path: Path) -> None:
    """Write the archive, whole or not at all. Raises BlueprintError for a file that has changed since it was listed."""
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for each in sorted(entries):
            content = each.read()
            if hashlib.sha256(content).hexdigest() != each.sha256:
                raise BlueprintError(Fault(each.name, "", "changed while it was packaged; package again"))
            archive.writestr(_header(each), content, zipfile.ZIP_DEFLATED, _LEVEL)


@contextmanager
def whole(path: Path) -> Generator[Path]:
    """A path beside `path` to write to, renamed at the end, so that nobody meets half of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _header(entry: Entry) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(entry.name, _DATE)
    header.create_system = _UNIX
    header.external_attr = (stat.S_IFREG | (0o755 if entry.executable else 0o644)) << 16
    return header


def is_omitted(name: str) -> bool:
    """Whether a file or folder of this name stays out of every archive."""
    return any(fnmatch(name, pattern) for pattern in _OMITTED)


def entries_of(folder: Path) -> list[Entry]:
    """Every file below a folder, in any order, links inside it followed. Raises BlueprintError with every fault."""
    found = list(_walk(folder, "", (os.path.realpath(folder),)))
    faults = [each for each in found if isinstance(each, Fault)]
    if faults:
        raise BlueprintError(faults)
    return [each for each in found if isinstance(each, Entry)]


def _walk(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[Entry | Fault]:
    """`above` holds the real paths of the folders that lead here; the first bounds where links may lead."""
    with os.scandir(folder) as listing:
        paths = [folder / each.name for each in listing if not is_omitted(each.name)]
    for path in paths:
        real = os.path.realpath(path)
        what = _refused(path, real, above)
        if what:
            yield Fault(str(path), "", what)
        elif path.is_dir():
            yield from _walk(path, f"{prefix}{_name(path)}/", (*above, real))
        else:
            yield Entry.of_file(f"{prefix}{_name(path)}", path)


def _name(path: Path) -> str:
    """The last part of a path, which a zip holds as UTF-8 whatever the locale is."""
    return os.fsencode(path.name).decode("utf-8")


def _refused(path: Path, real: str, above: tuple[str, ...]) -> str:
    """What keeps something out of an archive, or nothing."""
    if path.is_symlink():
        if not Path(real).is_relative_to(above[0]):
            return f"a symbolic link to {real}, outside of {above[0]}; copy what it names into the folder"
        if real in above:
            return f"a symbolic link to {real}, which holds it; remove it"
        if not os.path.exists(real):
            return f"a symbolic link to {real}, which does not exist; remove it"
    try:
        _name(path)
    except UnicodeDecodeError:
        return "its name is not UTF-8; rename it"
    if not path.is_dir() and not path.is_file():
        return "neither a file nor a folder; remove it"
    return "" if os.access(path, os.R_OK) else "cannot be read; mend its permissions"
