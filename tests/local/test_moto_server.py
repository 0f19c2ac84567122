"""The server process: it starts, answers, and leaves nothing behind, whatever becomes of its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.aws import Aws, AwsDownError

ROOT = Path(__file__).resolve().parents[2]

PARENT = """
import sys, time
from blueprints.local.aws import Aws
aws = Aws()
print(aws.pid, aws.port, flush=True)
time.sleep(600)
"""

# A child of the parent that inherits its descriptors, and lives on.
FORKING_PARENT = PARENT.replace(
    "time.sleep(600)", "import os\nif os.fork() == 0:\n    time.sleep(20)\ntime.sleep(600)"
)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def comes_true(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20  # to end a hang; it takes half a second
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def test_it_answers_and_frees_its_port() -> None:
    with Aws() as aws:
        pid, port = aws.pid, aws.port
        assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
        assert aws.log() == ""
    assert not lives(pid)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
    aws.stop()  # a second time


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("script", "how"),
    [(PARENT, signal.SIGKILL), (PARENT, signal.SIGTERM), (FORKING_PARENT, signal.SIGKILL)],
    ids=["killed", "ended", "killed-after-fork"],
)
def test_it_goes_with_its_parent(script: str, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        pid, port = (int(word) for word in parent.stdout.readline().split())
        try:
            assert lives(pid)
            assert answers(port)
            parent.send_signal(how)
            parent.wait(20)
            assert comes_true(lambda: not lives(pid))
            assert comes_true(lambda: not answers(port))
        finally:
            # Its fork, and the parent itself if all this failed.
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def test_a_server_that_cannot_listen_says_why(aws: Aws) -> None:
    with Aws(port=aws.port) as second, pytest.raises(AwsDownError, match=r"in use"):
        _ = second.port


def test_a_server_that_is_gone_is_told() -> None:
    with Aws() as aws:
        _ = aws.port
        os.kill(aws.pid, signal.SIGKILL)
        with pytest.raises(AwsDownError, match="does not answer"):
            aws.calls()


def test_it_listens_on_further_addresses_and_takes_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    with Aws(addresses=["127.0.0.2"], region="eu-west-1", account="111122223333") as aws:
        environment = aws.environment("node", address="127.0.0.2")
        assert environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.2:{aws.port}"
        monkeypatch.delenv("AWS_PROFILE")
        variables = Path(f"/proc/{aws.pid}/environ")
        assert not variables.exists() or b"AWS_" not in variables.read_bytes()
        code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.split(":")[4] == "111122223333"
        assert [(call.principal, call.region) for call in aws.calls("sts:GetCallerIdentity")] == [
            ("node", "eu-west-1")
        ]


def test_clients_are_led_nowhere_else(aws: Aws) -> None:
    environment = aws.environment()
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == environment["AWS_CONFIG_FILE"] == os.devnull
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_reset_empties_the_account_the_journal_and_the_faults(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="photos")
    aws.faults.throttle("s3:*", count=1)
    aws.expect_signals("stack", "Group", 1)
    aws.reset()
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert [call.api for call in aws.calls()] == ["s3:ListBuckets"]
    assert aws.signals() == []
    assert aws.faults.injected() == {}


def test_equal_clients_are_one(aws: Aws) -> None:
    plain: Any = aws.client("sqs")
    assert aws.client("sqs") is plain
    assert aws.client("sqs", "other") is not plain
    assert aws.client("sqs", read_timeout=1) is not plain
