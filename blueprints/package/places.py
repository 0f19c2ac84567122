"""Where a template names files of its author's, in the places that AWS's own `package` commands know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..checks.packaged import ARTIFACTS, Artifact

Path = tuple[str | int, ...]

FUNCTIONS = frozenset({"AWS::Lambda::Function", "AWS::Serverless::Function"})
LAYERS = frozenset({"AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion"})

_ADDRESS = re.compile(r"\w+://")
_INCLUDED = Artifact("Location", "s3", "any")
# The metadata from which the Serverless Application Repository shows an application.
_PUBLISHED = {
    "AWS::ServerlessRepo::Application": (
        Artifact("ReadmeUrl", "s3", "any"),
        Artifact("LicenseUrl", "s3", "any"),
    )
}


@dataclass(frozen=True)
class Place:
    """A local path in a template: `holder[name]` is where its address is to stand, at `path` in the template.

    `source` is the path as the author wrote it. A SAM function that names no code has that of `Globals`, or else the
    folder of the template; then `holder` lacks `name`. `runtimes` and `architectures` are what the resource runs on,
    as it is written, for functions and layers.
    """

    owner: str
    kind: str
    artifact: Artifact
    source: str
    path: Path
    holder: dict[str, Any]
    runtimes: tuple[Any, ...] = ()
    architectures: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the property's name."""
        return str(self.path[-1])

    @property
    def where(self) -> str:
        """The place as a dotted path."""
        return ".".join(map(str, self.path))


def places(template: dict[str, Any]) -> list[Place]:
    """Every local path of a template, in its order; addresses and intrinsic functions are none."""
    shared = mapping(mapping(template.get("Globals")).get("Function"))
    found: list[Place] = []
    for name, resource, path in _resources(mapping(template.get("Resources")), ("Resources",)):
        kind, properties = str(resource.get("Type")), mapping(resource.get("Properties"))
        for artifact in ARTIFACTS.get(kind, ()):
            found += _of_resource(name, kind, artifact, properties, (*path, "Properties"), shared)
    for kind, content in mapping(template.get("Metadata")).items():
        for artifact in _PUBLISHED.get(kind, ()):
            found += _plain(kind, kind, artifact, mapping(content), ("Metadata", kind))
    return [*found, *_includes(template, ())]


def shared_code(template: dict[str, Any]) -> Place | None:
    """The path that `Globals` gives to functions which name none."""
    properties = mapping(mapping(template.get("Globals")).get("Function"))
    kind = "AWS::Serverless::Function"
    return next(_plain("Globals", kind, ARTIFACTS[kind][0], properties, ("Globals", "Function")), None)


def mapping(value: Any) -> dict[str, Any]:
    """The value, or an empty mapping where it is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _resources(section: Mapping[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any], Path]]:
    for name, resource in section.items():
        # Fn::ForEach: [identifier, collection, resources of each turn].
        if str(name).startswith("Fn::ForEach::") and isinstance(resource, list):
            body = cast("list[Any]", resource)
            yield from _resources(mapping(body[-1] if body else None), (*path, name, len(body) - 1))
        else:
            yield str(name), mapping(resource), (*path, name)


def _of_resource(
    owner: str,
    kind: str,
    artifact: Artifact,
    properties: dict[str, Any],
    path: Path,
    shared: Mapping[str, Any],
) -> Iterator[Place]:
    runtimes, architectures = _platforms(kind, properties, shared)
    source = _inherited(properties, shared) if kind == "AWS::Serverless::Function" else None
    if source is None:
        for each in _plain(owner, kind, artifact, properties, path):
            yield Place(owner, kind, artifact, each.source, each.path, each.holder, runtimes, architectures)
    elif not _ADDRESS.match(source):
        where = (*path, artifact.name)
        yield Place(owner, kind, artifact, source, where, properties, runtimes, architectures)


def _plain(
    owner: str, kind: str, artifact: Artifact, properties: dict[str, Any], path: Path
) -> Iterator[Place]:
    *outer, name = artifact.name.split(".")
    for part in outer:
        properties = mapping(properties.get(part))
    value = properties.get(name)
    if isinstance(value, str) and not _ADDRESS.match(value):
        yield Place(owner, kind, artifact, value, (*path, *outer, name), properties)


def _inherited(properties: Mapping[str, Any], shared: Mapping[str, Any]) -> str | None:
    """The code of a SAM function that names none: what Globals say, or the template's folder."""
    image = "Image" in (properties.get("PackageType"), shared.get("PackageType"))
    if not properties or image or properties.keys() & {"CodeUri", "InlineCode", "ImageUri"}:
        return None
    code = shared.get("CodeUri", ".")
    return code if isinstance(code, str) and "InlineCode" not in shared else None


def _platforms(
    kind: str, properties: Mapping[str, Any], shared: Mapping[str, Any]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    given = {**shared, **properties} if kind == "AWS::Serverless::Function" else properties
    if kind in FUNCTIONS:
        return _several([given.get("Runtime")]), _several(given.get("Architectures"))
    if kind in LAYERS:
        return _several(given.get("CompatibleRuntimes")), _several(given.get("CompatibleArchitectures"))
    return (), ()


def _several(value: Any) -> tuple[Any, ...]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return tuple(each for each in values if each is not None)


def _includes(value: Any, path: Path) -> Iterator[Place]:
    """Parts of templates that the AWS::Include transform reads from S3, wherever they are included."""
    if isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _includes(each, (*path, index))
        return
    for key, each in mapping(value).items():
        included = mapping(each)
        if key in ("Fn::Transform", "Transform") and included.get("Name") == "AWS::Include":
            inner = (*path, key, "Parameters")
            yield from _plain(
                "AWS::Include", "AWS::Include", _INCLUDED, mapping(included.get("Parameters")), inner
            )
        else:
            yield from _includes(each, (*path, key))
