"""SAM CLI and AWS CLI take our templates: as they are committed, with code of their own, and as we package them.

`sam validate --lint`, `sam build` and `aws cloudformation package` have to end well, and what the last two write may
differ from what they read in addresses of code alone. One template is bad, so that a tool which takes all is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from blueprints.checks.template import TemplateError, load
from blueprints.core.render import write_text
from blueprints.package.addresses import Beside
from blueprints.package.bundle import Bundle, bundle
from blueprints.package.places import mapping, places

from .readers import DRIVERS, ReaderError, compare

_BUILD = "aws cloudformation package", "sam build"
_BAD = Path("mine/bad.yaml")

# Every form of address that the AWS CLI writes, and code in a folder, in a file and in a nested template.
_MINE = {
    "code/app.py": "def handler(event, context):\n    return event\n",
    "code/machine.json": '{"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}\n',
    "mine/own.yaml": """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: Code in a folder and in a file.
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ../code, Handler: app.handler, Runtime: python3.13, Architectures: [arm64]}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: ../code/machine.json}
  Nested:
    Type: AWS::CloudFormation::Stack
    UpdateReplacePolicy: Delete
    DeletionPolicy: Delete
    Properties: {TemplateURL: nested.yaml}
""",
    "mine/nested.yaml": """\
AWSTemplateFormatVersion: '2010-09-09'
Description: Code in one file.
Resources:
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: {Content: ../code, CompatibleRuntimes: [python3.13]}
""",
    str(_BAD): """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: absent, Runtime: python3.13}
""",
}


def faults(root: Path, python: Path, folder: Path, endpoint: str) -> tuple[str, list[str]]:
    """How many templates there were, and what is wrong with how they were taken. Raises ReaderError.

    `folder` is emptied for copies of the templates; `endpoint` is where S3 is emulated.
    """
    sources = _copies(root, folder)
    # The others are written as they were read.
    packaged = [each for each in bundle(sources, folder / "build", Beside()) if each.made]
    for each in packaged:
        write_text(each.out, each.text)
    read = [path.relative_to(folder) for path in (*sources, *(each.out for each in packaged), folder / _BAD)]
    taken = _taken(python, folder, read, endpoint)
    wrong = [fault for path in read if path != _BAD for fault in refused(path, taken[str(path)])]
    wrong += [f"{command} takes {_BAD}, which names no handler and no code: it does not judge"
              for command, done in taken[str(_BAD)].items() if not done["status"]]  # fmt: skip
    if not wrong:
        wrong += [
            fault for path in read if path != _BAD for fault in changed(folder / path, path, taken[str(path)])
        ]
        wrong += [fault for each in packaged for fault in _other_code(folder, each, taken)]
    return f"{len(sources)} templates, {len(packaged)} of them packaged too", wrong


def _copies(root: Path, folder: Path) -> list[Path]:
    """Templates in `folder`, where code lies as it does in the repository."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(root / "templates", folder / "templates")
    (folder / "blueprints").symlink_to(root / "blueprints")
    for name, text in _MINE.items():
        write_text(folder / name, text)
    return [*sorted((folder / "templates").glob("*/*.yaml")), folder / "mine" / "own.yaml"]


def _taken(python: Path, folder: Path, read: Sequence[Path], endpoint: str) -> dict[str, Any]:
    """What the tools made of each template: a process for every processor, because linting takes seconds each."""
    environment = {
        **os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull, "HOME": str(folder), "SAM_CLI_TELEMETRY": "0",
    }  # fmt: skip
    count = os.cpu_count() or 1
    shares = [read[start::count] for start in range(count) if read[start::count]]
    with ThreadPoolExecutor(count) as pool:
        made = pool.map(partial(_driven, python, folder, environment), shares)
        return {name: each for part in made for name, each in part.items()}


def _driven(
    python: Path, folder: Path, environment: Mapping[str, str], read: Sequence[Path]
) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own command
        [python, DRIVERS / "sam.py", *read],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise ReaderError(
            "\n".join(done.stderr.strip().splitlines()[-8:]) or f"status {done.returncode}"
        ) from error


def refused(name: Path, taken: Mapping[str, Any]) -> list[str]:
    """The commands that did not end well, with what they said."""
    return [f"{name}: {command} ended with {done['status']}: {' '.join(str(done['said']).split())}"
            for command, done in taken.items() if done["status"]]  # fmt: skip


def changed(template: Path, name: Path, taken: Mapping[str, Any]) -> list[str]:
    """Where what was written differs from the template in more than addresses."""
    found: list[str] = []
    for command in _BUILD:
        try:
            after = load(taken[command]["template"])
        except TemplateError as error:
            found.append(f"{name}: {command} wrote no template: {error}")
            continue
        before = load(template.read_text())
        for place in places(before):
            _forget(before, place.path)
            _forget(after, place.path)
        found += compare(f"{name}: {command}", _plain(before), _plain(after))
    return found


def _forget(template: dict[str, Any], path: Sequence[str | int]) -> None:
    holder: Any = template
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "address"


def _plain(template: dict[str, Any]) -> dict[str, Any]:
    """Less what the tools add: the AWS CLI a CodeUri that InlineCode outweighs; SAM notes, and the Python of here."""
    for resource in mapping(template.get("Resources")).values():
        properties = mapping(resource.get("Properties"))
        if "InlineCode" in properties:
            properties.pop("CodeUri", None)
        if "Runtime" in properties:
            properties["Runtime"] = "any"
        notes = mapping(resource.get("Metadata"))
        for key in ("SamResourceId", "SamTransformMetrics"):
            notes.pop(key, None)
        if resource.get("Metadata") == {}:
            del resource["Metadata"]
    return template


def _other_code(folder: Path, packaged: Bundle, taken: Mapping[str, Any]) -> list[str]:
    """Archives of ours that the AWS CLI did not upload byte for byte; it names objects by their MD5."""
    name = packaged.out.relative_to(folder)
    text = taken[str(name)]["aws cloudformation package"]["template"]
    ours = [made for made in packaged.made if made.template == packaged.source]
    return [
        f"{name}: aws cloudformation package uploaded other bytes for {made.place.where}"
        for made in ours
        if made.place.artifact.content != "template"
        and hashlib.md5(made.asset.file.read_bytes(), usedforsecurity=False).hexdigest() not in text
    ]
