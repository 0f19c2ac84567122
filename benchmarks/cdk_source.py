"""Writes two CDK apps, JavaScript and Python, whose templates equal the ones given.

The source is what a CDK user writes: typed L1 classes, `cdk.Fn`, `addResourceDependency`, a function a stack.
That the result is equal is not assumed: `equality.py` proves it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from .assembly import Assembly
from .cfn_yaml import Template, load_folder
from .dialects import Dialect, JavaScript, Python
from .stack_source import Report, StackSource


def write_app(
    templates: Mapping[str, Template], dialect: Dialect, assembly: Assembly, folder: Path
) -> Report:
    """One app of one stack a template. Equal templates share a function, as a person would have them do."""
    report = Report()
    functions: dict[str, str] = {}
    known: list[tuple[Template, str]] = []
    stacks: list[tuple[str, str]] = []
    for name, template in templates.items():
        function = next((each for other, each in known if other == template), None)
        if function is None:
            function = f"build_{name.replace('-', '_')}"
            source = StackSource(name, template, dialect, assembly, report)
            functions[function] = dialect.function(function, list(source.statements()))
            known.append((template, function))
        stacks.append((name, function))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"stacks{dialect.suffix}").write_text(dialect.stacks_file(functions.values()))
    (folder / f"app{dialect.suffix}").write_text(dialect.app_file(stacks))
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cdk_source", description=__doc__)
    parser.add_argument("templates", type=Path, help="folder of rendered YAML templates")
    parser.add_argument("assembly", type=Path, help="aws-cdk-lib/.jsii.gz")
    parser.add_argument("javascript", type=Path, help="folder for the JavaScript app")
    parser.add_argument("python", type=Path, help="folder for the Python app")
    arguments = parser.parse_args()
    templates = load_folder(arguments.templates)
    assembly = Assembly(arguments.assembly)
    write_app(templates, Python(), assembly, arguments.python)
    report = write_app(templates, JavaScript(), assembly, arguments.javascript)
    sys.stdout.write("".join(f"{line}\n" for line in report.lines()))


if __name__ == "__main__":
    main()
