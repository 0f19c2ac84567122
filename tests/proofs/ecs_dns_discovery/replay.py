"""A trace of what containers did, and a socket that tells it as the Docker Engine API does, as fast as it is read."""

from __future__ import annotations

import json
import random
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Event = dict[str, Any]
_MOST = 40


class Trace:
    """`count` events of containers of which at most 40 run at once, some of them gone before anybody looks."""

    def __init__(self, count: int, seed: int = 1) -> None:
        choose = random.Random(seed)  # noqa: S311 - no secret
        self.events: list[Event] = []
        self.running: dict[str, int] = {}
        self.numbers = 0
        while len(self.events) < count or self.running:
            full = len(self.events) >= count or len(self.running) >= _MOST
            if full or (self.running and choose.random() < 0.5):
                self._stop(choose.choice(sorted(self.running)), signalled=choose.random() < 0.5)
            else:
                self._start(choose)
        self.left = [self._start(choose) for _ in range(3)]

    def _start(self, choose: random.Random) -> str:
        container = f"{choose.getrandbits(256):064x}"
        self.numbers += 1
        self.running[container] = 32768 + self.numbers % 20000
        self._add("start", container)
        return container

    def _stop(self, container: str, *, signalled: bool) -> None:
        if signalled:
            self._add("kill", container, signal="15")
        self._add("die", container, exitCode="0")
        self._add("destroy", container)
        del self.running[container]

    def _add(self, action: str, container: str, **attributes: str) -> None:
        moment = 1_700_000_000_000_000_000 + len(self.events) * 1_000_000
        actor = {"ID": container, "Attributes": attributes}
        self.events.append({"Type": "container", "Action": action, "Actor": actor, "timeNano": moment})


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Daemon:
    """Tells a trace once, then stays silent. A container can be inspected while the trace is where it runs."""

    def __init__(self, trace: Trace, path: Path) -> None:
        self._running: dict[str, int] = {}
        self._over = threading.Event()
        self.told = threading.Event()
        self.begin = threading.Event()
        ports = {each["Actor"]["ID"]: number % 20000 + 32768 for number, each in enumerate(trace.events)}
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/events"):
                    self._tell()
                elif self.path.startswith("/containers/json"):
                    self._answer(200, [{"Id": each} for each in list(daemon._running)])
                elif found := re.fullmatch(r"/containers/([0-9a-f]{64})/json", self.path):
                    known = found[1] in daemon._running
                    self._answer(
                        200 if known else 404, _inspected(found[1], ports[found[1]]) if known else {}
                    )

            def _answer(self, status: int, body: Any) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def _tell(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                daemon.begin.wait()
                for each in trace.events:
                    if each["Action"] == "start":
                        daemon._running[each["Actor"]["ID"]] = 1
                    elif each["Action"] == "die":
                        daemon._running.pop(each["Actor"]["ID"], None)
                    self.wfile.write(json.dumps(each).encode() + b"\n")
                daemon.told.set()
                daemon._over.wait()

            def address_string(self) -> str:
                return "agent"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
                pass

        self._server = _Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.ports = {each: ports[each] for each in trace.left}

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


def _inspected(container: str, port: int) -> dict[str, Any]:
    return {
        "Id": container,
        "Config": {"Env": ["SERVICE_8081_NAME=_calc._tcp"], "Labels": {}},
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {"Ports": {"8081/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]}},  # noqa: S104
    }
