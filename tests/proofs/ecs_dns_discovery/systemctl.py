#!/usr/bin/python3 -I
"""systemctl of an emulated host, which has no systemd: obeys a unit's EnvironmentFile, ExecStart and Restart.

What hardens a service is systemd's to do, and read by `systemd-analyze` in a test of its own.
"""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path


def directives(name: str) -> dict[str, str]:
    """The last value of each."""
    lines = Path("/etc/systemd/system", name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def keep(name: str) -> None:
    """Start it, and start it again, as the unit says."""
    unit = directives(name)
    given = dict(line.split("=", 1) for line in Path(unit["EnvironmentFile"]).read_text().splitlines())
    command: list[str] = []
    for word in shlex.split(unit["ExecStart"]):
        command += given[word[1:]].split() if word.startswith("$") else [word]
    with open(f"/var/log/{name}.log", "ab") as log:
        while True:
            subprocess.run(command, stdout=log, stderr=log, check=False)
            if unit["Restart"] != "always":
                return
            time.sleep(float(unit["RestartSec"]))


if sys.argv[1] == "keep":
    keep(sys.argv[2])
elif sys.argv[1:3] == ["enable", "--now"]:
    subprocess.Popen(
        [os.path.abspath(__file__), "keep", sys.argv[3]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
elif sys.argv[1:] != ["daemon-reload"]:
    sys.exit(f"systemctl {' '.join(sys.argv[1:])} is not obeyed here")
