"""Backed up on one instance and restored on another, empty one; and what a backup meets on its way."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from blueprints.local.hosts import end

from .conftest import Launch, System
from .instance import EVENT, INSTANCE, KEY, Instance, ended

MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


@pytest.mark.parametrize(("shell", "compression"), [("bash", "auto"), ("dash", "gzip")])
def test_what_is_restored_on_an_empty_instance_is_what_was_backed_up(
    system: System, launched: Launch, shell: str, compression: str
) -> None:
    instance, other = launched(), launched()
    instance.tree("make", "/srv/source")
    before = instance.facts("/srv/source")
    assert {bool(each["attributes"]) for each in before.values()} == {True, False}
    parameters = {**EVENT, "BackupDirectories": "/srv/source", "Compression": compression}
    done = instance.run("BackupDocument", parameters, by=shell)
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    key = done.report["key"]
    assert key.startswith(f"{KEY}.")
    assert system.stored() == [key, f"{key}.json"]
    archive = system.read(key)
    assert archive.startswith(MAGIC[done.report["compression"]])
    assert done.report["size"] == len(archive)
    assert done.report["sha256"] == hashlib.sha256(archive).hexdigest()
    assert done.report["entries"] == len(before)
    assert (done.report["instance"], done.report["token"]) == (INSTANCE, EVENT["Token"])
    assert json.loads(system.read(f"{key}.json")) == done.report

    given = {"Action": "restore", "Backup": key, "Target": "/srv/empty/target"}
    there = other.run("RestoreDocument", given, by=shell)
    assert (there.status, there.report["outcome"]) == (0, "restored"), there
    assert other.facts("/srv/empty/target/srv/source") == before
    assert other.sh("cd /srv/empty/target/srv/source && stat -c %i plain hard | uniq | wc -l") == "1"


def test_a_restore_into_the_root_puts_everything_where_it_was(system: System, launched: Launch) -> None:
    instance, other = launched(), launched()
    instance.sh("mkdir -p /srv/state && echo kept > /srv/state/file")
    key = instance.back_up("/srv/state").report["key"]
    other.sh("mkdir -p /srv/state && echo newer > /srv/state/file && echo mine > /srv/state/other")
    assert "not empty" in other.restore("restore", key, "/").report["reason"]
    assert other.restore("restore", key, "/", Overwrite="yes").status == 0
    assert other.sh("cat /srv/state/file /srv/state/other") == "kept\nmine"


def test_files_that_grow_and_go_are_tolerated_and_told(system: System, instance: Instance) -> None:
    """The original took what tar says of a growing file for a failure, and uploaded nothing."""
    instance.sh("mkdir /srv/logs && head -c 33554432 /dev/urandom > /srv/logs/growing.log")
    start = instance.sh("sha256sum < /srv/logs/growing.log").split()[0]
    writers = [
        instance.host.start(["sh", "-c", script])
        for script in (
            "while sleep 0.01; do echo line; done >> /srv/logs/growing.log",
            "i=0; while sleep 0.01; do i=$((i + 1)); : > /srv/logs/a$i; rm -f /srv/logs/a$((i - 9)); done",
        )
    ]
    try:
        done = instance.back_up("/srv/logs", Compression="gzip")
    finally:
        for each in writers:
            end(each)
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    assert done.report["changed"] >= 1
    assert done.report["unreadable"] == 0
    assert any("growing.log: file changed as we read it" in each for each in done.report["examples"])
    kept = files(system.read(done.report["key"]))["./srv/logs/growing.log"]
    assert hashlib.sha256(kept[:33554432]).hexdigest() == start
    assert set(kept[33554432:]) <= set(b"line\n\0")


def files(archive: bytes) -> dict[str, bytes]:
    """The regular files of an archive, as Python reads it."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as read:
        found = {each.name: read.extractfile(each) for each in read if each.isreg()}
        return {name: file.read() for name, file in found.items() if file}


def test_a_file_that_cannot_be_read_makes_a_partial_backup(system: System, instance: Instance) -> None:
    """Root reads everything but what fails below it: here a file whose medium does."""
    instance.sh("mkdir -p /srv/half/cache && echo good > /srv/half/good && : > /srv/half/bad")
    instance.sh("touch /srv/half/a.tmp /srv/half/cache/c && mount --bind /proc/self/mem /srv/half/bad")
    left_out = {"ExcludePatterns": "*.tmp,/srv/half/cache"}
    done = instance.back_up("/srv/half,/srv/nowhere", Compression="gzip", **left_out)
    assert (done.status, done.report["outcome"]) == (0, "partial"), done
    assert (done.report["unreadable"], done.report["absent"]) == (1, ["/srv/nowhere"])
    assert "./srv/half/bad" in done.report["examples"][0]
    kept = files(system.read(done.report["key"]))
    assert kept["./srv/half/good"] == b"good\n"
    assert not {"./srv/half/a.tmp", "./srv/half/cache/c"} & kept.keys()


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_link_is_kept_with_what_it_leads_to(system: System, instance: Instance, shell: str) -> None:
    """A name that could be an option of tar stays a name, and what leads nowhere is told."""
    hostile = "/srv/x\n--checkpoint-action=exec=touch owned\n--checkpoint=1"
    instance.sh(
        f"mkdir /srv/real '{hostile}' && echo kept > /srv/real/file && ln -s '{hostile}' /srv/hostile"
    )
    instance.sh("ln -s /srv/real /srv/current && ln -s /nowhere /srv/dangling")
    folders = "/srv/current,/srv/dangling,/srv/hostile"
    parameters = {**EVENT, "BackupDirectories": folders, "Compression": "gzip"}
    done = instance.run("BackupDocument", parameters, by=shell)
    assert (done.status, done.report["outcome"]) == (0, "partial"), done
    assert done.report["absent"] == ["/srv/dangling", "/srv/hostile"]
    assert instance.restore("restore", done.report["key"], "/srv/back").status == 0
    assert instance.sh("readlink /srv/back/srv/current; cat /srv/back/srv/real/file") == "/srv/real\nkept"


def test_parts_are_made_for_what_is_mounted_below_a_folder_too(system: System, instance: Instance) -> None:
    """S3 takes ten thousand parts; the AWS CLI makes them as large as it is told that they have to be."""
    instance.sh("mkdir /srv/top && mount -t tmpfs tmpfs /srv/top && mkdir /srv/top/below")
    instance.sh("mount -t tmpfs tmpfs /srv/top/below && head -c 67108864 /dev/urandom > /srv/top/below/file")
    system.aws.faults.delay("s3:UploadPart", 3, count=1)
    parameters = {**EVENT, "BackupDirectories": "/srv/top", "Compression": "gzip"}
    process = instance.start("BackupDocument", parameters)
    instance.wait_for("pgrep -f '[e]xpected-size' > /dev/null", process)
    told = instance.sh("pgrep -a -f '[e]xpected-size' | sed 's/.*--expected-size \\([0-9]*\\).*/\\1/'")
    assert ended(process).report["outcome"] == "complete"
    assert int(told.splitlines()[0]) > 67108864


def test_a_second_run_of_an_action_changes_nothing_not_even_after_a_reboot(
    system: System, instance: Instance
) -> None:
    instance.sh("mkdir /srv/source && echo first > /srv/source/file")
    task = {"Task": "echo ran >> /srv/ran"}
    first = instance.back_up("/srv/source", **task)
    assert (first.status, first.report["task"]) == (0, "done"), first
    objects = {key: system.read(key) for key in system.stored()}
    instance.sh("echo second > /srv/source/file")
    second = instance.back_up("/srv/source", **task)
    assert second.report == {**first.report, "task": "done before"}
    assert {key: system.read(key) for key in system.stored()} == objects
    assert instance.sh("cat /srv/ran") == "ran"
    instance.host.reboot()  # which clears the notes in /run
    third = instance.back_up("/srv/source")
    assert (third.status, third.report["reason"]) == (0, "backed up before"), third
    assert third.report["key"] == first.report["key"]
    assert {key: system.read(key) for key in system.stored()} == objects
    assert len(versions(system)) == 2


def test_two_runs_at_once_make_one_backup(system: System, instance: Instance) -> None:
    """The same command delivered twice: the second waits for the first and finds its backup."""
    instance.sh("mkdir /srv/source && head -c 8388608 /dev/urandom > /srv/source/file")
    parameters = {**EVENT, "BackupDirectories": "/srv/source"}
    both = [instance.start("BackupDocument", parameters) for _ in range(2)]
    outputs = [each.communicate(timeout=120)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(versions(system)) == 2


def versions(system: System) -> list[str]:
    """The keys of all versions in the bucket."""
    listed = system.aws.client("s3").list_object_versions(Bucket=system.bucket)
    return [each["Key"] for each in listed["Versions"]]


def test_a_task_that_fails_is_told_and_the_backup_is_made_all_the_same(
    system: System, instance: Instance
) -> None:
    done = instance.back_up("/var/log", Task="echo draining; exit 3", Compression="gzip")
    assert (done.status, done.report["task"]) == (1, "failed with status 3")
    assert "draining" in done.errors
    assert system.stored() == [f"{KEY}.gz", f"{KEY}.gz.json"]
    again = instance.back_up("/var/log", Task="true", Compression="gzip")
    assert (again.status, again.report["task"], again.report["sha256"]) == (0, "done", done.report["sha256"])


def test_a_task_alone_backs_nothing_up(system: System, instance: Instance) -> None:
    done = instance.back_up("", Task="echo moved > /srv/state")
    assert (done.status, done.report["task"], system.stored()) == (0, "done", [])
    assert instance.sh("cat /srv/state") == "moved"


def test_much_that_is_wrong_fits_what_systems_manager_shows(system: System, instance: Instance) -> None:
    """GetCommandInvocation gives the first 24,000 characters; the report has to be among them.

    Besides, the instance's own role is who writes, and nothing runs or lies about afterwards.
    """
    deep = f"/srv/{'d' * 200}"
    instance.sh(
        f"mkdir {deep} && cd {deep} && for i in $(seq 40); do : > $i; mount --bind /proc/self/mem $i; done"
    )
    folders = ",".join(f"/srv/{'n' * 150}{number}" for number in range(40))
    done = instance.back_up(f"{deep},{folders}")
    assert (done.status, done.report["outcome"]) == (0, "partial"), done
    assert (len(done.report["absent"]), done.report["unreadable"]) == (40, 40)
    assert len(done.output) < 24_000
    writers = {each.principal for each in system.aws.calls("s3:PutObject")}
    assert system.backup.created["InstanceRole"].ref in writers
    left = instance.sh("find /run -path '*asg-*' | sort")
    assert left.splitlines() == [f"/run/asg-backup.{EVENT['Token']}.json", "/run/asg-backup.lock"]
    running = instance.running()
    assert not {"aws", "tar", "gzip", "zstd", "tee"} & set(running)
