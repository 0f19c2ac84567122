"""Scaffold: the files of a new blueprint, so that the sixteenth looks like the first."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from .errors import BlueprintError, Fault
from .render import write_text

_FILES = {
    "blueprints/$name/__init__.py": """\
from .template import $class_name, $config_name

__all__ = ["$class_name", "$config_name"]
""",
    "blueprints/$name/template.py": '''\
"""$title: say in one line what the system does."""

from __future__ import annotations

from pydantic import PositiveInt
from troposphere import Ref, sqs

from ..core import Blueprint, Config


class $config_name(Config):
    """Choices fixed when the template is rendered."""

    retention_days: PositiveInt = 4
    """Days that a message waits before it is dropped."""


class $class_name(Blueprint[$config_name]):
    """Say in one sentence what the stack is for."""

    def build(self) -> None:
        queue = self.add(self.queue())
        self.output("QueueUrl", Ref(queue), "Address of the queue.")

    def queue(self) -> sqs.Queue:
        """Replace this example by the first resource of the system."""
        return sqs.Queue(
            "Queue",
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            MessageRetentionPeriod=self.config.retention_days * 86400,
            SqsManagedSseEnabled=True,
        )
''',
    "blueprints/$name/README.md": """\
# $title

What the system does, for whom, and how it is used: five lines.

```yaml
# stacks/example/$stack.yaml
blueprint: blueprints.$name:$class_name
config:
  retention_days: 4
```

## Settings

<!-- generated: config -->
<!-- /generated -->

## Parameters

<!-- generated: parameters -->
<!-- /generated -->

## Outputs

<!-- generated: outputs -->
<!-- /generated -->

## Findings accepted

<!-- generated: accepted -->
<!-- /generated -->

## Limits

Name every limit that remains.
""",
    "stacks/example/$stack.yaml": """\
blueprint: blueprints.$name:$class_name
config:                     # fixed in templates/example/$stack.yaml
  retention_days: 4
""",
    "tests/$name/test_template.py": '''\
"""$title: what the template promises, and the shapes that the example stack does not show."""

from blueprints.$name import $class_name, $config_name


def test_messages_wait_as_long_as_asked() -> None:
    template = $class_name($config_name(retention_days=2)).template()
    assert template["Resources"]["Queue"]["Properties"]["MessageRetentionPeriod"] == 2 * 86400
''',
}
_REGISTER = "blueprints/catalogue.py"


def scaffold(name: str, root: Path) -> list[Path]:
    """Write the files of blueprint `name` below `root` and register it; the paths written.

    Raises BlueprintError, and writes nothing, for a name that cannot be one or is taken, or where `root` does
    not hold the catalogue.
    """
    register = root / _REGISTER
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise BlueprintError(
            Fault(name, "", "cannot name a blueprint; write lower case with _, such as queue_worker")
        )
    if not register.exists():
        raise BlueprintError(
            Fault(str(register), "", "no catalogue here; run this in the root of the project")
        )
    words = name.split("_")
    class_name = "".join(word.capitalize() for word in words)
    values = {
        "name": name,
        "class_name": class_name,
        "config_name": f"{class_name}Config",
        "stack": "-".join(words),
        "title": " ".join(words).capitalize(),
    }
    files = {
        root / Template(path).substitute(values): Template(text).substitute(values)
        for path, text in _FILES.items()
    }
    taken = [path for path in files if path.exists()]
    if taken:
        raise BlueprintError(Fault(str(path), "", "exists already; choose another name") for path in taken)
    registered = _registered(register, name, class_name)
    for path, text in files.items():
        write_text(path, text)
    write_text(register, registered)
    return [*files, register]


def _registered(register: Path, name: str, class_name: str) -> str:
    """The register with one more line, in alphabetical order."""
    text = register.read_text(encoding="utf-8")
    opening, found, rest = text.partition("CATALOGUE = {\n")
    body, closed, after = rest.partition("}\n")
    if not (found and closed):
        raise BlueprintError(
            Fault(str(register), "CATALOGUE", "cannot be read; restore its `CATALOGUE = {` and `}`")
        )
    lines = [*body.splitlines(), f'    "{name}:{class_name}": "Say in one sentence what the stack is for.",']
    return opening + found + "".join(f"{line}\n" for line in sorted(lines)) + closed + after
