"""The failure menu, on an instance: what is told, what is in the bucket, and how long it takes to say so."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest

from blueprints.local.aws import Aws

from .conftest import Launch, System
from .instance import EVENT, INSTANCE, Ended, Instance, ended, metadata

MIB = 1024 * 1024
PARTS = 20 * MIB  # the AWS CLI makes parts of 8 MiB


def failed(done: Ended, system: System, reason: str) -> None:
    """The command says what happened, and nobody will take what is there for a backup."""
    system.aws.faults.clear()
    assert (done.status, done.report["outcome"]) == (1, "failed"), done
    assert reason in done.report["reason"], done
    assert not [each for each in system.stored() if each.endswith(".json")]


def random_file(instance: Instance, size: int) -> None:
    instance.sh(f"mkdir -p /srv/data && head -c {size} /dev/urandom > /srv/data/file")


def test_s3_that_fails_one_call_in_five_gets_the_backup_all_the_same(
    system: System, instance: Instance
) -> None:
    random_file(instance, PARTS)
    system.aws.faults.unavailable("s3:*", rate=0.2)
    done = instance.back_up("/srv/data")
    injected = system.aws.faults.injected()
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    assert injected["s3:* unavailable"] >= 1
    system.aws.faults.clear()
    assert instance.restore("verify", done.report["key"]).status == 0


def test_s3_that_throttles_and_loses_answers_gets_one_backup(system: System, instance: Instance) -> None:
    """An answer to the manifest that is lost: the same call again finds it there, which is no failure."""
    random_file(instance, PARTS)
    system.aws.faults.throttle("s3:UploadPart", count=2)
    system.aws.faults.drop("s3:CreateMultipartUpload", count=1)
    system.aws.faults.lose("s3:PutObject", count=1)
    done = instance.back_up("/srv/data")
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    assert set(system.aws.faults.injected().values()) == {1, 2}
    assert system.stored() == [done.report["key"], f"{done.report['key']}.json"]


def test_an_upload_that_dies_leaves_no_backup(system: System, instance: Instance) -> None:
    random_file(instance, PARTS)
    system.aws.faults.error("s3:UploadPart", "InvalidRequest")
    failed(instance.back_up("/srv/data"), system, "upload ended with status 1")
    assert (system.stored(), system.uploads()) == ([], [])


def test_without_s3_the_end_comes_before_the_deadline(system: System, instance: Instance) -> None:
    """The server process is killed in the middle of an upload: the script has nine tenths of its time to say so."""
    random_file(instance, PARTS)
    with Aws(addresses=[instance.address]) as gone:
        gone.client("s3").create_bucket(Bucket="gone")
        gone.faults.delay("s3:UploadPart", 60)
        doomed = replace(instance, aws=gone)
        parameters = {"Bucket": "gone", "BackupDirectories": "/srv/data", "DeadlineSeconds": "10"}
        process = doomed.start("BackupDocument", {**EVENT, **parameters})
        while not gone.calls("s3:CreateMultipartUpload"):
            assert process.poll() is None, ended(process)
            time.sleep(0.05)
        os.kill(gone.pid, signal.SIGKILL)
        done = ended(process, 100)  # to end a hang
    failed(done, system, "the archive ended with status 124")


def test_an_instance_that_is_cut_off_says_so_before_its_deadline(system: System, instance: Instance) -> None:
    random_file(instance, PARTS)
    system.aws.faults.delay("s3:UploadPart", 2)
    process = instance.start(
        "BackupDocument", {**EVENT, "BackupDirectories": "/srv/data", "DeadlineSeconds": "10"}
    )
    instance.wait_for("pgrep -f '[s]3 cp' > /dev/null", process)
    instance.host.unplug()
    done = ended(process)
    instance.host.plug()
    failed(done, system, "the archive ended with status")


def test_credentials_that_have_expired_are_told_in_the_services_words(
    system: System, instance: Instance
) -> None:
    instance.host.set_metadata(metadata(system.aws, "role", expires="2020-01-01T00:00:00Z"))
    system.aws.faults.error("s3:*", "ExpiredToken", message="The provided token has expired.")
    done = instance.back_up("/var/log")
    failed(done, system, "S3 does not say what is there")
    assert "ExpiredToken" in " ".join(done.report["said"])


def test_a_clock_that_is_wrong_is_told_in_the_services_words(system: System, instance: Instance) -> None:
    """S3 refuses a signature that is a quarter of an hour off."""
    system.aws.faults.error("s3:*", "RequestTimeTooSkewed", status=403)
    done = instance.back_up("/var/log")
    failed(done, system, "S3 does not say what is there")
    assert "RequestTimeTooSkewed" in " ".join(done.report["said"])


def test_metadata_that_answer_late_are_waited_for_and_none_are_told(
    system: System, instance: Instance
) -> None:
    told = metadata(system.aws, "role")
    instance.host.set_metadata({**told, "fail": True})
    process = instance.start("BackupDocument", {**EVENT, "BackupDirectories": "/var/log"})
    instance.wait_for("pgrep -x curl > /dev/null", process)
    instance.host.set_metadata(told)
    assert ended(process).report["outcome"] == "complete"
    instance.host.set_metadata({})
    done = instance.back_up("/var/log", Token="another")  # noqa: S106 - of a lifecycle action
    assert (done.status, done.report["reason"]) == (1, "the metadata service does not answer"), done


def test_a_missing_tool_is_named(system: System, instance: Instance) -> None:
    instance.sh("mv /usr/bin/flock /usr/bin/flock.away && rm /usr/local/bin/aws")
    done = instance.back_up("/var/log")
    failed(done, system, "this instance lacks aws flock")


def test_an_aws_cli_that_is_too_old_is_told_before_anything_is_uploaded(
    system: System, instance: Instance
) -> None:
    """It knows no --if-none-match: as 1.35 did not, with that option taken out of its model."""
    model = "s3/2006-03-01/service-2.json"
    known = f"{instance.cli}/lib/python3.*/site-packages/awscli/botocore/data/{model}"
    instance.sh(
        f'mkdir -p /root/old/s3/2006-03-01 && sed \'s/"IfNoneMatch"/"Never"/g\' {known} > /root/old/{model}'
    )
    instance.environment["AWS_DATA_PATH"] = "/root/old"
    done = instance.back_up("/var/log")
    failed(done, system, "the AWS CLI cannot write with a condition")
    assert system.stored() == []


@pytest.mark.parametrize(("full", "told"), [("/tmp", "complete"), ("/run", "no room in /run")])  # noqa: S108
def test_a_full_disk_is_no_matter_but_in_run_where_it_is_told(
    system: System, instance: Instance, full: str, told: str
) -> None:
    """The original wrote the archive to /tmp first."""
    random_file(instance, 8 * MIB)
    instance.sh(f"mount -t tmpfs -o size=64k tmpfs {full}")
    instance.sh(f"dd if=/dev/zero of={full}/full bs=512 2> /dev/null; df {full} | grep -q 100%")
    done = instance.back_up("/srv/data")
    assert told in (done.report.get("reason"), done.report["outcome"]), done
    assert len(system.stored()) == (2 if told == "complete" else 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_no_manifest_and_the_next_one_succeeds(
    system: System, instance: Instance, number: signal.Signals
) -> None:
    """By SIGTERM it says so; by SIGKILL nobody can, and the agent reports the status."""
    random_file(instance, PARTS)
    system.aws.faults.delay("s3:UploadPart", 5)
    process = instance.start("BackupDocument", {**EVENT, "BackupDirectories": "/srv/data"})
    instance.wait_for("pgrep -f '[s]3 cp' > /dev/null", process)
    pid = instance.sh("pgrep -o -f _script.sh")
    instance.sh(f"kill -{int(number)} {pid}")
    output = process.stdout.readline().decode() if process.stdout and number == signal.SIGTERM else ""
    done = ended(process)
    alone = "! pgrep -x 'aws|gzip|tar|timeout|zstd'"
    deadline = time.monotonic() + 60
    while instance.host.run(["sh", "-c", alone]).returncode:
        assert time.monotonic() < deadline, instance.sh("ps -eo args")
        time.sleep(0.05)
    if number == signal.SIGTERM:
        assert done.status == 1
        assert '"reason": "interrupted by a signal"' in output
    else:
        assert done.status not in (0, 1)
    assert not [each for each in system.stored() if each.endswith(".json")]
    system.aws.faults.clear()
    again = instance.back_up("/srv/data")
    assert (again.status, again.report["outcome"]) == (0, "complete"), again


def test_a_task_without_an_end_leaves_time_to_back_up(system: System, instance: Instance) -> None:
    began = time.monotonic()
    done = instance.back_up("/var/log", Task="sleep 600", DeadlineSeconds="20")
    assert (done.status, done.report["task"]) == (1, "failed with status 124"), done
    assert done.report["outcome"] == "complete"
    assert time.monotonic() - began < 160  # to end a hang
    assert "sleep" not in instance.running()


def test_nothing_to_back_up_and_a_bucket_that_is_not_there_are_failures(
    system: System, instance: Instance
) -> None:
    failed(instance.back_up("/srv/a,/srv/b"), system, "nothing to back up: none of /srv/a,/srv/b exists")
    done = instance.back_up("/var/log", Bucket="no-such-bucket")
    failed(done, system, "S3 does not say what is there")
    assert "NoSuchBucket" in " ".join(done.report["said"])


def test_an_instance_that_is_lost_leaves_no_manifest(system: System, launched: Launch) -> None:
    instance = launched()
    random_file(instance, PARTS)
    system.aws.faults.delay("s3:UploadPart", 5)
    process = instance.start("BackupDocument", {**EVENT, "BackupDirectories": "/srv/data"})
    instance.wait_for("pgrep -f '[s]3 cp' > /dev/null", process)
    instance.host.power_off()
    process.communicate(timeout=60)
    assert system.stored() == []
    system.aws.faults.clear()
    instance.host.power_on()
    again = instance.back_up("/srv/data")
    assert (again.status, again.report["outcome"], again.report["instance"]) == (0, "complete", INSTANCE)
