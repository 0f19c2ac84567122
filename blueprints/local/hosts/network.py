"""A bridge with a subnet of its own, and the hosts on it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

from .host import Host, HostError, ip

_PREFIX = "cb-"
_TOOLS = ("ip", "mount", "nsenter", "setpriv", "unshare")
_SUBNETS = range(250)
_LOCK = "/run/compute-blueprints.lock"


def unavailable() -> str:
    """Why no host can be made on this machine; empty where one can."""
    if sys.platform != "linux":
        return f"hosts are Linux namespaces, and this is {sys.platform}"
    if os.geteuid():
        return "hosts are namespaces with mounts of their own, which need root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"no {' and no '.join(missing)} on PATH; install iproute2 and util-linux" if missing else ""


class Network:
    """Hosts that reach each other and `gateway`, which is this machine, and nothing else.

    Everything it made is gone after `close`; what a killed process has left goes when the next one begins.
    Raises HostError where `unavailable` has a reason.
    """

    def __init__(self) -> None:
        reason = unavailable()
        if reason:
            raise HostError(reason)
        self.hosts: list[Host] = []
        self._folder = Path(mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        with open(_LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two that begin at once, one sees what the other has done
            sweep()
            self._index = _free_index()
            self.bridge = f"{_PREFIX}{os.getpid()}-{self._index}"
            # An address of its own: else it has the lowest of what is connected, and with each host that comes or
            # goes all others may send to one that is no longer there, for as long as they remember it.
            ip("link", "add", self.bridge, "address", f"02:cb:00:00:00:{self._index:02x}", "type", "bridge")
        ip("addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    @property
    def gateway(self) -> str:
        """This machine's address on the network, where servers for the hosts listen."""
        return self._address(1)

    def _address(self, number: int) -> str:
        return f"10.77.{self._index}.{number}"

    def host(
        self,
        name: str,
        *,
        metadata: Mapping[str, object] | None = None,
        files: Mapping[str, str] | None = None,
        hidden: Sequence[str] = (),
        shown: Sequence[str] = (),
    ) -> Host:
        """A running host. `metadata` is what its instance metadata service tells, see `metadata.py`.

        `files` are written into its disk, scripts as programs; paths in `hidden` are empty there, those in `shown`
        are the machine's own, read-only, even below a hidden one.
        """
        number = len(self.hosts) + 10
        host = Host(
            name,
            bridge=self.bridge,
            link=f"{self.bridge}-{number - 10}",
            address=self._address(number),
            folder=self._folder / f"{number}-{name}",
            metadata=metadata or {},
            files=files or {},
            hidden=hidden,
            shown=shown,
        )
        self.hosts.append(host)
        return host

    def close(self) -> None:
        """Power all hosts off and remove their disks, the bridge and its links."""
        for host in self.hosts:
            host.remove()
        self.hosts.clear()
        if Path(f"/sys/class/net/{self.bridge}").exists():
            ip("link", "del", self.bridge)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _free_index() -> int:
    """A subnet that no bridge of ours has."""
    taken = {int(found[1]) for name in os.listdir("/sys/class/net") if (found := _BRIDGE.fullmatch(name))}
    return next(index for index in _SUBNETS if index not in taken)


_BRIDGE = re.compile(rf"{_PREFIX}\d+-(\d+)")
_OWNED = re.compile(rf"{_PREFIX}(\d+)-.*")


def sweep() -> None:
    """Remove namespaces, links and disks of processes that have gone. One process at a time may do so."""
    for name in [each for each in _listed("/run/netns") if _abandoned(each)]:
        for pid in subprocess.run(  # noqa: S603 - our own prefix
            ["ip", "netns", "pids", name],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        ip("netns", "del", name)
    for name in [each for each in _listed("/sys/class/net") if _abandoned(each)]:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)  # noqa: S603, S607
    for path in Path("/tmp").glob(f"{_PREFIX}*"):  # noqa: S108 - where mkdtemp made them
        if _abandoned(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _listed(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _abandoned(name: str) -> bool:
    owned = _OWNED.fullmatch(name)
    return owned is not None and not os.path.exists(f"/proc/{owned[1]}")
