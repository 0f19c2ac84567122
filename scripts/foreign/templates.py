"""What the tools judge: the committed templates, telling variants of every blueprint, and what SAM makes of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from blueprints.catalogue import entries
from blueprints.checks import sam
from blueprints.checks.finding import Source
from blueprints.core.render import load_class
from blueprints.review.variants import variants

# Scripts differ in what a rule does not read; their length says that one is a script.
_SCRIPT = 200


class ExpansionError(Exception):
    """A SAM template that the translator refuses, with what it said."""


def committed(root: Path) -> list[Source]:
    """Every rendered template of the repository."""
    paths = sorted((root / "templates").glob("*/*.yaml"))
    return [Source(str(path.relative_to(root)), path.read_text()) for path in paths]


def telling_variants() -> list[Source]:
    """So many variants of every blueprint that each value which a resource has in any of them is in one of these."""
    found: list[Source] = []
    for entry in entries():
        made = variants(load_class(entry.blueprint))
        chosen = covering([set(_values(each.template()["Resources"], ())) for each in made])
        found += [Source(f"{entry.name} variant {index}", made[index].render()) for index in chosen]
    return found


def covering(sets: Sequence[set[Any]]) -> list[int]:
    """Positions of a few sets, in order, whose union is the union of all: greedily, the largest gain first."""
    left = set[Any]().union(*sets)
    chosen: list[int] = []
    while left:
        best = max(range(len(sets)), key=lambda index: len(sets[index] & left))
        chosen.append(best)
        left -= sets[best]
    return sorted(chosen)


def with_expansions(sources: Sequence[Source]) -> list[Source]:
    """The sources and, behind them, the CloudFormation templates that those of SAM become. Raises ExpansionError."""
    serverless = [source for source in sources if source.is_sam]
    made = sam.expand(serverless)
    refused = [f"{name}: {'; '.join(each.errors)}" for name, each in made.items() if each.text is None]
    if refused:
        raise ExpansionError("\n".join(refused))
    return [*sources, *(each for source in serverless for each in sam.expanded(source, made[source.name]))]


def _values(value: object, path: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    """Every value with its path, without places in lists."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            yield from _values(each, (*path, key))
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _values(each, path)
    elif not (isinstance(value, str) and len(value) > _SCRIPT):
        yield (*path, value)
