"""What this node is: its metadata, its GPUs and adapters, and its SSH host key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from .gpus import listed
from .registry import Facts

if TYPE_CHECKING:
    from .aws import Call

_METADATA = "http://169.254.169.254/latest"
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name


def metadata(path: str) -> str:
    """An entry of the instance metadata, by IMDSv2; empty where there is none. Raises OSError."""
    opener = build_opener(ProxyHandler({}))
    ask = Request(f"{_METADATA}/api/token", method="PUT", headers={f"{_TOKEN}-ttl-seconds": "60"})  # noqa: S310
    with opener.open(ask, timeout=5) as answer:
        token = answer.read().decode()
    ask = Request(f"{_METADATA}/meta-data/{path}", headers={_TOKEN: token})  # noqa: S310 - a constant's scheme
    try:
        with opener.open(ask, timeout=5) as answer:
            return answer.read().decode()
    except HTTPError as error:
        if error.code == 404:
            return ""
        raise


def facts(call: Call) -> Facts:
    """All that the other nodes learn. Raises OSError and CallError."""
    kind = metadata("instance-type")
    return Facts(
        Node=metadata("instance-id"),
        Ip=metadata("local-ipv4"),
        HostKey=" ".join(Path("/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]),
        Type=kind,
        Gpus=gpus(kind, call),
        Efa=adapters(),
    )


def gpus(kind: str, call: Call) -> int:
    """GPUs that the driver lists; where there is no driver, those of the instance type."""
    return listed() or of_type(kind, call)


def of_type(kind: str, call: Call) -> int:
    """GPUs of an instance type, as EC2 describes it."""
    told = call("ec2 describe-instance-types", {"InstanceTypes": [kind]})["InstanceTypes"][0]
    return sum(each["Count"] for each in told.get("GpuInfo", {}).get("Gpus", []))


def adapters(folder: str = "/sys/class/infiniband") -> int:
    """Elastic Fabric Adapters of this node."""
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0
