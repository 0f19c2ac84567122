"""Linear regression with a parameter server, in the standard library: what `launch.py` runs in each role.

Each server holds a share of the weights. In each step every worker pushes its gradient, a share to each server, and
pulls the weights that come of all of them. At the end it prints its rank, its host, the losses and the weights.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
from multiprocessing.connection import Client, Connection, Listener

STEPS, RATE, ROWS, SHARE = 40, 0.2, 64, 2
KEY = b"of this job"
ROOT = (os.environ["DMLC_PS_ROOT_URI"], int(os.environ["DMLC_PS_ROOT_PORT"]))
WORKERS, SERVERS = int(os.environ["DMLC_NUM_WORKER"]), int(os.environ["DMLC_NUM_SERVER"])
TRUE = [float(number) for number in range(SHARE * SERVERS)]


def schedule() -> None:
    """Introduce workers to servers, and wait until all workers are done."""
    with Listener(("", ROOT[1]), backlog=WORKERS + SERVERS, authkey=KEY) as listener:
        present = [listener.accept() for _ in range(WORKERS + SERVERS)]
    told = [(each, each.recv()) for each in present]
    servers = sorted(address for _, address in told if address)
    workers = [each for each, address in told if not address]
    for rank, each in enumerate(workers):
        each.send((rank, servers))
    for each in workers:
        assert each.recv() == "done"


def serve(scheduler: Connection) -> None:
    """Hold a share of the weights."""
    with Listener(("", 0), backlog=WORKERS, authkey=KEY) as listener:
        with socket.socket(fileno=os.dup(scheduler.fileno())) as link:
            scheduler.send((link.getsockname()[0], listener.address[1]))
        workers = [listener.accept() for _ in range(WORKERS)]
    weights = [0.0] * SHARE
    for _ in range(STEPS):
        gradients = [each.recv() for each in workers]
        weights = [
            weight - RATE * sum(column) / WORKERS
            for weight, column in zip(weights, zip(*gradients, strict=True), strict=True)
        ]
        for each in workers:
            each.send(weights)


def work(scheduler: Connection) -> None:
    """Learn TRUE from rows that no other worker has."""
    scheduler.send(None)
    rank, addresses = scheduler.recv()
    servers = [Client(address, authkey=KEY) for address in addresses]
    chance = random.Random(rank)  # noqa: S311 - data
    rows = [[chance.gauss(0, 1) for _ in TRUE] for _ in range(ROWS)]
    weights, losses = [0.0] * len(TRUE), list[float]()
    for _ in range(STEPS):
        errors = [
            sum(x * (weight - true) for x, weight, true in zip(row, weights, TRUE, strict=True))
            for row in rows
        ]
        losses.append(sum(error * error for error in errors) / ROWS)
        gradient = [
            sum(error * row[each] for error, row in zip(errors, rows, strict=True)) / ROWS
            for each in range(len(TRUE))
        ]
        for number, server in enumerate(servers):
            server.send(gradient[number * SHARE : (number + 1) * SHARE])
        weights = [weight for server in servers for weight in server.recv()]
    print(json.dumps({"rank": rank, "host": socket.gethostname(), "losses": losses, "weights": weights}))
    scheduler.send("done")


def root() -> Connection:
    """The scheduler, which may start later than this."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return Client(ROOT, authkey=KEY)
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    role = os.environ["DMLC_ROLE"]
    if role == "scheduler":
        schedule()
    else:
        {"server": serve, "worker": work}[role](root())
