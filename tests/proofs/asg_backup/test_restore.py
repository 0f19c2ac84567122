"""A restore refuses what is not the backup that its manifest describes, before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import System
from .instance import Instance


def refused(instance: Instance, key: str, reason: str) -> None:
    """Nothing is made, and the report says why."""
    done = instance.restore("restore", key, "/srv/target")
    assert (done.status, done.report["outcome"]) == (1, "refused"), done
    assert reason in done.report["reason"], done
    assert instance.host.run(["test", "-e", "/srv/target"]).returncode == 1


def changed(manifest: bytes, **values: Any) -> bytes:
    """A manifest as the script writes it, with some other values."""
    text = manifest.decode()
    for name, value in values.items():
        before = json.loads(text)[name]
        text = text.replace(f'"{name}": {json.dumps(before)}', f'"{name}": {json.dumps(value)}')
        assert json.loads(text)[name] == value
    return text.encode()


@pytest.fixture
def backup(system: System, instance: Instance) -> tuple[str, bytes, bytes]:
    """Key, manifest and archive of a backup."""
    instance.sh("mkdir /srv/source && head -c 100000 /dev/urandom > /srv/source/file")
    key = instance.back_up("/srv/source", Compression="gzip").report["key"]
    return key, system.read(f"{key}.json"), system.read(key)


def test_a_flipped_byte_and_a_missing_part_are_refused(
    system: System, instance: Instance, backup: tuple[str, bytes, bytes]
) -> None:
    """Whoever can write may write another version of the archive, and name it in the manifest."""
    key, manifest, archive = backup
    middle = len(archive) // 2
    for damaged in (
        archive[:middle] + bytes([archive[middle] ^ 1]) + archive[middle + 1 :],
        archive[:middle],
        b"",
    ):
        version = system.write(key, damaged)
        system.write(f"{key}.json", changed(manifest, version=version))
        refused(instance, key, "is not the one that the manifest describes")
    # The version that the first manifest names is still there.
    system.write(f"{key}.json", manifest)
    assert instance.restore("verify", key).report["outcome"] == "verified"


def test_another_backups_manifest_and_one_that_was_changed_are_refused(
    system: System, instance: Instance, backup: tuple[str, bytes, bytes]
) -> None:
    key, manifest, _ = backup
    entries = json.loads(manifest)["entries"]
    for body, reason in (
        (changed(manifest, key="backups/web/other.tar.gz"), "the manifest is of another backup"),
        (changed(manifest, entries=entries + 1), f"has not the {entries + 1} entries"),
        (changed(manifest, format=2), "the manifest is of another format"),
        (changed(manifest, sha256="0" * 64), "is not the one that the manifest describes"),
        (changed(manifest, compression="sh -c"), "the manifest names no compression"),
        (manifest.replace(b'"size"', b'"length"'), "the manifest is incomplete"),
        (b"{}", "the manifest is of another format"),
        (changed(manifest, unpacked=10**15), "bytes free and needs"),
    ):
        system.write(f"{key}.json", body)
        refused(instance, key, reason)
    refused(instance, "backups/web/none.tar.gz", "there is no manifest for this backup")


def test_s3_that_breaks_off_is_tried_again_and_then_told(
    system: System, instance: Instance, backup: tuple[str, bytes, bytes]
) -> None:
    """A newer version of the archive is not the one that the manifest names, and an unfinished upload is none."""
    key, _, _ = backup
    system.write(key, b"something else")
    system.write("backups/web/blue/2025/02/01/i-1-2.tar.gz", b"an upload without its manifest")
    system.aws.faults.unavailable("s3:GetObject", rate=0.3)
    assert instance.restore("restore", key, "/srv/there").report["outcome"] == "restored"
    assert instance.sh("cmp /srv/source/file /srv/there/srv/source/file && echo equal") == "equal"
    system.aws.faults.clear()
    listed = instance.restore("list", Group="web/")
    assert listed.output.splitlines()[:-1] == [key]
    assert listed.report["reason"] == "1 backups"
    system.aws.faults.error("s3:*", "AccessDenied", status=403)
    refused(instance, key, "there is no manifest")
    done = instance.restore("list")
    assert (done.status, done.report["reason"]) == (1, "the bucket cannot be listed")
