"""For pytest: stacks whose roles are watched while the tests of a module use them, and judged after the last of them.

    pytest_plugins = ("blueprints.local.privilege.plugin",)

    @pytest.fixture(scope="module")
    def running(privileges):
        with Running(Stack.read(…)) as running, privileges.watch(running.aws, running.stack):
            yield running

The module's tests together have to use each grant of each stack; a test that fails, or is left out, shows here too.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from ..aws import Aws
from ..stack import Stack
from .watch import Watched, watch


@dataclass
class Privileges:
    """The stacks that a module's tests have watched."""

    watched: list[Watched] = field(default_factory=list[Watched])

    @contextmanager
    def watch(
        self,
        aws: Aws,
        stack: Stack,
        principals: Mapping[str, str] | None = None,
        besides: Collection[str] = (),
    ) -> Generator[Watched]:
        """See `watch.watch`."""
        with watch(aws, stack, principals, besides) as watched:
            self.watched.append(watched)
            yield watched

    def report(self) -> tuple[str, list[str]]:
        """The grants with their uses and the number of mutants; and what is to mend, mutants that survive among it."""
        told: list[str] = []
        faults = [] if self.watched else ["no stack was watched"]
        for each in self.watched:
            verdict, survivors = each.verdict(), each.survivors()
            told += [each.stack.file, verdict.table()]
            told.append(f"{len(each.mutants())} mutants, {len(survivors)} survive")
            faults += [str(failure) for failure in verdict.failures]
            faults += [f"mutant survives: {mutant.what}" for mutant in survivors]
        return "\n".join(told), faults


@pytest.fixture(scope="module")
def privileges() -> Iterator[Privileges]:
    """Watches stacks, and fails after the module's last test if a role has too little or too much."""
    kept = Privileges()
    yield kept
    table, faults = kept.report()
    print(table)  # noqa: T201 - what a proof is read for
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
