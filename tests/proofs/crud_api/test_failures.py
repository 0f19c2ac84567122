"""What a caller sees, and what is left, when a part of the stack fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from blueprints.local.running import Running
from blueprints.local.stack import Stack

from .conftest import COMMITTED, ROOT

MARK = "def get(event"


def altered(lines: str) -> Stack:
    """The committed template, whose function for GET does something else first."""
    text = COMMITTED.read_text()
    head = next(line for line in text.splitlines() if line.strip().startswith("def get("))
    indent = head[: len(head) - len(head.lstrip())]
    body = "".join(f"{indent}    {line}\n" for line in lines.splitlines())
    return Stack(text.replace(f"{head}\n", f"{head}\n{body}"))


def get(running: Running) -> requests.Response:
    return requests.get(f"{running.urls['HttpApi']}/resource/one", timeout=60)


def test_a_function_process_killed_in_a_request_is_an_error_once() -> None:
    kill = "import os, signal\nif not os.path.exists(os.environ['TMPDIR'] + '/../alive'):\n"
    kill += (
        "    open(os.environ['TMPDIR'] + '/../alive', 'w').close()\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    with Running(altered(kill)) as running:
        assert get(running).status_code == 500
        assert get(running).status_code == 404


def test_a_function_that_loops_is_ended_at_its_time_limit() -> None:
    with Running(altered("while True: pass")) as running:
        answer = get(running)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_function_that_leaks_is_ended_at_its_memory_limit() -> None:
    lines: list[str] = []
    leak = "kept = []\nwhile True: kept.append(bytearray(16_000_000))"
    with Running(altered(leak), log=lambda _, line: lines.append(line)) as running:
        assert get(running).status_code == 500
    assert any("Runtime.ExitError" in line for line in lines), lines


def test_a_function_that_prints_100_mb_neither_hangs_nor_fills_memory() -> None:
    read = 0

    def count(_: str, line: str) -> None:
        nonlocal read
        read += len(line)

    with Running(altered("for _ in range(1000): print('x' * 100_000)"), log=count) as running:
        assert get(running).status_code == 404
    assert read > 50_000_000
    assert int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") < 1_000_000_000


def test_without_aws_a_caller_is_told_and_the_front_goes_on() -> None:
    with Running(Stack.read(COMMITTED)) as running:
        assert get(running).status_code == 404
        os.kill(running.aws.pid, signal.SIGKILL)
        answer = get(running)
        assert answer.status_code in (500, 503)
        assert "Traceback" not in answer.text
        assert requests.get(f"{running.urls['HttpApi']}/openapi.json", timeout=60).ok


def test_a_full_disk_does_not_stop_a_function(tmp_path: Path) -> None:
    if os.geteuid():
        assert os.environ.get("CI") != "true"
        pytest.skip("a small disk is a mount, which needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        (disk / "filler").write_bytes(b"x" * 1_048_576)
        fill = f"import pathlib\ntry:\n    pathlib.Path({str(disk)!r}, 'new').write_text('x' * 10_000)\n"
        fill += "except OSError as error:\n    return {'statusCode': 507, 'body': error.strerror}"
        with Running(altered(fill)) as running:
            answer = get(running)
        assert (answer.status_code, answer.text) == (507, "No space left on device")
    finally:
        subprocess.run(["umount", disk], check=True)


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "blueprints", "local", "crud-api", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.strip().startswith("HttpApi: "):
            return line.split()[-1]
    raise AssertionError(process.stderr.read() if process.stderr else "")


def parents() -> dict[int, int]:
    """Every process with its parent."""
    found: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def descendants(pid: int) -> set[int]:
    """The processes that one has started, and those that these have."""
    known = parents()
    found, before = {pid}, set[int]()
    while found != before:
        before, found = found, found | {each for each, parent in known.items() if parent in found}
    return found - {pid}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_command_ends_no_process_and_no_port_is_left(
    number: signal.Signals,
) -> None:
    process = command()
    try:
        url = url_of(process)
        assert requests.get(f"{url}/resource/one", timeout=60).status_code == 404
        started = descendants(process.pid)
        assert len(started) >= 3
        process.send_signal(number)
        threading.Thread(target=process.communicate, daemon=True).start()
        assert process.wait(30) == (-number if number == signal.SIGKILL else 0)
        deadline = time.monotonic() + 30
        while started & parents().keys() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not started & parents().keys()
        with socket.create_server(("127.0.0.1", int(url.split(":")[2].split("/")[0]))):
            pass
    finally:
        process.kill()


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("--port", str(port))
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert told.strip() == f"port {port}, for HttpApi: Address already in use; choose another"
