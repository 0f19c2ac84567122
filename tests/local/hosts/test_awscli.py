"""The AWS CLI of a host: every call is one of its own, with what its caller has, and ends with its caller."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprints.local.hosts import Host, Network, awscli, end, unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "hosts")

# In the place of the AWS CLI, as far as its server calls it: tells what it was given, and does as it is told.
MAIN = """
import json, os, sys, time
os.environ["AWS_DATA_PATH"] = os.pathsep.join(filter(None, [os.environ.get("AWS_DATA_PATH"), "/own"]))
calls = 0
def main():
    global calls
    calls += 1
    verb = sys.argv[1]
    if verb == "--version":
        while os.path.exists("/run/slow"):  # an import takes its time
            time.sleep(0.01)
        print("said when it is imported")
        sys.exit(0)
    if verb == "tell":
        told = {"calls": calls, "arguments": sys.argv[2:], "folder": os.getcwd(), "user": os.getuid()}
        told |= {name: os.environ.get(name) for name in ("WORD", "AWS_DATA_PATH")}
        print(json.dumps(told))
    if verb == "copy":
        sys.stdout.buffer.write(sys.stdin.buffer.read())
    if verb == "write":
        for path in sys.argv[2:]:
            open(path, "w").write("written to " + path)
    if verb == "sleep":
        open("/run/sleeps", "w").write(str(os.getpid()))
        time.sleep(600)
    if verb == "crash":
        raise ValueError("an error of its own")
    print("an error", file=sys.stderr)
    return int(sys.argv[2]) if verb == "end" else 0
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "awscli").mkdir()
    (packages / "awscli" / "__init__.py").touch()
    (packages / "awscli" / "clidriver.py").write_text(MAIN)
    with Network() as network:
        made = network.host("node", files=awscli.programs(environment))
        interpreter = (environment / "bin" / "python").resolve()
        parents = {str(each) for path in (environment / "bin", interpreter) for each in path.parents}
        assert (
            made.run(["chmod", "a+x", *parents]).returncode == 0
        )  # this machine's root may keep them to himself
        yield made


def told(done: subprocess.CompletedProcess[bytes]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_call_has_what_its_caller_has_and_nothing_of_another(host: Host) -> None:
    first = host.run(["sh", "-c", "cd /srv && WORD=one AWS_DATA_PATH=/mine aws tell '' 'a b' --flag"])
    second = host.run(["sh", "-c", "cd / && aws tell"])
    assert told(first) == {
        "calls": 2,  # one is the import's
        "arguments": ["", "a b", "--flag"],
        "folder": "/srv",
        "user": 0,
        "WORD": "one",
        "AWS_DATA_PATH": "/mine:/own",
    }
    assert told(second) == {
        "calls": 2, "arguments": [], "folder": "/", "user": 0, "WORD": None, "AWS_DATA_PATH": "/own",
    }  # fmt: skip


def test_another_user_has_a_process_of_his_own(host: Host) -> None:
    done = host.run(["setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "aws", "tell"])
    assert told(done)["user"] == 1234


def test_bytes_go_in_and_out(host: Host) -> None:
    given = bytes(range(256)) * 4096
    done = host.run(["aws", "copy"], input=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, given, b"an error\n")


def test_files_that_a_caller_has_opened_are_open(host: Host) -> None:
    script = (
        "aws write /dev/fd/3 /dev/fd/4 /dev/fd/9 3> /srv/three 4> /srv/four 9>&1; cat /srv/three /srv/four"
    )
    done = host.run(["sh", "-c", script])
    assert done.stdout == b"written to /dev/fd/9written to /dev/fd/3written to /dev/fd/4"


@pytest.mark.parametrize(("call", "status"), [(["end", "0"], 0), (["end", "254"], 254), (["crash"], 255)])
def test_the_exit_status_is_its_own(host: Host, call: list[str], status: int) -> None:
    assert host.run(["aws", *call]).returncode == status


def test_many_calls_at_once(host: Host) -> None:
    loop = "for n in $(seq 20); do aws tell $n & done; wait"
    done = host.run(["sh", "-c", loop])
    said = [json.loads(line)["arguments"][0] for line in done.stdout.splitlines()]
    assert sorted(said, key=int) == [str(number) for number in range(1, 21)]


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_a_call_ends_with_its_caller(host: Host, signal: str) -> None:
    host.run(["rm", "-f", "/run/sleeps"])
    calling = host.start(["aws", "sleep"])
    try:
        waits = "until [ -s /run/sleeps ]; do sleep 0.05; done; cat /run/sleeps"
        number = host.run(["timeout", "30", "sh", "-c", waits]).stdout.decode()
        assert host.run(["cat", f"/proc/{number}/comm"]).stdout == b"aws\n"
        assert host.run(["pkill", f"-{signal}", "-f", "aws sleep"]).returncode == 0
        gone = f"while kill -0 {number} 2> /dev/null; do sleep 0.05; done"
        assert host.run(["timeout", "30", "sh", "-c", gone]).returncode == 0
    finally:
        end(calling)


def test_it_starts_anew_when_the_server_was_killed(host: Host) -> None:
    assert host.run(["pkill", "-KILL", "-f", "aws-server"]).returncode == 0
    assert told(host.run(["aws", "tell"]))["calls"] == 2


def test_it_outlives_the_call_that_has_begun_it(host: Host) -> None:
    """Which is killed while it waits for the server."""
    assert host.run(["pkill", "-KILL", "-f", "aws-server"]).returncode == 0
    host.run(["touch", "/run/slow"])
    calling = host.start(["aws", "tell"])
    try:
        begun = "until pgrep -f '/aws-server aws-0$'; do sleep 0.01; done"
        assert host.run(["timeout", "30", "sh", "-c", begun]).returncode == 0
        assert host.run(["pkill", "-KILL", "-f", "aws tell"]).returncode == 0
    finally:
        end(calling)
        host.run(["rm", "/run/slow"])
    listens = (
        "until grep -q @aws-0 /proc/net/unix; do sleep 0.01; done; sleep 0.5; grep -c @aws-0 /proc/net/unix"
    )
    assert host.run(["timeout", "30", "sh", "-c", listens]).stdout.strip() == b"1"


def test_the_interpreter_is_the_environments(tmp_path: Path) -> None:
    """And not this one, where the AWS CLI is not."""
    given = awscli.programs(tmp_path)
    assert given["/usr/local/bin/aws-server"].startswith(f"#!{tmp_path}/bin/python -I\n")
    assert sys.executable not in "".join(given.values())
