"""Keys found by OpenID Connect discovery, from an issuer with a certificate of its own on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from blueprints.local.http.keys import discover


class Issuer(HTTPServer):
    """Answers paths from a table."""

    pages: dict[str, bytes]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Issuer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it is called by
        pass


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "issuer.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Issuer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.pages = {
            "/pool/.well-known/openid-configuration": json.dumps({"jwks_uri": f"{server.url}/keys"}).encode(),
            "/keys": b'{"keys": [{"kid": "one"}]}',
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_keys_that_the_issuer_names(issuer: Issuer, slash: str) -> None:
    assert discover(f"{issuer.url}/pool{slash}") == {"keys": [{"kid": "one"}]}


def test_an_issuer_that_is_not_there(issuer: Issuer) -> None:
    with pytest.raises(OSError, match="404"):
        discover(f"{issuer.url}/other")


@pytest.mark.parametrize(
    ("path", "page", "words"),
    [
        ("/keys", b" " * 150_001, "more than 150000 bytes"),
        ("/keys", b"no json", "Expecting value"),
        ("/pool/.well-known/openid-configuration", b"{}", "None is no https address"),
        (
            "/pool/.well-known/openid-configuration",
            b'{"jwks_uri": "http://x"}',
            "http://x is no https address",
        ),
    ],
)
def test_what_is_not_taken(issuer: Issuer, path: str, page: bytes, words: str) -> None:
    issuer.pages[path] = page
    with pytest.raises(ValueError, match=words):
        discover(f"{issuer.url}/pool")


def test_a_certificate_that_nobody_vouches_for(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        discover(f"{issuer.url}/pool")
