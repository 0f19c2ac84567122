"""The whole-process commands that are compared."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .environments import Environments
from .places import (
    BENCH,
    CACHES,
    CDK_CLI,
    ENVIRONMENT,
    JAVASCRIPT_APP,
    JSII_CACHE,
    OUTPUTS,
    OWN,
    PYTHON_APP,
    STACKS,
    TEMPLATES,
)
from .processes import Command

NOTHING = "python -c pass"
RENDER = "render, no validation"
RENDER_COLD = "render with validation, cold cache"
RENDER_WARM = "render with validation, warm cache"
CHECK = "check, expansions known"
CFN_LINT = "cfn-lint"
SYNTH_OFF = "cdk synth, JavaScript, validation off"
SYNTH = "cdk synth, JavaScript, as it comes"
JAVASCRIPT_OFF = "CDK JavaScript app alone, validation off"
PYTHON_OFF = "CDK Python app alone, validation off"

# Everything that would make the CDK speak to a network, or write what is not in the template, is off.
_CDK = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "1",
    "CDK_HOME": str(BENCH / "cdk-home"),
    "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(JSII_CACHE),
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
}
_OFF = {**_CDK, "CDK_VALIDATION": "false"}
_FLAGS = [
    "--all",
    "--quiet",
    "--no-notices",
    "--no-version-reporting",
    "--no-path-metadata",
    "--no-asset-metadata",
]


def ours() -> list[Command]:
    """Ours, and an empty Python process as the yardstick of both clock and memory."""
    return [
        Command(NOTHING, [sys.executable, "-c", "pass"]),
        _render(RENDER, "--no-validate", cache="unused", cold=True),
        _render(RENDER_COLD, cache="cold", cold=True),
        _render(RENDER_WARM, cache="warm", cold=False),
    ]


def checkers() -> list[Command]:
    """Ours and cfn-lint over the same templates. Ours knows what SAM makes of them, and not what it found in them."""
    cache = CACHES / "check"
    templates = sorted(map(str, (TEMPLATES / ENVIRONMENT).glob("*.yaml")))
    return [
        Command(
            CHECK,
            [sys.executable, "-m", "blueprints", "check", *templates],
            env={**OWN, "XDG_CACHE_HOME": str(cache)},
            cwd=BENCH,
            prepare=_emptied(cache / "compute-blueprints" / "check"),
        ),
        Command(CFN_LINT, [str(Path(sys.executable).with_name("cfn-lint")), *templates], cwd=BENCH),
    ]


def theirs(found: Environments) -> list[Command]:
    """The CDK, as far as it could be installed."""
    commands: list[Command] = []
    if found.cli:
        commands.append(_synth(SYNTH_OFF, _OFF))
    if found.node and found.cli:
        commands.append(_app(JAVASCRIPT_OFF, found.node, JAVASCRIPT_APP / "app.js"))
    if found.python:
        commands.append(_app(PYTHON_OFF, str(found.python), PYTHON_APP / "app.py"))
    if found.cli:
        commands.append(_synth(SYNTH, _CDK))
    return commands


def output_of(name: str) -> Path:
    """Where a command writes. It is emptied before each run, so that none profits from an earlier one."""
    return OUTPUTS / "".join(each if each.isalnum() else "-" for each in name)


def lint_environment() -> dict[str, str]:
    """The lint of an unchanged catalogue keeps a cache of its own."""
    return {**OWN, "XDG_CACHE_HOME": str(CACHES / "lint")}


def _render(name: str, *options: str, cache: str, cold: bool) -> Command:
    folder, out = CACHES / cache, output_of(name)
    return Command(
        name,
        [sys.executable, "-m", "blueprints", "render", "--stacks", str(STACKS), "--out", str(out), *options],
        env={**OWN, "XDG_CACHE_HOME": str(folder)},
        cwd=BENCH,
        prepare=_emptied(out, folder) if cold else _emptied(out),
    )


def _synth(name: str, env: dict[str, str]) -> Command:
    out = output_of(name)
    argv = [str(CDK_CLI), "synth", "--app", "node app.js", "--output", str(out), *_FLAGS]
    return Command(name, argv, env=env, cwd=JAVASCRIPT_APP, prepare=_emptied(out))


def _app(name: str, interpreter: str, path: Path) -> Command:
    out = output_of(name)
    env = {**_OFF, "CDK_OUTDIR": str(out)}
    return Command(name, [interpreter, path.name], env=env, cwd=path.parent, prepare=_emptied(out))


def _emptied(*folders: Path) -> Callable[[], None]:
    def empty() -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    return empty
