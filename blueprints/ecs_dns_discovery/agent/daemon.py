"""The Docker daemon, over its socket: what runs, what a container looks like, what happens.

Docker Engine API 1.24 and later, "List containers", "Inspect a container", "Monitor events".
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

# What begins or ends a container. `kill` comes before `die`, as long as the container still answers.
ACTIONS = ["start", "kill", "die", "destroy"]
_PATIENCE = 10
_INTROSPECTION = ("127.0.0.1", 51678)


class DaemonError(Exception):
    """The daemon did not answer, or not as documented."""


class GoneError(Exception):
    """There is no such container any more."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """One daemon. Each question has a connection of its own: sockets of this kind cost next to nothing."""

    def __init__(self, path: str = "/var/run/docker.sock") -> None:
        self.path = path

    def running(self) -> list[str]:
        """Ids of the containers that run. Raises DaemonError."""
        return [each["Id"] for each in self._ask("/containers/json")]

    def inspect(self, container: str) -> dict[str, Any]:
        """A container. Raises GoneError if there is none of this id, and DaemonError."""
        return self._ask(f"/containers/{container}/json")

    def events(self, since: int, subscribed: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """What happens to containers from `since` on, in nanoseconds, until the daemon ends.

        `subscribed` is called once nothing that happens from then on can be missed. Raises DaemonError.
        """
        filters = quote(json.dumps({"type": ["container"], "event": ACTIONS}))
        path = f"/events?filters={filters}"
        if since:
            path += f"&since={since // 10**9}.{since % 10**9:09d}"
        connection = _Connection(self.path, _PATIENCE)
        try:
            response = _get(connection, path)
            if connection.sock:
                connection.sock.settimeout(None)  # nothing may happen for days
            subscribed()
            for line in response:
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DaemonError(f"events: {error!r}") from error
        finally:
            connection.close()

    def _ask(self, path: str) -> Any:
        connection = _Connection(self.path, _PATIENCE)
        try:
            return json.loads(_get(connection, path).read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DaemonError(f"{path}: {error!r}") from error
        finally:
            connection.close()


def _get(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status == 404:
        raise GoneError(path)
    if response.status != 200:
        raise DaemonError(f"{path}: status {response.status}: {response.read(500)!r}")
    return response


def task_address(container: str) -> str:
    """The address of the task that a container belongs to, "" if the ECS agent does not know one.

    ECS Developer Guide, "Amazon ECS container introspection": tasks in awsvpc mode list their networks.
    """
    connection = http.client.HTTPConnection(*_INTROSPECTION, timeout=2)
    try:
        connection.request("GET", f"/v1/tasks?dockerid={container}")
        told = json.loads(connection.getresponse().read())
        networks = [each for part in told.get("Containers") or () for each in part.get("Networks") or ()]
        return next((address for each in networks for address in each.get("IPv4Addresses") or ()), "")
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return ""
    finally:
        connection.close()
