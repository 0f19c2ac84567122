"""Process 1 of an emulated host: makes its file system, tells that it is up, and buries the dead.

Run by path, in fresh namespaces, with the host's settings as JSON. It uses the standard library alone, since nothing
of ours can be imported where it runs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any, NoReturn


def main(given: dict[str, Any]) -> NoReturn:
    """Settle into the host's own root, then wait for children until told to end."""
    root = given["root"]
    _mount(
        "-t", "overlay", "overlay", root, "-o", f"lowerdir=/,upperdir={given['disk']},workdir={given['work']}"
    )
    for name in ("run", "dev/shm"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    _mount("--rbind", "/dev", f"{root}/dev")
    _mount("-t", "tmpfs", "tmpfs", f"{root}/dev/shm")  # noqa: S108 - the host's own
    _mount("-t", "tmpfs", "tmpfs", f"{root}/run")
    _mount("-t", "proc", "proc", f"{root}/proc")
    _mount("-t", "sysfs", "-o", "ro", "sysfs", f"{root}/sys")
    for path in given["shown"]:
        os.makedirs(root + path, exist_ok=True)
    for path in given["hidden"]:
        if os.path.isdir(root + path):
            _hide(root, path, given["shown"])
    for path in given["shown"]:
        if not any(path.startswith(f"{hidden}/") for hidden in given["hidden"]):
            _mount("--bind", "-o", "ro", path, root + path)
    socket.sethostname(given["name"])
    os.chroot(root)
    os.chdir("/")
    for path, text in given["files"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o755 if text.startswith("#!") else 0o644)
    sys.stdout.write("up\n")
    sys.stdout.close()
    _bury()


def _hide(root: str, path: str, shown: list[str]) -> None:
    """An empty folder over a path, with what is shown of it in it."""
    _mount("-t", "tmpfs", "tmpfs", root + path)
    for each in shown:
        if each.startswith(f"{path}/"):
            os.makedirs(root + each, exist_ok=True)
            _mount("--bind", "-o", "ro", each, root + each)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)  # noqa: S603, S607 - our own mounts


def _end(*_: object) -> NoReturn:
    sys.exit(0)


def _bury() -> NoReturn:
    """Wait for whatever has lost its parent. Process 1 heeds only signals that it handles."""
    signal.signal(signal.SIGTERM, _end)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
