"""Runs in CFNgin's environment: what CFNgin would send to CloudFormation for each stack of `cfngin.yml`, as JSON."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Resolve every stack as a deployment does before its first call, and print templates and parameters."""
    config_class: Any = importlib.import_module("runway.config").CfnginConfig
    context_class: Any = importlib.import_module("runway.context").CfnginContext
    deploy: Any = importlib.import_module("runway.cfngin.actions.deploy").Action
    config = config_class.parse_file(path=Path("cfngin.yml"))
    config.load()
    context = context_class(config=config, config_path=Path.cwd())
    stacks: dict[str, Any] = {}
    for stack in context.stacks:
        stack.resolve(context)
        stacks[stack.name] = {
            "template": stack.blueprint.rendered,
            "parameters": {
                each["ParameterKey"]: each["ParameterValue"] for each in deploy.build_parameters(stack)
            },
            "change_set": stack.blueprint.requires_change_set,
            "outputs": sorted(stack.blueprint.output_definitions),
        }
    json.dump(stacks, sys.stdout)


if __name__ == "__main__":
    main()
