"""`blueprints local`: from start to first answer, what front and runtime add to a request, requests a second.

Run as `python -m benchmarks.local_stack`; prints JSON. Beside it stands a bare `http.server` with the same answer.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from .places import ROOT

CLIENTS = (1, 8, 32)
_REQUESTS = 400
_STARTS = 3
_BODY = "hello"

_TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): return {{'statusCode': 200, 'body': '{_BODY}'}}"
      Events: {{Api: {{Type: HttpApi, Properties: {{Path: /, Method: GET}}}}}}
"""


def starts() -> list[float]:
    """Seconds from the start of the command to the first answer of the committed stack's API."""
    return [_start() for _ in range(_STARTS)]


def _start() -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "blueprints", "local", "crud-api"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        lines = iter(process.stdout or ())
        url = next(line.split()[-1] for line in lines if line.strip().startswith("HttpApi: http"))
        threading.Thread(target=lambda: list(lines), daemon=True).start()
        status = _ask(url + "/resource/one", _connection(url))
        seconds = time.perf_counter() - began
        process.terminate()
    if status != 404:
        raise SystemExit(f"{url} answered {status}")
    return seconds


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _ask(url: str, connection: http.client.HTTPConnection) -> int:
    connection.request("GET", urlsplit(url).path or "/")
    answer = connection.getresponse()
    answer.read()
    return answer.status


class Bare(BaseHTTPRequestHandler):
    """The least that Python's own server can do."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = _BODY.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
        pass


@contextmanager
def bare() -> Generator[str]:
    """A bare server's URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@contextmanager
def local() -> Generator[str]:
    """The URL of a stack whose function says a word."""
    from blueprints.local.running import Running
    from blueprints.local.stack import Stack

    with Running(Stack(_TEMPLATE)) as running:
        yield next(iter(running.urls.values())) + "/"


def latencies(url: str) -> list[float]:
    """Milliseconds of requests one after the other, on one connection, the first ones left out."""
    connection = _connection(url)
    found: list[float] = []
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        if _ask(url, connection) != 200:
            raise SystemExit(f"{url} does not answer")
        found.append((time.perf_counter() - began) * 1000)
    connection.close()
    return found[_REQUESTS // 10 :]


def rate(url: str, clients: int) -> float:
    """Requests a second of so many clients, each on a connection of its own."""
    share = _REQUESTS // clients

    def client(_: int) -> None:
        connection = _connection(url)
        for _ in range(share):
            _ask(url, connection)
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))  # every worker of the function is warm now
        began = time.perf_counter()
        list(pool.map(client, range(clients)))
    return share * clients / (time.perf_counter() - began)


def _measured(server: Callable[[], AbstractContextManager[str]]) -> dict[str, object]:
    with server() as url:
        times = latencies(url)
        quantiles = statistics.quantiles(times, n=20)
        return {
            "median": statistics.median(times),
            "p95": quantiles[-1],
            "rates": {str(clients): rate(url, clients) for clients in CLIENTS},
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"starts": starts(), "local": _measured(local), "bare": _measured(bare)}))
