"""The proof that a CDK app says the same: its templates against ours, after parsing.

Four spellings are synonyms to CloudFormation and are made one before comparing: `Fn::GetAtt` as text or list,
`DependsOn` as text or list and in any order, `Transform` as text or a list of one, and the order of a list of
tags, which the CDK sorts. Nothing else is: the text "1" differs from the number 1, and `true` from both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from .cfn_yaml import Json, Template, attribute_pair, load_folder


def canonical(value: Json, key: str = "") -> Json:
    """A value with the four synonyms made one."""
    if isinstance(value, dict):
        return {name: canonical(each, name) for name, each in value.items()}
    if key == "Fn::GetAtt":
        return attribute_pair(value)
    if key == "DependsOn":
        return sorted(value if isinstance(value, list) else [value], key=str)
    if key == "Transform":
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        items = [canonical(each) for each in value]
        return sorted(items, key=_tag_key) if key == "Tags" else items
    return value


def _tag_key(tag: Json) -> str:
    return str(tag.get("Key")) if isinstance(tag, dict) else ""


def differences(ours: Json, theirs: Json, where: str = "") -> Iterator[str]:
    """Each place where two values differ, down to the leaf."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                yield f"{where}.{key}: only {'theirs' if key not in ours else 'ours'}"
            else:
                yield from differences(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(left, right, f"{where}[{index}]")
    elif ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
        yield f"{where}: ours {_short(ours)}, theirs {_short(theirs)}"


def _short(value: Json) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 160 else f"{text[:157]}..."


def compare(ours: dict[str, Template], output: Path) -> Iterator[str]:
    """Each difference between our templates and those in one `cdk.out` folder."""
    for name, template in ours.items():
        path = output / f"{name}.template.json"
        if not path.is_file():
            yield f"{path}: missing"
            continue
        theirs: Template = json.loads(path.read_text())
        yield from (f"{path}: {each}" for each in differences(canonical(template), canonical(theirs)))


def main() -> None:
    """Command line: 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equality", description=__doc__)
    parser.add_argument("templates", type=Path, help="folder of rendered YAML templates")
    parser.add_argument("outputs", type=Path, nargs="+", help="cdk.out folders")
    arguments = parser.parse_args()
    ours = load_folder(arguments.templates)
    found = [each for output in arguments.outputs for each in compare(ours, output)]
    sys.stdout.write("".join(f"{each}\n" for each in found))
    if found or not ours:
        raise SystemExit(1)
    sys.stdout.write(f"{len(ours)} templates equal in each of {len(arguments.outputs)} outputs\n")


if __name__ == "__main__":
    main()
