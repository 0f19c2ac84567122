"""The server process of the emulated AWS: moto behind the gate. `aws.py` starts it; `-m` runs it.

Prints one line of JSON when it listens, and ends when its standard input does or its parent is another: whoever
started it has gone then, however that went.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from typing import Any, cast

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from .standins.control import Control
from .standins.gate import Gate


class _Handler(MotoRequestHandler):
    """Keeps connections open between requests, as AWS does, and its log to itself."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Calls are in the journal."""


def serve(addresses: list[str], port: int, seed: int, parent: int) -> None:
    """Serve on all addresses, with one port, until the process `parent` goes."""
    # State machines are interpreted, not only stored, and AWS's own policies exist: moto, "Configuration options".
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["iam"] = {"load_aws_managed_policies": True}
    gate = Gate(DomainDispatcherApplication(cast("Any", create_backend_app)), Control(seed))
    servers: list[BaseWSGIServer] = []
    for address in addresses:
        servers.append(_listen(address, servers[0].port if servers else port, gate))
    # Where the interpreter sends what a state machine calls.
    os.environ["MOTO_PORT"] = str(servers[0].port)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": servers[0].port}) + "\n")
    sys.stdout.flush()
    _wait_for(parent)
    os._exit(0)  # a state machine may be in the middle of a wait, in a thread that would be joined


def _listen(address: str, port: int, gate: Gate) -> BaseWSGIServer:
    return make_server(address, port, cast("Any", gate), threaded=True, request_handler=_Handler)


def _wait_for(parent: int) -> None:
    """Until standard input ends. Some other child may have inherited its far end, hence the look at the parent."""
    while os.getppid() == parent:
        if select.select([0], [], [], 0.5)[0] and not os.read(0, 1024):
            return


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
