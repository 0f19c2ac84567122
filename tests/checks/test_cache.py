"""The cache: equal results with it, without it and with a broken one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blueprints.checks.cache import Cache, default_folder, key, through
from blueprints.checks.finding import Finding, Source

FINDING = Finding("a.yaml", 3, "F3002", "error", "Resources.Vpc", "Additional property “x”", "engine")
NewCache = Callable[[], Cache]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_findings_survive_unchanged(new_cache: NewCache, warnings: list[str]) -> None:
    new_cache().put("k", [FINDING])
    assert new_cache().get("k") == [FINDING]
    assert warnings == []


def test_no_findings_are_a_result_and_nothing_stored_is_none(
    new_cache: NewCache, warnings: list[str]
) -> None:
    new_cache().put("k", [])
    assert new_cache().get("k") == []
    assert new_cache().get("other") is None
    assert warnings == []


def test_writing_leaves_no_partial_files(new_cache: NewCache, tmp_path: Path) -> None:
    new_cache().put("k", [FINDING])
    assert [path.name for path in files(tmp_path)] == ["k.json"]


def test_key_keeps_parts_apart() -> None:
    assert key("ab", "c") != key("a", "bc")
    assert key("ab", "c") == key(b"ab", "c")
    assert len(key()) == 64


BROKEN: dict[str, bytes] = {
    "truncated": b'{"format":1,"findings":[{"template":"a',
    "empty": b"",
    "binary": b"\xff\xfe\x00",
    "other shape": b"[1, 2]",
    "other format": b'{"format":2,"findings":[]}',
    "other fields": b'{"format":1,"findings":[{"a":1}]}',
    "no object": b'{"format":1,"findings":[3]}',
    "other type": json.dumps({"format": 1, "findings": [{**FINDING.to_dict(), "line": "3"}]}).encode(),
    "other severity": json.dumps(
        {"format": 1, "findings": [{**FINDING.to_dict(), "severity": "x"}]}
    ).encode(),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_are_ignored_with_one_line(
    content: bytes, new_cache: NewCache, warnings: list[str], tmp_path: Path
) -> None:
    for name in ("k", "l"):
        new_cache().put(name, [FINDING])
    for path in files(tmp_path):
        path.write_bytes(content)
    cache = new_cache()
    assert cache.get("k") is None
    assert cache.get("l") is None
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
    cache.put("k", [FINDING])
    assert cache.get("k") == [FINDING]


def test_folder_that_cannot_be_used_is_ignored_with_one_line(
    new_cache: NewCache, warnings: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file stands where the folder should")
    cache = new_cache()
    assert cache.get("k") is None
    cache.put("k", [FINDING])
    cache.put("l", [FINDING])
    assert len(warnings) == 1
    assert str(tmp_path) in warnings[0]


def test_folder_in_place_of_an_entry_is_ignored_with_one_line(
    new_cache: NewCache, warnings: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cache" / "kind" / "k.json").mkdir(parents=True)
    cache = new_cache()
    assert cache.get("k") is None
    cache.put("k", [FINDING])
    assert len(warnings) == 1
    assert files(tmp_path) == []


def test_same_bytes_under_two_names_are_checked_once_and_reported_twice(new_cache: NewCache) -> None:
    asked: list[list[str]] = []

    def check(sources: list[Source]) -> list[list[Finding]]:
        asked.append([source.name for source in sources])
        return [
            [Finding(f"{s.name}{end}", 1, "R", "error", "", "m", "e") for end in ("", " (expanded)")]
            for s in sources
        ]

    sources = [Source("a", "same"), Source("b", "same"), Source("c", "other")]
    expected = [f"{name}{end}" for name in "abc" for end in ("", " (expanded)")]
    for _ in range(2):
        found = through(new_cache(), sources, lambda source: key(source.text), check)
        assert [finding.template for finding in found] == expected
    assert asked == [["a", "c"]]


def test_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "compute-blueprints"
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert default_folder() == tmp_path / ".cache" / "compute-blueprints"
    assert os.listdir(tmp_path) == []
