"""The README's commands from a rendered stack to an answer, as they stand there."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

from .conftest import ROOT


def commands(port: int) -> list[str]:
    """Those of the six that come after the set-up, on a port that is free."""
    section = (ROOT / "README.md").read_text().partition("## Run it on your laptop")[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ (.*)$", section, re.MULTILINE)
    assert len(lines) == 6
    assert lines[1:3] == ["cd compute-blueprints", "make render"]
    return [line.replace("8080", str(port)).replace(".venv/bin/python", sys.executable) for line in lines[3:]]


def test_the_six_commands_of_the_readme_end_with_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start, put, get = commands(port)
    process = subprocess.Popen(
        ["bash", "-c", start.removesuffix(" &")], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        subprocess.run(["bash", "-c", put], check=True, capture_output=True, timeout=120)
        told = subprocess.run(["bash", "-c", get], check=True, capture_output=True, text=True, timeout=60)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    assert told.stdout == "hello"
