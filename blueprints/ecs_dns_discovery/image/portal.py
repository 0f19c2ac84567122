"""A page that asks the other two services, wherever they run.

TIME_SERVICE and CALC_SERVICE name them: `_calc._tcp.servicediscovery.internal` is looked up as SRV records, anything
else is host:port. Each request looks anew, and tries another answer when one does not work.
"""

from __future__ import annotations

import base64
import html
import http.client
import json
import os
import random
import socket
import struct
from typing import NamedTuple
from urllib.parse import quote

_SRV, _IN, _TRUNCATED = 33, 1, 0x0200
_PATIENCE = 2.0
_EXAMPLES = {"layout": "15:04 Jan 2", "formula": "(2+6)*3"}


class Target(NamedTuple):
    """One answer to a question for a service."""

    priority: int
    weight: int
    port: int
    host: str


def answer(path: str, query: dict[str, str]) -> tuple[str, str]:
    """The page. Raises LookupError for another path."""
    if path != "/":
        raise LookupError(path)
    asked = {name: query.get(name, example)[:200] for name, example in _EXAMPLES.items()}
    rows = [
        ("Time", "layout", asked["layout"], ask("TIME", "/time/" + asked["layout"])),
        ("Calculation", "formula", asked["formula"], ask("CALC", "/calc/" + asked["formula"])),
    ]
    fields = "".join(
        f'<p><label>{words} <input name="{name}" value="{html.escape(value)}"></label> '
        f"<output>{html.escape(result)}</output></p>"
        for words, name, value, result in rows
    )
    page = f"<!DOCTYPE html><title>Portal</title><h1>Portal</h1><form>{fields}<button>Ask</button></form>"
    return "text/html", page


def ask(service: str, path: str) -> str:
    """What a service says, or that it does not: a page with one answer missing is better than none."""
    try:
        addresses = found(os.environ[service + "_SERVICE"])
    except OSError as error:
        return f"not found: {error}"
    for host, port in addresses[:3]:
        try:
            return _told(host, port, service, path)
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            continue  # the next one may do; credentials are in the request, so none of it is logged
    return "not available"


def _told(host: str, port: int, service: str, path: str) -> str:
    known = f"{os.environ[service + '_USERNAME']}:{os.environ[service + '_PASSWORD']}"
    headers = {"Authorization": "Basic " + base64.b64encode(known.encode()).decode()}
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", quote(path, safe="/"), headers=headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status == 400:
        return body.decode().strip()
    if response.status != 200:
        raise ValueError(f"status {response.status}")
    answered = json.loads(body)
    return f"{answered['value']} (container {answered['containerid']})"


def found(service: str) -> list[tuple[str, int]]:
    """Where a service is, in the order to try. Raises OSError if DNS does not say."""
    if not service.startswith("_"):
        host, _, port = service.rpartition(":")
        return [(host, int(port))]
    # RFC 2782 orders by priority, then at random by weight; all of ours weigh the same.
    targets = sorted(lookup(service), key=lambda each: (each.priority, random.random()))  # noqa: S311 - no secret
    if not targets:
        raise OSError(f"nothing stands at {service}")
    return [(each.host, each.port) for each in targets]


def lookup(name: str) -> list[Target]:
    """The SRV records of a name, from the first name server that answers."""
    number = random.getrandbits(16)
    question = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + encoded(name) + struct.pack(">2H", _SRV, _IN)
    for server in _servers():
        try:
            reply = _by_udp(server, question)
            if struct.unpack_from(">H", reply, 2)[0] & _TRUNCATED:
                reply = _by_tcp(server, question)
            if reply[:2] == question[:2]:
                return targets(reply)
        except (OSError, struct.error, IndexError):
            continue
    raise OSError("no name server answers")


def _servers() -> list[str]:
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _by_udp(server: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_PATIENCE)
        channel.connect((server, 53))
        channel.send(question)
        return channel.recv(4096)


def _by_tcp(server: str, question: bytes) -> bytes:
    with socket.create_connection((server, 53), timeout=_PATIENCE) as channel:
        channel.sendall(struct.pack(">H", len(question)) + question)
        with channel.makefile("rb") as file:
            return file.read(struct.unpack(">H", file.read(2))[0])


def encoded(name: str) -> bytes:
    """A name as it stands in a question."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def targets(reply: bytes) -> list[Target]:
    """The SRV records of the answer section, RFC 1035 section 4."""
    questions, answers = struct.unpack_from(">2H", reply, 4)
    at = 12
    for _ in range(questions):
        at = name_at(reply, at)[1] + 4
    targets: list[Target] = []
    for _ in range(answers):
        _, at = name_at(reply, at)
        kind, _, _, length = struct.unpack_from(">2HIH", reply, at)
        at += 10
        if kind == _SRV:
            numbers = struct.unpack_from(">3H", reply, at)
            targets.append(Target(*numbers, name_at(reply, at + 6)[0]))
        at += length
    return targets


def name_at(reply: bytes, at: int) -> tuple[str, int]:
    """A name, whose end may stand elsewhere in the reply, and where it ends."""
    labels: list[str] = []
    end = 0
    for _ in range(128):
        length = reply[at]
        if length >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", reply, at)[0] & 0x3FFF
        elif length == 0:
            return ".".join(labels), end or at + 1
        else:
            labels.append(reply[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
    raise OSError("a name that never ends")
