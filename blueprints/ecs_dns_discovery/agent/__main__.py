"""The agent: containers of this host that ask for it stand in DNS for as long as they run.

python3 agent.pyz --zone-id Z0123456789ABCDEFGHIJ --zone servicediscovery.internal
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import types
from importlib import import_module
from typing import Any, NoReturn

# Route 53 takes five requests a second from an account (Developer Guide, "Quotas"). Four are for the agents.
_CALLS_A_SECOND = 4
_ONCE_SECONDS = 60.0


def arguments(given: list[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="agent", description="Containers stand in DNS for as long as they run."
    )
    add = parser.add_argument
    add("--zone-id", required=True, help="id of the private hosted zone")
    add("--zone", required=True, help="its name, which has to be the zone's")
    add("--region", help="region of the host; the instance's if left out")
    add("--host", help="name that owns this host's records; the instance's id if left out")
    add("--address", help="address that clients reach this host at; the instance's if left out")
    add("--ttl", type=int, default=0, help="seconds that resolvers may keep an answer")
    add(
        "--answers", choices=["weighted", "multivalue"], default="weighted", help="one answer, or up to eight"
    )
    add("--hosts", type=int, default=1, help="hosts at most that share Route 53's requests")
    add("--resync", type=float, default=300, help="seconds between two comparisons of everything")
    add("--socket", default="/var/run/docker.sock", help="the Docker daemon's socket")
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--sync", action="store_true", help="make the records right once, and end")
    once.add_argument("--remove", action="store_true", help="remove this host's records, and end")
    add("--dry-run", action="store_true", help="say what would be changed, once, and change nothing")
    return parser.parse_args(given)


def log(kind: str, **fields: Any) -> None:
    """One line of JSON on standard output, which systemd keeps."""
    sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")
    sys.stdout.flush()


def modules() -> Any:
    """The agent's other modules, by their names, and `passing`: what another try may mend."""
    names = ("daemon", "instance", "records", "registrar", "route53")
    found: Any = types.SimpleNamespace(**{name: import_module(name) for name in names})
    found.passing = (found.route53.UnavailableError, found.route53.ZoneError, found.instance.MetadataError)
    return found


def main(given: list[str]) -> int:
    """The agent's life; its exit status."""
    options, imports = arguments(given), modules()
    try:
        registrar = prepared(options, imports)
    except imports.passing as error:
        log("error", error=str(error))
        return 2
    if options.dry_run:
        return _say(registrar, imports)
    if options.remove:
        registrar.registered = False
    elif not options.sync:
        return serve(registrar, imports)
    elif not registrar.compare():
        return 1
    return 0 if registrar.settle(time.sleep, _ONCE_SECONDS) else 1


def prepared(options: argparse.Namespace, imports: Any) -> Any:
    """A registrar for this host and this zone. Raises ZoneError for a zone that is not the one named."""
    interval = options.hosts / _CALLS_A_SECOND
    instance = imports.instance.Instance()
    host = imports.records.Host(
        options.host or instance.read("instance-id"),
        options.address or instance.read("local-ipv4"),
        options.zone.rstrip(".").lower(),
        options.ttl,
        options.answers,
    )
    if not imports.records.HOST.fullmatch(host.id):
        raise imports.route53.ZoneError(
            f"{host.id!r} cannot own records; give --host at most 53 of A-Z a-z 0-9 . -"
        )
    region = options.region or instance.read("placement/region")
    zone = imports.route53.Zone(
        options.zone_id, region, instance, imports.records.Record, lambda: time.sleep(interval)
    )
    name = zone.name()
    if name != host.zone:
        raise imports.route53.ZoneError(
            f"{zone.id} is {name}, not {host.zone}; give the id of the right zone"
        )
    daemon = imports.daemon.Daemon(options.socket)
    return imports.registrar.Registrar(
        imports, daemon, zone, host, log, interval=interval, resync=options.resync
    )


def _say(registrar: Any, imports: Any) -> int:
    try:
        changes = registrar.plan() if registrar.compare() else None
    except imports.passing as error:
        log("error", error=str(error))
        return 1
    if changes is None:
        return 1
    log("would change", changes=[[each.action, *each.record] for each in changes])
    return 0


def serve(registrar: Any, imports: Any) -> int:
    """Follow the daemon until SIGTERM, then take this host's records back."""
    ending = threading.Event()

    def end(*_: object) -> None:
        ending.set()
        registrar.inbox.put(("end", None))

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    follower = threading.Thread(
        target=imports.registrar.follow,
        args=(registrar, imports.daemon.DaemonError, time.sleep, ending.is_set),
        daemon=True,
    )
    registrar.next_resync = registrar.clock() + registrar.resync
    follower.start()
    registrar.run()
    registrar.registered = False
    return 0 if registrar.settle(time.sleep, _ONCE_SECONDS) else 1


def _exit() -> NoReturn:
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _exit()
