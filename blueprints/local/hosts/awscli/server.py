"""A process that has imported the AWS CLI, and is it in a fork for each call."""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

Main = Callable[[], int]
MOST = 253  # files that one message may carry, unix(7)
HIGH = 512  # where no caller's files are


def serve(name: str) -> None:
    """Wait for calls until the host is off. An empty line is printed when they may come."""
    main: Main = importlib.import_module("awscli.clidriver").main
    said = os.dup(1)
    with open(os.devnull, "w") as nothing, suppress(SystemExit):
        os.dup2(nothing.fileno(), 1)
        sys.argv = ["aws", "--version"]  # imports what its commands are made of
        main()
    sys.stdout.flush()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"\0{name}")
    listening.listen(64)
    with suppress(BrokenPipeError):  # whoever has begun it may be gone, and others are waiting
        os.write(said, b"\n")
    os.close(said)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(connection, main)
            os._exit(0)
        connection.close()


def answer(connection: socket.socket, main: Main) -> None:
    """Be the AWS CLI for one caller, who is told the exit status."""
    size, files, _, _ = socket.recv_fds(connection, 8, MOST)
    connection = socket.socket(fileno=_away(connection.detach()))
    files = [_away(file) for file in files]
    asked = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    folder, arguments, variables, numbers = json.loads(asked)
    for number, file in zip(numbers, files, strict=True):
        os.dup2(file, number)
        os.close(file)
    threading.Thread(target=lambda: connection.recv(1) or os._exit(1), daemon=True).start()
    os.chdir(folder)
    own = os.environ["AWS_DATA_PATH"]  # by the AWS CLI when it was imported, which it puts behind a caller's
    os.environ.clear()
    os.environ.update(variables)
    os.environ["AWS_DATA_PATH"] = os.pathsep.join(filter(None, [variables.get("AWS_DATA_PATH"), own]))
    sys.argv = ["aws", *arguments]
    with open("/proc/self/comm", "w") as comm:
        comm.write("aws")
    try:
        status = main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([status]))


def _away(file: int) -> int:
    """A file at another number, so that its own is free for a caller's."""
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(file)
    return moved


if __name__ == "__main__":
    serve(sys.argv[1])
