"""From the journal of an emulated AWS to what each role of a stack has asked IAM for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property

from ..aws import Aws, CallRecord
from ..place import Place
from ..stack import Stack
from .account import Account
from .call import Asked
from .context import context
from .encryption import implied
from .encryption import request as encrypted
from .mutants import Mutant, mutants
from .policies import Role, roles
from .request import NotJudgedError, Request
from .services import needs
from .table import Ask, asks
from .verdict import Failure, Recorded, Verdict, judge

# Who calls without a role of the stack: whoever tests, and AWS itself, as `services.py` describes it.
OTHERS = frozenset({"operator", "event-sources"})


class Watched:
    """The calls of a stack's roles. They are there when the watch has ended."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.recorded = Recorded({})

    @cached_property
    def roles(self) -> dict[str, Role]:
        """The roles as the template has them, by logical id."""
        return roles(self.stack)

    def verdict(self) -> Verdict:
        """What the calls say about the roles."""
        return judge(self.roles, self.recorded)

    def mutants(self) -> list[Mutant]:
        """Altered roles, each with a single alteration."""
        return list(mutants(self.roles))

    def survivors(self) -> list[Mutant]:
        """Altered roles about which the same calls say nothing, and no reason explains that."""
        return [each for each in self.mutants() if not each.reason and judge(each.roles, self.recorded).clean]


@contextmanager
def watch(
    aws: Aws, stack: Stack, principals: Mapping[str, str] | None = None, besides: Collection[str] = ()
) -> Generator[Watched]:
    """Watch the roles of a stack that is deployed to `aws`, which has to be there until the watch ends.

    Calls of a function are known by its role's name. `principals` gives the role's logical id for calls that are signed
    with another name: `{"node-1": "NodeRole"}` for a host with `aws.environment("node-1")`. `besides` are names that
    another stack's watch judges. A reset of the server in between loses the calls before it.
    """
    watched, account = Watched(stack), Account(aws.client)
    account.remember()
    begun = len(aws.calls())
    yield watched
    calls = [each for each in aws.calls()[begun:] if each.principal not in besides]
    watched.recorded = _Recorder(stack, watched.roles, account).record(calls, principals or {})


def recorded(stack: Stack, calls: list[CallRecord], account: Account) -> Watched:
    """What some calls of the roles say, as `watch` would have recorded them."""
    watched = Watched(stack)
    watched.recorded = _Recorder(stack, watched.roles, account).record(calls, {})
    return watched


class _Recorder:
    def __init__(self, stack: Stack, of_stack: Mapping[str, Role], account: Account) -> None:
        self._stack, self._roles, self._account = stack, of_stack, account
        self._requests: defaultdict[str, Counter[Request]] = defaultdict(Counter)
        self._failures: set[Failure] = set()

    def record(self, calls: list[CallRecord], principals: Mapping[str, str]) -> Recorded:
        names = {role.name: role for role in self._roles.values()}
        names |= {name: self._roles[id_] for name, id_ in principals.items()}
        for call in calls:
            if call.principal in names:
                self._call(call, names[call.principal])
            elif call.principal not in OTHERS:
                self._fail(call.principal or "nobody", f"{call.api} is signed by none of the stack's roles")
        self._services()
        attributes = {
            value
            for each in self._stack.physical.values()
            for value in each.attributes.values()
            if isinstance(value, str)
        }
        generated = {f"{self._stack.place.stack_name}-{name}-*" for name in self._stack.physical}
        return Recorded(
            dict(self._requests), tuple(sorted(self._failures)), frozenset(attributes), frozenset(generated)
        )

    def _call(self, call: CallRecord, role: Role) -> None:
        asked = Asked(call, self._stack.place, self._account)
        try:
            for ask, resource in asks(asked):
                self._ask(asked, ask, resource, role)
        except NotJudgedError as error:
            self._fail(role.id, str(error))

    def _ask(self, asked: Asked, ask: Ask, resource: str, role: Role) -> None:
        known = context(asked, ask, resource, role, role.keys())
        self._requests[role.id][Request(ask.action, resource, asked.record.api, known)] += 1
        place: Place = self._stack.place
        for each in implied(asked, ask.action, resource):
            self._requests[role.id][encrypted(each, asked.record.api, place.account, place.url_suffix)] += 1

    def _services(self) -> None:
        by_arn = {role.arn: role.id for role in self._roles.values()}
        try:
            for arn, request in needs(self._stack, self._roles):
                if arn in by_arn:
                    self._requests[by_arn[arn]][request] += 1
        except NotJudgedError as error:
            self._fail("AWS itself", str(error))

    def _fail(self, place: str, what: str) -> None:
        self._failures.add(Failure("not judged", place, what))
