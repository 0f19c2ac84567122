"""A thread for each connection, and for each connection one request after the other."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from .gateway import Gateway
from .message import Request
from .wire import Connection, Malformed, Patience, stays_open


class Server(socketserver.ThreadingTCPServer):
    """Serves one gateway until closed. Raises OSError where the port is taken."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        gateway: Gateway,
        log: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self._host = address[0]
        self._gateway = gateway
        self._log = log
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        super().__init__(address, _Handler)
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True, name="http")
        self._thread.start()

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    def close(self) -> None:
        """Ends listening and every connection; requests that are being answered are cut off."""
        self._closing = True
        with contextlib.suppress(OSError):
            socket.create_connection((self._host, self.port)).close()  # wakes whoever waits for one
        self._thread.join()
        self.server_close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._closing:  # not serve_forever, which looks for its end by the clock
            self.handle_request()

    def serve(self, client: socket.socket, source_ip: str) -> None:
        """One connection, to its end."""
        with self._lock:
            self._clients.add(client)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(Connection(client, source_ip, self.port, self._patience))
        except OSError:
            pass  # the client is gone, or too slow
        finally:
            with self._lock:
                self._clients.discard(client)

    def _converse(self, connection: Connection) -> None:
        while True:
            request: Request | None = None
            try:
                request = connection.request()
            except Malformed as fault:
                connection.respond(self._gateway.refuse(fault.name), to=None, close=True)
                connection.linger()
                return
            except TimeoutError:
                connection.respond(self._gateway.refuse("slow"), to=None, close=True)
                return
            if request is None:
                return
            keep = stays_open(request)
            connection.respond(self._gateway.answer(request), to=request, close=not keep)
            if not keep:
                return

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What escapes a connection is a defect: a line in the log, and the server goes on."""
        import sys

        error = sys.exception()
        self._log(
            f"{self._gateway.api.logical_id}: defect: {type(error).__name__}: {error}".replace("\n", " ")
        )


class _Handler(socketserver.BaseRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] - made by no other

    def handle(self) -> None:
        self.server.serve(self.request, self.client_address[0])
