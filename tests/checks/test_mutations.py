"""Every check against our own rendered templates: silent on them, it finds its defect wherever it is planted.

The templates are the committed ones and variants of shapes that those lack. What a mutator plants at one property of
one type is tried in every form where it is first met; each further template has one place, in turn its first and its
last, where it is tried as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks import sam
from blueprints.checks.check import checks, run
from blueprints.checks.finding import Source
from blueprints.checks.template import load
from blueprints.core.render import AnyBlueprint
from blueprints.crud_api import CrudApi
from blueprints.deep_learning_cluster import DeepLearningCluster
from blueprints.review.variants import variants
from tests.checks.mutations import MUTATORS, Mutator, Plant, Template
from tests.checks.mutations.plant import NAME, body, get

ROOT = Path(__file__).parents[2]
CHECKS = {each.id: each for each in checks()}
Shape = Callable[[Any, Any], bool]

# Shapes that the committed templates lack: of each the first variant is taken.
SHAPES: dict[str, tuple[type[AnyBlueprint], Shape]] = {
    "iam": (
        CrudApi,
        lambda config, place: config.auth == "iam" and place.kms_key and place.permissions_boundary,
    ),
    "jwt": (CrudApi, lambda config, place: config.auth == "jwt" and place.required_tags),
    "efs and ssh": (
        DeepLearningCluster,
        lambda config, place: config.storage.kind == "efs" and config.access == "ssh" and config.ingress,
    ),
    "spot in an existing network": (
        DeepLearningCluster,
        lambda config, place: config.capacity.market == "spot" and place.network == "existing",
    ),
}


COMMITTED = ("crud-api", "deep-learning-small", "deep-learning-large")


@cache
def rendered() -> dict[str, Source]:
    """The templates by name: committed, then of the shapes."""
    committed = {
        name: Source(name, (ROOT / "templates" / "example" / f"{name}.yaml").read_text())
        for name in COMMITTED
    }
    return {**committed, **{name: Source(name, _shaped(name).render()) for name in SHAPES}}


def _shaped(name: str) -> AnyBlueprint:
    blueprint, wanted = SHAPES[name]
    return next(each for each in variants(blueprint) if wanted(each.config, each.environment))


@cache
def expansions() -> dict[str, sam.Expansion]:
    return sam.expand([each for each in rendered().values() if each.is_sam])


@cache
def templates(*, of_source: bool) -> list[Template]:
    """What a check sees of each template: what its author wrote, or what CloudFormation will see."""
    return [load(each.text) for source in rendered().values() for each in _seen(source, of_source=of_source)]


def _seen(source: Source, *, of_source: bool) -> list[Source]:
    return [source] if of_source or not source.is_sam else sam.expanded(source, expansions()[source.name])


def plants(mutator: Mutator) -> Iterator[tuple[Plant, bool]]:
    """A place of each kind, to be tried in every form, and one of each further template, to be tried as it is."""
    known: set[str] = set()
    for turn, template in enumerate(templates(of_source=CHECKS[mutator.check].of_source)):
        kinds: dict[str, list[Plant]] = {}
        for plant in mutator.plants(template):
            kinds.setdefault(_kind(plant), []).append(plant)
        new = kinds.keys() - known
        known |= new
        for kind in sorted(new) or sorted(kinds)[turn % max(len(kinds), 1) :][:1]:
            yield kinds[kind][-(turn % 2)], kind in new


def _kind(plant: Plant) -> str:
    """What is planted at which property of which type, wherever in a list."""
    section, *path = plant.at.split(".")
    kind = get(plant.template, f"Resources.{path[0]}.Type") if section == "Resources" else section
    place = [key for key in path[1:] if not key.isdigit()]
    bad: object = plant.bad if isinstance(plant.bad, (str, int)) else None
    return repr((kind, place, bad))


def found(template: Template, check: str) -> list[str]:
    return [each.where for each in run(Source("planted", body(template)), [CHECKS[check]])]


def within(place: str, where: str) -> bool:
    return where == place or where.startswith(f"{place}.")


def misses(mutator: Mutator, plant: Plant, *, in_every_form: bool) -> Iterator[str]:
    """What is wrong at one place: a check that speaks too early, or not."""
    if any(within(plant.finds, where) for where in found(plant.template, mutator.check)):
        yield f"{plant.finds} is found before anything is planted at {plant.at}"
    for form, template in islice(mutator.forms(plant), None if in_every_form else 1):
        # A default may be named where it stands.
        places = [plant.finds, f"Parameters.{NAME}"] if form == "default" else [plant.finds]
        told = found(template, mutator.check)
        if not any(within(place, where) for place in places for where in told):
            yield f"{form}: {plant.at} is not found as {plant.finds}, but {told}"


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda each: each.name)
def test_what_is_planted_is_found_in_every_form(mutator: Mutator) -> None:
    planted = list(plants(mutator))
    assert planted, "no template has a place for it"
    assert [miss for plant, whole in planted for miss in misses(mutator, plant, in_every_form=whole)] == []


def test_every_check_has_a_mutator() -> None:
    assert {each.check for each in MUTATORS} == CHECKS.keys()


def test_each_defect_has_a_name_of_its_own() -> None:
    assert len({each.name for each in MUTATORS}) == len(MUTATORS)


def test_a_form_that_is_left_out_has_its_reason() -> None:
    given = {reason for each in MUTATORS for reason in (each.no_if, each.no_parameter) if reason}
    assert [reason for reason in sorted(given) if len(reason.split()) < 6] == []


@pytest.mark.parametrize("name", rendered())
def test_our_templates_are_clean(name: str) -> None:
    source = rendered()[name]
    for of_source in (True, False):
        chosen = [each for each in CHECKS.values() if each.of_source == of_source]
        for seen in _seen(source, of_source=of_source):
            assert run(seen, chosen) == []
