"""`deeplearning-check`: asks all nodes by ssh how they are, at once, and says in one table what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import gpus, machine
from .aws import CallError

if TYPE_CHECKING:
    from .aws import Call

NODES = Path("/opt/deeplearning/current/nodes.json")
_SECONDS = 60  # for the answer of one node
_SSH = ("ssh", "-n", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
_PROBE = "cd /opt/deeplearning/lib && python3 -m agent probe"
_TORCH = "from importlib.metadata import version as v; print(v('torch'))"
_SAME = ("driver", "torch", "agent")
_COLUMNS = ("gpus", "efa", "clock s", "disk %", *_SAME)


def probe() -> None:
    """What this node says of itself, the time at the end."""
    disk, runtime = shutil.disk_usage("/"), hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        runtime.update(path.read_bytes())
    found = {
        "gpus": gpus.listed(),
        "efa": machine.adapters(),
        "disk %": 100 * disk.free // disk.total,
        "driver": next(iter(gpus.smi("--query-gpu=driver_version", "--format=csv,noheader")), "-"),
        "torch": _said(["bash", "-lc", f'python3 -c "{_TORCH}"']) or "-",
        "agent": runtime.hexdigest()[:8],
    }
    print(json.dumps({**found, "time": time.time()}))


def _said(command: list[str]) -> str:
    """What a command prints; nothing where it fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def check(call: Call, nodes: Path = NODES) -> int:
    """Print the table; 0 if all is well, else 1."""
    listed = json.loads(nodes.read_text())["nodes"]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(_ask, [each["name"] for each in listed]))
    usual = {name: Counter(each[name] for each in answers if each).most_common(1) for name in _SAME}
    faults = [_faults(each, answer, usual) for each, answer in zip(listed, answers)]
    rows = [["node", *_COLUMNS, "fault"]]
    for node, answer, told in zip(listed, answers, faults):
        rows.append([node["name"], *(str(answer.get(name, "-")) for name in _COLUMNS), ", ".join(told)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    lacking, line = _standing(call, len(listed))
    print(line)
    return int(lacking or any(faults))


def _ask(name: str) -> dict[str, Any]:
    answer = _said([*_SSH, name, _PROBE])
    if not answer:
        return {}
    found = json.loads(answer.splitlines()[-1])
    return {**found, "clock s": round(found["time"] - time.time(), 1)}


def _faults(node: dict[str, Any], answer: dict[str, Any], usual: dict[str, Any]) -> list[str]:
    if not answer:
        return ["no answer"]
    found = [
        f"{answer[name]} of {node[name]} {name}" for name in ("gpus", "efa") if answer[name] < node[name]
    ]
    found += ["clock is off"] * (abs(answer["clock s"]) > 1) + ["disk is full"] * (answer["disk %"] < 5)
    return found + [f"another {name}" for name in _SAME if answer[name] != usual[name][0][0]]


def _standing(call: Call, joined: int) -> tuple[bool, str]:
    """Whether nodes are lacking, and how many there should be by the registry."""
    try:
        items = call("dynamodb scan", {"TableName": os.environ["TABLE"]})["Items"]
    except CallError as error:
        return True, f"the registry is out of reach: {error}"
    item = {each["Slot"]["S"]: each for each in items}.get("epoch", {})
    expected = int(item.get("Expected", {"N": joined})["N"])
    reason = item.get("Reason", {"S": ""})["S"]
    return joined < expected, f"{joined} of {expected} nodes {reason}".rstrip()
