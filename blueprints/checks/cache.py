"""Results of the checkers, and what SAM templates expand to, kept by the content they were computed from.

An unchanged template costs one hash and one small file, instead of a linter that takes a second to start. The
cache is a convenience: nothing that is wrong with it may change a result or stop a run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from .finding import Finding, Source

_FORMAT = 2

T = TypeVar("T")


def default_folder() -> Path:
    """Where results are kept unless the user says otherwise."""
    # The XDG specification says that a relative value must be ignored.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "compute-blueprints"
    try:
        return Path.home() / ".cache" / "compute-blueprints"
    except RuntimeError:  # a user without a home, as containers have: a folder that cannot be is told once
        return Path(os.devnull) / "compute-blueprints"


def key(*parts: bytes | str) -> str:
    """Name a result after all it depends on. Lengths go in, so that ("ab", "c") differs from ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


class Cache:
    """One folder of results of one kind. Complains once through `warn`, then works without what is broken."""

    def __init__(self, folder: Path, kind: str, warn: Callable[[str], None]) -> None:
        self._folder = os.path.join(folder, kind)
        self._warn = warn
        self._warned = False

    def beside(self, kind: str) -> Cache:
        """The folder of another kind, of the same user."""
        return Cache(Path(self._folder).parent, kind, self._warn)

    def get(self, key: str) -> list[Finding] | None:
        """The findings stored under `key`, or None when there are none that can be trusted."""
        return self.read(key, _findings)

    def put(self, key: str, findings: Iterable[Finding]) -> None:
        """Store findings, an empty list included."""
        self.write(key, [finding.to_dict() for finding in findings])

    def read(self, key: str, made: Callable[[object], T]) -> T | None:
        """What is stored under `key`, through `made`, which raises ValueError for what it cannot trust."""
        path = self._path(key)
        try:
            # One read of a handful of bytes: pathlib and text decoding would double the price of a hit.
            with open(path, "rb") as file:
                return made(_decode(file.read()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self._complain(path, error)
            return None

    def write(self, key: str, plain: object) -> None:
        """Store what JSON can hold. Readers see the old file or the new one, never a part."""
        path = self._path(key)
        partial = f"{path}.{os.getpid()}.tmp"
        try:
            os.makedirs(self._folder, exist_ok=True)
            with open(partial, "wb") as file:
                file.write(_encode(plain))
            os.replace(partial, path)
        except (OSError, ValueError) as error:
            with suppress(OSError):
                os.unlink(partial)
            self._complain(path, error)

    def _path(self, key: str) -> str:
        return f"{self._folder}{os.sep}{key}.json"

    def _complain(self, path: str, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._warn(
                f"{path}: cache not used here ({' '.join(reason.split())}); delete it to silence this line"
            )


def _encode(plain: object) -> bytes:
    return json.dumps({"format": _FORMAT, "kept": plain}, separators=(",", ":")).encode()


def _decode(data: bytes) -> object:
    plain: object = json.loads(data)
    if not isinstance(plain, dict) or cast("dict[str, object]", plain).get("format") != _FORMAT:
        raise ValueError("not a cache file of ours")
    return cast("dict[str, object]", plain).get("kept")


def _findings(plain: object) -> list[Finding]:
    if not isinstance(plain, list):
        raise ValueError("not a cache file of ours")
    return [_finding(item) for item in cast("list[object]", plain)]


def _finding(item: object) -> Finding:
    if not isinstance(item, dict):
        raise ValueError("not a finding")
    return Finding.from_dict(cast("dict[str, object]", item))


def through(
    cache: Cache,
    sources: Sequence[Source],
    name: Callable[[Source], str],
    check: Callable[[list[Source]], list[list[Finding]]],
) -> list[Finding]:
    """Findings of all sources, with `check` called once, for those whose result the cache lacks.

    Results are stored without the name of the template: the same bytes under another name are a hit.
    """
    keys = [name(source) for source in sources]
    results: dict[str, list[Finding]] = {}
    missed: dict[str, Source] = {}
    for source_key, source in zip(keys, sources, strict=True):
        if source_key in results or source_key in missed:
            continue
        stored = cache.get(source_key)
        if stored is None:
            missed[source_key] = source
        else:
            results[source_key] = stored
    if missed:
        checked = check(list(missed.values()))
        for (source_key, source), findings in zip(missed.items(), checked, strict=True):
            results[source_key] = [_unnamed(finding, source) for finding in findings]
            cache.put(source_key, results[source_key])
    return [
        replace(finding, template=source.name + finding.template)
        for source_key, source in zip(keys, sources, strict=True)
        for finding in sorted(results[source_key])
    ]


def _unnamed(finding: Finding, source: Source) -> Finding:
    return replace(finding, template=finding.template.removeprefix(source.name))
