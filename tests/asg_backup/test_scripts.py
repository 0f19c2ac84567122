"""The scripts of the rendered documents, run: backed up on one host, restored, compared; and what is refused."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Host, delivered

EVENT = {"Token": "5f0c9c1e-0001", "EventTime": "2026-11-26T04:00:00.123Z", "Group": "web/blue"}
KEY = "backups/web/blue/2026/11/26/i-0123456789abcdef0-5f0c9c1e-0001.tar"
HOSTILE = [
    b"new\nline",
    b"quote'\"`$(touch x)",
    b"-rf",
    b"latin-\xe9",
    b"back\\slash",
    b" space ",
    b"tar: x",
    b"./.. ",
]


def tree(folder: Path) -> Path:
    """Files with everything that a backup has to keep."""
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(HOSTILE):
        (Path(os.fsdecode(bytes(folder / "deep") + b"/" + name))).write_bytes(b"x" * number)
    plain = folder / "plain"
    plain.write_text("some text\n" * 1000)
    plain.chmod(0o4750)
    os.setxattr(plain, "user.origin", b"here \x00 there")
    os.link(plain, folder / "hard")
    (folder / "soft").symlink_to("plain")
    (folder / "dangling").symlink_to("/nowhere")
    with (folder / "holes").open("wb") as file:
        file.seek(64 * 1024 * 1024)
        file.write(b"end")
    os.chown(folder / "holes", 4242, 4343)
    os.mkfifo(folder / "pipe", 0o640)
    os.utime(plain, ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
    (folder / "deep").chmod(0o700)
    return folder


def facts(root: Path) -> dict[bytes, Any]:
    """What there is to compare of every file below a folder."""
    found: dict[bytes, Any] = {}
    for parent, folders, files in os.walk(bytes(root)):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            found[os.path.relpath(path, bytes(root))] = fact(path)
    return found


def fact(path: bytes) -> tuple[Any, ...]:
    stat = os.lstat(path)
    regular = os.path.isfile(path) and not os.path.islink(path)
    kept = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in os.listxattr(path, follow_symlinks=False)
    }
    return (
        stat.st_mode,
        stat.st_uid,
        stat.st_gid,
        stat.st_size if regular else 0,
        stat.st_mtime_ns,
        stat.st_nlink,
        stat.st_blocks * 512 < stat.st_size,
        os.readlink(path) if os.path.islink(path) else b"",
        hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest() if regular else "",
        kept,
    )


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_what_is_restored_is_what_was_backed_up(host: Host, tmp_path: Path, shell: str) -> None:
    source = tree(tmp_path / "source")
    before = facts(source)
    done = host.run("BackupDocument", {**EVENT, "BackupDirectories": str(source)}, shell=shell)
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    key = done.report["key"]
    assert key.removesuffix(".zst").removesuffix(".gz") == KEY
    assert host.stored() == [key, f"{key}.json"]
    archive = host.read(key)
    assert done.report["size"] == len(archive)
    magic = {"zstd": b"\x28\xb5\x2f\xfd", "gzip": b"\x1f\x8b"}
    assert archive.startswith(magic[done.report["compression"]])
    assert done.report["sha256"] == hashlib.sha256(archive).hexdigest()
    assert done.report["entries"] == len(before) + 1
    assert (done.report["instance"], done.report["token"]) == ("i-0123456789abcdef0", EVENT["Token"])

    target = tmp_path / "empty" / "target"
    there = host.run(
        "RestoreDocument", {"Action": "restore", "Backup": key, "Target": str(target)}, shell=shell
    )
    assert (there.status, there.report["outcome"]) == (0, "restored"), there
    after = facts(target / source.relative_to("/"))
    assert after == before
    assert (
        os.stat(target / source.relative_to("/") / "hard").st_ino
        == os.stat(target / source.relative_to("/") / "plain").st_ino
    )

    listed = host.run("RestoreDocument", {"Action": "list", "Group": "web/"}, shell=shell)
    assert listed.output.splitlines()[0] == key


def test_what_was_changed_is_refused_before_anything_is_written(host: Host, tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    key = host.run("BackupDocument", {**EVENT, "BackupDirectories": str(source)}).report["key"]
    other = host.run("BackupDocument", {**EVENT, "Token": "other", "BackupDirectories": str(source)}).report[
        "key"
    ]
    manifest, archive = host.read(f"{key}.json"), host.read(key)
    target = tmp_path / "target"

    def refused(reason: str) -> None:
        ended = host.run("RestoreDocument", {"Action": "restore", "Backup": key, "Target": str(target)})
        assert (ended.status, ended.report["outcome"]) == (1, "refused"), ended
        assert reason in ended.report["reason"]
        assert not target.exists()

    host.write(f"{key}.json", host.read(f"{other}.json"))
    refused("the manifest is of another backup")
    host.write(f"{key}.json", manifest.replace(b'"entries": ', b'"entries": 1'))
    refused("has not the")
    for damaged in (archive[:-1] + bytes([archive[-1] ^ 1]), archive[: len(archive) // 2]):
        host.write(key, damaged)
        with host.network() as s3:
            version = s3.head_object(Bucket="backups-of-a-test", Key=key)["VersionId"]
        recorded = host_version(manifest)
        host.write(f"{key}.json", manifest.replace(recorded, version.encode()))
        refused("is not the one that the manifest describes")
    host.write(f"{key}.json", manifest)
    target.mkdir()
    (target / "mine").write_text("keep")
    ended = host.run("RestoreDocument", {"Action": "restore", "Backup": key, "Target": str(target)})
    assert "not empty" in ended.report["reason"]
    assert [each.name for each in target.iterdir()] == ["mine"]
    ended = host.run("RestoreDocument", {"Action": "verify", "Backup": key})
    assert ended.report["outcome"] == "verified"  # the version that the manifest names is still there


def host_version(manifest: bytes) -> bytes:
    return manifest.split(b'"version": "')[1].split(b'"')[0]


def test_a_second_run_of_an_action_changes_nothing(host: Host, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("first")
    parameters = {**EVENT, "BackupDirectories": f"{source},/nowhere", "Task": f'echo "ran" >> {tmp_path}/ran'}
    first = host.run("BackupDocument", parameters)
    assert (first.status, first.report["outcome"], first.report["absent"]) == (0, "partial", ["/nowhere"])
    objects = {key: host.read(key) for key in host.stored()}
    (source / "file").write_text("second")
    second = host.run("BackupDocument", parameters)
    assert second.report == {**first.report, "task": "done before"}
    assert {key: host.read(key) for key in host.stored()} == objects
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_a_file_that_grows_and_one_that_goes_are_tolerated_and_told(host: Host, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    log = source / "growing.log"
    log.write_bytes(os.urandom(32 * 1024 * 1024))
    start = log.read_bytes()
    ended = threading.Event()

    def grow() -> None:
        with log.open("ab", buffering=0) as file:
            while not ended.wait(0.001):
                file.write(b"line\n")

    writer = threading.Thread(target=grow)
    writer.start()
    done = host.run("BackupDocument", {**EVENT, "BackupDirectories": str(source)})
    ended.set()
    writer.join()
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    assert done.report["changed"] >= 1
    assert "growing.log: file changed as we read it" in done.report["examples"][0]
    target = tmp_path / "target"
    host.run("RestoreDocument", {"Action": "restore", "Backup": done.report["key"], "Target": str(target)})
    assert (target / log.relative_to("/")).read_bytes().startswith(start)


def test_nothing_needs_room_on_a_disk(host: Host, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(os.urandom(8 * 1024 * 1024))
    full = "mount -t tmpfs -o size=64k tmpfs /tmp; dd if=/dev/zero of=/tmp/full bs=1k 2> /dev/null; true"
    held = tmp_path.relative_to("/tmp")  # noqa: S108 - pytest's own folder
    keep = f"mkdir -p /run/kept && mount --bind {tmp_path} /run/kept; {full}; rm /tmp/full; mkdir -p /tmp/{held}; "
    keep += f"mount --bind /run/kept /tmp/{held}; dd if=/dev/zero of=/tmp/full bs=1k 2> /dev/null; true"
    subprocess.run(["nsenter", "-t", str(host.pid), "--mount", "sh", "-c", keep], check=True)
    done = host.run("BackupDocument", {**EVENT, "BackupDirectories": str(source)})
    assert (done.status, done.report["outcome"]) == (0, "complete"), done


def test_a_task_that_fails_is_told_and_the_backup_is_made_all_the_same(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    parameters = {**EVENT, "BackupDirectories": f"{tmp_path}/file", "Compression": "gzip"}
    done = host.run("BackupDocument", {**parameters, "Task": "echo draining; exit 3"})
    assert done.status == 1
    assert done.report["task"] == "failed with status 3"
    assert "draining" in done.errors
    assert host.stored() == [f"{KEY}.gz", f"{KEY}.gz.json"]
    again = host.run("BackupDocument", {**parameters, "Task": "true"})
    assert (again.status, again.report["task"], again.report["sha256"]) == (0, "done", done.report["sha256"])
    alone = host.run("BackupDocument", {"Token": "alone", "BackupDirectories": "", "Task": "true"})
    assert (alone.status, alone.report["task"], len(host.stored())) == (0, "done", 2)


def test_a_signal_ends_all_of_it_and_leaves_no_manifest(host: Host, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    process = host.start(
        "BackupDocument", {**EVENT, "BackupDirectories": "/var/log", "Task": f"echo $$ > {pid}; sleep 60"}
    )
    deadline = time.monotonic() + 60
    while not pid.exists() or not pid.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert '"reason": "interrupted by a signal"' in output
    assert host.stored() == []
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_a_task_without_an_end_leaves_time_to_say_so(host: Host) -> None:
    done = host.run(
        "BackupDocument", {**EVENT, "BackupDirectories": "", "Task": "sleep 60", "DeadlineSeconds": "12"}
    )
    assert (done.status, done.report["task"]) == (1, "failed with status 124")


def test_an_upload_that_fails_is_told_with_its_words(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = host.run(
        "BackupDocument", {**EVENT, "Bucket": "no-such-bucket", "BackupDirectories": f"{tmp_path}/file"}
    )
    assert (done.status, done.report["outcome"]) == (1, "failed"), done
    assert done.report["reason"] == "upload ended with status 1"
    assert "NoSuchBucket" in " ".join(done.report["said"])


def test_nothing_to_back_up_is_a_failure(host: Host) -> None:
    done = host.run("BackupDocument", {**EVENT, "BackupDirectories": "/nowhere,/neither"})
    assert (done.status, host.stored()) == (1, [])
    assert done.report["reason"] == "nothing to back up: none of /nowhere,/neither exists"


HARMFUL = ["'", "a'b", "a\nb", "\n", "$(x)'", "'; touch /x; '", "{{ ssm:secret }}"]


@pytest.mark.parametrize("document", ["BackupDocument", "RestoreDocument"])
def test_no_parameter_can_leave_its_quotes(document: str) -> None:
    from .conftest import contents

    for name in contents()[document]["parameters"]:
        for value in HARMFUL:
            with pytest.raises(ValueError, match=name):
                delivered(document, {"Bucket": "abc", name: value})
