"""An emulated instance with what its image has: Docker, a package manager, systemd; and its first boot."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network
from blueprints.local.place import Place
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

from .conftest import ROOT
from .docker import Docker

COMMITTED = ROOT / "templates" / "example" / "ecs-dns-discovery-agent"
PLACE = Place("discovery")
LAYER = PLACE.arn("lambda", "layer:agent:1")
# The package manager of the image: brings what it is asked for, if that is the AWS CLI.
DNF = '#!/bin/bash\n[ "$*" = "install -y awscli-2" ] && ln -sf {cli}/bin/aws /usr/bin/aws\n'


class Layers:
    """Lambda's GetLayerVersionByArn, which moto lacks, and where it says that the content is."""

    def __init__(self, address: str, archives: dict[str, Path]) -> None:
        self.contents = {arn: path.read_bytes() for arn, path in archives.items()}
        layers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                arn = unquote(query.partition("Arn=")[2].partition("&")[0]) if query else unquote(path[1:])
                body = layers.contents[arn]
                if query:
                    body = json.dumps({"Content": {"Location": f"{layers.url}/{quote(arn)}"}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
                pass

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


def committed(zone: str) -> Stack:
    """The template of the repository, with ids of what its user data names."""
    stack = Stack.read(COMMITTED.with_suffix(".yaml"), Path(f"{COMMITTED}.parameters.json"), PLACE, fetch=str)
    stack.physical.update(
        {
            "Cluster": Physical("discovery-Cluster-1"),
            "HostedZone": Physical(zone),
            "AgentLayerVersion": Physical(LAYER),
        }
    )
    return stack


class Hosts:
    """Instances that were booted, with their daemons."""

    def __init__(self, network: Network, aws: Aws, cli: Path) -> None:
        self.network, self.aws, self.cli = network, aws, cli
        self.daemons: dict[str, Docker] = {}
        self.said: dict[str, str] = {}

    def boot(self, stack: Stack, change: Callable[[str], str] = str, number: str = "") -> Host:
        """A new instance after its user data has run."""
        docker = Docker()
        number = number or f"i-{len(self.network.hosts):017x}"
        self.daemons[number] = docker
        keys = {f"meta-data/{name}": value for name, value in _metadata(self.aws, number).items()}
        host = self.network.host(number, metadata=keys, shown=[str(docker.socket.parent), str(self.cli)])
        host.set_metadata(keys | {"meta-data/local-ipv4": host.address})
        docker.start(host)
        self._prepare(host, docker)
        self.aws.expect_signals(stack.place.stack_id, "AutoScalingGroup", 1)
        script = change(stack.user_data("LaunchTemplate").decode())
        written = host.run(["sh", "-c", "cat > /root/user-data && chmod 700 /root/user-data"], input=script)
        assert written.returncode == 0
        environment = {"AWS_ENDPOINT_URL": self.aws.endpoint_at(self.network.gateway)}
        done = host.run(["/root/user-data"], env=environment, timeout=200)
        self.said[number] = (done.stdout + done.stderr).decode()
        return host

    def _prepare(self, host: Host, docker: Docker) -> None:
        """What the image has and this machine has not: its package manager, systemd, Docker's socket where it is."""
        systemctl = (Path(__file__).parent / "systemctl.py").read_text()
        for name, text in (("dnf", DNF.format(cli=self.cli)), ("systemctl", systemctl)):
            path = f"/usr/local/sbin/{name}"
            assert host.run(["sh", "-c", f"cat > {path} && chmod 755 {path}"], input=text).returncode == 0
        made = host.run(["sh", "-c", f"mkdir -p /etc/ecs && ln -s {docker.socket} /var/run/docker.sock"])
        assert made.returncode == 0, made.stderr

    def close(self) -> None:
        """Nothing of them is left."""
        for host in self.network.hosts:
            if host.name in self.daemons:
                host.power_off()
        for each in self.daemons.values():
            each.remove()


def _metadata(aws: Aws, number: str) -> dict[str, Any]:
    keys = aws.credentials(number)
    role = {
        "AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"], "Token": "token",
        "Expiration": "2099-01-01T00:00:00Z", "Code": "Success", "Type": "AWS-HMAC",
        "LastUpdated": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return {
        "instance-id": number,
        "placement/region": aws.region,
        "placement/availability-zone": f"{aws.region}a",
        "iam/security-credentials/role": role,
    }
