"""A local index of wheels made here, and templates and code written into an empty folder."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

Write = Callable[[Mapping[str, str]], None]


class MakeWheel(Protocol):
    """Makes `name-version-tag.whl` in the index; returns the line that pins it."""

    def __call__(
        self,
        name: str,
        tag: str,
        files: Mapping[str, str] = ...,
        requires: Sequence[str] = ...,
        version: str = ...,
    ) -> str: ...


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    """Write files into the folder: path -> text."""

    def write_all(files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    return write_all


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip finds anything."""
    found = tmp_path_factory.mktemp("index")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(found))
    return found


@pytest.fixture
def make_wheel(index: Path) -> MakeWheel:
    """Wheels as an index has them: purelib or of a platform, by their tag."""

    def make(
        name: str,
        tag: str,
        files: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
        version: str = "1.0",
    ) -> str:
        path = index / f"{name}-{version}-{tag}.whl"
        info = f"{name}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        held = {
            **(files if files is not None else {f"{name}.py": f"TAG = {tag!r}\n"}),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = "".join(f"{each},sha256={_digest(text)},{len(text)}\n" for each, text in held.items())
        with zipfile.ZipFile(path, "w") as archive:
            for each, text in {**held, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(each, text)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"

    return make


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
