"""A real name server that says what the emulated Route 53 holds, or Cloud Map.

The mirror knows calls that list and nothing else. Records of one name are all in an answer if they are multivalue; of
those that are weighted one is, another at each change. What it cannot represent it refuses.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from blueprints.local.hosts import Host
from blueprints.local.hosts.host import end

# What lists, and what makes lines of a zone file of that
Source = tuple[Callable[[], Any], Callable[[Any], list[str]]]

_PERIOD = 0.05
_CONFIG = """
options {{ directory "/run"; pid-file "/run/named.pid"; session-keyfile "/run/session.key"; recursion no;
  check-names primary ignore; check-names response ignore;
  listen-on {{ any; }}; listen-on-v6 {{ none; }}; allow-query {{ any; }}; dnssec-validation no; }};
controls {{ }};
zone "{zone}" {{ type primary; file "{file}"; notify no; }};
"""


def missing() -> str:
    """Why no name server can run here; empty where one can."""
    found = [each for each in ("named", "dig") if shutil.which(each) is None]
    return f"no {' and no '.join(found)}; install bind9 and bind9-dnsutils" if found else ""


class UnknownRecordError(Exception):
    """A record set that this mirror does not represent."""


def answers(sets: list[dict[str, Any]], choose: random.Random) -> list[str]:
    """Lines of a zone file. Raises UnknownRecordError."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in sets:
        unknown = each.keys() - {
            "Name",
            "Type",
            "TTL",
            "SetIdentifier",
            "Weight",
            "MultiValueAnswer",
            "ResourceRecords",
        }
        if unknown or each["Type"] not in ("A", "NS", "SOA", "SRV"):
            raise UnknownRecordError(
                f"{each['Name']} {each['Type']}: {', '.join(sorted(unknown)) or 'its type'}"
            )
        if each["Type"] in ("A", "SRV"):
            grouped.setdefault((each["Name"], each["Type"]), []).append(each)
    chosen: list[dict[str, Any]] = []
    for members in grouped.values():
        if len({"Weight" in each for each in members}) > 1:
            raise UnknownRecordError(f"{members[0]['Name']}: two routing policies")
        weighted = [each for each in members if each.get("Weight")]
        if "Weight" in members[0]:
            chosen += choose.choices(weighted, [each["Weight"] for each in weighted]) if weighted else []
        else:
            chosen += choose.sample(members, min(8, len(members)))
    return [
        f"{each['Name']} {each['TTL']} IN {each['Type']} {_absolute(each['Type'], value['Value'])}"
        for each in chosen
        for value in each["ResourceRecords"]
    ]


def _absolute(kind: str, value: str) -> str:
    """Route 53 takes every name for a full one."""
    return f"{value.rstrip('.')}." if kind == "SRV" else value


def of_route53(client: Any, zone_id: str) -> Source:
    """A hosted zone: what is listed, and its lines of a zone file."""
    choose = random.Random(7)  # noqa: S311 - no secret

    def listed() -> list[dict[str, Any]]:
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        return [each for page in pages for each in page["ResourceRecordSets"]]

    return listed, lambda sets: answers(sets, choose)


class Mirror:
    """BIND on a host, with the zone in `folder`, which the host is shown."""

    def __init__(self, host: Host, source: Source, zone: str, folder: Path) -> None:
        self._host, self._zone = host, zone
        self._listed, self._lines = source
        self._file, self._serial, self._last = folder / "zone", 0, None
        self.failure = ""
        self._write([])
        (folder / "named.conf").write_text(_CONFIG.format(zone=zone, file=self._file))
        self._named = host.start(["named", "-f", "-c", str(folder / "named.conf")])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _write(self, lines: list[str]) -> None:
        self._serial += 1
        head = [
            f"@ 0 IN SOA ns.{self._zone}. admin.{self._zone}. {self._serial} 60 60 60 0",
            f"@ 0 IN NS ns.{self._zone}.",
        ]
        head.append(f"ns.{self._zone}. 0 IN A 127.0.0.1")
        partial = self._file.with_suffix(".partial")
        partial.write_text("\n".join([*head, *lines]) + "\n")
        partial.replace(self._file)

    def _follow(self) -> None:
        try:
            while not self._over.wait(_PERIOD):
                self._once()
        except Exception as error:
            self.failure = repr(error)

    def _once(self) -> None:
        found = self._listed()
        if found != self._last:
            self._write(self._lines(found))
            self._last = found
            self._host.run(["sh", "-c", "kill -HUP $(cat /run/named.pid)"])

    def dig(self, kind: str, name: str) -> list[str]:
        """What the name server says."""
        return sorted(self._asked("+short", name, kind))

    def known(self, kind: str, names: Iterable[str]) -> set[str]:
        """Which of these names the name server knows, asked all by one command."""
        questions = [part for each in names for part in (each, kind)]
        return {line.split()[0].rstrip(".") for line in self._asked("+noall", "+answer", *questions)}

    def _asked(self, *what: str) -> list[str]:
        command = ["dig", "+tries=1", "+time=2", f"@{self._host.address}", *what]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return [line for line in done.stdout.splitlines() if line and not line.startswith(";")]

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        end(self._named)
