"""One emulated instance: its disk, its namespaces, its metadata service, and commands inside of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_HERE = Path(__file__).parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {
    "PATH": _PATH,
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
}
_START_SECONDS = 20  # to end a hang; a start takes a tenth
_METADATA = "169.254.169.254"


class HostError(Exception):
    """A host that cannot be made, or is not up; the message says why."""


def ip(*arguments: str) -> None:
    """Run iproute2. Raises HostError with what it said."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise HostError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command started on a host, with what it has started, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


class Host:
    """A running host; it is made by a Network. Its disk outlives a reboot, its processes and /run do not."""

    def __init__(
        self,
        name: str,
        *,
        bridge: str,
        link: str,
        address: str,
        folder: Path,
        metadata: Mapping[str, object],
        files: Mapping[str, str],
        hidden: Sequence[str],
        shown: Sequence[str],
    ) -> None:
        self.name, self.address = name, address
        self._bridge, self._link, self._folder = bridge, link, folder
        self._hidden, self._shown = list(hidden), list(shown)
        self._files = {
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": "127.0.0.1 localhost\n",
            "/etc/resolv.conf": "",
            **files,
        }
        self._init: subprocess.Popen[str] | None = None
        self._metadata: subprocess.Popen[str] | None = None
        for part in ("disk", "work", "root"):
            (folder / part).mkdir(parents=True)
        self.set_metadata(metadata)
        self._connect()
        self.power_on()

    @property
    def disk(self) -> Path:
        """What the host has written, as paths of this machine: `disk / "etc/hosts"`."""
        return self._folder / "disk"

    # Power

    def power_on(self) -> None:
        """Start it, with the disk that it had. Raises HostError if it does not come up."""
        given = {
            "name": self.name,
            "root": str(self._folder / "root"),
            "disk": str(self.disk),
            "work": str(self._folder / "work"),
            "hidden": self._hidden,
            "shown": self._shown,
            "files": self._files,
        }
        self._files = {}  # the first start writes them; later ones find what the host has made of them
        self._metadata = self._beside("metadata.py", str(self._folder / "metadata.json"), _METADATA)
        namespaces = [
            "unshare",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
        ]
        self._init = self._beside("init.py", json.dumps(given), within=namespaces)

    def power_off(self) -> None:
        """End every process of it at once, as a lost instance ends."""
        for process in (self._init, self._metadata):
            if process is not None:
                process.kill()
                process.communicate()
        self._init = self._metadata = None

    def reboot(self) -> None:
        """Off and on: processes and /run are gone, the disk stays."""
        self.power_off()
        self.power_on()

    def remove(self) -> None:
        """Off, and nothing of it is left."""
        self.power_off()
        subprocess.run(["ip", "link", "del", self._link], capture_output=True, check=False)  # noqa: S603, S607
        subprocess.run(["ip", "netns", "del", self._link], capture_output=True, check=False)  # noqa: S603, S607
        shutil.rmtree(self._folder, ignore_errors=True)

    # The network

    def _connect(self) -> None:
        ip("netns", "add", self._link)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._link)
        ip("link", "set", self._link, "master", self._bridge, "up")
        ip("-n", self._link, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self._link, "addr", "add", f"{_METADATA}/32", "dev", "lo")
        ip("-n", self._link, "link", "set", "lo", "up")
        ip("-n", self._link, "link", "set", "eth0", "up")

    def unplug(self) -> None:
        """Take the host off the network; its metadata service stays, as on an instance."""
        ip("link", "set", self._link, "down")

    def plug(self) -> None:
        """Put it back."""
        ip("link", "set", self._link, "up")

    def set_metadata(self, metadata: Mapping[str, object]) -> None:
        """What the metadata service tells from now on."""
        path = self._folder / "metadata.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(metadata))
        partial.replace(path)

    # Inside

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        input: str | bytes | None = None,  # noqa: A002 - what subprocess calls it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end. Raises subprocess.TimeoutExpired when that takes longer than `timeout` seconds."""
        given = input.encode() if isinstance(input, str) else input
        process = self.start(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            end(process)
            raise
        return subprocess.CompletedProcess(list(command), process.returncode, out, err)

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.DEVNULL,
        stderr: int | IO[Any] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command inside, as root, with the environment of a login and `env`. `end` ends it."""
        environment = [f"{name}={value}" for name, value in {**_ENVIRONMENT, **(env or {})}.items()]
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        return subprocess.Popen(  # noqa: S603 - what the caller wants to run
            [*enter, "env", "-i", *environment, *command],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # so that `end` reaches what the command has started
        )

    @property
    def pid(self) -> int:
        """Its first process, as this machine counts. Raises HostError when the host is off."""
        if self._init is None or self._init.poll() is not None:
            raise HostError(f"{self.name} is off")
        return int(Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()[0])

    def _beside(self, script: str, *arguments: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start one of our own programs in the host's network, and wait until it says that it is up."""
        enter = ["nsenter", f"--net=/run/netns/{self._link}"]
        # The process goes when the one that made the host does, however that ends.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*tied, *enter, *within, sys.executable, "-I", str(_HERE / script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        told = process.stdout.readline() if process.stdout else ""
        if told != "up\n":
            process.kill()
            raise HostError(
                f"{self.name}: {script}: {process.communicate()[1].strip()[-800:] or 'no message'}"
            )
        return process
