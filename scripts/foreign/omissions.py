"""What the tools find, and what of it we leave as it is: `omissions.yaml`, a reason for every entry.

An entry that no finding needs any more is stale, and fails like a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import AfterValidator, Field

from blueprints.checks.acceptance import acceptances, engine_of
from blueprints.checks.finding import Source
from blueprints.checks.sam import SUFFIX
from blueprints.core import BlueprintError, Config, Fault
from blueprints.core.config import parse

Tool = Literal["guard", "checkov"]

OMISSIONS = Path(__file__).parent / "omissions.yaml"


def _sentence(text: str) -> str:
    if len(text) < 30 or not text[0].isupper() or not text.endswith(".") or "\n" in text:
        raise ValueError(f"got {text!r}; write a sentence of 30 characters or more, capital to full stop")
    return text


Sentence = Annotated[str, AfterValidator(_sentence)]


@dataclass(frozen=True, order=True)
class Finding:
    """A rule of a tool that a resource of a template breaks."""

    template: str
    resource: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.template}: {self.resource}: {self.rule} {self.message}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Template, resource and rule; what SAM makes of a template counts as the template."""
        return self.template.removesuffix(SUFFIX), self.resource, self.rule


class Omission(Config):
    """A rule that is not followed."""

    tool: Tool
    """Who has the rule."""

    rule: Annotated[str, Field(min_length=3)]
    """The rule's id, as the tool writes it."""

    resources: tuple[str, ...] = ()
    """Logical ids for which the rule is not followed, where it holds for others; left out, it holds for none."""

    harm: Sentence
    """What the rule guards against, as a sentence."""

    because: Sentence
    """Why that does not happen here, or what is done about it, as a sentence."""

    until: Sentence
    """What would make the rule apply, as a sentence."""


def load(path: Path = OMISSIONS) -> list[Omission]:
    """The entries. Raises BlueprintError with every fault of the file."""
    try:
        listed = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BlueprintError(Fault(path.name, "", " ".join(str(error).split()))) from error
    if not isinstance(listed, list):
        raise BlueprintError(Fault(path.name, "", "not a list; write one `- tool: …` an entry"))
    found: list[Omission] = []
    faults: list[Fault] = []
    for index, entry in enumerate(cast("list[Any]", listed)):
        if not isinstance(entry, dict):
            faults.append(
                Fault(path.name, str(index), "not an entry; write tool, rule, harm, because, until")
            )
            continue
        one = parse(Omission, cast("dict[str, Any]", entry), path.name, str(index))
        found += [] if isinstance(one, list) else [one]
        faults += one if isinstance(one, list) else []
    for (tool, rule), count in Counter((each.tool, each.rule) for each in found).items():
        if count > 1:
            faults.append(
                Fault(path.name, f"{tool} {rule}", f"{count} entries; keep one, with all its resources")
            )
    if faults:
        raise BlueprintError(faults)
    return found


def unaccepted(
    findings: Sequence[Finding], sources: Sequence[Source], tool: Tool
) -> tuple[list[Finding], list[str]]:
    """The findings that no resource accepts in its own metadata, and the acceptances that accept nothing.

    What SAM makes of a template carries the template's acceptances, and is judged with it.
    """
    standing = {each.name: acceptances(each) for each in sources if not each.name.endswith(SUFFIX)}
    accepted = {
        (name, each.resource, rule)
        for name, there in standing.items()
        for each in there
        for rule in each.ids
        if engine_of(rule) == tool
    }
    idle = [
        f"{name}: {resource}: {rule} is accepted here and not reported; remove the acceptance"
        for name, resource, rule in sorted(accepted - {each.place for each in findings})
    ]
    return [each for each in findings if each.place not in accepted], idle


def remaining(findings: Sequence[Finding], omissions: Sequence[Omission]) -> list[Finding]:
    """The findings that no entry omits, without repetition."""
    return sorted({finding for finding in findings if not any(_covers(each, finding) for each in omissions)})


def stale(findings: Sequence[Finding], omissions: Sequence[Omission]) -> Iterator[str]:
    """What no finding needs any more: an entry, or one of its resources."""
    for each in omissions:
        found = {finding.resource for finding in findings if finding.rule == each.rule}
        if not found:
            yield f"{each.tool} {each.rule}: finds nothing; remove the entry"
        for resource in each.resources:
            if found and resource not in found:
                yield f"{each.tool} {each.rule}: finds nothing at {resource}; remove it from resources"


def _covers(omission: Omission, finding: Finding) -> bool:
    return omission.rule == finding.rule and (
        not omission.resources or finding.resource in omission.resources
    )
