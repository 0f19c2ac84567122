"""What ECS says of its tasks, in pages as ECS has them; moto's tasks lack the ids that Docker gave their containers.

ECS API Reference: ListClusters and ListTasks give at most 100 a page, DescribeTasks takes 100. Any other operation is
an error.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from blueprints.local.aws import Aws
from blueprints.local.place import Place

_MOST = 100
OPERATIONS = ("DescribeTaskDefinition", "DescribeTasks", "ListClusters", "ListTasks", "StopTask")
Answer = dict[str, Any]


class Tasks:
    """Clusters with their tasks, and who was stopped."""

    def __init__(self, aws: Aws, place: Place) -> None:
        self.place = place
        self.tasks: dict[str, Answer] = {}
        self.definitions: dict[str, list[Answer]] = {}
        self.stopped: list[tuple[str, str]] = []
        tasks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                status, told = tasks.answer(operation, asked)
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        for each in OPERATIONS:
            aws.forward(f"ecs:{each}", f"http://127.0.0.1:{self._server.server_address[1]}")

    def add(self, cluster: str, container: str, status: str = "RUNNING", definition: str = "plain") -> str:
        """A task with one container, which Docker knows by an id. It started an hour ago."""
        arn = self.place.arn("ecs", f"task/{cluster}/{len(self.tasks):032x}")
        self.definitions.setdefault(definition, [])
        self.tasks[arn] = {
            "taskArn": arn,
            "clusterArn": self.place.arn("ecs", f"cluster/{cluster}"),
            "lastStatus": status,
            "desiredStatus": status,
            "startedAt": time.time() - 3600,
            "taskDefinitionArn": self.place.arn("ecs", f"task-definition/{definition}:1"),
            "containers": [{"name": "app", "runtimeId": container}],
        }
        return arn

    def start(self, arn: str, ago: float) -> None:
        """The task started so many seconds ago."""
        self.tasks[arn]["startedAt"] = time.time() - ago

    def event(self, arn: str) -> Answer:
        """What EventBridge sends of a task: Developer Guide, "Amazon ECS task state change events"."""
        return {
            "version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change", "resources": [arn],
            "detail": self.tasks[arn],
        }  # fmt: skip

    def answer(self, operation: str, asked: Answer) -> tuple[int, Answer]:
        """Status and body."""
        if operation == "ListClusters":
            return self._page(
                sorted({each["clusterArn"] for each in self.tasks.values()}), asked, "clusterArns"
            )
        if operation == "ListTasks":
            arns = [
                arn
                for arn, each in self.tasks.items()
                if each["clusterArn"] == asked["cluster"] and each["desiredStatus"] == asked["desiredStatus"]
            ]
            return self._page(arns, asked, "taskArns")
        if operation == "DescribeTasks" and len(asked["tasks"]) <= _MOST:
            return 200, {"tasks": [self.tasks[each] for each in asked["tasks"] if each in self.tasks]}
        if operation == "DescribeTaskDefinition":
            family = asked["taskDefinition"].rpartition("/")[2].partition(":")[0]
            containers = [{"name": "app", "environment": self.definitions[family]}]
            return 200, {"taskDefinition": {"containerDefinitions": containers}}
        if operation == "StopTask" and asked["task"] in self.tasks:
            self.stopped.append((asked["task"], asked["reason"]))
            self.tasks[asked["task"]] |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
            return 200, {"task": self.tasks[asked["task"]]}
        return 400, {"__type": "InvalidParameterException", "message": f"{operation} {asked}"}

    def _page(self, arns: list[str], asked: Answer, name: str) -> tuple[int, Answer]:
        begin = int(asked.get("nextToken") or 0)
        more = {"nextToken": str(begin + _MOST)} if begin + _MOST < len(arns) else {}
        return 200, {name: arns[begin : begin + _MOST], **more}

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
