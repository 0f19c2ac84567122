"""What the keeper of an environment waits for: output, the end of a process, or something to do."""

from __future__ import annotations

import os
import select
import threading

from .logs import Output

# How often limits are looked at while something runs, in seconds: memory can outgrow its limit for so long.
TICK = 0.02


class Watch:
    """Passes output on. Wakes up each `TICK` while something runs, and sleeps while nothing does."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._reader, self._writer = os.pipe()
        self._events = select.poll()  # descriptors may be beyond what select() takes
        self._events.register(output.reader, select.POLLIN)
        self._events.register(self._reader, select.POLLIN)
        self._lock = threading.Lock()
        self._roused = False
        self._asleep = False
        self._quiet = False
        self._ended = False

    def wait(self, *, idle: bool) -> None:
        """Wait for a tick; when `idle`, until output comes or ends, or `rouse` was called."""
        with self._lock:
            # Only after a quiet moment, so that calls in a row need not wake us; never once the output ended,
            # because then nothing else would tell the end of the process.
            self._asleep = idle and self._quiet and not self._roused and not self._ended
            self._roused = False
        ready = {descriptor for descriptor, _ in self._events.poll(None if self._asleep else TICK * 1000)}
        with self._lock:
            self._asleep = False
        self._quiet = idle and not ready
        if self._reader in ready:
            os.read(self._reader, 4096)
        if self._output.reader in ready and not self._output.drain():
            self._ended = True  # the process is about to end, or has closed its output
            self._events.unregister(self._output.reader)

    def rouse(self) -> None:
        """Something is to be looked after. May be called by any thread."""
        with self._lock:
            self._roused = True
            if self._asleep:
                self._asleep = False
                os.write(self._writer, b"\0")

    def close(self) -> None:
        """Close what this opened."""
        os.close(self._reader)
        with self._lock:
            os.close(self._writer)
