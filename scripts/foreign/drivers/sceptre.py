"""Runs in Sceptre's environment: what `sceptre generate` gives for every stack below `config/`, as JSON."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Generate the stacks of every group, and print templates and parameters by the stacks' names."""
    sys.path.pop(0)  # this file is named like the package it needs
    context_class: Any = importlib.import_module("sceptre.context").SceptreContext
    plan_class: Any = importlib.import_module("sceptre.plan.plan").SceptrePlan
    stacks: dict[str, Any] = {}
    for group in sorted(each.name for each in Path("config").iterdir() if each.is_dir()):
        made = plan_class(context_class(project_path=str(Path.cwd()), command_path=group)).generate()
        stacks |= {
            stack.name: {"template": text, "parameters": stack.parameters} for stack, text in made.items()
        }
    json.dump(stacks, sys.stdout)


if __name__ == "__main__":
    main()
