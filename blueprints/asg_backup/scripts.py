"""The documents that Systems Manager runs on an instance: the backup with its task, and the restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from troposphere import AWSHelperFn, ssm

FOLDER = Path(__file__).parent / "documents"

# Printable characters that may stand between single quotes in a shell and double quotes in JSON; braces would be a
# parameter to Systems Manager. A comma separates, and a command of the shell needs its own quotes.
PLAIN = r"[ !#-&(-\[\]-z|~]"
_WITHOUT_COMMA = r"[ !#-&(-+\--\[\]-z|~]"
PATHS = rf"(/{_WITHOUT_COMMA}*(,/{_WITHOUT_COMMA}*)*)?"
PATTERNS = rf"{PLAIN}*"
COMMAND = r"[ -&(-z|~]*"
# What EC2 Auto Scaling allows in a name is more; these are the names that can be part of a key as they are.
GROUP_NAME = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}"
PREFIX = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}"
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


@dataclass(frozen=True)
class Value:
    """A parameter of a document, and the shell variable that it becomes."""

    name: str
    variable: str
    description: str
    pattern: str
    default: str | AWSHelperFn
    allowed: Sequence[str] = ()

    def declared(self) -> dict[str, Any]:
        """As the document declares it."""
        declared: dict[str, Any] = {
            "type": "String",
            "description": self.description,
            "default": self.default,
        }
        if self.allowed:
            declared["allowedValues"] = list(self.allowed)
        else:
            declared["allowedPattern"] = f"^{self.pattern}$"
        return declared

    def exported(self) -> str:
        """The line at the script's head that takes the value over. Systems Manager writes it there as text.

        The pattern keeps the text within its quotes.
        """
        return f"export {self.variable}='{{{{ {self.name} }}}}'"


DEADLINE = "DeadlineSeconds"


def deadline(seconds: int) -> Value:
    """The time a command has. It ends the step itself, too."""
    description = "Seconds the command may take."
    return Value(DEADLINE, "DEADLINE_SECONDS", description, "[1-9][0-9]{0,5}", str(seconds))


def stored(bucket: AWSHelperFn, prefix: AWSHelperFn) -> list[Value]:
    """Where backups are: what both documents take."""
    return [
        Value("Bucket", "BUCKET", "Bucket of the backups.", BUCKET, bucket),
        Value("Prefix", "PREFIX", "First part of each key.", PREFIX, prefix),
    ]


def backup_values(values: Mapping[str, AWSHelperFn | str]) -> list[Value]:
    """What the backup takes besides. `values` has BackupDirectories, ExcludePatterns, TaskCommand and Group."""
    return [
        Value("Group", "GROUP", "Part of the key.", GROUP_NAME, values["Group"]),
        Value("Token", "TOKEN", "End of the key. Empty: the time.", "[A-Za-z0-9-]{0,64}", ""),
        Value(
            "EventTime",
            "EVENT_TIME",
            "Its day is part of the key. Empty: today.",
            r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{1,20}Z)?",
            "",
        ),
        Value(
            "BackupDirectories",
            "INCLUDE",
            "Folders and files, separated by commas.",
            PATHS,
            values["BackupDirectories"],
        ),
        Value(
            "ExcludePatterns",
            "EXCLUDE",
            "Patterns of tar, separated by commas.",
            PATTERNS,
            values["ExcludePatterns"],
        ),
        Value(
            "Compression",
            "COMPRESSION",
            "auto takes zstd where it is installed.",
            "",
            "auto",
            ("auto", "zstd", "gzip"),
        ),
        Value("Task", "TASK", "Shell command to run first.", COMMAND, values["TaskCommand"]),
    ]


def restore_values() -> list[Value]:
    """What the restore takes besides."""
    return [
        Value("Action", "ACTION", "What to do.", "", "list", ("list", "verify", "restore")),
        Value(
            "Group", "GROUP", "With list: the group, or the first part of its name.", f"({GROUP_NAME})?", ""
        ),
        Value(
            "Backup",
            "BACKUP",
            "Key of the archive, as list shows it.",
            "([A-Za-z0-9][A-Za-z0-9._/-]{0,1000})?",
            "",
        ),
        Value("Target", "TARGET", "Folder to unpack into; it is made.", rf"(/{PLAIN}*)?", ""),
        Value("Overwrite", "OVERWRITE", "Unpack into a folder that is not empty.", "", "no", ("no", "yes")),
    ]


def document(title: str, script: str, description: str, values: Sequence[Value]) -> ssm.Document:
    """A document that runs one shell script, which stands in it as it stands in its file.

    An update makes a new default version and keeps the name, so that what runs goes on.
    """
    shebang, _, body = (FOLDER / script).read_text(encoding="utf-8").partition("\n")
    step = {
        "action": "aws:runShellScript",
        "name": title.removesuffix("Document").lower(),
        "precondition": {"StringEquals": ["platformType", "Linux"]},
        "inputs": {
            "timeoutSeconds": f"{{{{ {DEADLINE} }}}}",
            "runCommand": [shebang, *(each.exported() for each in values), body],
        },
    }
    content = {
        "schemaVersion": "2.2",
        "description": description,
        "parameters": {each.name: each.declared() for each in values},
        "mainSteps": [step],
    }
    return ssm.Document(
        title, Content=content, DocumentFormat="JSON", DocumentType="Command", UpdateMethod="NewVersion"
    )
