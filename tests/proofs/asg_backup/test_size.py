"""Memory does not grow with what is backed up: one small file, and 5 GB of holes beside 200,000 files."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .conftest import System
from .instance import Instance

FILES, SPARSE = 200_000, 5 * 1024**3
MIB = 1024 * 1024


@contextmanager
def peaks(instance: Instance) -> Generator[dict[str, int]]:
    """The most memory that any process of each name has had on the instance meanwhile, in bytes."""
    found: dict[str, int] = {}
    ended = threading.Event()
    space = os.readlink(f"/proc/{instance.host.pid}/ns/pid")

    def look() -> None:
        while not ended.wait(0.1):
            for path in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if os.readlink(path / "ns/pid") == space:
                        note(path)

    def note(path: Path) -> None:
        status = dict(line.split(":", 1) for line in (path / "status").read_text().splitlines())
        if "VmHWM" in status:
            name = status["Name"].strip()
            found[name] = max(found.get(name, 0), int(status["VmHWM"].split()[0]) * 1024)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield found
    finally:
        ended.set()
        looker.join()


def test_five_gigabytes_of_holes_and_200_000_files_take_no_more_memory_than_one_file(
    system: System, instance: Instance
) -> None:
    """Figures are printed; the bound stands far above them, where something would have kept what it read."""
    instance.sh("mkdir /srv/many && mount -t tmpfs -o size=2g,nr_inodes=400k tmpfs /srv/many")
    instance.tree("many", "/srv/many", str(FILES), str(SPARSE))
    with peaks(instance) as small:
        instance.back_up("/var/log", Token="small")  # noqa: S106 - of a lifecycle action
    with peaks(instance) as large:
        done = instance.back_up("/srv/many")
    assert (done.status, done.report["outcome"]) == (0, "complete"), done
    assert done.report["entries"] == FILES + FILES // 1000 + 2
    archived = len(system.read(done.report["key"]))
    for name in sorted(large):
        print(f"{name:>10}  {small.get(name, 0) // 1024:>8} KiB  {large[name] // 1024:>8} KiB")  # noqa: T201
    total = sum(large.values())
    sizes = f"unpacked {done.report['unpacked'] // MIB} MiB, archive {archived // MIB} MiB"
    print(f"peaks together {total // MIB} MiB; {sizes}")  # noqa: T201
    assert {"tar", "aws"} <= large.keys()
    # The CLI holds ten parts of eight MiB at most, and the compression a few windows.
    assert total - sum(small.values()) < 256 * MIB
    assert int(instance.sh("du -sk /run | cut -f1")) < 100


def test_holes_come_back_as_holes(system: System, instance: Instance) -> None:
    instance.tree("many", "/srv/many", "10", str(SPARSE))
    key = instance.back_up("/srv/many").report["key"]
    done = instance.restore("restore", key, "/srv/back")
    assert (done.status, done.report["outcome"]) == (0, "restored"), done
    sparse = "/srv/back/srv/many/sparse"
    assert instance.sh(f"stat -c %s {sparse}") == str(SPARSE)
    assert int(instance.sh(f"du -k {sparse} | cut -f1")) < 1024
    assert instance.sh(f"head -c 5 {sparse}; tail -c 3 {sparse}") == "beginend"
    assert instance.sh("find /srv/back -type f | wc -l") == "11"
