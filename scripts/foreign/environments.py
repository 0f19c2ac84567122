"""Makes the environments of the tools that are not ours, each by itself, below `build/foreign/`.

Versions stand in `locks/` and here. uv makes an environment in seconds where pip takes a minute; it comes into an
environment of its own first.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "build" / "foreign"
LOCKS = Path(__file__).parent / "locks"

UV = "0.13.9"

# Two sets of Guard rules by AWS, both Apache-2.0 and both read here as they are published: AWS Control Tower's
# proactive controls, and the Guard Rules Registry's equivalents of cfn_nag, which only this package brings.
CONTROL_TOWER = ("@cdklabs/cdk-validator-cfnguard", "0.0.62")
REGISTRY = ("awslabs.aws-iac-mcp-server", "1.0.26")

# What an environment runs in and does not bring.
_NEEDS = {"cdk": "node"}

# Builds of torch for CPUs are on an index of its own, which uv knows by name; pip may be told of another place.
_BUILDS = {"torch": "--torch-backend=cpu"}


class UnavailableError(Exception):
    """A tool that cannot be installed here, with the reason."""


def python(name: str) -> Path:
    """The interpreter of an environment that has what `locks/<name>.txt` says. Raises UnavailableError."""
    if name in _NEEDS and shutil.which(_NEEDS[name]) is None:
        raise UnavailableError(f"no {_NEEDS[name]} on the path")
    with _alone():
        return _made(name)


def _made(name: str) -> Path:
    lock, folder = LOCKS / f"{name}.txt", FOREIGN / name
    interpreter = folder / "bin" / "python"
    if _stamped(folder, lock.read_text()):
        return interpreter
    uv = _uv()
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    install = [uv, "pip", "install", "--quiet", "--python", interpreter, "-r", lock]
    if name in _BUILDS:
        _first(
            [sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", "-r", lock],
            [*install, _BUILDS[name]],
        )
    else:
        _run(install)
    _stamp(folder, lock.read_text())
    return interpreter


def aws_cli() -> Path:
    """The folder of the AWS CLI, compiled: it then starts in half the time. Raises UnavailableError."""
    interpreter = python("aws")
    _run([interpreter, "-m", "compileall", "-q", FOREIGN / "aws" / "lib"])
    return FOREIGN / "aws"


def pinned(name: str, distribution: str) -> str:
    """The version of a distribution in an environment."""
    lines = (LOCKS / f"{name}.txt").read_text().splitlines()
    return next(
        line.split(" ")[0].partition("==")[2] for line in lines if line.startswith(f"{distribution}==")
    )


def guard_rules() -> list[Path]:
    """Guard's rule files of both sets. Raises UnavailableError."""
    rules = [*sorted(_control_tower().rglob("*.guard")), *sorted(_registry().rglob("*.guard"))]
    if not rules:
        raise UnavailableError("the packages hold no Guard rules; their layout must have changed")
    return rules


def _control_tower() -> Path:
    name, version = CONTROL_TOWER
    folder = FOREIGN / "control-tower"
    if _stamped(folder, version):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError("no npm on the path")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _run([npm, "pack", "--silent", "--pack-destination", folder, f"{name}@{version}"])
    for archive in folder.glob("*.tgz"):
        with tarfile.open(archive) as packed:
            rules = [each for each in packed if each.name.endswith(".guard")]
            packed.extractall(folder, rules, filter="data")
        archive.unlink()
    _stamp(folder, version)
    return folder


def _registry() -> Path:
    name, version = REGISTRY
    folder = FOREIGN / "guard-rules-registry"
    if not _stamped(folder, version):
        shutil.rmtree(folder, ignore_errors=True)
        _run([_uv(), "pip", "install", "--quiet", "--no-deps", "--target", folder, f"{name}=={version}"])
        _stamp(folder, version)
    return folder


@contextmanager
def _alone() -> Generator[None]:
    """Proofs run side by side, and may want the same environment."""
    FOREIGN.mkdir(parents=True, exist_ok=True)
    with open(FOREIGN / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _uv() -> Path:
    folder = FOREIGN / "uv"
    if not _stamped(folder, UV):
        _run([sys.executable, "-m", "venv", "--clear", folder])
        _run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"uv=={UV}"])
        _stamp(folder, UV)
    return folder / "bin" / "uv"


def _stamped(folder: Path, content: str) -> bool:
    stamp = folder / "installed"
    return stamp.is_file() and stamp.read_text() == content


def _stamp(folder: Path, content: str) -> None:
    (folder / "installed").write_text(content)


def _first(*commands: Sequence[str | Path]) -> None:
    """Run commands until one succeeds. Raises UnavailableError with what each said."""
    said: list[str] = []
    for command in commands:
        try:
            return _run(command)
        except UnavailableError as error:
            said.append(str(error))
    raise UnavailableError("; ".join(said))


def _run(command: Sequence[str | Path]) -> None:
    FOREIGN.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=FOREIGN, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise UnavailableError(" ".join(said[-2:]) or f"{command[0]} ended with {done.returncode}")
