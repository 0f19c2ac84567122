"""Emulated hosts: each with a disk, processes, a name and a network of its own, and nothing of them left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprints.local.hosts import Host, HostError, Network, end, unavailable

pytestmark = pytest.mark.skipif(
    bool(unavailable()) and os.environ.get("CI") != "true", reason=unavailable() or "can run"
)
ASK = """
token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
"""
METADATA = {
    "meta-data/instance-id": "i-0123456789abcdef0",
    "meta-data/placement/region": "eu-west-1",
    "meta-data/placement/availability-zone": "eu-west-1a",
    "meta-data/iam/security-credentials/role": {"AccessKeyId": "AKIA"},
}


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def out(host: Host, script: str) -> str:
    done = host.run(["bash", "-c", script])
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def test_hosts_see_their_own_disk_and_processes_only(network: Network) -> None:
    one, two = network.host("one"), network.host("two", files={"/etc/motd": "two\n"})
    assert [out(each, "hostname; cat /etc/hostname") for each in (one, two)] == ["one\none", "two\ntwo"]
    out(one, "echo mine >/etc/mine; mkdir -p /opt/here; echo 1 >/opt/here/file; rm /etc/motd || true")
    assert out(two, "cat /etc/motd; ls /etc/mine /opt/here 2>&1 || true").startswith("two\n")
    assert not Path("/etc/mine").exists()
    assert (one.disk / "opt/here/file").read_text() == "1\n"
    assert len(out(two, "ls -d /proc/[0-9]*").splitlines()) < 6


def test_hosts_reach_each_other_and_the_gateway_and_nothing_else(network: Network) -> None:
    one, two = network.host("one"), network.host("two")
    server = two.start(["python3", "-m", "http.server", "8000", "--bind", two.address])
    try:
        page = out(one, f"curl -sS --retry 20 --retry-connrefused --retry-delay 0 http://{two.address}:8000/")
        assert "Directory listing" in page
        two.unplug()
        assert one.run(["curl", "-sS", "-m", "1", f"http://{two.address}:8000/"]).returncode
        two.plug()
        assert out(one, f"curl -sS -m 5 http://{two.address}:8000/") == page
        assert one.run(["bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80"]).returncode
    finally:
        end(server)


def test_metadata_need_a_token_and_are_read_anew(network: Network) -> None:
    host = network.host("one", metadata=METADATA)
    at = "http://169.254.169.254/latest/meta-data"
    status = "curl -sS -o /dev/null -w '%{http_code}'"
    assert out(host, f"{status} {at}/instance-id") == "401"
    assert out(host, f"{status} -X PUT http://169.254.169.254/latest/api/token") == "400"
    get = f'{ASK} curl -sS -H "X-aws-ec2-metadata-token: $token"'
    assert out(host, f"{get} {at}/instance-id") == "i-0123456789abcdef0"
    assert out(host, f"{get} {at}/placement/") == "availability-zone\nregion"
    assert out(host, f"{get} {at}/") == "iam/\ninstance-id\nplacement/"
    assert out(host, f"{get} {at}/iam/security-credentials/role") == '{"AccessKeyId": "AKIA"}'
    assert out(host, f"{get} -o /dev/null -w '%{{http_code}}' {at}/spot/instance-action") == "404"
    host.set_metadata({**METADATA, "meta-data/spot/instance-action": {"action": "terminate"}})
    assert out(host, f"{get} {at}/spot/instance-action") == '{"action": "terminate"}'
    host.set_metadata({"fail": True})
    assert out(host, f"{get} -o /dev/null -w '%{{http_code}}' {at}/instance-id") == "401"


def test_a_reboot_keeps_the_disk_and_clears_the_rest(network: Network) -> None:
    host = network.host("one", files={"/etc/motd": "first\n"})
    out(host, "echo changed >/etc/motd; touch /run/gone; sleep 300 >/dev/null 2>&1 & true")
    host.reboot()
    assert out(host, "cat /etc/motd; ls /run; pgrep sleep || true") == "changed"
    host.power_off()
    with pytest.raises(HostError, match="one is off"):
        host.run(["true"])


def test_hidden_paths_are_empty_and_shown_ones_are_read_only(network: Network, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "file").write_text("x")
    (tmp_path / "secret").write_text("x")
    host = network.host("one", hidden=[str(tmp_path)], shown=[str(tmp_path / "tool")])
    assert out(host, f"ls {tmp_path}; cat {tmp_path}/tool/file") == "tool\nx"
    assert host.run(["touch", f"{tmp_path}/tool/new"]).returncode


def test_the_clock_runs_out_for_a_command_that_hangs(network: Network) -> None:
    host = network.host("one")
    with pytest.raises(subprocess.TimeoutExpired):
        host.run(["bash", "-c", "sleep 300; true"], timeout=0.3)
    assert out(host, "pgrep --runstates DRS sleep || true") == ""


def test_the_gateway_answers_at_once_while_hosts_come_and_go() -> None:
    """A bridge would take the lowest address of what is connected, and every host would have to find it anew."""
    with Network() as network, socket.create_server((network.gateway, 0)) as server:
        stays, *others = sorted(
            [network.host(f"host{number}") for number in range(4)], key=hardware_address, reverse=True
        )
        connect = ["timeout", "2", "bash", "-c", f": < /dev/tcp/{network.gateway}/{server.getsockname()[1]}"]
        assert stays.run(connect).returncode == 0
        for each in reversed(others):
            each.remove()
            assert stays.run(connect).returncode == 0
        network.host("another")
        assert stays.run(connect).returncode == 0


def hardware_address(host: Host) -> str:
    """Of the host's end in the bridge."""
    found = host.run(["cat", "/sys/class/net/eth0/iflink"]).stdout.decode().strip()
    links = [
        each for each in Path("/sys/class/net").iterdir() if (each / "ifindex").read_text().strip() == found
    ]
    return (links[0] / "address").read_text()


def left_of(pid: int) -> list[str]:
    names = [*os.listdir("/sys/class/net"), *os.listdir("/run/netns"), *os.listdir("/tmp")]  # noqa: S108
    return [name for name in names if name.startswith(f"cb-{pid}-")]


def test_nothing_is_left_after_closing() -> None:
    with Network() as network:
        network.host("one")
        assert len(left_of(os.getpid())) >= 3
    assert left_of(os.getpid()) == []


def test_what_a_killed_process_leaves_is_swept_by_the_next() -> None:
    script = (
        "from blueprints.local.hosts import Network\nimport time\nn = Network(); h = n.host('one')\n"
        "p = h.start(['sleep', '400'])\nprint(h.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        init = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{init}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{init}")
    assert left_of(child.pid)
    with Network():
        assert left_of(child.pid) == []


def test_what_was_left_is_swept_once_by_all_that_begin_together() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    for number in range(20):
        subprocess.run(["ip", "netns", "add", f"cb-{gone.pid}-0-{number}"], check=True)
    begin = [sys.executable, "-c", "from blueprints.local.hosts import Network; Network().close()"]
    together = [subprocess.Popen(begin, stderr=subprocess.PIPE) for _ in range(4)]
    said = [each.communicate()[1].decode() for each in together]
    assert [each.returncode for each in together] == [0] * 4, said
    assert left_of(gone.pid) == []
