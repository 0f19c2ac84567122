"""An emulated instance of the group, with what Systems Manager's agent does on one: it runs a document's command."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network, awscli, end

ROOT = Path(__file__).parents[3]
INSTANCE = "i-0123456789abcdef0"
Content = Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a document's command ended."""

    status: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        """The line of JSON that every command ends with."""
        return json.loads(self.output.splitlines()[-1])


@dataclass
class Instance:
    """A host with the documents that it can be sent. `address` is where it reaches the emulated AWS."""

    host: Host
    documents: Mapping[str, Content]
    aws: Aws
    address: str
    cli: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def start(self, document: str, parameters: Mapping[str, str], *, by: str = "") -> subprocess.Popen[bytes]:
        """Begin a document's command; with `by`, by that shell in place of the one that its first line names."""
        return self.start_script(delivered(self.documents[document], parameters), by=by)

    def start_script(self, script: str, *, by: str = "") -> subprocess.Popen[bytes]:
        """Begin a script as the agent does: from a file, which the kernel hands to the interpreter it names."""
        path = f"/var/lib/amazon/ssm/{uuid.uuid4()}/_script.sh"
        write = f"mkdir -p {Path(path).parent} && cat > {path} && chmod 700 {path}"
        assert self.host.run(["sh", "-c", write], input=script).returncode == 0
        environment = {"AWS_ENDPOINT_URL": self.aws.endpoint_at(self.address), **self.environment}
        command = [by, path] if by else [path]
        return self.host.start(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(
        self, document: str, parameters: Mapping[str, str], *, by: str = "", timeout: float = 120
    ) -> Ended:
        """Run a document's command to its end."""
        return ended(self.start(document, parameters, by=by), timeout)

    def back_up(self, folders: str, **parameters: str) -> Ended:
        """Run the backup of some folders."""
        return self.run("BackupDocument", {**EVENT, "BackupDirectories": folders, **parameters})

    def restore(self, action: str, backup: str = "", target: str = "", **parameters: str) -> Ended:
        """Run the restore."""
        given = {"Action": action, "Backup": backup, "Target": target, **parameters}
        return self.run("RestoreDocument", given)

    def sh(self, script: str) -> str:
        """What a shell on the instance prints. It has to succeed."""
        done = self.host.run(["sh", "-c", script])
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def running(self) -> list[str]:
        """The names of its processes, of which some may end while they are read."""
        found = self.sh("cat /proc/[0-9]*/comm 2> /dev/null || true").split()
        assert "sh" in found  # which reads them
        return found

    def tree(self, *arguments: str) -> str:
        """Run `tree.py` on the instance."""
        program = (Path(__file__).parent / "tree.py").read_text()
        done = self.host.run([f"{self.cli}/bin/python", "-I", "-", *arguments], input=program, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def facts(self, folder: str) -> dict[str, Any]:
        """What there is to compare of a folder's files."""
        return json.loads(self.tree("facts", folder))

    def wait_for(self, script: str, process: subprocess.Popen[bytes]) -> None:
        """Until a shell's test succeeds while a command runs."""
        deadline = time.monotonic() + 60
        while self.host.run(["sh", "-c", script]).returncode:
            assert process.poll() is None, ended(process)
            assert time.monotonic() < deadline, script
            time.sleep(0.05)


EVENT = {"Token": "5f0c9c1e-0001", "EventTime": "2025-01-31T04:00:00.123Z", "Group": "web/blue"}
KEY = f"backups/web/blue/2025/01/31/{INSTANCE}-5f0c9c1e-0001.tar"


def ended(process: subprocess.Popen[bytes], timeout: float = 120) -> Ended:
    """The command at its end, with all that it has started gone."""
    try:
        output, errors = process.communicate(timeout=timeout)
    finally:
        with suppress(ProcessLookupError, ValueError):
            end(process)
    return Ended(process.returncode, output.decode(), errors.decode())


def delivered(content: Content, parameters: Mapping[str, str]) -> str:
    """The script that the agent runs: the document's commands, its parameters as text in them.

    Raises ValueError for a value that the document's own pattern refuses. Systems Manager User Guide, "Data elements
    and parameters".
    """
    unknown = parameters.keys() - content["parameters"].keys()
    if unknown:
        raise ValueError(f"no parameters {sorted(unknown)}")
    values: dict[str, str] = {}
    value: Any
    for name, declared in content["parameters"].items():
        value = parameters.get(name, declared.get("default"))
        allowed, pattern = declared.get("allowedValues"), declared.get("allowedPattern", "")
        if value is None or (value not in allowed if allowed else not re.fullmatch(pattern, value)):
            raise ValueError(f"{name}={value!r}")
        values[name] = value
    commands = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: values[found[1]], commands)


def launch(
    network: Network,
    aws: Aws,
    documents: Mapping[str, Content],
    cli: Path,
    *,
    role: str = "instance",
    instance: str = INSTANCE,
) -> Instance:
    """An instance that sees the project nowhere, has the AWS CLI, and its role's credentials from the metadata."""
    host = network.host(
        f"node-{len(network.hosts)}",
        metadata=metadata(aws, role, instance),
        hidden=[str(ROOT)],
        files=awscli.programs(cli),
        shown=[str(cli)],
    )
    made = Instance(host, documents, aws, network.gateway, cli)
    made.sh("mkdir -p /srv && rm -rf /var/log/* && echo line > /var/log/log")
    return made


def metadata(
    aws: Aws, role: str, instance: str = INSTANCE, expires: str = "2999-01-01T00:00:00Z"
) -> dict[str, object]:
    """What the metadata service tells. EC2 User Guide, "Retrieve security credentials from instance metadata"."""
    keys = aws.credentials(role)
    credentials = {
        "Code": "Success",
        "LastUpdated": "2025-01-01T00:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
        "Token": "token",
        "Expiration": expires,
    }
    return {
        "meta-data/instance-id": instance,
        "meta-data/placement/region": aws.region,
        f"meta-data/iam/security-credentials/{role}": credentials,
    }
