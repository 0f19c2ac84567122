"""A service over HTTP: its health for everybody, the rest for those who know its password.

SERVICE names the module that answers; its `answer(path, query)` gives content type and body, or raises ValueError for
what the caller got wrong. `python server.py check` asks the running server for its health.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import os
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS = {"portal": 8080, "calc": 8081, "clock": 8081}
Answer = Callable[[str, dict[str, str]], tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    """One request. Nothing of it is logged but its first line, which holds no password."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    answer: Answer
    credentials = ""

    def do_GET(self) -> None:
        """Health, or the service's answer."""
        parts = urlsplit(self.path)
        if parts.path == "/health":
            return self._send(200, "application/json", '{"status":"OK"}')
        if not self._is_known():
            return self._send(401, "text/plain", "Who are you?\n")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            kind, body = type(self).answer(unquote(parts.path), query)
        except LookupError:
            return self._send(404, "text/plain", "There is nothing here.\n")
        except ValueError as error:
            return self._send(400, "text/plain", f"{error}\n")
        return self._send(200, kind, body)

    def _is_known(self) -> bool:
        if not self.credentials:
            return True
        expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode())

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="service"')
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def told(value: str) -> tuple[str, str]:
    """A value, and which container of which instance says so, as the services answer."""
    return "application/json", json.dumps(
        {"value": value, "containerid": _container(), "instanceid": _instance()}
    )


def _container() -> str:
    """Docker gives a container the beginning of its id as host name."""
    return os.environ.get("HOSTNAME", "")


def _instance() -> str:
    """ECS Developer Guide, "Container metadata file": the container instance, "" outside of ECS."""
    try:
        with open(os.environ["ECS_CONTAINER_METADATA_FILE"], encoding="utf-8") as file:
            return str(json.load(file)["ContainerInstanceARN"]).rpartition("/")[2]
    except (KeyError, OSError, ValueError):
        return ""


def check(port: int) -> int:
    """Exit status: 0 if the server on this port says that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        connection.close()


def main() -> int:
    """Serve until told to end."""
    service = os.environ["SERVICE"]
    port = _PORTS[service]
    if "check" in sys.argv[1:]:
        return check(port)
    module = import_module(service)
    Handler.answer = staticmethod(module.answer if service == "portal" else with_origin(module.answer))
    if service != "portal":
        name = service.upper()
        Handler.credentials = f"{os.environ[name + '_USERNAME']}:{os.environ[name + '_PASSWORD']}"
    ThreadingHTTPServer(("", port), Handler).serve_forever()
    return 0


def with_origin(value: Callable[[str], str]) -> Answer:
    """What a service says, and who it is."""
    return lambda path, query: told(value(path))


if __name__ == "__main__":
    sys.exit(main())
