"""The instance metadata service of one host, version 2: no answer without a token.

EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" and "Instance metadata categories".
Run by path in the host's network, with the file of answers and the address. The file is read anew for each request:

    {"meta-data/instance-id": "i-0123", "meta-data/iam/security-credentials/role": {"AccessKeyId": …}, …}

A folder lists its entries, a mapping or list is JSON, an absent path is 404. With `fail` in the file every
answer is 503.
"""

import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

_LONGEST_LIFE = 21_600  # seconds


class Service(ThreadingHTTPServer):
    """Answers from one file, to those who have a token."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], answers: Path) -> None:
        super().__init__(address, Handler)
        self.answers = answers
        self.tokens: dict[str, float] = {}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    @property
    def service(self) -> Service:
        """The server, as what it is."""
        return cast("Service", self.server)

    def do_PUT(self) -> None:
        """A token, for as many seconds as asked for."""
        wanted = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token":
            self._answer(404)
        elif "X-Forwarded-For" in self.headers:
            self._answer(403)
        elif not wanted.isdigit() or not 1 <= int(wanted) <= _LONGEST_LIFE:
            self._answer(400)
        elif self._answers().get("fail"):
            self._answer(503)
        else:
            token = secrets.token_urlsafe(40)
            self.service.tokens[token] = time.monotonic() + int(wanted)
            self._answer(200, token, {"X-aws-ec2-metadata-token-ttl-seconds": wanted})

    def do_GET(self) -> None:
        """What stands at a path."""
        answers = self._answers()
        if self.service.tokens.get(self.headers.get("X-aws-ec2-metadata-token", ""), 0) < time.monotonic():
            self._answer(401)
        elif answers.get("fail"):
            self._answer(503)
        else:
            found = _found(answers, self.path.removeprefix("/latest/").strip("/"))
            self._answer(404 if found is None else 200, found or "")

    def _answers(self) -> dict[str, Any]:
        return json.loads(self.service.answers.read_text())

    def _answer(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
        """Nothing: what is asked is the host's own affair."""


def _found(answers: dict[str, Any], path: str) -> str | None:
    if path in answers:
        value = answers[path]
        return value if isinstance(value, str) else json.dumps(value)
    below = {name[len(path) :].lstrip("/") for name in answers if name.startswith(f"{path}/")}
    entries = {name.partition("/")[0] + "/" * ("/" in name) for name in below}
    return "\n".join(sorted(entries)) or None


if __name__ == "__main__":
    service = Service((sys.argv[2], 80), Path(sys.argv[1]))
    sys.stdout.write("up\n")
    sys.stdout.flush()
    service.serve_forever()
