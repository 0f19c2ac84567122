"""Makes the environments of the tools we are compared with, under `build/bench/`.

The CDK for Python, and the version of the CDK, are those of `make foreign`, under `build/foreign/`.
The versions are those that were seen to work together. What cannot be had is told in a line, and left out.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError

from scripts.foreign import environments

from .places import ASSEMBLY, BENCH, CDK_CLI, JSII_CACHE, NODE
from .processes import attempt, say

# The CDK itself is the one that `make foreign` reads our templates with.
AWS_CDK_LIB = environments.pinned("cdk", "aws-cdk-lib")
CONSTRUCTS = environments.pinned("cdk", "constructs")
# The CLI counts by itself, and each reads assemblies only up to some aws-cdk-lib: 3.0.0 refuses this one's.
CDK_CLI_VERSION = "2.1148.1"


@dataclass
class Environments:
    """What is there to compare with. A part without its tools is None."""

    node: str | None = None
    cli: Path | None = None
    python: Path | None = None
    missing: list[str] = field(default_factory=list[str])


def prepare() -> Environments:
    """Install what is not installed yet."""
    found = Environments()
    found.node = shutil.which("node")
    if found.node and _attempt(found, "aws-cdk-lib for JavaScript and the CDK's CLI", _install_node):
        found.cli = CDK_CLI
    elif not found.node:
        found.missing.append("Node: no `node` on the path, so neither `cdk synth` nor a CDK app can run")
    # jsii runs the Python app's constructs in Node, and the generator reads class names from the npm package.
    if found.cli and _attempt(found, "aws-cdk-lib for Python", _python_with_index):
        found.python = environments.python("cdk")
    return found


def _attempt(found: Environments, what: str, install: Callable[[], None]) -> bool:
    try:
        install()
    except environments.UnavailableError as error:
        found.missing.append(f"{what}: cannot be installed: {error}")
        return False
    except (OSError, CalledProcessError) as error:
        told = error.stderr if isinstance(error, CalledProcessError) else str(error)
        lines = [line for line in (told or "").strip().splitlines() if line.strip()]
        found.missing.append(f"{what}: cannot be installed: {lines[-1] if lines else error}")
        return False
    return True


def _install_node() -> None:
    manifest = NODE / "package.json"
    wanted = {"aws-cdk": CDK_CLI_VERSION, "aws-cdk-lib": AWS_CDK_LIB, "constructs": CONSTRUCTS}
    text = json.dumps({"private": True, "dependencies": wanted}, indent=2)
    if manifest.is_file() and manifest.read_text() == text and ASSEMBLY.is_file() and CDK_CLI.exists():
        return
    say(f"npm install in {NODE.name}: " + ", ".join(f"{name} {version}" for name, version in wanted.items()))
    NODE.mkdir(parents=True, exist_ok=True)
    manifest.write_text(text)
    _quietly([shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], NODE)


def _python_with_index() -> None:
    python = environments.python("cdk")
    if not any(JSII_CACHE.glob(_INDEX)):
        _warm_jsii(python)


# jsii reads its description of aws-cdk-lib from an index, which a worker of its own makes beside the app. An app
# that ends first leaves none, and then every run is several times slower. Here the worker is waited for.
_INDEX = "aws-cdk-lib/*/*/.jsii.runtime.v*.json"
_WAIT_FOR_INDEX = """
import pathlib, sys, time
import aws_cdk
deadline = time.monotonic() + 120
while not any(pathlib.Path(sys.argv[1]).glob(sys.argv[2])):
    if time.monotonic() > deadline:
        sys.exit("jsii made no index in two minutes")
    time.sleep(0.2)
"""


def _warm_jsii(python: Path) -> None:
    say("jsii: waiting for its index of aws-cdk-lib")
    env = {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(JSII_CACHE)}
    argv = [str(python), "-c", _WAIT_FOR_INDEX, str(JSII_CACHE), _INDEX]
    attempt(argv, env, BENCH).check_returncode()


def _quietly(argv: Sequence[str], cwd: Path) -> None:
    attempt(argv, {}, cwd).check_returncode()


def main() -> None:
    """Command line."""
    found = prepare()
    for line in found.missing:
        sys.stdout.write(f"{line}\n")
    if not found.missing:
        sys.stdout.write("Everything is there.\n")


if __name__ == "__main__":
    main()
