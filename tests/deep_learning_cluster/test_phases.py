"""Phases of a boot by themselves, in a mount namespace: what they write, and that a second time writes nothing more.

Whole boots, to their signal and with all that can go wrong, are in tests/proofs/deep_learning_cluster.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blueprints.core import Environment
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster, packing, runtime


def can_unshare() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


# A test that cannot run is a skip on a laptop and a failure in CI.
needs_root = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not can_unshare(), reason="a mount namespace takes root on Linux"
)

AWS = """#!/bin/bash
echo "aws $*" >> "$CALLS"
cat "$KEY"
"""
CALLED = """#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
"""
# /etc keeps what it has and loses what phases write; they find nothing of an earlier run.
NAMESPACE = """
set -eu
mount -t tmpfs tmpfs "$SANDBOX/over"
mkdir "$SANDBOX/over/up" "$SANDBOX/over/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$SANDBOX/over/up,workdir=$SANDBOX/over/work" /etc
for folder in /opt /home; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /home/ubuntu /etc/ssh/sshd_config.d /etc/ssh/ssh_config.d
if ! id -u ubuntu > /dev/null 2>&1; then
  echo 'ubuntu:x:4999:4999::/home/ubuntu:/bin/bash' >> /etc/passwd
  echo 'ubuntu:x:4999:' >> /etc/group
fi
: > /etc/fstab; : > /etc/environment
export PATH="$SANDBOX/bin:$PATH"
bash -Eeuo pipefail -c '
patiently() { "$@"; }
. "$SANDBOX/phases.sh"
for phase; do "phase_$phase"; done' boot $PHASES
cp -a /home/ubuntu /etc/fstab /etc/environment /etc/ssh/ssh_config.d /etc/ssh/sshd_config.d "$SANDBOX/out/"
cp -a /etc/systemd/system "$SANDBOX/out/"
"""


@dataclass(frozen=True)
class Left:
    """What phases left behind."""

    calls: list[str]
    out: Path


def phases(tmp_path: Path, *names: str, **values: str) -> Left:
    """Run phases, in the environment that user data gives them."""
    for folder in ("bin", "over", "out"):
        (tmp_path / folder).mkdir()
    script = next(path for name, path in runtime.sources() if name == "phases.sh")
    (tmp_path / "phases.sh").write_text(packing.uncommented(script.read_text()))
    stands_in = {"aws": AWS, **dict.fromkeys(("mount", "mount.nfs4", "mount.lustre", "systemctl"), CALLED)}
    for name, text in stands_in.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    (tmp_path / "calls").touch()
    given = {
        "LOGIN_USER": "ubuntu",
        "KEY_PARAMETER": "/ec2/keypair/key-1",
        "STORAGE_SOURCE": "",
        "STORAGE_OWNER": "",
    }
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", NAMESPACE],
        env={
            **os.environ, **given, **values, "SANDBOX": str(tmp_path), "CALLS": str(tmp_path / "calls"),
            "KEY": str(tmp_path / "key"), "PHASES": " ".join(names),
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return Left((tmp_path / "calls").read_text().splitlines(), tmp_path / "out")


@needs_root
def test_the_cluster_key_is_the_login_users_alone(tmp_path: Path) -> None:
    left = phases(tmp_path, "key", "key")
    private = left.out / "ubuntu/.ssh/id_ed25519"
    assert private.read_bytes() == (tmp_path / "key").read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert private.stat().st_uid == private.parent.stat().st_uid != 0
    public = (tmp_path / "key.pub").read_text().split()[1]
    assert (left.out / "ubuntu/.ssh/authorized_keys").read_text().count(public) == 1
    assert {each.name for each in private.parent.iterdir()} == {
        "authorized_keys",
        "environment",
        "id_ed25519",
    }


@needs_root
def test_host_keys_are_those_of_the_registry_and_variables_the_snapshots(tmp_path: Path) -> None:
    left = phases(tmp_path, "key")
    client = (left.out / "ssh_config.d/20-deeplearning.conf").read_text()
    assert "StrictHostKeyChecking yes\n" in client
    assert "GlobalKnownHostsFile /opt/deeplearning/current/known_hosts\n" in client
    server = (left.out / "sshd_config.d/20-deeplearning.conf").read_text()
    assert server == "PermitUserEnvironment DEEPLEARNING_*,EFS_MOUNT\n"
    assert os.readlink(left.out / "ubuntu/.ssh/environment") == "/opt/deeplearning/current/environment"


EFS = "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/"
LUSTRE = "fs-0123456789abcdef0.fsx.eu-west-1.amazonaws.com@tcp:/fsx"


@needs_root
@pytest.mark.parametrize(("source", "kind"), [(EFS, "nfs4"), (LUSTRE, "lustre")])
def test_the_file_system_is_mounted_now_and_after_a_reboot(tmp_path: Path, source: str, kind: str) -> None:
    left = phases(tmp_path, "storage", "storage", STORAGE_SOURCE=source, STORAGE_MOUNT=f"{tmp_path}/efs")
    assert left.calls[0] == f"mount {tmp_path}/efs"
    (line,) = (left.out / "fstab").read_text().splitlines()
    found, folder, type_, options, *_ = line.split()
    assert (found, folder, type_) == (source, f"{tmp_path}/efs", kind)
    assert "_netdev" in options.split(",")
    assert kind != "nfs4" or {"noresvport", "hard"} <= set(options.split(","))


@needs_root
def test_session_manager_and_everybody_work_through_the_proxy(tmp_path: Path) -> None:
    proxy = {"http_proxy": "http://proxy.internal:3128", "no_proxy": "169.254.169.254,localhost"}
    left = phases(tmp_path, "proxy", "proxy", **proxy)
    for agent in ("amazon-ssm-agent", "snap.amazon-ssm-agent.amazon-ssm-agent"):
        unit = (left.out / f"system/{agent}.service.d/proxy.conf").read_text()
        assert '"https_proxy=http://proxy.internal:3128"' in unit
        assert '"no_proxy=169.254.169.254,localhost"' in unit
    assert left.calls[0] == "systemctl daemon-reload"
    assert "systemctl try-restart amazon-ssm-agent.service" in left.calls
    lines = (left.out / "environment").read_text().splitlines()
    assert sorted(lines) == [
        "http_proxy=http://proxy.internal:3128",
        "https_proxy=http://proxy.internal:3128",
        "no_proxy=169.254.169.254,localhost",
    ]


def exports(environment: Environment | None = None, **config: Any) -> str:
    chosen = ClusterConfig.model_validate({"access": "ssh"} | config)
    found = DeepLearningCluster(chosen, environment).template()
    worker = found["Resources"]["WorkerLaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    return str(worker) + found["Mappings"]["Boot"]["BothKinds"]["Script"]


def test_whoever_logs_in_may_write_to_a_new_file_system() -> None:
    assert "export STORAGE_OWNER='ubuntu'" in exports(storage={"kind": "efs"})
    assert "export STORAGE_OWNER=''" in exports(storage={"kind": "efs", "file_system": "existing"})


def test_the_proxy_is_given_by_the_names_that_programs_read() -> None:
    assert "http_proxy" not in exports()
    data = exports(Environment(proxy=True))
    assert "export https_proxy='${ProxyUrl}'" in data
    assert "export no_proxy='169.254.169.254,${NoProxy}'" in data
