"""A function's code on disk: the archive unpacked, and the packages that Lambda's Python runtime offers."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ...core.errors import BlueprintError, Fault

# Developer Guide, "Lambda quotas": 250 MB unzipped, in MiB.
UNZIPPED_LIMIT = 262_144_000

# What `import` finds in Lambda besides the standard library and the function's own code (Developer Guide, "Runtime
# dependencies in Python"): the SDK, what it needs, and the runtime client. Nothing else of our environment, so that
# a forgotten dependency fails here as it fails there.
OFFERED = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "runtime_client",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)


def from_inline(text: str) -> bytes:
    """The archive that CloudFormation makes of `ZipFile`: the text as index.py. Equal text, equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("index.py"), text)
    return archive.getvalue()


def unpack(name: str, archive: bytes, folder: Path) -> None:
    """Unpack into a new folder, read-only as /var/task is (root may write all the same)."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            size = sum(member.file_size for member in file.infolist())
            if size > UNZIPPED_LIMIT:
                what = f"code has {size} bytes unpacked, Lambda takes {UNZIPPED_LIMIT}; leave files out"
                raise BlueprintError(Fault("", name, what))
            file.extractall(folder)
            for member in file.infolist():
                _protect(folder / member.filename, member.external_attr >> 16)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        what = f"code cannot be unpacked ({error}); build it again as a zip archive"
        raise BlueprintError(Fault("", name, what)) from error
    folder.chmod(0o555)


def _protect(path: Path, mode: int) -> None:
    if path.is_file():
        path.chmod(0o555 if mode & stat.S_IXUSR else 0o444)


def remove(folder: Path) -> None:
    """Remove a folder and its read-only contents; what another process just removed is no concern."""
    for parent, _, _ in os.walk(folder):  # top down: a folder is opened before it is listed
        with suppress(OSError):
            os.chmod(parent, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def offer_runtime(folder: Path) -> None:
    """Fill a new folder with links to the packages in `OFFERED`: this machine's /var/runtime."""
    folder.mkdir()
    for name in OFFERED:
        found = find_spec(name)
        if found is None or found.origin is None:
            what = f"Python package {name} is missing; pip install 'compute-blueprints[local]'"
            raise BlueprintError(Fault("", "", what))
        origin = Path(found.origin)
        source = origin.parent if found.submodule_search_locations else origin
        (folder / source.name).symlink_to(source)
