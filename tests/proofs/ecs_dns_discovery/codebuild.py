"""CodeBuild's part in a build: it runs the commands of a project's build specification, with its variables."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from blueprints.local.aws import Aws
from blueprints.local.hosts import Host, Network
from blueprints.local.stack import Stack

from .docker import Docker
from .registry import Registry


class Builder:
    """A host with Docker, the AWS CLI and a registry that it trusts."""

    def __init__(self, network: Network, aws: Aws, cli: Path, registry: Registry) -> None:
        self.aws, self.network = aws, network
        self.docker = Docker()
        shown = [str(self.docker.socket.parent), str(cli), str(registry.certificate.parent)]
        names = f"127.0.0.1 localhost\n{registry.address} {registry.name}\n"
        self.host: Host = network.host("codebuild", shown=shown, files={"/etc/hosts": names})
        self.docker.start(self.host, registry)
        self.docker.import_python()
        self._environment = {
            "DOCKER_HOST": f"unix://{self.docker.socket}",
            "SSL_CERT_FILE": str(registry.certificate),
            "HOME": "/root",
        }
        assert self.host.run(["ln", "-sf", f"{cli}/bin/aws", "/usr/bin/aws"]).returncode == 0

    def build(self, stack: Stack, project: str) -> subprocess.CompletedProcess[bytes]:
        """One build; what its commands printed. Ends with the first that fails."""
        specification: dict[str, Any] = yaml.safe_load(stack.get(project, "Properties.Source.BuildSpec"))
        assert specification.keys() == {"version", "env", "phases"}
        assert specification["env"] == {"shell": "bash"}
        assert specification["phases"].keys() == {"build"}
        given = stack.get(project, "Properties.Environment.EnvironmentVariables")
        role = stack.get(project, "Properties.ServiceRole").rpartition("/")[2]
        environment = {
            **self._environment,
            **self.aws.environment(role, self.network.gateway),
            **{each["Name"]: each["Value"] for each in given},
        }
        (command,) = specification["phases"]["build"]["commands"]
        return self.host.run(["bash", "-c", f"cd && {command}"], env=environment, timeout=300)

    def close(self) -> None:
        """Nothing of it is left."""
        self.docker.remove()
        self.host.remove()
