"""What a run says about the roles of a stack: what they lack, what they do not need, and what nobody can judge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...checks import iam
from ...checks.arns import overlap
from . import patterns
from .policies import Role, Statement, decide
from .request import NotJudgedError, Request

Kind = Literal["not judged", "not granted", "never used", "wider than used", "reason without need"]


@dataclass(frozen=True, order=True)
class Failure:
    """One thing to mend. `place` is a role, or a statement with what stands in it."""

    kind: Kind
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.what}"


@dataclass(frozen=True)
class Recorded:
    """What each role, by its logical id, has asked IAM for and how often; and what could not be judged already."""

    requests: Mapping[str, Counter[Request]]
    failures: tuple[Failure, ...] = ()
    attributes: frozenset[str] = frozenset()
    """What GetAtt gives for the stack's resources: a pattern that is one of these is AWS's own, not the author's."""
    generated: frozenset[str] = frozenset()
    """Names that CloudFormation gives, with `*` for the end that it draws: no template can say more of such a name
    in front of the resource."""


@dataclass
class Verdict:
    """Failures, and how often each grant was used: by place, action and resource."""

    failures: list[Failure] = field(default_factory=list[Failure])
    uses: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])

    @property
    def clean(self) -> bool:
        """Whether nothing is to mend."""
        return not self.failures

    def table(self) -> str:
        """Each grant with its uses, and each failure, a line each."""
        rows = [(str(count), *grant) for grant, count in self.uses.items()]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = [
            f"{row[0]:>{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  {row[3]}" for row in rows
        ]
        return "\n".join([*lines, *(f"! {each}" for each in self.failures)])


def judge(roles: Mapping[str, Role], recorded: Recorded) -> Verdict:
    """The verdict over some roles, which are those of the template or altered ones."""
    verdict = Verdict(list(recorded.failures))
    for role in roles.values():
        seen = _Seen(role)
        for request, count in recorded.requests.get(role.id, Counter[Request]()).items():
            verdict.failures += seen.ask(request, count)
        verdict.uses.update(seen.uses)
        verdict.failures += [
            failure
            for each in role.statements
            if each.allows
            for failure in (*seen.unused(each), *seen.wide(each, recorded))
        ]
    verdict.failures = sorted(set(verdict.failures))
    return verdict


class _Seen:
    """What the requests of one role have used of it."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self.uses: Counter[tuple[str, str, str]] = Counter()
        self._witnesses: dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]] = {}
        for each in role.statements:
            self.uses.update(dict.fromkeys(_pairs(each), 0))

    def ask(self, request: Request, count: int) -> Iterator[Failure]:
        """Put one request; a failure where it is refused."""
        asked = f"{request.action} on {request.resource} ({request.cause})"
        try:
            allowed, refused = decide(self._role, request)
        except NotJudgedError as error:
            yield Failure("not judged", self._role.id, str(error))
            return
        if refused:
            yield Failure("not granted", self._role.id, f"{asked}: {refused}")
        for statement, action, resource, texts in allowed:
            self.uses[statement.place, action, resource] += count
            witnesses = self._witnesses.setdefault((statement.place, resource), [])
            beside = [
                (other, not less)
                for place, also, other, less in allowed
                if (place, also) == (statement, action) and other != resource
            ]
            # No pattern is needed for what is named beside it, or said more narrowly.
            if not any(
                (texts and named) or patterns.matched_arn(resource, other, request) is not None
                for other, named in beside
            ):
                witnesses.append((request.action, texts))

    def unused(self, statement: Statement) -> Iterator[Failure]:
        """Grants that no request needed and no reason explains; reasons for what is needed."""
        idle = [pair for pair in _pairs(statement) if not self.uses[pair]]
        for _, action, resource in idle:
            if action not in statement.unused:
                yield Failure("never used", statement.place, f"{action} on {resource}")
        for action in sorted(set(statement.actions) & set(statement.unused)):
            if action not in {action for _, action, _ in idle}:
                yield Failure("reason without need", statement.place, f"{action} was used")

    def wide(self, statement: Statement, recorded: Recorded) -> Iterator[Failure]:
        """Patterns that mean more than was asked for."""
        for action in statement.actions:
            if "*" in action or "?" in action:
                yield Failure("wider than used", statement.place, f"{action}: name the actions")
        for resource in statement.resources:
            why = None if resource in recorded.attributes else self._needless(statement, resource, recorded)
            if why and resource not in statement.wider:
                yield Failure("wider than used", statement.place, f"{resource}: {why}")
            if resource in statement.wider and not why:
                yield Failure("reason without need", statement.place, f"{resource} is no wider than used")

    def _needless(self, statement: Statement, resource: str, recorded: Recorded) -> str | None:
        """Why a resource means more than was asked for; "*" is right for an action that can name nothing."""
        witnesses = self._witnesses.get((statement.place, resource), [])
        if (statement.place, resource) in self._witnesses and not witnesses:
            return "all that it has matched is said more narrowly beside it"
        if resource != "*":
            drawn = re.split("[:/]", resource)[-1] in recorded.generated
            return patterns.needless([texts[: len(texts) - drawn] for _, texts in witnesses])
        named = [text for action, (text,) in witnesses if text != "*" and action not in statement.everywhere]
        return f"{named[0]} was named" if named else None


def _pairs(statement: Statement) -> Iterator[tuple[str, str, str]]:
    """Actions with resources that they can be asked on: s3:ListBucket with a bucket, and not with its objects."""
    if not statement.allows:
        return
    for action in statement.actions:
        shapes = [shape for known in iam.matching(action) for shape in known.arns]
        for resource in statement.resources:
            if not shapes or any(overlap(resource, shape) for shape in shapes):
                yield statement.place, action, resource
