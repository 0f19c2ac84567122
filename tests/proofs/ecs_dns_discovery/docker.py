"""A real Docker daemon in the network of an emulated host, with images that need no registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from blueprints.local.hosts import Host

from .registry import Registry

SMALL = "local/busybox:1"
PYTHON = "public.ecr.aws/docker/library/python:3.13-slim"
_START_SECONDS = 60


def unavailable() -> str:
    """Why no daemon can run here; empty where one can."""
    missing = [each for each in ("dockerd", "docker", "busybox") if shutil.which(each) is None]
    return f"no {' and no '.join(missing)}; install docker.io and busybox-static" if missing else ""


class Docker:
    """One daemon. Its socket is in `folder`, which a host can be shown."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix=f"cb-{os.getpid()}-"))
        self.socket = self.folder / "run" / "docker.sock"
        self.socket.parent.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._host: Host | None = None

    def start(self, host: Host, registry: Registry | None = None) -> None:
        """In this host's network; a second time, with all that it had. A registry is known by its name and trusted."""
        self._host = host
        known = {} if registry is None else {"SSL_CERT_FILE": str(registry.certificate)}
        names = f"127.0.0.1 localhost\n{registry.address} {registry.name}\n" if registry else ""
        (self.folder / "hosts").write_text(names)
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{host.pid}/ns/net"]
        enter += ["unshare", "--mount", "--propagation", "private"]
        if registry is not None:
            enter += ["sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.folder / "hosts")]
        daemon = [
            "dockerd",
            "--data-root",
            str(self.folder / "data"),
            "--exec-root",
            str(self.folder / "exec"),
        ]
        daemon += [
            "-H",
            f"unix://{self.socket}",
            "--pidfile",
            str(self.folder / "pid"),
            "--bip=172.31.250.1/24",
        ]
        daemon += [
            "--iptables=false",
            "--ip6tables=false",
            "--storage-driver=overlay2",
            "--dns",
            "172.31.250.1",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*enter, *daemon],
                env={**os.environ, **known},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _START_SECONDS
        while subprocess.run(self.command("version"), capture_output=True, check=False).returncode:
            assert time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as systemd would, and its containers with it."""
        if self._process is not None:
            pid = self.folder / "pid"
            if pid.exists():
                os.kill(int(pid.read_text()), 15)
            self._process.wait(60)
            self._process = None

    def clear(self) -> None:
        """No container is left."""
        containers = self.run("ps", "-aq").split()
        if containers:
            self.run("rm", "-f", *containers)

    def remove(self) -> None:
        """End it, and nothing of it is left."""
        if self._process is not None:
            self.clear()
        self.stop()
        subprocess.run(["umount", "-R", str(self.folder / "data")], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments: str) -> list[str]:
        """The docker command for this daemon."""
        return ["docker", "-H", f"unix://{self.socket}", *arguments]

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """A docker command to its end; what it printed."""
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def serve(self, *options: str, command: str = "httpd -f -p 8081") -> str:
        """A container of busybox; its id."""
        return self.run("run", "-d", *options, SMALL, "/bin/busybox", *command.split())

    def port(self, container: str, port: str = "8081/tcp") -> int:
        """The port of the host behind which a port of a container is."""
        ports: dict[str, Any] = json.loads(
            self.run("inspect", "-f", "{{json .NetworkSettings.Ports}}", container)
        )
        return int(ports[port][0]["HostPort"])

    def import_small(self) -> None:
        """An image of one program."""
        busybox = shutil.which("busybox")
        assert busybox
        self._import(SMALL, iter([(Path(busybox), "bin/busybox")]))

    def import_python(self) -> None:
        """This machine's Python under the name that the container files are made from."""
        self._import(PYTHON, _python())

    def _import(self, name: str, files: Iterator[tuple[Path, str]]) -> None:
        path = self.folder / "image.tar"
        with tarfile.open(path, "w", dereference=True) as archive:
            for source, target in files:
                archive.add(source, target)
        self.run("import", "-c", "ENV PATH=/usr/local/bin:/bin", str(path), name)
        path.unlink()


def _python() -> Iterator[tuple[Path, str]]:
    """The interpreter, its library without what no service needs, and the libraries that they load."""
    binary = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    yield binary, "usr/local/bin/python"
    unwanted = {
        "test",
        "site-packages",
        "idlelib",
        "tkinter",
        "ensurepip",
        "lib2to3",
        "turtledemo",
        "__pycache__",
    }
    files = [each for each in library.rglob("*") if each.is_file() and not unwanted & set(each.parts)]
    for each in files:
        yield each, f"usr/local/lib/{library.name}/{each.relative_to(library)}"
    linked = [str(binary), *(str(each) for each in files if each.suffix == ".so")]
    told = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False).stdout
    names = {
        word
        for line in told.splitlines()
        for word in line.split()
        if word.startswith("/") and word[-1] != ":"
    }
    for name in sorted(names):
        yield Path(name), name.lstrip("/")
    busybox = shutil.which("busybox")
    assert busybox
    yield Path(busybox), "bin/sh"
