"""The user data of a rendered launch template, booted in a mount namespace of its own with a stand-in for AWS."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blueprints.core import Environment
from blueprints.deep_learning_cluster import ClusterConfig, DeepLearningCluster


def can_unshare() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


# A test that cannot run is a skip on a laptop and a failure in CI.
pytestmark = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not can_unshare(), reason="a mount namespace takes root on Linux"
)

VALUES = {
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/training/1",
    "AWS::URLSuffix": "amazonaws.com",
    "WorkerCount": "3",
    "MinWorkers": "3",
    "LogGroup": "training-LogGroup-1",
    "ClusterKeyPair.KeyPairId": "key-0123456789abcdef0",
    "MasterEip.AllocationId": "eipalloc-0123456789abcdef0",
    "FileSystem": "fs-0123456789abcdef0",
    "EFSMountPoint": "efs",
    "ProxyUrl": "http://proxy.internal:3128",
    "NoProxy": "localhost",
}

AWS = """#!/bin/bash
echo "$*" >> "$CALLS"
# late
[[ -n "$FAILING" && "$*" == $FAILING* ]] && { echo 'An error occurred (Boom)' >&2; exit 255; }
[[ -n "$HANGING" && "$*" == $HANGING* ]] && exec sleep 600
[[ -n "$KILLING" && "$*" == $KILLING* ]] && { kill -9 $PPID; exit 1; }
[[ "$*" == 'ssm get-parameter'* ]] && cat "$KEY"
exit 0
"""
CURL = """#!/bin/bash
[[ "$*" == *"--noproxy *"* ]] || { echo 'metadata through a proxy' >&2; exit 22; }
[[ "$*" == *"-X PUT"* || "$*" == *"X-aws-ec2-metadata-token: token"* ]] || { echo 401 >&2; exit 22; }
case "${*: -1}" in
  */api/token) echo token ;;
  */meta-data/mac) echo 02:00:00:00:00:01 ;;
  */meta-data/network/interfaces/macs/02:00:00:00:00:01/interface-id) echo eni-0123456789abcdef0 ;;
  */meta-data/instance-id) echo i-0123456789abcdef0 ;;
  *) exit 22 ;;
esac
"""
CALLED = """#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
"""
# /etc keeps what it has and loses what the boot writes; the script finds nothing of an earlier run.
NAMESPACE = """
set -eu
mount -t tmpfs tmpfs "$SANDBOX/over"
mkdir "$SANDBOX/over/up" "$SANDBOX/over/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$SANDBOX/over/up,workdir=$SANDBOX/over/work" /etc
for folder in /var/log /run /home; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /home/ubuntu
if ! id -u ubuntu > /dev/null 2>&1; then
  echo 'ubuntu:x:4999:4999::/home/ubuntu:/bin/bash' >> /etc/passwd
  echo 'ubuntu:x:4999:' >> /etc/group
fi
: > /etc/fstab; : > /etc/environment
status=0
PATH="$SANDBOX/bin:$PATH" "$SANDBOX/user-data" || status=$?
cp -a /home/ubuntu /var/log/deeplearning-boot.log /etc/fstab /etc/environment /etc/systemd/system "$SANDBOX/out/"
exit $status
"""


@dataclass(frozen=True)
class Boot:
    """What one boot left behind."""

    status: int
    console: str
    calls: list[str]
    out: Path

    def signals(self) -> list[str]:
        found = (re.search(r"signal-resource .*--status (\w+)", call) for call in self.calls)
        return [match[1] for match in found if match]


def user_data(config: ClusterConfig, environment: Environment | None = None, node: str = "Master") -> str:
    """The bytes AWS would hand to the instance."""
    template = DeepLearningCluster(config, environment).template()
    data = template["Resources"][f"{node}LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    delimiter, parts = data["Fn::Base64"]["Fn::Join"]
    script = delimiter.join(part if isinstance(part, str) else substituted(part) for part in parts)
    return script.replace("RETRY_SECONDS='10'", "RETRY_SECONDS='0.1'")


def substituted(part: dict[str, Any]) -> str:
    return re.sub(r"\$\{([\w:.]+)\}", lambda name: VALUES[name[1]], part["Fn::Sub"])


def boot(tmp_path: Path, script: str, **behaviour: str) -> Boot:
    for folder in ("bin", "over", "out"):
        (tmp_path / folder).mkdir()
    programs = {
        "user-data": script,
        "bin/aws": behaviour.get("aws", AWS),
        "bin/curl": CURL,
        **{f"bin/{name}": CALLED for name in ("mount", "mount.nfs4", "systemctl")},
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    calls = tmp_path / "calls"
    calls.touch()
    environment = {
        **os.environ,
        "SANDBOX": str(tmp_path),
        "CALLS": str(calls),
        "KEY": str(key),
        **{name: behaviour.get(name, "") for name in ("FAILING", "HANGING", "KILLING")},
    }
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", NAMESPACE],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return Boot(done.returncode, done.stdout + done.stderr, calls.read_text().splitlines(), tmp_path / "out")


SSH = ClusterConfig(access="ssh")


def test_a_master_takes_its_address_before_anything_else_and_signals_once(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH))
    assert booted.status == 0, booted.console
    assert booted.signals() == ["SUCCESS"]
    assert booted.calls[0] == (
        "ec2 associate-address --allocation-id eipalloc-0123456789abcdef0"
        " --network-interface-id eni-0123456789abcdef0 --allow-reassociation"
    )
    assert booted.calls[-3] == (  # before the log is shipped, which may hang
        f"cloudformation signal-resource --stack-name {VALUES['AWS::StackId']}"
        " --logical-resource-id MasterAutoScalingGroup --unique-id i-0123456789abcdef0 --status SUCCESS"
    )


def test_the_cluster_key_is_the_login_users_alone(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH))
    private = booted.out / "ubuntu/.ssh/id_ed25519"
    assert private.read_bytes() == (tmp_path / "key").read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    public = (tmp_path / "key.pub").read_text().split()[1]
    assert public in (booted.out / "ubuntu/.ssh/authorized_keys").read_text()
    assert private.stat().st_uid == private.parent.stat().st_uid != 0
    log = (booted.out / "deeplearning-boot.log").read_text()
    assert "PRIVATE KEY" not in log + booted.console


def test_a_worker_asks_for_no_address(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH, node="Worker"))
    assert not [call for call in booted.calls if call.startswith("ec2")]
    assert "--logical-resource-id WorkerAutoScalingGroup" in booted.calls[-3]
    assert booted.signals() == ["SUCCESS"]


@pytest.mark.parametrize("call", ["ec2 associate-address", "ssm get-parameter"])
@pytest.mark.parametrize("behaviour", ["FAILING", "HANGING", "KILLING"])
def test_every_way_to_fail_ends_in_one_failure_signal(tmp_path: Path, behaviour: str, call: str) -> None:
    """The original's exit status was lost in a pipe, and its workers never signalled at all."""
    script = user_data(SSH).replace("BOOT_DEADLINE='1500'", "BOOT_DEADLINE='2'")
    booted = boot(tmp_path, script, **{behaviour: call})
    assert booted.signals() == ["FAILURE"]
    assert booted.status != 0


def test_a_worker_that_is_not_needed_fails_alone(tmp_path: Path) -> None:
    """One FAILURE fails the stack, however many workers are ready; the original counted nothing at all."""
    script = user_data(SSH, node="Worker").replace("NODES_NEEDED='3'", "NODES_NEEDED='2'")
    booted = boot(tmp_path, script, FAILING="ssm")
    assert booted.signals() == []
    assert booted.status != 0
    assert "no signal: 2 of 3 nodes are enough" in booted.console


def test_a_role_that_is_not_known_yet_is_asked_again(tmp_path: Path) -> None:
    script = user_data(SSH, node="Worker")
    late = AWS.replace("# late", '[[ "$*" == "ssm"* && $(grep -c ^ssm "$CALLS") -lt 3 ]] && exit 254')
    booted = boot(tmp_path, script, aws=late)
    assert booted.signals() == ["SUCCESS"]
    assert len([call for call in booted.calls if call.startswith("ssm")]) == 3


def test_a_failure_names_its_phase_and_command_on_the_console(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH), FAILING="ssm")
    assert "phase key" in booted.console
    assert re.search(r"failed with status 255 at line \d+: aws ssm get-parameter", booted.console)


def test_a_log_that_cannot_be_shipped_changes_nothing(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH), FAILING="logs")
    assert (booted.status, booted.signals()) == (0, ["SUCCESS"])


def test_a_signal_that_nobody_waits_for_changes_nothing(tmp_path: Path) -> None:
    """An instance that Auto Scaling launches later signals a stack that is complete."""
    booted = boot(tmp_path, user_data(SSH), FAILING="cloudformation")
    assert booted.status == 0
    assert "signal SUCCESS was not taken" in booted.console


def test_the_file_system_is_mounted_now_and_after_a_reboot(tmp_path: Path) -> None:
    config = ClusterConfig.model_validate({"access": "ssh", "storage": {"kind": "efs"}})
    booted = boot(tmp_path, user_data(config))
    assert "mount /efs" in booted.calls
    source, folder, kind, options, *_ = (booted.out / "fstab").read_text().split()
    assert (source, folder, kind) == ("fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/", "/efs", "nfs4")
    assert {"_netdev", "noresvport", "hard"} <= set(options.split(","))


def test_whoever_logs_in_may_write_to_a_new_file_system(tmp_path: Path) -> None:
    config = ClusterConfig.model_validate({"access": "ssh", "storage": {"kind": "efs"}})
    assert "export STORAGE_OWNER='ubuntu'" in user_data(config)
    existing = {"access": "ssh", "storage": {"kind": "efs", "file_system": "existing"}}
    script = DeepLearningCluster(ClusterConfig.model_validate(existing)).render()
    assert "export STORAGE_OWNER=''" in script


def test_session_manager_works_through_the_proxy(tmp_path: Path) -> None:
    config = ClusterConfig(access="session_manager")
    booted = boot(tmp_path, user_data(config, Environment(proxy=True)))
    assert booted.signals() == ["SUCCESS"]
    for agent in ("amazon-ssm-agent", "snap.amazon-ssm-agent.amazon-ssm-agent"):
        unit = (booted.out / f"system/{agent}.service.d/proxy.conf").read_text()
        assert '"https_proxy=http://proxy.internal:3128"' in unit
        assert '"no_proxy=169.254.169.254,localhost"' in unit
    calls = [call for call in booted.calls if call.startswith("systemctl")]
    assert calls[0] == "systemctl daemon-reload"
    assert "amazon-ssm-agent.service" in calls[1]


def test_the_proxy_is_set_for_everybody_and_not_for_metadata(tmp_path: Path) -> None:
    booted = boot(tmp_path, user_data(SSH, Environment(proxy=True)))
    lines = (booted.out / "environment").read_text().splitlines()
    assert "https_proxy=http://proxy.internal:3128" in lines
    assert "no_proxy=169.254.169.254,localhost" in lines
