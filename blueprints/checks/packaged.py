"""What a SAM template says once its code is uploaded and its parameters are given.

An author writes folders and files where the translator takes nothing but addresses in S3: `sam package` and `aws
cloudformation package` upload the one and write the other. A template is checked before that, so here addresses
that stand for any take their place. Applications of the Serverless Application Repository are treated alike, because
their templates cannot be fetched offline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

_OBJECT = "s3://packaged/object"
_IMAGE = "packaged:latest"
_TEMPLATE = "https://packaged.invalid/template"
_GIVEN = "given"
_UPLOADED = {
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


def package(template: dict[str, Any]) -> None:
    """Put addresses where a template, as plain data, names what is uploaded before it is deployed."""
    shared = _mapping(_mapping(template.get("Globals")).get("Function"))
    _upload(shared, "CodeUri")
    for resource in _mapping(template.get("Resources")).values():
        kind, properties = str(_mapping(resource).get("Type")), _mapping(_mapping(resource).get("Properties"))
        _upload(properties, _UPLOADED.get(kind, ""))
        if kind == "AWS::Serverless::Function":
            _build(properties, shared)
        if kind == "AWS::Serverless::Application" and _is_found(properties.get("Location")):
            properties["Location"] = _TEMPLATE


def parameters(template: Mapping[str, Any]) -> dict[str, str]:
    """Values for parameters without default of which the translator has to make a logical id or a hash."""
    declared = _mapping(template.get("Parameters"))
    shared = _mapping(_mapping(template.get("Globals")).get("Function"))
    named = {
        _mapping(properties.get(name)).get("Ref")
        for properties in (shared, *_properties(template))
        for name in ("AutoPublishAlias", "AutoPublishCodeSha256")
    }
    return {name: _GIVEN for name in declared if name in named and "Default" not in _mapping(declared[name])}


def _properties(template: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in _mapping(template.get("Resources")).values():
        yield _mapping(_mapping(resource).get("Properties"))


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _upload(properties: dict[str, Any], name: str) -> None:
    """An address for a path, or for a text that Sub and its kind put together; Bucket and Key are one already."""
    value = properties.get(name)
    path = isinstance(value, str) and not value.startswith("s3://")
    if path or any(_functions(value)):
        properties[name] = _OBJECT


def _functions(value: Any) -> Iterator[str]:
    return (key for key in _mapping(value) if key == "Ref" or key.startswith("Fn::"))


def _build(properties: dict[str, Any], shared: Mapping[str, Any]) -> None:
    """What is built or zipped where a function names nothing: an image, or the folder of the template."""
    given = {*properties, *shared}
    if "Image" in (properties.get("PackageType"), shared.get("PackageType")):
        properties.setdefault("ImageUri", _IMAGE)
    elif properties and not given & {"CodeUri", "InlineCode", "ImageUri"}:
        properties["CodeUri"] = _OBJECT


def _is_found(location: Any) -> bool:
    """Whether it names an application of the repository, or a file, as it has to."""
    return (
        isinstance(location, str)
        or any(_functions(location))
        or {"ApplicationId", "SemanticVersion"} <= _mapping(location).keys()
    )
