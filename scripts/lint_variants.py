"""Every blueprint in every region it declares: its committed stacks, and at most 40 variants, evenly chosen.

cfn-lint judges all of them for all these regions in one run, and shellcheck, ruff and the policy checks what they
carry; unchanged ones come from the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blueprints.catalogue import entries
from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.finding import Finding, Source
from blueprints.checks.inspection import inspect
from blueprints.checks.lint import lint
from blueprints.core.render import AnyBlueprint, load_class
from blueprints.core.stack_file import discover, load_environment, load_stack
from blueprints.review.variants import variants

MOST = 40
STACKS, TEMPLATES = Path("stacks"), Path("templates")


def main() -> int:
    """Lint and print; the exit status."""
    status = 0
    for entry in entries():
        blueprint = load_class(entry.blueprint)
        stacks, made = list(committed(blueprint)), variants(blueprint)
        chosen = [made[index * len(made) // MOST] for index in range(MOST)] if len(made) > MOST else made
        shapes = [Source(f"{entry.name} variant {n}", each.render()) for n, each in enumerate(chosen)]
        found = judged([*stacks, *shapes], blueprint.regions)
        print(
            f"{entry.name}: {len(stacks)} stacks and {len(shapes)} of {len(made)} variants linted"
            f" for {', '.join(blueprint.regions)}: {len(found)} findings"
        )
        for each in found:
            print(f"  {each.template}: {each.where}: {each.rule} {each.message}")
            status = 1
    return status


def committed(blueprint: type[AnyBlueprint]) -> Iterator[Source]:
    """The rendered templates of the stacks that use a blueprint."""
    for path in discover(STACKS):
        if load_class(load_stack(path, load_environment(path.parent)).blueprint) is blueprint:
            template = TEMPLATES / path.parent.name / path.name
            yield Source(str(template), template.read_text())


def judged(sources: list[Source], regions: tuple[str, ...]) -> list[Finding]:
    """What every tool finds in templates that are meant for these regions."""
    return lint(sources, _cache("lint"), regions) + inspect(sources, _cache("inspection"))


def _cache(kind: str) -> Cache:
    return Cache(default_folder(), kind, lambda line: print(line, file=sys.stderr))


if __name__ == "__main__":
    sys.exit(main())
