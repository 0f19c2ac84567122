"""What was called, and what of it nobody here implements."""

from __future__ import annotations

import threading
import time
from typing import Any

from .request import Call


class Journal:
    """Every call in order of its answer, and the gaps: calls that neither moto nor a stand-in knows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, Any]] = []
        self._gaps: list[dict[str, str]] = []

    def record(self, call: Call, status: int, injected: str) -> None:
        """One call and the HTTP status of its answer; 0 where the connection was closed instead."""
        entry = {
            "service": call.service,
            "operation": call.name,
            "parameters": call.parameters(),
            "access_key": call.access_key,
            "region": call.region,
            "time": time.time(),
            "status": status,
            "injected": injected,
        }
        with self._lock:
            self._calls.append(entry)

    def gap(self, call: Call, why: str) -> None:
        """A call that could not be answered."""
        with self._lock:
            self._gaps.append({"api": call.api, "why": why})

    def calls(self) -> list[dict[str, Any]]:
        """All calls so far."""
        with self._lock:
            return list(self._calls)

    def gaps(self) -> list[dict[str, str]]:
        """All gaps so far."""
        with self._lock:
            return list(self._gaps)

    def clear(self) -> None:
        """Nothing was called."""
        with self._lock:
            self._calls.clear()
            self._gaps.clear()
