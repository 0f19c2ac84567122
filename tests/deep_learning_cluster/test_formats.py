"""The lists of nodes as launchers read them that no proof runs: their rules, restated, over what the agent writes.

Sources: deepspeed/launcher/runner.py, `_parse_hostfile`; dmlc-core's tracker/dmlc_tracker/ssh.py, which MXNet's
tools/launch.py calls; MPICH's "Using the Hydra Process Manager", -f; pdsh(1), WCOLL.
"""

from __future__ import annotations

import re

import pytest

from blueprints.deep_learning_cluster.agent.files import contents
from blueprints.deep_learning_cluster.agent.registry import Facts, Member

NODES = [1, 2, 4, 300]


def files(nodes: int) -> dict[str, str]:
    """What a node of a cluster has; nodes have other numbers of GPUs, some none."""
    facts = [
        Facts(f"i-{slot}", f"10.0.{slot // 250}.{slot % 250}", "ssh-ed25519 K", "t", slot % 9, 0)
        for slot in range(1, nodes + 1)
    ]
    return contents(7, 1, [Member(slot, each, 0) for slot, each in enumerate(facts, 1)], "")


def expected(nodes: int) -> dict[str, int]:
    """Processes by host, in order."""
    return {f"deeplearning-worker{slot}": max(slot % 9, 1) for slot in range(1, nodes + 1)}


def deepspeed(text: str) -> dict[str, int]:
    """A line is a host and its slots; a comment or nothing is skipped, a host that comes twice is an error."""
    found: dict[str, int] = {}
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            match = re.search(r"^(\S+)\s+slots=(\d+)", line)
            assert match, line
            assert match[1] not in found
            found[match[1]] = int(match[2])
    return found


def dmlc(text: str) -> list[tuple[str, str]]:
    """A line is a host, with a port or 22; nothing is skipped but nothing."""
    hosts: list[tuple[str, str]] = []
    for line in map(str.strip, text.splitlines()):
        if line:
            host, _, port = line.partition(":")
            hosts.append((host, port or "22"))
    return hosts


def hydra(text: str) -> dict[str, int]:
    """A line is a host and, after a colon, its processes."""
    pairs = [line.split(":") for line in text.splitlines()]
    return {host: int(processes) for host, processes in pairs}


@pytest.mark.parametrize("nodes", NODES)
def test_deepspeed_reads_the_hostfile(nodes: int) -> None:
    assert list(deepspeed(files(nodes)["hostfile"]).items()) == list(expected(nodes).items())


@pytest.mark.parametrize("nodes", NODES)
def test_mxnets_launcher_reads_the_workers(nodes: int) -> None:
    assert dmlc(files(nodes)["workers"]) == [(host, "22") for host in expected(nodes)]


@pytest.mark.parametrize("nodes", NODES)
def test_mpich_reads_the_machinefile(nodes: int) -> None:
    assert hydra(files(nodes)["machinefile"]) == expected(nodes)


@pytest.mark.parametrize("nodes", NODES)
def test_pdsh_reads_the_workers(nodes: int) -> None:
    """A name a line, which nobody expands: no brackets, commas or blanks."""
    names = files(nodes)["workers"].split("\n")
    assert names.pop() == ""
    assert names == list(expected(nodes))
    assert all(re.fullmatch(r"[a-z0-9-]+", each) for each in names)
