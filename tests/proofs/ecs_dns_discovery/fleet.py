"""Hosts with tasks by the hundred: ECS and EC2 know them, the zone has their records, and they answer or do not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network
from blueprints.local.hosts.host import end

from .conftest import INTERPRETER, ZONE
from .ecs import Tasks

_SERVER = Path(__file__).with_name("answering.py").read_text()
_FIRST_PORT = 32768
_BATCH = 100
# What no agent has made
_FOREIGN: list[dict[str, Any]] = [
    {"Name": f"calc.{ZONE}", "Type": "CNAME", "ResourceRecords": [{"Value": "elsewhere.example.com"}]},
    {"Name": f"mail.{ZONE}", "Type": "TXT", "ResourceRecords": [{"Value": '"i-0123456789abcdef0:host"'}]},
    {"Name": f"db.{ZONE}", "Type": "A", "ResourceRecords": [{"Value": "192.0.2.7"}]},
    {"Name": f"_sip._tcp.{ZONE}", "Type": "SRV", "ResourceRecords": [{"Value": "1 1 5060 sip.example.com"}]},
    {
        "Name": f"_other._tcp.{ZONE}",
        "Type": "SRV",
        "SetIdentifier": "node1:somebody",
        "Weight": 1,
        "ResourceRecords": [{"Value": "1 1 1 elsewhere.example.com"}],
    },
]


class Task(NamedTuple):
    """A task with one container on one host."""

    arn: str
    host: Host
    port: int
    check: str


class Fleet:
    """Hosts, the tasks on them, and the records that an agent on each would have written."""

    def __init__(self, network: Network, aws: Aws, tasks: Tasks, zone: str, hosts: int) -> None:
        self._aws, self._tasks, self._zone = aws, tasks, zone
        made = aws.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=hosts, MaxCount=hosts)
        self.hosts = [network.host(each["InstanceId"]) for each in made["Instances"]]
        self.tasks: list[Task] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._records: list[dict[str, Any]] = [dict(each, TTL=60) for each in _FOREIGN]
        for each in self.hosts:
            self._record("A", _name(each), f"{each.name}:host", each.address)
        self._container("_other._tcp", self.hosts[0], "f" * 64, 1)  # that another scheduler runs

    def add(self, cluster: str, check: str = "", status: str = "RUNNING") -> Task:
        """A task on the next host, with the container's record; `check` is how it wants to be asked."""
        number = len(self.tasks)
        host, port, container = self.hosts[number % len(self.hosts)], _FIRST_PORT + number, f"{number:064x}"
        family = check.partition(":")[0] or "plain"
        self._tasks.definitions[family] = [{"name": "SERVICE_8081_CHECK", "value": check}] if check else []
        task = Task(self._tasks.add(cluster, container, status, family), host, port, check)
        self._container("_calc._tcp", host, container, port)
        self.tasks.append(task)
        return task

    def _container(self, name: str, host: Host, container: str, port: int) -> None:
        identifier = f"{host.name}:{container}:8081/tcp"
        self._record("SRV", name, identifier, f"1 1 {port} {_name(host)}.{ZONE}")

    def _record(self, kind: str, name: str, identifier: str, value: str) -> None:
        weighted = {"TTL": 0, "Weight": 1, "SetIdentifier": identifier, "ResourceRecords": [{"Value": value}]}
        self._records.append({"Name": f"{name}.{ZONE}", "Type": kind, **weighted})

    def write(self) -> None:
        """The records, into the zone."""
        changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in self._records]
        for start in range(0, len(changes), _BATCH):
            self._aws.client("route53").change_resource_record_sets(
                HostedZoneId=self._zone, ChangeBatch={"Changes": changes[start : start + _BATCH]}
            )

    def records(self) -> set[str]:
        """Each record set of the zone as it stands there, whole."""
        pages = self._aws.client("route53").get_paginator("list_resource_record_sets")
        found = [
            each for page in pages.paginate(HostedZoneId=self._zone) for each in page["ResourceRecordSets"]
        ]
        return {json.dumps(each, sort_keys=True) for each in found}

    def answer(self, status: int, tasks: list[Task]) -> list[subprocess.Popen[bytes]]:
        """Have these tasks answer with a status; 0 has them take a connection and say nothing."""
        return [
            self._started(host, status, tasks) for host in self.hosts if host in {each.host for each in tasks}
        ]

    def _started(self, host: Host, status: int, tasks: list[Task]) -> subprocess.Popen[bytes]:
        ports = [str(each.port) for each in tasks if each.host is host]
        process = host.start([str(INTERPRETER), "-c", _SERVER, str(status), *ports], stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Its ports are closed."""
        self._processes.remove(process)
        end(process)

    def kill(self, host: Host) -> None:
        """The host dies without a word, and EC2 knows."""
        host.power_off()
        self._aws.client("ec2").terminate_instances(InstanceIds=[host.name])

    def close(self) -> None:
        """Nothing of it runs."""
        for each in [*self._processes]:
            self.end(each)
        for each in self.hosts:
            each.power_off()


def _name(host: Host) -> str:
    return f"ip-{host.address.replace('.', '-')}"
