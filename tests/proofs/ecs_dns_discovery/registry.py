"""A registry of images as the OCI Distribution Specification has it, behind TLS and a password, as ECR is.

Tags are immutable, as the template asks for. What the specification has and Docker's push and pull do not need is
answered with 404.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Registry:
    """Answers for `name` at `address`; `certificate` is the one to trust. `pushed` are tags in their order."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name, self.address, self.certificate = name, address, folder / "registry.pem"
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.pushed: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.password = ""
        key = folder / "registry.key"
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-keyout", str(key), "-out", str(self.certificate), "-subj", f"/CN={name[:64]}"]
        command += ["-addext", f"subjectAltName=DNS:{name}"]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = ThreadingHTTPServer((address, 443), handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = (
            self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(length)
        )
        path, _, query = self.path.partition("?")
        expected = base64.b64encode(f"AWS:{self.registry.password}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self._answer(401, {"WWW-Authenticate": 'Basic realm="registry"'})
        elif path == "/v2/":
            self._answer(200)
        elif found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self._manifest(found[1], found[2], body)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:.+)", path):
            self._blob(found[2])
        elif found := re.fullmatch(r"/v2/(.+)/blobs/uploads/(.*)", path):
            self._upload(found[1], found[2], query, body)
        else:
            self._answer(404)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _do  # noqa: N815 - the base class's own names

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _manifest(self, name: str, reference: str, body: bytes) -> None:
        kept, key = self.registry.manifests, f"{name}:{reference}"
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if self.command == "PUT":
            if key in kept:
                self._answer(400)
                return
            kept[key] = kept[f"{name}:{digest}"] = (self.headers["Content-Type"], body)
            self.registry.pushed.append(key)
            self._answer(201, {"Docker-Content-Digest": digest})
        elif key in kept:
            kind, content = kept[key]
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            self._answer(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, content)
        else:
            self._answer(404)

    def _blob(self, digest: str) -> None:
        content = self.registry.blobs.get(digest)
        self._answer(404 if content is None else 200, {"Docker-Content-Digest": digest}, content or b"")

    def _upload(self, name: str, upload: str, query: str, body: bytes) -> None:
        uploads = self.registry.uploads
        upload = upload or str(len(uploads))
        uploads[upload] = uploads.get(upload, b"") + body
        here = {"Location": f"/v2/{name}/blobs/uploads/{upload}", "Docker-Upload-UUID": upload}
        if self.command == "PUT":
            digest = query.partition("digest=")[2].replace("%3A", ":")
            assert digest == f"sha256:{hashlib.sha256(uploads[upload]).hexdigest()}"
            self.registry.blobs[digest] = uploads[upload]
            self._answer(201, {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/blobs/{digest}"})
        else:
            self._answer(202, {**here, "Range": f"0-{max(0, len(uploads[upload]) - 1)}"})

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        pass
