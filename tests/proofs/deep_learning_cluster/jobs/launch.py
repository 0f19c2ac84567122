#!/usr/bin/env python3
"""A launcher as MXNet's `launch.py` is one: `launch.py -n COUNT -H FILE COMMAND…` over ssh, with a parameter server.

`FILE` has a host a line. Each of COUNT workers and as many servers runs COMMAND on the host whose turn it is, and the
scheduler runs it here; DMLC_* say which is which.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Start all, and wait for all; the worst exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, required=True)
    parser.add_argument("-H", dest="hosts", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    hosts = [line.strip() for line in Path(given.hosts).read_text().splitlines() if line.strip()]
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    common = {"DMLC_PS_ROOT_URI": hosts[0], "DMLC_PS_ROOT_PORT": port,
              "DMLC_NUM_WORKER": given.n, "DMLC_NUM_SERVER": given.n}  # fmt: skip
    scheduler = {name: str(value) for name, value in common.items()} | {"DMLC_ROLE": "scheduler"}
    running = [subprocess.Popen(given.command, env={**os.environ, **scheduler})]
    for number in range(2 * given.n):
        values = {**common, "DMLC_ROLE": "server" if number < given.n else "worker"}
        exports = " ".join(f"export {name}={value};" for name, value in values.items())
        remote = f"{exports} cd {shlex.quote(os.getcwd())}; {shlex.join(given.command)}"
        host = hosts[number % len(hosts)]
        running.append(
            subprocess.Popen(["ssh", "-n", "-o", "StrictHostKeyChecking=no", host, "-p", "22", remote])
        )
    return max(each.wait() for each in running)


if __name__ == "__main__":
    sys.exit(main())
