"""The backup script of the committed template beside `tar | gzip | aws s3 cp -`, on one host to one endpoint.

Run as root with `python -m benchmarks.backup`; prints JSON. Both compress with gzip's own level and run in turn.
Besides, the script makes a digest, counts entries, looks for an earlier backup and writes a manifest.
The emulated S3 runs on the same processors, in both cases. Peak memory is that of the largest process.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network, unavailable
from blueprints.local.lookup import from_mapping
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack
from scripts.foreign.environments import aws_cli

from .places import ROOT

SIZES = (64, 1536)  # MiB
_ROUNDS = 3
_BUCKET = "backups"
_TEMPLATE = ROOT / "templates" / "example" / "asg-backup"
_IMAGE = {"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "ami-12c6146b"}
_PLAIN = (
    "tar -C / -c ./srv/data | gzip -c | aws s3 cp - s3://backups/plain.tar.gz --expected-size $SIZE --quiet"
)

# Lines as a web server logs them; a megabyte of them, again and again with another beginning.
_LOGS = r"""
import os, random, sys
random.seed(1)
names = ["/", "/login", "/api/items", "/static/app.js", "/img/logo.png"]
lines = []
for n in range(9000):
    address = ".".join(str(random.randrange(256)) for _ in range(4))
    lines.append(f'{address} - - [26/Nov/2026:04:{n % 60:02}:{random.randrange(60):02}] "GET {random.choice(names)}?{random.getrandbits(48):x} HTTP/1.1" 200 {random.randrange(90000)}\n')
block = "".join(lines).encode()[:1048000]
for file in range(int(sys.argv[1]) // 16):
    with open(f"/srv/data/{file}.log", "wb") as log:
        for part in range(16):
            log.write(b"%-576d" % (file * 16 + part) + block)
"""  # noqa: E501 - a program of its own


@dataclass(frozen=True)
class Used:
    """What one run took; CPU time is that of all its processes."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@contextmanager
def host() -> Generator[tuple[Host, Aws, dict[str, str]]]:
    """An instance with the AWS CLI, the emulated AWS, and the environment to reach it."""
    cli = aws_cli()
    metadata = {"meta-data/instance-id": "i-0123456789abcdef0", "meta-data/placement/region": "us-east-1"}
    with Network() as network, Aws(addresses=[network.gateway]) as aws:
        made = network.host("node", metadata=metadata, shown=[str(cli)])
        _ran(made, ["sh", "-c", f"ln -s {cli}/bin/aws /usr/local/bin/aws && mkdir /srv/data"])
        aws.client("s3").create_bucket(Bucket=_BUCKET)
        aws.client("s3").put_bucket_versioning(Bucket=_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield made, aws, aws.environment("instance", network.gateway)


def _ran(made: Host, command: list[str], given: str = "") -> None:
    done = made.run(command, input=given, timeout=300)
    if done.returncode:
        raise SystemExit(done.stderr.decode())


def script(token: str) -> str:
    """The committed document's commands, for the folder that is measured, as one action of its own."""
    stack = Stack.read(
        _TEMPLATE.with_suffix(".yaml"), _TEMPLATE.with_suffix(".parameters.json"), fetch=from_mapping(_IMAGE)
    )
    stack.physical["Bucket"] = Physical(_BUCKET)
    content = stack.document("BackupDocument")
    values: dict[str, Any] = {name: each["default"] for name, each in content["parameters"].items()}
    values |= {"BackupDirectories": "/srv/data", "Compression": "gzip", "Token": token}
    commands = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: values[found[1]], commands)


def measure(made: Host, command: list[str], environment: dict[str, str]) -> Used:
    """One run of a command on the host."""
    began = time.perf_counter()
    process = made.start(command, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def compare(made: Host, aws: Aws, environment: dict[str, str], size: int) -> dict[str, Any]:
    """Both over so many MiB, in turn; the ratio is the script's throughput to the other's within a round."""
    _ran(made, ["sh", "-c", "mountpoint -q /srv/data || mount -t tmpfs tmpfs /srv/data; rm -f /srv/data/*"])
    _ran(made, [f"{aws_cli()}/bin/python", "-I", "-", str(size)], _LOGS)
    ours: list[Used] = []
    plain: list[Used] = []
    for turn in range(_ROUNDS):
        path = f"/root/script-{size}-{turn}"
        _ran(
            made,
            ["sh", "-c", f"cat > {path} && chmod 700 {path}"],
            script(f"{size}-{turn}"),
        )
        plain.append(measure(made, ["sh", "-c", _PLAIN], {**environment, "SIZE": str(size * 1024 * 1024)}))
        _empty(aws)  # the emulated S3 reads every object whose bucket is listed
        ours.append(measure(made, [path], environment))
        _empty(aws)
    ratios = [other.wall_s / own.wall_s for own, other in zip(ours, plain, strict=True)]
    return {
        "mib": size,
        "ratio": statistics.median(ratios),
        "worst": min(ratios),
        "script": _told(ours, size),
        "commands": _told(plain, size),
    }


def _told(runs: list[Used], size: int) -> dict[str, float]:
    return {
        "rate": size / statistics.median(each.wall_s for each in runs),
        "wall_s": statistics.median(each.wall_s for each in runs),
        "cpu_s": statistics.median(each.cpu_s for each in runs),
        "peak_mb": max(each.peak_mb for each in runs),
    }


def _empty(aws: Aws) -> None:
    s3 = aws.client("s3")
    for each in s3.list_object_versions(Bucket=_BUCKET).get("Versions", []):
        s3.delete_object(Bucket=_BUCKET, Key=each["Key"], VersionId=each["VersionId"])


def main() -> list[dict[str, Any]]:
    """All sizes."""
    if reason := unavailable():
        raise SystemExit(reason)
    with host() as (made, aws, environment):
        return [compare(made, aws, environment, size) for size in SIZES]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(), indent=2) + "\n")
