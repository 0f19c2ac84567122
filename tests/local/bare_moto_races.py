"""Shows that bare moto loses updates of an item: `python tests/local/bare_moto_races.py [threads] [each]`.

No test, since a race may be won. Prints what 32 threads have written and what is stored; 5.2.5 lost 8 of 960 adds.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import boto3
from botocore.config import Config

SERVER = """
import json, sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


def main(threads: int, each: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            stored = add(int(server.stdout.readline()), threads, each)
        finally:
            server.kill()
    sys.stdout.write(f"added {threads * each}, stored {stored}, lost {threads * each - stored}\n")


def add(port: int, threads: int, each: int) -> int:
    boto: Any = boto3
    client = boto.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="emulated",  # noqa: S106 - nobody checks it
        config=Config(max_pool_connections=threads),
    )
    client.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = {"TableName": "t", "Key": {"id": {"S": "one"}}}

    def work() -> None:
        for _ in range(each):
            client.update_item(
                **key, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
            )

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return int(client.get_item(**key)["Item"]["n"]["N"])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("32", "30")))
