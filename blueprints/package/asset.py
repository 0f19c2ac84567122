"""What is uploaded: an archive, a file or a nested template, named by its content and kept below `build/package`."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BlueprintError, Fault
from . import archive, requirements
from .archive import Entry
from .places import FUNCTIONS, LAYERS, Place
from .target import target
from .wheels import entries_of, wheels

# AWS Lambda, "Quotas": deployment package, unzipped, 250 MB, layers included.
MOST_BYTES = 250 * 1024 * 1024


@dataclass(frozen=True)
class Asset:
    """A file to upload. `sha256` is of its content; of an archive, of the listing of what it holds."""

    sha256: str
    file: Path

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.file.name

    @property
    def size(self) -> int:
        """Bytes that are uploaded."""
        return self.file.stat().st_size


class Workshop:
    """Makes assets in one folder, each archive once a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[Path, list[Entry]] = {}

    def text(self, content: bytes, suffix: str) -> Asset:
        """A file with this content."""
        digest = hashlib.sha256(content).hexdigest()
        file = self.folder / f"{digest}{suffix}"
        with archive.whole(file) as temporary:
            temporary.write_bytes(content)
        return Asset(digest, file)

    def of_path(self, place: Place, path: Path) -> Asset:
        """What a place names: a folder or a file of code zipped, with its dependencies, any other file as it is.

        Raises BlueprintError with every fault of what is there.
        """
        lambdas = place.kind in FUNCTIONS | LAYERS
        if path.is_file() and (place.artifact.content != "zip" or zipfile.is_zipfile(path)):
            if lambdas:
                _bound(path, _unzipped(path))
            return self.text(path.read_bytes(), path.suffix)
        entries = self._code(path)
        if lambdas:
            entries = _united(path, entries, self._dependencies(place, path))
            _bound(path, sum(each.size for each in entries))
        if not entries:
            raise BlueprintError(Fault(str(path), "", "holds nothing to package; put the code there"))
        digest = archive.key(entries)
        file = self.folder / f"{digest}.zip"
        if not file.exists():
            archive.write(entries, file)
        return Asset(digest, file)

    def _code(self, path: Path) -> list[Entry]:
        if path not in self._entries:
            one = path.is_file()
            self._entries[path] = [Entry.of_file(path.name, path)] if one else archive.entries_of(path)
        return self._entries[path]

    def _dependencies(self, place: Place, path: Path) -> list[Entry]:
        """What the requirements beside the code ask for; in a layer they lie where Python looks for them."""
        listed = (path.parent if path.is_file() else path) / requirements.NAME
        if not listed.is_file():
            return []
        chosen = target(place.runtimes, place.architectures)
        if chosen is None:
            return []
        if isinstance(chosen, str):
            raise BlueprintError(Fault(str(listed), "", f"{place.owner} has {chosen}"))
        found = wheels(requirements.read(listed, chosen), chosen, self.folder / "wheels")
        # Where two wheels hold one file, the last by name has it, as the last that is installed has.
        held = {entry.name: entry for wheel in found for entry in entries_of(wheel)}
        prefix = "python/" if place.kind in LAYERS else ""
        return [Entry(f"{prefix}{each.name}", each.executable, each.sha256, each.size, each.read)
                for each in held.values()]  # fmt: skip


def _united(path: Path, code: Sequence[Entry], dependencies: Sequence[Entry]) -> list[Entry]:
    """Code and dependencies. Raises BlueprintError for files that both bring and that differ."""
    own = {each.name: each for each in code}
    twice = [each for each in dependencies if each.name in own and own[each.name] != each]
    if twice:
        names = ", ".join(each.name for each in twice[:3]) + (" …" if len(twice) > 3 else "")
        what = f"holds {names}, as do the wheels of its {requirements.NAME}; remove one or the other"
        raise BlueprintError(Fault(str(path), "", what))
    return [*code, *(each for each in dependencies if each.name not in own)]


def _unzipped(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as packed:
            return sum(each.file_size for each in packed.infolist())
    except zipfile.BadZipFile as error:
        what = "not a zip that can be read; make it anew or name a folder"
        raise BlueprintError(Fault(str(path), "", what)) from error


def _bound(path: Path, size: int) -> None:
    if size > MOST_BYTES:
        what = f"{size:,} bytes unzipped, of which Lambda takes {MOST_BYTES:,}; leave out what is not used"
        raise BlueprintError(Fault(str(path), "", what))
