"""Route 53 by its REST API, signed with Signature Version 4: a zone's record sets, read and changed.

The ECS-optimized image has neither an SDK nor the AWS CLI, and one call of the CLI takes longer than a record may.
Route 53 API Reference, version 2013-04-01; IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_IN = {"r": _NAMESPACE}
# AWS General Reference, "Amazon Route 53 endpoints and quotas": host and region that requests are signed for.
_ENDPOINTS = {
    "cn": ("https://route53.amazonaws.com.cn", "cn-northwest-1"),
    "us-gov": ("https://route53.us-gov.amazonaws.com", "us-gov-west-1"),
    "": ("https://route53.amazonaws.com", "us-east-1"),
}
# Route 53 Developer Guide, "Quotas": a request has at most 1,000 elements and 32,000 characters of values, an UPSERT
# counts twice, a page has at most 300 record sets.
MOST_ELEMENTS, MOST_CHARACTERS, PAGE = 1000, 32000, 300
_REFUSALS = ("InvalidChangeBatch", "InvalidInput")
_SETTLED = ("NoSuchHostedZone", "InvalidDomainName")
_STALE = ("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException")


class UnavailableError(Exception):
    """No answer, or one that another try may change."""


class RefusedError(Exception):
    """Route 53 did not take the changes, none of them, and will not the next time."""


class ZoneError(Exception):
    """The zone is not what the agent was given it for."""


class Change(NamedTuple):
    """One change of a record set: UPSERT or DELETE."""

    action: str
    record: Any


def endpoint(region: str) -> tuple[str, str]:
    """URL and signing region for a host in `region`. AWS_ENDPOINT_URL replaces the URL, as it does for every SDK."""
    found = next(value for prefix, value in _ENDPOINTS.items() if region.startswith(prefix))
    given = os.environ.get("AWS_ENDPOINT_URL_ROUTE_53") or os.environ.get("AWS_ENDPOINT_URL")
    return given or found[0], found[1]


def signed(
    method: str, url: str, body: bytes, region: str, service: str, credentials: Any, now: float
) -> dict[str, str]:
    """Headers of a request, its signature among them. The query of `url` is sorted and encoded already."""
    parts = urlsplit(url)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    headers = {"host": parts.netloc, "x-amz-date": moment}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    digest = hashlib.sha256(body).hexdigest()
    request = "\n".join([method, parts.path, parts.query, listed, names, digest])
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + credentials.secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    found = f"Credential={credentials.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {found}"}


class Zone:
    """One hosted zone. `instance` gives credentials; `make` makes a record of name, type, id, value, ttl, routing."""

    def __init__(
        self, zone_id: str, region: str, instance: Any, make: Callable[..., Any], pause: Callable[[], None]
    ) -> None:
        self.id = zone_id
        self._url, self._region = endpoint(region)
        self._instance, self._make, self._pause = instance, make, pause
        self._connection: http.client.HTTPConnection | None = None
        self.calls = 0

    def name(self) -> str:
        """The zone's name, without a dot at its end. Raises ZoneError unless it is private, and UnavailableError."""
        root = self._call("GET", "")
        private = root.findtext("r:HostedZone/r:Config/r:PrivateZone", "false", _IN)
        if private != "true":
            raise ZoneError(f"{self.id} is a public zone; give the id of a private one")
        return root.findtext("r:HostedZone/r:Name", "", _IN).rstrip(".").lower()

    def records(self, owns: Callable[[str], bool]) -> list[Any]:
        """Record sets whose identifier is owned, of all pages. Raises UnavailableError, and keeps no part."""
        found: list[Any] = []
        query = f"maxitems={PAGE}"
        while query:
            root = self._call("GET", "/rrset", query)
            sets = root.findall("r:ResourceRecordSets/r:ResourceRecordSet", _IN)
            found += [self._record(each) for each in sets if owns(each.findtext("r:SetIdentifier", "", _IN))]
            query = _next(root)
            if query:
                self._pause()
        return found

    def change(self, changes: Sequence[Change]) -> None:
        """Make all changes or none. Raises RefusedError and UnavailableError."""
        self._call("POST", "/rrset", body="".join(_document(changes)).encode())

    def _record(self, element: ElementTree.Element) -> Any:
        def text(path: str) -> str:
            return element.findtext(path, "", _IN)

        routing = "multivalue" if text("r:MultiValueAnswer") == "true" else "weighted"
        value = text("r:ResourceRecords/r:ResourceRecord/r:Value")
        return self._make(
            _plain(text("r:Name")),
            text("r:Type"),
            text("r:SetIdentifier"),
            value,
            int(text("r:TTL")),
            routing,
        )

    def _call(self, method: str, path: str, query: str = "", body: bytes = b"") -> ElementTree.Element:
        url = f"{self._url}/2013-04-01/hostedzone/{self.id}{path}" + (f"?{query}" if query else "")
        self.calls += 1
        try:
            status, answer = self._send(method, url, body)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(repr(error)) from error
        try:
            root = ElementTree.fromstring(answer)  # noqa: S314 - AWS's own answer, over TLS
        except ElementTree.ParseError as error:
            raise UnavailableError(f"status {status}: {answer[:200]!r}") from error
        if status != 200:
            self._raise(status, root)
        return root

    def _raise(self, status: int, root: ElementTree.Element) -> None:
        code = next((each.text or "" for each in root.iter() if each.tag.endswith("}Code")), "")
        told = "; ".join(each.text or "" for each in root.iter() if each.tag.endswith("}Message"))
        code = code or root.tag.rpartition("}")[2]
        if code in _REFUSALS:
            raise RefusedError(f"{code}: {told}")
        if code in _SETTLED:
            raise ZoneError(f"{code}: {told}")
        if code in _STALE:
            self._instance.forget()
        raise UnavailableError(f"status {status}: {code}: {told}")

    def _send(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
        """Over the open connection, whose other end may have gone since; over a new one then."""
        if self._connection is not None:
            try:
                return self._sent(self._connection, method, url, body)
            except (OSError, http.client.HTTPException):
                self.close()
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=10)
        try:
            return self._sent(self._connection, method, url, body)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _sent(
        self, connection: http.client.HTTPConnection, method: str, url: str, body: bytes
    ) -> tuple[int, bytes]:
        credentials = self._instance.credentials()
        headers = signed(method, url, body, self._region, "route53", credentials, time.time())
        parts = urlsplit(url)
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def chunk(changes: Sequence[Change], most: int) -> list[Change]:
    """As many of the first changes as one request may hold, and no more than `most`."""
    taken: list[Change] = []
    elements = characters = 0
    for change in changes[:most]:
        times = 2 if change.action == "UPSERT" else 1
        elements += times
        characters += times * len(change.record.value)
        if elements > MOST_ELEMENTS or characters > MOST_CHARACTERS:
            break
        taken.append(change)
    return taken


def _next(root: ElementTree.Element) -> str:
    """The query of the next page, all that the API gives for it; "" on the last one."""
    if root.findtext("r:IsTruncated", "false", _IN) != "true":
        return ""
    given = {
        "identifier": root.findtext("r:NextRecordIdentifier", "", _IN),
        "maxitems": str(PAGE),
        "name": root.findtext("r:NextRecordName", "", _IN),
        "type": root.findtext("r:NextRecordType", "", _IN),
    }
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in given.items() if value)


def _document(changes: Sequence[Change]) -> Iterator[str]:
    yield f'<ChangeResourceRecordSetsRequest xmlns="{_NAMESPACE}"><ChangeBatch>'
    yield "<Comment>Service discovery</Comment><Changes>"
    for change in changes:
        record = change.record
        multi = record.routing == "multivalue"
        routing = "<MultiValueAnswer>true</MultiValueAnswer>" if multi else "<Weight>1</Weight>"
        yield (
            f"<Change><Action>{change.action}</Action><ResourceRecordSet>"
            f"<Name>{escape(record.name)}</Name><Type>{record.kind}</Type>"
            f"<SetIdentifier>{escape(record.id)}</SetIdentifier>{routing}<TTL>{record.ttl}</TTL>"
            f"<ResourceRecords><ResourceRecord><Value>{escape(record.value)}</Value></ResourceRecord>"
            "</ResourceRecords></ResourceRecordSet></Change>"
        )
    yield "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"


def _plain(name: str) -> str:
    r"""A name as Route 53 lists it, with a dot at its end and octal escapes such as \052, as it was written."""
    return name.rstrip(".").replace("\\052", "*").replace("\\137", "_")
