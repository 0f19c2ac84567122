"""Acceptances: findings that a template's author has looked at and lets stand, with the reason in the template.

A resource carries them in `Metadata.compute-blueprints.accepted`, so whoever reads the template can audit them. Our
checks and both linters honour that entry; a block in another tool's form is written beside it only where that tool
has the rule. An acceptance that accepts nothing is a finding itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from .finding import Finding, Source
from .template import TemplateError, load

Engine = Literal["blueprints", "inspection", "cloudformation-validate", "cfn-lint", "checkov", "guard"]

KEY = "compute-blueprints"
SHORTEST_REASON = 40
STALE = "CB198"
REFUSED = "CB199"

# What is reported about acceptances themselves: title, harm, remedy.
RULES: Mapping[str, tuple[str, str, str]] = {
    STALE: (
        "an acceptance that accepts nothing",
        "It hides the next finding of its rule, which may be another and worse one.",
        "remove the acceptance",
    ),
    REFUSED: (
        "an acceptance of what nothing excuses, of no rule, or without a reason",
        "Whoever audits the template cannot tell a decision from a habit.",
        "mend what the rule reports, or say why it does no harm here",
    ),
}

# One rule, two names: the validator's first, then cfn-lint's. (Tried with 1.14.0 and 1.58.0.)
ALIASES = (
    ("F1020", "E1020"),
    ("F3002", "E3002"),
    ("F3003", "E3003"),
    ("F3004", "E3004"),
    ("F2015", "E2015"),
    ("F0011", "E1003"),
    ("E9004", "E1010"),
    ("W3030", "E3030"),
    ("W1103", "E1701"),
)

# Ids in cfn-lint's style under which only the validator reports; cfn-lint has no such rules.
_VALIDATOR_ONLY = frozenset({"E9004", "W3030", "W1103", "W2508", "W2509", "W9003"})

_FORMS: tuple[tuple[str, Engine], ...] = (
    (r"CB2\d{2}|SC\d{4}", "inspection"),
    (r"CB[01]\d{2}", "blueprints"),
    (r"F\d{4}", "cloudformation-validate"),
    (r"[EWI]\d{4}", "cfn-lint"),
    (r"CKV2?_[A-Z]+_\d+", "checkov"),
    (r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+|[a-z][a-z0-9]+(_[a-z0-9]+)*_check", "guard"),
)

# What no reason outweighs: whoever may need it has a setting for it that names its own reason.
NEVER: Mapping[str, frozenset[str]] = {
    "ingress from the whole world": frozenset(
        {"CB049", "W2508", "CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_260", "CKV_AWS_277"}
        | {"EC2_SECURITY_GROUP_INGRESS_OPEN_TO_WORLD_RULE", "INCOMING_SSH_DISABLED"}
        | {"RESTRICTED_INCOMING_TRAFFIC", "SECURITY_GROUP_INGRESS_ALL_PROTOCOLS_RULE"}
    ),
    "wildcard actions": frozenset(
        {"CB047", "CB048", "CKV_AWS_1", "CKV_AWS_62", "CKV_AWS_63"}
        | {"IAM_POLICYDOCUMENT_NO_WILDCARD_ACTION", "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS"}
        | {"IAM_ROLE_NO_WILDCARD_ACTION_ON_PERMISSIONS_POLICY_RULE"}
    ),
    "plaintext secrets": frozenset(
        {"CB050", "CB106", "CB107", "W1011", "W2509", "W2010", "CKV_AWS_41", "CKV_AWS_45", "CKV_AWS_46"}
    ),
    "missing encryption": frozenset(
        {"CB051", "CKV_AWS_3", "CKV_AWS_8", "CKV_AWS_16", "CKV_AWS_19", "CKV_AWS_26", "CKV_AWS_27"}
        | {"CKV_AWS_42", "CKV_AWS_44", "CKV_AWS_64", "EFS_ENCRYPTED_CHECK", "ENCRYPTED_VOLUMES"}
        | {"RDS_STORAGE_ENCRYPTED", "S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED", "SNS_ENCRYPTED_KMS"}
    ),
}


@dataclass(frozen=True)
class Acceptance:
    """Rules whose findings stand on one resource, and why."""

    resource: str
    ids: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is one of those accepted."""
        on = finding.where == self._place or finding.where.startswith(f"{self._place}.")
        return on and any(finding.rule in (each, *aliases(each)) for each in self.ids)

    @property
    def _place(self) -> str:
        return f"Resources.{self.resource}"


def engine_of(rule: str) -> Engine | None:
    """The tool that judges whether an acceptance of this id is needed; None for what is no id at all."""
    if rule in _VALIDATOR_ONLY:
        return "cloudformation-validate"
    return next((engine for form, engine in _FORMS if re.fullmatch(form, rule)), None)


def aliases(rule: str) -> tuple[str, ...]:
    """What the other linter calls the same rule."""
    return tuple(other for pair in ALIASES if rule in pair for other in pair if other != rule)


def faults(ids: Sequence[str], reason: str) -> Iterator[str]:
    """What is wrong with an acceptance, each with its remedy."""
    if not ids:
        yield "accepts no rule; name at least one id"
    for rule in ids:
        if engine_of(rule) is None:
            yield f"{rule!r} is no rule's id; write it as the tool prints it: CB105, W3010, CKV_AWS_117"
        for what, never in NEVER.items():
            if never & {rule, *aliases(rule)}:
                yield f"{rule} reports {what}, which nothing excuses; mend what it reports"
    if len(reason) < SHORTEST_REASON:
        yield f"the reason {reason!r} explains little; name the harm, why it is none here, what would change that"


def blocks(ids: Sequence[str], reason: str) -> dict[str, Any]:
    """What each tool concerned reads from a resource's Metadata, by its key there; ours comes first."""
    of = {engine: [rule for rule in ids if engine_of(rule) == engine] for _, engine in _FORMS}
    linted = [*of["cfn-lint"], *(_linted(rule) for rule in of["cloudformation-validate"])]
    written: dict[str, Any] = {KEY: {"accepted": [{"ids": list(ids), "reason": reason}]}}
    if any(linted):
        written["cfn-lint"] = {"config": {"ignore_checks": [rule for rule in linted if rule]}}
    if of["checkov"]:
        written["checkov"] = {"skip": [{"id": rule, "comment": reason} for rule in of["checkov"]]}
    if of["guard"]:
        written["guard"] = {"SuppressedRules": of["guard"]}
    return written


def _linted(rule: str) -> str:
    """cfn-lint's name for a rule of the validator, or nothing."""
    return next((other for other in aliases(rule) if engine_of(other) == "cfn-lint"), "")


def accepted(template: Mapping[str, Any]) -> list[Acceptance]:
    """Every acceptance of a template, as its resources carry them; what is not of that shape is passed over."""
    found: list[Acceptance] = []
    for name, resource in _mapping(template.get("Resources")).items():
        metadata = _mapping(_mapping(resource).get("Metadata"))
        for entry in _list(_mapping(metadata.get(KEY)).get("accepted")):
            ids = tuple(str(rule) for rule in _list(_mapping(entry).get("ids")))
            found.append(Acceptance(str(name), ids, str(_mapping(entry).get("reason", ""))))
    return found


def acceptances(source: Source) -> list[Acceptance]:
    """Every acceptance of a template's text; none in a text that is no template."""
    if KEY not in source.text:  # most templates: not even parsed
        return []
    try:
        return accepted(load(source.text))
    except TemplateError:
        return []


def unhidden(source: Source, tool: str) -> Source:
    """A template in which a tool overlooks its own suppressions, so that it tells which acceptances are stale.

    Only where acceptances stand: another's template keeps what its author has written.
    """
    if not acceptances(source):
        return source
    # A key of the same length, so that every finding keeps its line.
    key = re.compile(rf"""(?m)(^\s*|[{{,]\s*)(["']?){tool}(["']?\s*:)""")
    return Source(source.name, key.sub(rf"\1\2{'_' * len(tool)}\3", source.text))


def honour(source: Source, found: Sequence[Finding], engine: Engine) -> list[Finding]:
    """The findings that nobody has accepted, and those about acceptances that are of this engine.

    The engine's findings must hold all it reports, suppressed by nothing.
    """
    standing = [each for each in acceptances(source) if not list(faults(each.ids, each.reason))]
    left = [finding for finding in found if not any(each.covers(finding) for each in standing)]
    return left + [
        _about(source, each, STALE, f"{rule} is accepted here and not reported; {RULES[STALE][2]}", engine)
        for each in standing
        for rule in each.ids
        if engine_of(rule) == engine
        and not any(Acceptance(each.resource, (rule,), "").covers(finding) for finding in found)
    ]


def refused(source: Source) -> list[Finding]:
    """Acceptances that are none: of what nothing excuses, of no rule, or without a reason."""
    return [
        _about(source, each, REFUSED, what, "blueprints")
        for each in acceptances(source)
        for what in faults(each.ids, each.reason)
    ]


def _about(source: Source, acceptance: Acceptance, rule: str, what: str, engine: Engine) -> Finding:
    key = re.search(rf"""(?m)^[ \t]*["']?{re.escape(acceptance.resource)}["']?\s*:""", source.text)
    line = source.text.count("\n", 0, key.start()) + 1 if key else 1
    return Finding(source.name, line, rule, "error", f"Resources.{acceptance.resource}", what, engine)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
