"""A host of its own for scripts: a network with a metadata service and an emulated S3, and a /run of its own."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from blueprints.asg_backup import AsgBackup, BackupConfig

_CLI = shutil.which("aws", path=str(Path(sys.executable).parent)) or shutil.which("aws")
_METADATA = Path(__file__).parent / "metadata_service.py"
_BUCKET, _INSTANCE = "backups-of-a-test", "i-0123456789abcdef0"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
_ENDPOINT = "http://127.0.0.1:5000"
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Ended:
    """How a command of a document ended."""

    status: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        """The line of JSON that every command ends with."""
        return json.loads(self.output.splitlines()[-1])


@dataclass
class Host:
    """A process that holds the namespaces open, and what to run in them."""

    pid: int
    folder: Path
    values: dict[str, str] = field(default_factory=dict[str, str])

    def start(
        self, document: str, parameters: Mapping[str, str], *, shell: str = ""
    ) -> subprocess.Popen[str]:
        """Begin a document's command as the agent does: its parameters are text in it."""
        script = self.folder / f"_script-{time.monotonic_ns()}.sh"
        script.write_text(delivered(document, {"Bucket": _BUCKET, **parameters}))
        script.chmod(0o755)
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": _ENDPOINT,
            "HOME": str(self.folder),
            **_CREDENTIALS,
            **self.values,
        }
        inside = ["nsenter", "-t", str(self.pid), "--net", "--mount", "--"]
        return subprocess.Popen(
            [*inside, *([shell] if shell else []), str(script)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, document: str, parameters: Mapping[str, str], *, shell: str = "") -> Ended:
        """Run a document's command to its end."""
        process = self.start(document, parameters, shell=shell)
        output, errors = process.communicate(timeout=120)
        return Ended(process.returncode, output, errors)

    def s3(self) -> Any:
        """A client of the emulated S3; calls it makes have to be made within `network`."""
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        return cast("Any", boto3).client("s3", endpoint_url=_ENDPOINT, region_name="eu-west-1", **keys)

    @contextmanager
    def network(self) -> Generator[Any]:
        """This thread in the host's network, with a client of its S3."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as own, open(f"/proc/{self.pid}/ns/net") as there:
            assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0
            try:
                yield self.s3()
            finally:
                assert libc.setns(own.fileno(), _CLONE_NEWNET) == 0

    def stored(self) -> list[str]:
        """The keys in the bucket."""
        with self.network() as s3:
            return [each["Key"] for each in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """An object."""
        with self.network() as s3:
            return s3.get_object(Bucket=_BUCKET, Key=key)["Body"].read()

    def write(self, key: str, body: bytes) -> None:
        """Put an object in the place of another."""
        with self.network() as s3:
            s3.put_object(Bucket=_BUCKET, Key=key, Body=body)


def delivered(document: str, parameters: Mapping[str, str]) -> str:
    """The script that the agent of Systems Manager would run: the document's commands, with parameters as text.

    Raises ValueError for a value that the document's own pattern refuses.
    """
    content = contents()[document]
    values: dict[str, str] = {}
    for name, declared in content["parameters"].items():
        default: Any = declared.get("default")
        deployed = default if default is None or isinstance(default, str) else _DEPLOYED.get(default["Ref"])
        value = parameters.get(name, deployed)
        allowed, pattern = declared.get("allowedValues"), declared.get("allowedPattern", "")
        if value is None or (value not in allowed if allowed else not re.fullmatch(pattern, value)):
            raise ValueError(f"{name}={value!r}")
        values[name] = value
    commands = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: values[found[1]], commands)


_DEPLOYED = {
    "BackupPrefix": "backups",
    "BackupDirectories": "/var/log",
    "ExcludePatterns": "",
    "TaskCommand": "",
}


def contents() -> dict[str, dict[str, Any]]:
    """Every document of the rendered templates, by its logical id."""
    shapes = (AsgBackup(BackupConfig(group="new")), AsgBackup(BackupConfig(group="none")))
    return {
        title: resource["Properties"]["Content"]
        for shape in shapes
        for title, resource in shape.template()["Resources"].items()
        if resource["Type"] == "AWS::SSM::Document"
    }


def _reason_to_skip() -> str:
    if sys.platform != "linux" or shutil.which("nsenter") is None:
        return "namespaces take Linux"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode:
        return "namespaces take root"
    return "" if _CLI else "the AWS CLI is not installed"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that is alone in its network. What cannot run is a skip on a laptop and a failure in CI."""
    reason = _reason_to_skip()
    if reason:
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aws").symlink_to(str(_CLI))
    set_up = (
        "ip link set lo up && ip addr add 169.254.169.254/32 dev lo && mount -t tmpfs -o size=16m tmpfs /run"
    )
    server = f"{sys.executable} -m moto.server -H 127.0.0.1 -p 5000"
    service = f"{sys.executable} {_METADATA} {_INSTANCE} eu-west-1"
    script = f"{set_up}\n{service} & {server} & echo ready; wait"
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_CREDENTIALS},
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        yield _prepared(Host(_child(holder.pid), tmp_path))
    finally:
        holder.kill()
        holder.communicate()


def _child(pid: int) -> int:
    """The process inside; unshare itself stays outside of the pid namespace."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _prepared(host: Host) -> Host:
    """Wait for the emulated S3, and make the bucket as the template declares it: versioned."""
    deadline = time.monotonic() + 60
    with host.network() as s3:
        while True:
            try:
                where = {"LocationConstraint": "eu-west-1"}
                s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration=where)
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        s3.put_bucket_versioning(Bucket=_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return host
