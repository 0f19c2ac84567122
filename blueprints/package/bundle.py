"""A template with everything that it names: read, its assets made, and rewritten to name them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks.template import TemplateError, load
from ..core.errors import BlueprintError, Fault
from .addresses import Addresses
from .asset import Asset, Workshop
from .capabilities import capabilities
from .places import Place, places, shared_code
from .rewrite import rewrite

# Where assets are made, below the folder of everything that is built.
FOLDER = "package"


@dataclass(frozen=True)
class Made:
    """An asset and the place that names it."""

    template: Path
    place: Place
    asset: Asset


@dataclass(frozen=True)
class Bundle:
    """A packaged template: `out` is where it is written, `made` what it and its nested templates name."""

    source: Path
    out: Path
    text: str
    made: tuple[Made, ...]
    capabilities: frozenset[str]


def bundle(sources: Sequence[Path], build: Path, addresses: Addresses) -> list[Bundle]:
    """Make what templates name, below `build`; no template is written yet.

    A template `…/example/api.yaml` is for `build/example/api.yaml`. Raises BlueprintError with every fault of all.
    """
    press = _Press(Workshop(build / FOLDER), addresses)
    found: dict[Path, Bundle] = {}
    faults: list[Fault] = []
    for source in sources:
        out = build / source.resolve().parent.name / source.name
        if out.resolve() == source.resolve():
            faults.append(Fault(str(source), "", "would be overwritten; choose another --build"))
        elif out in found and found[out].source != source:
            what = f"would be written to {out}, as {found[out].source}; package them apart"
            faults.append(Fault(str(source), "", what))
        else:
            try:
                found[out] = press.bundle(source, out, ())
            except BlueprintError as error:
                faults += error.faults
    if faults:
        raise BlueprintError(faults)
    return list(found.values())


class _Press:
    """Rewrites templates, nested ones before those that name them."""

    def __init__(self, workshop: Workshop, addresses: Addresses) -> None:
        self._workshop = workshop
        self._addresses = addresses

    def bundle(self, source: Path, out: Path, above: tuple[Path, ...]) -> Bundle:
        """`above` are the templates that lead here, by their real paths."""
        text, template = _read(source)
        needs = capabilities(template)
        made: list[Made] = []
        values: list[tuple[Place, Any]] = []
        faults: list[Fault] = []
        for place in places(template):
            try:
                asset, nested = self._made(source, place, above)
            except BlueprintError as error:
                faults += error.faults
                continue
            if nested is not None:
                made += nested.made
                needs |= nested.capabilities
            made.append(Made(source, place, asset))
            values.append((place, self._addresses.of(place.artifact, asset, out.parent)))
        if faults:
            raise BlueprintError(faults)
        values += _shared(template, values)
        return Bundle(source, out, _rewritten(text, template, values), tuple(made), needs)

    def _made(self, source: Path, place: Place, above: tuple[Path, ...]) -> tuple[Asset, Bundle | None]:
        path = Path(os.path.normpath(source.parent / place.source))
        template = place.artifact.content == "template"
        if not path.is_file() and (template or not path.is_dir()):
            kind = "template" if template else "file or folder"
            what = f"no {kind} {place.source!r} in {source.parent}; mend the path"
            raise BlueprintError(Fault(str(source), place.where, what))
        if not template:
            return self._workshop.of_path(place, path), None
        if path.resolve() in (*above, source.resolve()):
            what = f"{place.source} leads back to itself; nest another template"
            raise BlueprintError(Fault(str(source), place.where, what))
        nested = self.bundle(path, self._workshop.folder / path.name, (*above, source.resolve()))
        return self._workshop.text(nested.text.encode(), path.suffix), nested


def _rewritten(text: str, template: dict[str, Any], values: Sequence[tuple[Place, Any]]) -> str:
    if not values:
        return text
    for place, value in values:
        place.holder[place.name] = value
    return rewrite(text, [(place.path, value) for place, value in values], template)


def _shared(template: dict[str, Any], values: Sequence[tuple[Place, Any]]) -> list[tuple[Place, Any]]:
    """`Globals` name code by an address too, though every function names its own: that of the first will do."""
    shared = shared_code(template)
    same = [
        value
        for place, value in values
        if shared and (place.kind, place.source) == (shared.kind, shared.source)
    ]
    return [(shared, same[0])] if shared and same else []


def _read(source: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = source.read_bytes().decode("utf-8")
        return text, load(text)
    except OSError as error:
        raise BlueprintError(
            Fault(str(source), "", f"cannot be read: {error.strerror}; name a template")
        ) from error
    except UnicodeDecodeError as error:
        raise BlueprintError(Fault(str(source), "", "is not UTF-8; save it as that")) from error
    except TemplateError as error:
        raise BlueprintError(Fault(str(source), "", f"no template: {error}; mend it")) from error
