"""Scratch space on instance-store disks, with real file systems: loop devices that `lsblk` calls by their model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprints.deep_learning_cluster import runtime

MODEL = "Amazon EC2 NVMe Instance Storage"
LSBLK = f"""#!/bin/bash
case "$*" in
  "-dnpo NAME,MODEL")
    printf '%-14s %s\\n' /dev/nvme0n1 'Amazon Elastic Block Store'
    for disk in $DISKS; do printf '%-14s %s\\n' "$disk" '{MODEL}'; done ;;
  *) exec /usr/bin/lsblk "$@" ;;
esac
"""
MDADM = """#!/bin/bash
echo "$*" >> "$CALLS"
mkdir -p /dev/md && ln -sf "${@: -1}" /dev/md/scratch
"""
NAMESPACE = """
set -u
mount -t tmpfs tmpfs /opt && mkdir -p /opt/deeplearning
[ -z "$IMAGE" ] || { mkdir -p /opt/dlami/nvme && mount -t tmpfs tmpfs /opt/dlami/nvme; }
for turn in $(seq $TURNS); do bash "$SCRIPT"; echo "status $?"; done
[ -z "$REBOOT" ] || { touch /opt/deeplearning/scratch/kept; umount /opt/deeplearning/scratch; bash "$SCRIPT"; }
findmnt -no SOURCE,FSTYPE /opt/deeplearning/scratch
readlink /opt/deeplearning/scratch
ls /opt/deeplearning/scratch 2> /dev/null
[ ! -d /opt/deeplearning/scratch ] || stat -c %a /opt/deeplearning/scratch
rm -rf /dev/md/scratch
"""


def loops(tmp_path: Path, count: int) -> list[str]:
    """So many loop devices of 32 MiB; none where the machine gives none."""
    made: list[str] = []
    for number in range(count):
        path = tmp_path / f"disk{number}"
        path.write_bytes(b"")
        os.truncate(path, 32 << 20)
        done = subprocess.run(
            ["losetup", "--find", "--show", path], capture_output=True, text=True, check=False
        )
        if done.returncode:
            break
        made.append(done.stdout.strip())
    return made


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[str]]:
    """Two disks that nobody has formatted."""
    made = loops(tmp_path, 2) if sys.platform == "linux" else []
    try:
        if len(made) < 2 and os.environ.get("CI") != "true":
            pytest.skip("loop devices take root on Linux")
        assert len(made) == 2
        yield made
    finally:
        for each in made:
            subprocess.run(["losetup", "--detach", each], check=True)


def run(
    tmp_path: Path, disks: list[str], *, mdadm: bool = False, **given: str
) -> tuple[list[str], list[str]]:
    """What the script leaves, and the calls of mdadm."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir(exist_ok=True)
    calls.touch()
    for name, text in {"lsblk": LSBLK, **({"mdadm": MDADM} if mdadm else {})}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    script = next(path for name, path in runtime.sources() if name == "scratch.sh")
    values = {"TURNS": "1", "REBOOT": "", "IMAGE": "", **given}
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", NAMESPACE],
        env={
            **os.environ, **values, "PATH": f"{folder}:{os.environ['PATH']}", "DISKS": " ".join(disks),
            "CALLS": str(calls), "SCRIPT": str(script),
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout.split(), calls.read_text().splitlines()


def test_an_empty_disk_becomes_scratch_for_everybody(tmp_path: Path, disks: list[str]) -> None:
    left, _ = run(tmp_path, disks[:1])
    assert left == ["status", "0", disks[0], "ext4", "lost+found", "1777"]


def test_a_second_time_changes_nothing_and_a_reboot_keeps_what_is_there(
    tmp_path: Path, disks: list[str]
) -> None:
    left, _ = run(tmp_path, disks[:1], TURNS="2", REBOOT="yes")
    assert left == [*["status", "0"] * 2, disks[0], "ext4", "kept", "lost+found", "1777"]


def test_several_disks_are_one_array_where_the_image_can(tmp_path: Path, disks: list[str]) -> None:
    left, calls = run(tmp_path, disks, mdadm=True)
    assert calls == [f"--create /dev/md/scratch --run --level=0 --raid-devices=2 {' '.join(disks)}"]
    assert left[2:4] == [disks[1], "ext4"]  # what the array's name leads to here


def test_without_mdadm_the_first_disk_is_scratch(tmp_path: Path, disks: list[str]) -> None:
    left, _ = run(tmp_path, disks)
    assert left[2] == disks[0]


def test_a_disk_with_anything_on_it_is_left_alone(tmp_path: Path, disks: list[str]) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-L", "mine", disks[0]], check=True)
    before = Path(disks[0]).read_bytes()
    left, _ = run(tmp_path, disks[:1])
    assert left == ["status", "0"]
    assert Path(disks[0]).read_bytes() == before


def test_disks_that_the_image_mounts_are_linked_to(tmp_path: Path, disks: list[str]) -> None:
    left, _ = run(tmp_path, disks[:1], IMAGE="yes", TURNS="2")
    assert left == [*["status", "0"] * 2, "tmpfs", "tmpfs", "/opt/dlami/nvme", "777"]


def test_an_instance_without_such_disks(tmp_path: Path) -> None:
    if os.environ.get("CI") != "true" and os.geteuid() != 0:
        pytest.skip("a mount namespace takes root on Linux")
    assert run(tmp_path, [])[0] == ["status", "0"]
