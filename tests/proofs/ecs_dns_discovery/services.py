"""The three services: images built from what is shipped, containers as task definitions say, the portal's page."""

from __future__ import annotations

import http.client
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import quote

from blueprints.local.stack import Stack

from .conftest import Machine, layer

IMAGES = {"Portal": "local/portal:1", "Calc": "local/calc:1", "Time": "local/clock:1"}


def build(machine: Machine, packaged: Path, context: Path) -> None:
    """Images by the shipped container file, from what the packaged template's layer holds."""
    with zipfile.ZipFile(layer(packaged, "ImagesLayerVersion")) as archive:
        archive.extractall(context)
    machine.docker.import_python()
    for image in IMAGES.values():
        service = image.partition("/")[2].partition(":")[0]
        machine.docker.run("build", "--build-arg", f"SERVICE={service}", "--tag", image, str(context))


def run(machine: Machine, stack: Stack, service: str) -> str:
    """A container of the service, as ECS starts it; its id."""
    (container,) = stack.get(f"{service}TaskDefinition", "Properties.ContainerDefinitions")
    variables = {each["Name"]: each["Value"] for each in container.get("Environment", ())}
    for each in container["Secrets"]:
        *arn, key, _, _ = each["ValueFrom"].split(":")
        secret = machine.aws.client("secretsmanager").get_secret_value(SecretId=":".join(arn))
        variables[each["Name"]] = json.loads(secret["SecretString"])[key]
    options = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    options += ["--user", container["User"], "--memory", f"{container['Memory']}m"]
    options += ["--init"] * (container["LinuxParameters"]["InitProcessEnabled"] in (True, "true"))
    options += ["--read-only"] * (container["ReadonlyRootFilesystem"] in (True, "true"))
    for each in container["LinuxParameters"]["Capabilities"]["Drop"]:
        options += ["--cap-drop", each]
    for each in container["PortMappings"]:
        options += ["-p", str(each["ContainerPort"])]
    return machine.docker.run("run", "-d", *options, IMAGES[service])


def fetched(address: str, port: int, path: str) -> str:
    """The body of an answer."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    connection.request("GET", path)
    found = connection.getresponse().read().decode()
    connection.close()
    return found


def shown(machine: Machine, portal: str) -> list[str]:
    """What the portal shows for the post's examples: the time and the value, each of them if it has found it."""
    port = machine.docker.port(portal, "8080/tcp")
    machine.wait(lambda: machine.docker.run("exec", portal, "python", "server.py", "check") == "")
    path = f"/?layout={quote('15:04 Jan 2')}&formula={quote('(2+6)*3', safe='')}"
    page = fetched(machine.host.address, port, path)
    return re.findall(r"<output>(.*?) \(container [0-9a-f]{12}\)</output>", page)
