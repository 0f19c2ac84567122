"""5,000 requests from 32 clients of our own: every answer is what a model of the documents says."""

from __future__ import annotations

import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from blueprints.local.aws import Aws
from blueprints.local.running import Running

CLIENTS, REQUESTS = 32, 5_000
COUNTER = "counter"


@dataclass
class Client:
    """One connection, and what the client knows of its own documents."""

    url: str
    seed: int
    known: dict[str, bytes] = field(default_factory=dict[str, bytes])
    counted: int = 0
    sent: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._random = random.Random(self.seed)  # noqa: S311 - a load, and the same one each time

    def ask(
        self, method: str, name: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, str]:
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        self._connection.request(method, f"{self._path}/{name}", body, given)
        answer = self._connection.getresponse()
        self.sent += 1
        return answer.status, answer.read(), answer.headers.get("ETag", "")

    def run(self, count: int) -> Client:
        while self.sent < count:
            self._random.choice(
                [self._write, self._write, self._read, self._read, self._remove, self._count]
            )()
        self.close()
        return self

    def close(self) -> None:
        self._connection.close()

    def _name(self) -> str:
        return f"client-{self.seed}-{self._random.randrange(4)}"

    def _write(self) -> None:
        name, body = self._name(), self._random.randbytes(self._random.randrange(1, 2_000))
        status, _, _ = self.ask("PUT", name, body, Content_Type="application/octet-stream")
        self._expect(status in ((200, 204) if name in self.known else (201,)), f"PUT {name}: {status}")
        self.known[name] = body

    def _read(self) -> None:
        name = self._name()
        status, body, _ = self.ask("GET", name)
        right = (status, body) == (200, self.known[name]) if name in self.known else status == 404
        self._expect(right, f"GET {name}: {status} {len(body)} bytes")

    def _remove(self) -> None:
        name = self._name()
        status, _, _ = self.ask("DELETE", name)
        self._expect(
            status in ((200, 204) if name in self.known else (200, 204, 404)), f"DELETE {name}: {status}"
        )
        self.known.pop(name, None)

    def _count(self) -> None:
        """Add one to what all clients share, on the version that was read: a lost write would show in the sum."""
        _, value, tag = self.ask("GET", COUNTER)
        status, _, _ = self.ask("PUT", COUNTER, b"%d" % (int(value) + 1), If_Match=tag)
        self._expect(status in (200, 204, 412), f"PUT {COUNTER}: {status}")
        self.counted += status != 412

    def _expect(self, right: bool, what: str) -> None:
        if not right:
            self.wrong.append(what)


def its_share(client: Client) -> Client:
    return client.run(REQUESTS // CLIENTS)


def test_no_write_is_lost_and_none_is_wrong(running: Running, url: str) -> None:
    first = Client(url, 0)
    assert first.ask("PUT", COUNTER, b"0")[0] in (200, 201, 204)
    clients = [Client(url, seed) for seed in range(1, CLIENTS + 1)]
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(its_share, clients))
    seconds = time.monotonic() - began
    sent = sum(each.sent for each in done)
    print(f"{sent} requests from {CLIENTS} clients in {seconds:.1f} s, {sent / seconds:.0f} a second")  # noqa: T201
    assert sent >= REQUESTS - CLIENTS
    assert [what for each in done for what in each.wrong] == []
    assert int(first.ask("GET", COUNTER)[1]) == sum(each.counted for each in done) > 0
    for each in done:
        for name, body in each.known.items():
            assert first.ask("GET", name)[1] == body
    first.close()


def test_the_emulated_table_is_atomic_under_the_same_clients() -> None:
    """What the load shows of the functions it shows only on a table that loses nothing itself."""
    with Aws() as aws:
        table = aws.client("dynamodb")
        table.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table.put_item(TableName="t", Item={"id": {"S": "counter"}, "n": {"N": "0"}})
        won = [0] * CLIENTS
        start = threading.Barrier(CLIENTS)

        def client(number: int) -> None:
            own = aws.client("dynamodb", f"client{number}", max_pool_connections=1)
            start.wait()
            for _ in range(20):
                value = own.get_item(TableName="t", Key={"id": {"S": "counter"}})["Item"]["n"]["N"]
                try:
                    own.put_item(
                        TableName="t",
                        Item={"id": {"S": "counter"}, "n": {"N": str(int(value) + 1)}},
                        ConditionExpression="n = :n",
                        ExpressionAttributeValues={":n": {"N": value}},
                    )
                    won[number] += 1
                except own.exceptions.ConditionalCheckFailedException:
                    pass

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))
        last = table.get_item(TableName="t", Key={"id": {"S": "counter"}})["Item"]["n"]["N"]
        assert int(last) == sum(won) > 0
