"""The process of the emulated AWS: started, waited for, and ended, whatever becomes of its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_START_SECONDS = 60  # to end a hang; a start takes one or two
_STOP_SECONDS = 10


class AwsDownError(Exception):
    """The server process did not start, or has gone; the message holds the end of its log."""


class Process:
    """One server. It starts on construction and listens on `addresses`, all with the same port; 0 is any."""

    def __init__(self, addresses: Sequence[str], port: int, account: str, seed: int) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        settings = {"addresses": list(addresses), "port": port, "seed": seed, "parent": os.getpid()}
        # -P keeps the caller's working folder from shadowing modules.
        command = [sys.executable, "-P", "-m", f"{__package__}.moto_server", json.dumps(settings)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_environment(account),
            # A Ctrl-C at the terminal is the parent's to answer; this process goes when that one does.
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._port = 0

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port, once the server listens. Raises AwsDownError if it does not come to that."""
        with self._lock:
            if not self._port:
                self._port = self._wait_until_it_listens()
            return self._port

    def _wait_until_it_listens(self) -> int:
        # A server that hangs before it listens is killed, which ends the line that is read here.
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            timer.cancel()
        if not line:
            raise AwsDownError(f"the emulated AWS did not start: {self.log()[-2000:] or 'no message'}")
        return json.loads(line)["port"]

    def log(self) -> str:
        """What the server has written to standard error; empty once it is stopped."""
        if self._log.closed:
            return ""
        # By position, since the file's offset is the server's too.
        return os.pread(self._log.fileno(), 1_000_000, 0).decode("utf-8", "replace")

    def stop(self) -> None:
        """End the process and free its port; nothing happens if that was done."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()


def _environment(account: str) -> dict[str, str]:
    """This process's environment, without settings that would lead the server to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    root = Path(__file__).resolve().parents[(__package__ or "").count(".") + 1]
    path = [str(root), *(os.path.abspath(folder) for folder in sys.path)]
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "MOTO_ACCOUNT_ID": account, "NO_PROXY": "*"}
