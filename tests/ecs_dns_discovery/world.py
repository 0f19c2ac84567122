"""A host as the agent sees it, for tests: containers that a script starts and stops, and a zone."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from .route53_standin import Route53

ZONE = "servicediscovery.internal"
_AGENT = "blueprints.ecs_dns_discovery.agent."


def modules() -> Any:
    """The agent's modules, as its own `modules()` gives them."""
    names = ("daemon", "instance", "records", "registrar", "route53")
    found: Any = SimpleNamespace(**{name: import_module(_AGENT + name) for name in names})
    found.passing = (found.route53.UnavailableError, found.route53.ZoneError, found.instance.MetadataError)
    return found


AGENT = modules()


def container(
    number: int = 1,
    *environment: str,
    ports: dict[str, int] | None = None,
    mode: str = "default",
    **more: Any,
) -> dict[str, Any]:
    """A container as inspect shows it; it has one service unless told otherwise."""
    bindings = {
        port: [{"HostIp": "0.0.0.0", "HostPort": str(host)}, {"HostIp": "::", "HostPort": str(host)}]  # noqa: S104
        for port, host in (ports if ports is not None else {"8081/tcp": 32768 + number}).items()
    }
    return {
        "Id": f"{number:064x}",
        "Config": {"Env": list(environment or ["SERVICE_8081_NAME=_calc._tcp"]), "Labels": {}, **more},
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Ports": bindings},
    }


class Daemon:
    """Docker, of which a test says what happens. A container that is gone cannot be inspected."""

    def __init__(self, *running: dict[str, Any]) -> None:
        self.containers = {each["Id"]: each for each in running}
        self.listeners: list[queue.SimpleQueue[Any]] = []
        self.subscriptions = 0
        self.after_listing: Callable[[], None] = lambda: None
        self.time = time.time_ns()

    def running(self) -> list[str]:
        found = list(self.containers)
        hook, self.after_listing = self.after_listing, lambda: None
        hook()
        return found

    def inspect(self, identifier: str) -> dict[str, Any]:
        if identifier not in self.containers:
            raise AGENT.daemon.GoneError(identifier)
        return self.containers[identifier]

    def events(self, since: int, subscribed: Callable[[], None]) -> Iterator[dict[str, Any]]:
        self.subscriptions += 1
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.listeners.append(inbox)
        subscribed()
        yield from iter(inbox.get, None)
        self.listeners.remove(inbox)

    def start(self, what: dict[str, Any]) -> None:
        self.containers[what["Id"]] = what
        self.tell("start", what["Id"])

    def stop(self, what: dict[str, Any]) -> None:
        self.containers.pop(what["Id"], None)
        self.tell("die", what["Id"])

    def tell(self, action: str, identifier: str, **attributes: str) -> None:
        self.time += 1000
        event = {
            "Action": action,
            "timeNano": self.time,
            "Actor": {"ID": identifier, "Attributes": attributes},
        }
        for each in self.listeners:
            each.put(event)

    def end_stream(self) -> None:
        for each in list(self.listeners):
            each.put(None)


class World:
    """A host, its zone at a stand-in of Route 53, and what an implementation has logged."""

    def __init__(self, daemon: Daemon, monkeypatch: Any, **zone: Any) -> None:
        self.daemon = daemon
        self.route53 = Route53(**zone)
        self.log: list[dict[str, Any]] = []
        self.clients: list[Any] = []
        self.host_name, self.address, self.routing, self.ttl = "node1", "10.5.10.74", "weighted", 0
        monkeypatch.setenv("AWS_ENDPOINT_URL", self.route53.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    @property
    def host(self) -> Any:
        return AGENT.records.Host(self.host_name, self.address, ZONE, self.ttl, self.routing)

    def zone(self) -> Any:
        instance = AGENT.instance.Instance()
        made = AGENT.route53.Zone("ZONE", "eu-west-1", instance, AGENT.records.Record, lambda: None)
        self.clients.append(made)
        return made

    def close(self) -> None:
        for each in self.clients:
            each.close()
        self.route53.close()

    def told(self, kind: str, **fields: Any) -> None:
        self.log.append({"kind": kind, **fields})

    def services(self) -> dict[tuple[str, str, str], str]:
        return {key: content[0] for key, content in self.route53.sets.items() if key[1] == "SRV"}

    def live(self, implementation: Any, *happens: Callable[[], None], seconds: float = 5) -> bool:
        """Whether the implementation, at work while these things happen, is still alive when nothing is left to do."""
        failed: list[BaseException] = []

        def work() -> None:
            try:
                implementation.run(self)
            except Exception as error:
                failed.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        self.wait(lambda: bool(self.daemon.listeners) or bool(failed), seconds)
        self.settle(implementation, failed)
        for each in happens:
            each()
            self.settle(implementation, failed)
        try:
            implementation.end()
        except Exception as error:
            failed.append(error)
        self.daemon.end_stream()
        worker.join(seconds)
        return not failed

    def settle(self, implementation: Any, failed: list[BaseException]) -> None:
        """Wait until the implementation has had time for what it was told."""
        self.wait(lambda: bool(failed) or implementation.idle(), 3)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        quiet = 0
        while quiet < 3 and time.monotonic() < until:
            quiet = quiet + 1 if condition() else 0
            time.sleep(0.01)
        return quiet >= 3


class Ours:
    """The shipped agent, with its real client of Route 53."""

    def __init__(self, world: World, interval: float = 0.0) -> None:
        self.over = threading.Event()
        self.registrar = AGENT.registrar.Registrar(
            AGENT, world.daemon, world.zone(), world.host, world.told, interval=interval, resync=300
        )

    def run(self, world: World) -> None:
        self.registrar.next_resync = self.registrar.clock() + 300

        def pause(seconds: float) -> None:
            time.sleep(0.01)

        given = (self.registrar, AGENT.daemon.DaemonError, pause, self.over.is_set)
        threading.Thread(target=AGENT.registrar.follow, args=given, daemon=True).start()
        self.registrar.run()

    def idle(self) -> bool:
        registrar = self.registrar
        return (
            registrar.inbox.empty() and not registrar.dirty and registrar.next_resync > registrar.clock() + 1
        )

    def end(self) -> None:
        self.over.set()
        self.registrar.inbox.put(("end", None))
