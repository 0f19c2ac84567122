"""What a host does first: the user data of the committed template, delivered to an emulated instance."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import template as templates
from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network
from blueprints.local.place import Place
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack
from scripts.foreign.environments import UnavailableError, aws_cli

from .conftest import ROOT, ZONE
from .docker import Docker

COMMITTED = ROOT / "templates" / "example" / "ecs-dns-discovery-agent"
PLACE = Place("discovery")
LAYER = PLACE.arn("lambda", "layer:agent:1")
# The package manager of the image: brings what it is asked for, if that is the AWS CLI.
DNF = '#!/bin/bash\n[ "$*" = "install -y awscli-2" ] && ln -sf {cli}/bin/aws /usr/bin/aws\n'


class Layers:
    """Lambda's GetLayerVersionByArn, which moto lacks, and where it says that the content is."""

    def __init__(self, address: str, archive: Path) -> None:
        self.content = archive.read_bytes()
        layers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = layers.content
                if "find=LayerVersion" in self.path:
                    body = json.dumps({"Content": {"Location": f"{layers.url}/agent.zip"}}).encode()
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
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def cli() -> Path:
    try:
        return aws_cli()
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the AWS CLI cannot be installed: {error}")


@pytest.fixture
def layers(network: Network, aws: Aws, archive: Path) -> Iterator[Layers]:
    made = Layers(network.gateway, archive)
    aws.forward("lambda:GetLayerVersionByArn", made.url)
    yield made
    made.close()


@pytest.fixture
def said() -> dict[str, str]:
    """What each instance's boot has printed."""
    return {}


@pytest.fixture
def boot(
    network: Network, aws: Aws, cli: Path, zone: str, layers: Layers, said: dict[str, str]
) -> Iterator[Callable[..., Host]]:
    """Boots the user data of the template on a new instance."""
    daemons: list[Docker] = []

    def booted(change: Callable[[str], str] = str) -> Host:
        docker = Docker()
        daemons.append(docker)
        number = f"i-{len(network.hosts):017x}"
        keys = {f"meta-data/{name}": value for name, value in instance(aws, number).items()}
        host = network.host(number, metadata=keys, shown=[str(docker.socket.parent), str(cli)])
        host.set_metadata(keys | {"meta-data/local-ipv4": host.address})
        docker.start(host)
        prepared(host, docker, cli)
        stack = Stack.read(
            COMMITTED.with_suffix(".yaml"), Path(f"{COMMITTED}.parameters.json"), PLACE, fetch=str
        )
        stack.physical.update(
            {
                "Cluster": Physical("discovery-Cluster-1"),
                "HostedZone": Physical(zone),
                "AgentLayerVersion": Physical(LAYER),
            }
        )
        script = change(stack.user_data("LaunchTemplate").decode())
        aws.expect_signals(PLACE.stack_id, "AutoScalingGroup", 1)
        environment = {"AWS_ENDPOINT_URL": aws.endpoint_at(network.gateway)}
        written = host.run(["sh", "-c", "cat > /root/user-data && chmod 700 /root/user-data"], input=script)
        assert written.returncode == 0
        done = host.run(["/root/user-data"], env=environment, timeout=200)
        said[number] = (done.stdout + done.stderr).decode()
        return host

    yield booted
    for host in network.hosts:
        if host.name.startswith("i-"):
            host.power_off()
    for each in daemons:
        each.remove()


def instance(aws: Aws, number: str) -> dict[str, Any]:
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


def prepared(host: Host, docker: Docker, cli: Path) -> None:
    """What the image has and this machine has not: its package manager, systemd, Docker's socket where it is."""
    systemctl = (Path(__file__).parent / "systemctl.py").read_text()
    for name, text in (("dnf", DNF.format(cli=cli)), ("systemctl", systemctl)):
        path = f"/usr/local/sbin/{name}"
        assert host.run(["sh", "-c", f"cat > {path} && chmod 755 {path}"], input=text).returncode == 0
    made = host.run(["sh", "-c", f"mkdir -p /etc/ecs && ln -s {docker.socket} /var/run/docker.sock"])
    assert made.returncode == 0, made.stderr


def impatient(script: str) -> str:
    """The same, with other settings at its head: no pause between tries, and a deadline that a test can wait for."""
    return script.replace("RETRY_SECONDS='15'", "RETRY_SECONDS='0'").replace(
        "DEADLINE='600'", "DEADLINE='20'"
    )


def signals(aws: Aws, host: Host) -> list[str]:
    calls = [each for each in aws.calls("cloudformation:SignalResource") if each.principal == host.name]
    return [each.parameters["Status"] for each in calls]


def own_records(aws: Aws, zone: str, host: Host) -> list[str]:
    sets = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [each["Name"] for each in sets if each.get("SetIdentifier", "").startswith(f"{host.name}:")]


def test_a_host_joins_and_its_agent_is_at_work_when_it_signals(
    boot: Any, aws: Aws, zone: str, said: dict[str, str]
) -> None:
    host = boot()
    assert signals(aws, host) == ["SUCCESS"], said[host.name]
    assert (host.disk / "etc/ecs/ecs.config").read_text().splitlines()[0] == "ECS_CLUSTER=discovery-Cluster-1"
    assert own_records(aws, zone, host) == [f"ip-{host.address.replace('.', '-')}.{ZONE}."]
    assert "--zone-id" in (host.disk / "etc/ecs-dns-agent.env").read_text()


def test_a_changed_byte_is_noticed_and_fails_the_host(
    boot: Any, aws: Aws, zone: str, layers: Layers, tmp_path: Path
) -> None:
    (tmp_path / "agent.zip").write_bytes(layers.content)
    with zipfile.ZipFile(tmp_path / "agent.zip", "a") as archive:
        archive.writestr("more.py", "")
    layers.content = (tmp_path / "agent.zip").read_bytes()
    host = boot(impatient)
    assert signals(aws, host) == ["FAILURE"]
    assert own_records(aws, zone, host) == []


@pytest.mark.parametrize("api", ["route53:ChangeResourceRecordSets", "route53:GetHostedZone"])
def test_a_host_whose_agent_may_not_write_says_so(boot: Any, aws: Aws, zone: str, api: str) -> None:
    aws.faults.error(api, "AccessDenied", status=403)
    host = boot(impatient)
    aws.faults.clear()
    assert signals(aws, host) == ["FAILURE"]
    assert own_records(aws, zone, host) == []


def test_the_unit_is_one_that_systemd_takes(archive: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze; install systemd")
    with zipfile.ZipFile(archive) as opened:
        opened.extract("ecs-dns-agent.service", tmp_path)
    unit = str(tmp_path / "ecs-dns-agent.service")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_template_that_names_another_agent_is_noticed(packaged: Path) -> None:
    """The committed template and what is packaged agree on what the agent is."""
    committed = templates.load(COMMITTED.with_suffix(".yaml").read_text())["Resources"]["LaunchTemplate"]
    assert templates.load(packaged.read_text())["Resources"]["LaunchTemplate"] == committed
