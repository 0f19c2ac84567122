#!/usr/bin/python3 -I
"""systemctl of an emulated host, which has no systemd: reads the installed unit files, and obeys them.

A service is kept by a process of its own, which starts it, starts it again as Restart and RestartSec say, and ends
with it. `boot` mounts what fstab lists and starts what is enabled, as systemd does. An unknown directive is an error.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDERS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
RUN = Path("/run/units")
OBEYED = {
    "Unit": {"Description", "Documentation", "Wants", "After", "StartLimitIntervalSec", "ConditionPathExists"},
    "Service": {
        "Environment", "EnvironmentFile", "ExecStartPre", "ExecStart", "ExecReload", "KillMode", "Restart",
        "RestartSec", "RestartPreventExitStatus", "RuntimeDirectory", "RuntimeDirectoryMode", "Type", "User",
        "WorkingDirectory",
    },
    "Install": {"Alias", "WantedBy"},
}  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UnitError(Exception):
    """A unit that is missing, or has what this cannot obey."""


def find(name: str) -> Path | None:
    """The file of a unit; an alias is a link to it."""
    name = name if name.endswith(".service") else f"{name}.service"
    return next((folder / name for folder in FOLDERS if (folder / name).exists()), None)


def parse(path: Path) -> dict[str, list[str]]:
    """Values by directive, those of drop-ins after the unit's own."""
    values: dict[str, list[str]] = {}
    drop_ins = sorted(Path(f"/etc/systemd/system/{path.name}.d").glob("*.conf"))
    for file in (path, *drop_ins):
        section = ""
        for line in file.read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and line[0] not in "#;":
                key, _, value = line.partition("=")
                if key not in OBEYED.get(section, ()):
                    raise UnitError(f"{file}: [{section}] {key} is not obeyed here")
                values.setdefault(key, []).append(value)
    return values


def environment(unit: dict[str, list[str]]) -> dict[str, str]:
    """What a service finds: systemd gives it little."""
    found = {"PATH": PATH, "LANG": "C.UTF-8"}
    for line in unit.get("Environment", []):
        found.update(_pair(each) for each in shlex.split(line))
    for name in unit.get("EnvironmentFile", []):
        path = Path(name.lstrip("-"))
        if not path.exists() and name.startswith("-"):
            continue
        lines = [line for line in path.read_text().splitlines() if "=" in line and line[0] not in "#;"]
        found.update(_pair(line) for line in lines)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value.strip('"')


def command(text: str, variables: dict[str, str]) -> list[str]:
    """A command line; $NAME alone is split into words, and is none where it is empty."""
    words: list[str] = []
    for word in shlex.split(text):
        words += variables.get(word[1:], "").split() if word.startswith("$") else [word]
    return words


def keep(name: str) -> None:
    """Be the keeper of a service, until it ends for good or is stopped."""
    path = find(name)
    assert path
    unit = parse(path)
    variables = environment(unit)
    restart, pause = unit.get("Restart", ["no"])[-1], float(unit.get("RestartSec", ["0.1"])[-1])
    for each in unit.get("RuntimeDirectory", []):
        Path("/run", each).mkdir(parents=True, exist_ok=True)
    log = open(f"/var/log/{path.stem}.journal", "ab")  # noqa: SIM115 - as long as the service
    started: list[subprocess.Popen[bytes]] = []

    def stop(*_: object) -> None:
        for each in started:
            each.terminate()
        (RUN / path.name).unlink(missing_ok=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        for each in unit.get("ExecStartPre", []):
            subprocess.run(command(each, variables), env=variables, stdout=log, stderr=log, check=True)
        main = subprocess.Popen(
            command(unit["ExecStart"][-1], variables),
            cwd=unit.get("WorkingDirectory", ["/"])[-1],
            env=variables,
            user=unit.get("User", [None])[-1],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        started[:] = [main]
        partial = RUN / f".{path.name}"  # others read at any time
        partial.write_text(json.dumps({"keeper": os.getpid(), "main": main.pid}))
        partial.rename(RUN / path.name)
        status = main.wait()
        if restart != "always" and not (restart == "on-failure" and status):
            (RUN / path.name).unlink(missing_ok=True)
            return
        time.sleep(pause)


def active(name: str) -> dict[str, int] | None:
    """The processes of a service that runs."""
    path = find(name)
    state = RUN / path.resolve().name if path else None
    try:
        return json.loads(state.read_text()) if state else None
    except FileNotFoundError:
        return None


def start(name: str) -> None:
    """Start a service, if it does not run, under a keeper."""
    path = find(name)
    if path is None:
        raise UnitError(f"Unit {name} not found.")
    parse(path)
    if active(name):
        return
    RUN.mkdir(parents=True, exist_ok=True)
    keeper = [sys.executable, "-I", os.path.abspath(__file__), "keep", path.resolve().name]
    subprocess.Popen(
        keeper,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not active(name) and time.monotonic() < deadline:
        time.sleep(0.02)


def stop(name: str) -> None:
    """Stop a service, and wait for it."""
    found = active(name)
    if found:
        os.kill(found["keeper"], signal.SIGTERM)
        while active(name):
            time.sleep(0.02)


def enable(name: str) -> None:
    """Have it started at boot, by what wants it."""
    path = find(name)
    if path is None:
        raise UnitError(f"Unit {name} not found.")
    for target in parse(path).get("WantedBy", []):
        folder = Path(f"/etc/systemd/system/{target}.wants")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)


def reload_(name: str) -> None:
    """Reload it as its unit says, or start it again where that says nothing."""
    found, path = active(name), find(name)
    if not found or not path:
        return
    unit = parse(path)
    variables = {**environment(unit), "MAINPID": str(found["main"])}
    for each in unit.get("ExecReload", []):
        subprocess.run(command(each, variables), env=variables, check=True)
    if "ExecReload" not in unit:
        stop(name)
        start(name)


def main(verb: str, *arguments: str) -> int:
    """Carry a verb out; the exit status."""
    names = [each for each in arguments if not each.startswith("-")]
    if verb == "daemon-reload":
        return 0
    if verb == "boot":
        subprocess.run(["mount", "-a"], check=True)  # what systemd makes of fstab
        names = [each.name for each in Path("/etc/systemd/system").glob("*.wants/*.service")]
    for name in names:
        running = active(name)
        if verb == "keep":
            keep(name)
        elif verb == "enable":
            enable(name)
            if "--now" in arguments:
                start(name)
        elif verb in ("start", "boot"):
            start(name)
        elif verb == "stop":
            stop(name)
        elif verb in ("restart", "try-restart"):
            if running or verb == "restart":
                stop(name)
                start(name)
        elif verb == "try-reload-or-restart":
            reload_(name)
        elif verb == "is-active":
            return 0 if running else 3
        else:
            raise UnitError(f"systemctl {verb}: not known here")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except UnitError as error:
        sys.exit(f"Failed: {error}")
