"""Policies that IAM takes and that do not do what they say: by the Service Authorization Reference, as data.

That a role may pass every role on is CB048, and that a policy allows everything is CB047, among the checks that need
no such data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import iam
from .arns import overlap
from .check import Check, Hit, run
from .finding import Finding, Source
from .iam import Action
from .model import Model, Resource, entries
from .statements import EVERYTHING, Statement, each_of, statements

DISTRIBUTION = iam.DISTRIBUTION

# Keys of every request, whichever the action, but these three (IAM User Guide, "AWS global condition context keys")
_NOT_GLOBAL = re.compile(r"aws:(resourcetag/|requesttag/|tagkeys$)", re.IGNORECASE)
# Operators that hold for a key that is not there
_WITHOUT_KEY = re.compile(r"(IfExists|^Null)$")


def judge(source: Source) -> list[Finding]:
    """What these checks find in a template that is not SAM, or is expanded.

    Raises TemplateError for text that is none, ToolMissingError where policy_sentry is not installed.
    """
    return run(source, CHECKS)


def _unknown_actions(model: Model) -> Iterator[Hit]:
    for each in statements(model):
        for action in (*each.actions, *each.spared):
            if action != EVERYTHING and "${" not in action and not iam.matching(action):
                yield Hit(each.path, f"{action} is no action of IAM")


def _needlessly_everywhere(model: Model) -> Iterator[Hit]:
    bounding = {edge.target for edge in model.edges if edge.path.startswith("Properties.PermissionsBoundary")}
    for each in statements(model):
        wide = each.allows and each.kind == "identity" and EVERYTHING in each.on and not each.condition
        if wide and each.resource.id not in bounding:
            explained = _explained(each.resource)
            for action, meant in _meant(each):
                if action not in explained and all(one.always for one in meant):
                    shapes = ", ".join(meant[0].arns[:2])
                    yield Hit(each.path, f"{action} is allowed on every resource and takes {shapes}")


def _explained(resource: Resource) -> set[str]:
    """Actions of which the template says why they name no resource."""
    reasons = [
        entries(each) for _, each in each_of(entries(resource.raw.get("Metadata")).get("AllowedEverywhere"))
    ]
    return {
        str(action) for each in reasons if each.get("Because") for _, action in each_of(each.get("Actions"))
    }


def _meant(statement: Statement) -> Iterator[tuple[str, tuple[Action, ...]]]:
    """The statement's actions with what they mean; those of no service, or of all, are for other checks."""
    for action in statement.actions:
        found = iam.matching(action)
        if found:
            yield action, found


def _never_on_an_arn(model: Model) -> Iterator[Hit]:
    for each in statements(model):
        if each.names_resources:
            for action, meant in _meant(each):
                if not any(one.arns for one in meant):
                    yield Hit(each.path, f"{action} can name no resource, so on an ARN it has no effect")


def _mismatched(model: Model) -> Iterator[Hit]:
    for each in statements(model):
        if each.names_resources:
            yield from _mismatched_actions(each)
            yield from _mismatched_arns(each)


def _mismatched_actions(statement: Statement) -> Iterator[Hit]:
    on = [each for each in statement.on if each is not None]
    for action, meant in _meant(statement):
        shapes = [shape for one in meant for shape in one.arns]
        if shapes and not any(overlap(arn, shape) for arn in on for shape in shapes):
            yield Hit(
                statement.path, f"{action} takes {', '.join(shapes[:2])}, which none of its ARNs can be"
            )


def _mismatched_arns(statement: Statement) -> Iterator[Hit]:
    """ARNs beside those that fit; where none fits, the actions are told already."""
    meant = list(_meant(statement))
    if len(meant) < len(statement.actions):
        return  # an action that is not known may take anything
    shapes = [shape for _, actions in meant for one in actions for shape in one.arns]
    odd = [each for each in statement.on if each and not any(overlap(each, shape) for shape in shapes)]
    if len(odd) < len(statement.on):
        yield from (Hit(statement.path, f"no action of it takes {arn}") for arn in odd)


def _unseen_keys(model: Model) -> Iterator[Hit]:
    for each in statements(model):
        for operator, tests in each.condition.items():
            if not _WITHOUT_KEY.search(operator):
                for key in entries(tests):
                    yield from _unseen(each, key)


def _unseen(statement: Statement, key: str) -> Iterator[Hit]:
    service = key.partition(":")[0].lower()
    of_all = service == "aws" and not _NOT_GLOBAL.match(key)
    if of_all or "." in service:  # the second is an identity provider's
        return
    for action, meant in _meant(statement):
        if not any(one.sees(key) for one in meant):
            yield Hit((*statement.path, "Condition"), f"{action} knows no condition key {key}")


_REFERENCE = "Service Authorization Reference, 'Actions, resources, and condition keys for AWS services'"

CHECKS = (
    Check(
        id="CB201",
        title="Action that does not exist",
        harm="The permission is not there when it is needed, and nobody is told until the call is refused.",
        source=_REFERENCE,
        remedy="write it as the reference does, or drop it",
        severity="error",
        of_source=False,
        find=_unknown_actions,
    ),
    Check(
        id="CB202",
        title="Action on every resource that could name one",
        harm="Whoever gets into one function or instance reaches the resources of every other stack too.",
        source=_REFERENCE,
        remedy="name the ARN, or say in Metadata.AllowedEverywhere why there is none to name",
        severity="error",
        of_source=False,
        find=_needlessly_everywhere,
    ),
    Check(
        id="CB203",
        title="ARN for an action that takes none",
        harm="IAM compares the ARN with *, which it is not: the action is never allowed, and never denied.",
        source=_REFERENCE,
        remedy='give it a statement of its own with Resource: "*"',
        severity="error",
        of_source=False,
        find=_never_on_an_arn,
    ),
    Check(
        id="CB204",
        title="ARN of a kind that the action does not take",
        harm="The statement looks like a permission and is none: s3:GetObject on a bucket reads no object.",
        source=_REFERENCE,
        remedy="name the kind of resource that the action takes, or move it to the statement that does",
        severity="error",
        of_source=False,
        find=_mismatched,
    ),
    Check(
        id="CB205",
        title="Condition on a key that the action does not know",
        harm="The key is in no request, so the condition never holds: nothing is allowed by it, and nothing denied.",
        source=_REFERENCE,
        remedy="use a key that the reference lists for the action, or one of the global keys",
        severity="error",
        of_source=False,
        find=_unseen_keys,
    ),
)
