"""Route 53 as the agent meets it: pages, batches and limits as AWS documents them, where moto has others.

Route 53 API Reference, ListResourceRecordSets (order, `maxitems` up to 300, IsTruncated with NextRecordName, -Type and
-Identifier), ChangeResourceRecordSets (all or nothing, 1,000 elements, 32,000 characters, UPSERT counts twice),
GetHostedZone; Developer Guide, "Quotas": five requests a second for an account.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_RRSET = f"{{{NAMESPACE}}}"
Key = tuple[str, str, str]


class Route53:
    """One account with one zone. `sets` are value, TTL and routing by name, type and identifier."""

    def __init__(
        self, name: str = "servicediscovery.internal", *, private: bool = True, rate: int = 0, most: int = 300
    ) -> None:
        self.name, self.private, self.rate, self.most = name, private, rate, most
        self.sets: dict[Key, tuple[str, int, str]] = {}
        self.requests: list[str] = []
        self.throttled = 0
        self.before: Callable[[str], None] = lambda method: None
        self._times: list[float] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"zone": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        self.before(method)
        with self._lock:
            now = time.monotonic()
            self._times = [each for each in self._times if each > now - 1]
            if self.rate and len(self._times) >= self.rate:
                self.throttled += 1
                return 400, _error("Throttling", "Rate exceeded")
            self._times.append(now)
            self.requests.append(f"{method} {path}")
            return self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        parts = urlsplit(path)
        if not parts.path.startswith("/2013-04-01/hostedzone/ZONE"):
            return 404, _error("NoSuchHostedZone", "No hosted zone found with this ID")
        if parts.path.endswith("/ZONE"):
            private = str(self.private).lower()
            zone = f"<Name>{self.name}.</Name><Config><PrivateZone>{private}</PrivateZone></Config>"
            return 200, _wrapped("GetHostedZoneResponse", f"<HostedZone>{zone}</HostedZone>")
        if method == "GET":
            return 200, self._page({name: values[0] for name, values in parse_qs(parts.query).items()})
        return self._changed(ElementTree.fromstring(body))  # noqa: S314 - our own agent's

    def _page(self, query: dict[str, str]) -> str:
        start = (query.get("name", "").rstrip("."), query.get("type", ""), query.get("identifier", ""))
        keys = sorted(each for each in self.sets if each >= start)
        size = min(int(query.get("maxitems", "100")), self.most)
        listed = "".join(self._listed(each) for each in keys[:size])
        text = f"<ResourceRecordSets>{listed}</ResourceRecordSets>"
        if len(keys) <= size:
            return _wrapped("ListResourceRecordSetsResponse", f"{text}<IsTruncated>false</IsTruncated>")
        name, kind, identifier = keys[size]
        following = f"<NextRecordName>{name}.</NextRecordName><NextRecordType>{kind}</NextRecordType>"
        if identifier:
            following += f"<NextRecordIdentifier>{identifier}</NextRecordIdentifier>"
        return _wrapped("ListResourceRecordSetsResponse", f"{text}<IsTruncated>true</IsTruncated>{following}")

    def _listed(self, key: Key) -> str:
        name, kind, identifier = key
        value, ttl, routing = self.sets[key]
        how = "<MultiValueAnswer>true</MultiValueAnswer>" if routing == "multivalue" else "<Weight>1</Weight>"
        chosen = f"<SetIdentifier>{identifier}</SetIdentifier>{how}" if identifier else ""
        records = f"<ResourceRecords><ResourceRecord><Value>{escape(value)}</Value></ResourceRecord></ResourceRecords>"
        body = f"<Name>{name}.</Name><Type>{kind}</Type>{chosen}<TTL>{ttl}</TTL>{records}"
        return f"<ResourceRecordSet>{body}</ResourceRecordSet>"

    def _changed(self, root: ElementTree.Element) -> tuple[int, str]:
        wrong: list[str] = []
        sets, elements, characters = dict(self.sets), 0, 0
        for change in root.iter(f"{_RRSET}Change"):
            action, key, content = _read(change)
            times = 2 if action == "UPSERT" else 1
            elements, characters = elements + times, characters + times * len(content[0])
            wrong += _apply(sets, action, key, content)
        if elements > 1000:
            wrong.append("Number of records limit of 1000 exceeded.")
        if characters > 32000:
            wrong.append("Number of characters limit of 32000 exceeded.")
        if wrong:
            return 400, _wrapped(
                "InvalidChangeBatch", "".join(f"<Message>{escape(e)}</Message>" for e in wrong)
            )
        self.sets = sets
        return 200, _wrapped(
            "ChangeResourceRecordSetsResponse", "<ChangeInfo><Status>PENDING</Status></ChangeInfo>"
        )


def _read(change: ElementTree.Element) -> tuple[str, Key, tuple[str, int, str]]:
    def text(name: str) -> str:
        return next((each.text or "" for each in change.iter(_RRSET + name)), "")

    routing = "multivalue" if text("MultiValueAnswer") == "true" else "weighted"
    key = (text("Name").rstrip("."), text("Type"), text("SetIdentifier"))
    return text("Action"), key, (text("Value"), int(text("TTL")), routing)


def _apply(sets: dict[Key, Any], action: str, key: Key, content: tuple[str, int, str]) -> list[str]:
    """Change a copy of the zone; why that is not possible."""
    if action == "CREATE" and key in sets:
        return [f"Tried to create resource record set {key} but it already exists"]
    if action == "DELETE":
        if sets.get(key) != content:
            return [f"Tried to delete resource record set {key} but it was not found"]
        del sets[key]
        return []
    siblings = {value[2] for each, value in sets.items() if each[:2] == key[:2] and each != key}
    if siblings - {content[2]}:
        return [f"RRSet {key} can't be created: others of its name have another routing policy"]
    sets[key] = content
    return []


def _wrapped(name: str, body: str) -> str:
    return f'<?xml version="1.0"?><{name} xmlns="{NAMESPACE}">{body}</{name}>'


def _error(code: str, message: str) -> str:
    return _wrapped("ErrorResponse", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    zone: Route53

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, text = self.zone.answer(self.command, self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        pass
