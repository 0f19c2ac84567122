"""The files that name all nodes. Those below `current` change together, in one step: it is a link that is renamed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .registry import MASTER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .registry import Member

_BEGIN, _END = "# BEGIN deeplearning", "# END deeplearning"
_KEPT = 8  # a reader may still be in a former snapshot
_PORT = 29500


class Files:
    """The files of one node, below `root` of its file system. `mount` is the shared folder, or empty."""

    def __init__(self, root: Path, mount: str) -> None:
        self._hosts, self._base, self._mount = root / "etc/hosts", root / "opt/deeplearning", mount
        self.current = self._base / "current"

    def publish(self, epoch: int, slot: int, members: list[Member]) -> bool:
        """Write what is not so already; whether there is a new snapshot."""
        texts = contents(epoch, slot, members, self._mount)
        addresses = hosts(members)
        changed = read(self.current) != texts
        if changed:
            # Whoever stands in the former list has an address until that list is gone.
            write(self._hosts, block(self._hosts, {**self._former(), **addresses}))
            self._swap(str(epoch), texts)
        write(self._hosts, block(self._hosts, addresses))
        return changed

    def _former(self) -> dict[str, str]:
        lines = read(self.current).get("hosts", "").splitlines()
        return {name: address for address, name in (line.split() for line in lines)}

    def _swap(self, name: str, texts: dict[str, str]) -> None:
        snapshots = self._base / "snapshots"
        partial = snapshots / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for each, text in texts.items():
            with open(partial / each, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        snapshot = snapshots / name
        if snapshot.exists():  # of the same epoch, from before this node told something else
            snapshot = snapshots / f"{name}-{os.getpid()}"
        partial.rename(snapshot)
        link = self._base / ".current"
        link.unlink(missing_ok=True)
        link.symlink_to(f"snapshots/{snapshot.name}")
        link.rename(self.current)
        for each in sorted(snapshots.iterdir(), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(each)


def contents(epoch: int, slot: int, members: list[Member], mount: str) -> dict[str, str]:
    """Every file of a snapshot, by name."""
    (mine,) = (each for each in members if each.slot == slot)
    variables = {
        "DEEPLEARNING_WORKERS_COUNT": len(members),
        "DEEPLEARNING_WORKERS_PATH": "/opt/deeplearning/workers",
        "DEEPLEARNING_WORKER_GPU_COUNT": mine.facts.Gpus,
        **({"EFS_MOUNT": mount} if mount else {}),
    }
    torchrun = {
        "MASTER_ADDR": alias(members[0]),
        "MASTER_PORT": _PORT,
        "NNODES": len(members),
        "NODE_RANK": members.index(mine),
        "NPROC_PER_NODE": ranks(mine),
        # Else a replaced node never joins a job that runs: https://github.com/pytorch/pytorch/issues/135712
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": 1,
    }
    nodes = {"epoch": epoch, "nodes": [node(each) for each in members]}
    return {
        "workers": _lines(alias(each) for each in members),
        "hostfile": _lines(f"{alias(each)} slots={ranks(each)}" for each in members),
        "machinefile": _lines(f"{alias(each)}:{ranks(each)}" for each in members),
        "hosts": _lines(f"{address} {name}" for name, address in hosts(members).items()),
        "known_hosts": _lines(f"{','.join(names(each))} {each.facts.HostKey}" for each in members),
        "nodes.json": json.dumps(nodes, indent=1) + "\n",
        "deeplearning.sh": _lines(f"export {name}={value}" for name, value in variables.items()),
        "environment": _lines(f"{name}={value}" for name, value in variables.items()),
        "torchrun.env": _lines(f"{name}={value}" for name, value in torchrun.items()),
    }


def ranks(member: Member) -> int:
    """Processes that a job has on a node: one for each GPU."""
    return max(member.facts.Gpus, 1)


def node(member: Member) -> dict[str, object]:
    """A node in nodes.json."""
    facts = member.facts
    return {
        "index": member.slot,
        "name": alias(member),
        "ip": facts.Ip,
        "gpus": facts.Gpus,
        "efa": facts.Efa,
        "instance_id": facts.Node,
        "instance_type": facts.Type,
    }


def alias(member: Member) -> str:
    """The name by which nodes know each other; the master is the first."""
    return f"deeplearning-worker{member.slot}"


def names(member: Member) -> list[str]:
    """All that a node is called, its address last."""
    master = ["deeplearning-master"] if member.slot == MASTER else []
    return [*master, alias(member), member.facts.Ip]


def hosts(members: list[Member]) -> dict[str, str]:
    """Addresses by name."""
    return {name: each.facts.Ip for each in members for name in names(each)[:-1]}


def _lines(texts: Iterable[object]) -> str:
    return "".join(f"{text}\n" for text in texts)


def block(path: Path, addresses: dict[str, str]) -> str:
    """A file's text, with these addresses between our marks and everything else as it is."""
    text = path.read_text() if path.exists() else ""
    before, begun, rest = text.partition(f"{_BEGIN}\n")
    after = rest.partition(f"{_END}\n")[2] if begun else ""
    if before and not before.endswith("\n"):
        before += "\n"
    return before + _lines([_BEGIN, *(f"{ip} {name}" for name, ip in addresses.items()), _END]) + after


def read(folder: Path) -> dict[str, str]:
    """Every file of a folder, by name."""
    return {each.name: each.read_text() for each in folder.iterdir()} if folder.is_dir() else {}


def write(path: Path, text: str) -> None:
    """Make a file's text this one, in one step where the file can be replaced, and not at all if it is so."""
    if path.exists() and path.read_text() == text:
        return
    partial = path.with_name(f".{path.name}.deeplearning")
    partial.write_text(text)
    if path.exists():
        shutil.copymode(path, partial)
    try:
        partial.rename(path)
    except OSError:  # a file that is mounted cannot be replaced
        partial.unlink()
        path.write_text(text)
