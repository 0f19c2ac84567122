"""What a SAM template says once its code is uploaded and its parameters are given.

An author writes folders and files where the translator takes nothing but addresses in S3: `sam package` and `aws
cloudformation package` upload the one and write the other. A template is checked before that, so here addresses
that stand for any take their place. Applications of the Serverless Application Repository are treated alike, because
their templates cannot be fetched offline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

_OBJECT = "s3://packaged/object"
_IMAGE = "packaged:latest"
_TEMPLATE = "https://packaged.invalid/template"
_GIVEN = "given"


class Artifact(NamedTuple):
    """A property that takes a path of the author's and, once deployed, an address in S3.

    `name` is dotted where it lies deeper than the resource's properties. `address` is how the address is written:
    `s3://bucket/key`, `https://…`, or the names of the two keys of a mapping. A `zip` is made of whatever the path
    names; `any` is a folder, zipped, or a file as it is; a `template` is packaged itself.
    """

    name: str
    address: Literal["s3", "https"] | tuple[str, str]
    content: Literal["zip", "any", "template"]


_KEYS, _S3_KEYS = ("Bucket", "Key"), ("S3Bucket", "S3Key")
_APPSYNC = tuple(
    Artifact(f"{name}S3Location", "s3", "any")
    for name in ("RequestMappingTemplate", "ResponseMappingTemplate", "Code")
)

# What `aws cloudformation package` takes (AWS CLI Command Reference), and what only `sam package` does: HttpApi,
# ApiGatewayV2, StackSet, ModuleVersion, ResourceVersion and AppSync's CodeS3Location.
ARTIFACTS: Mapping[str, tuple[Artifact, ...]] = {
    "AWS::ApiGateway::RestApi": (Artifact("BodyS3Location", _KEYS, "any"),),
    "AWS::ApiGatewayV2::Api": (Artifact("BodyS3Location", _KEYS, "any"),),
    "AWS::AppSync::FunctionConfiguration": _APPSYNC,
    "AWS::AppSync::GraphQLSchema": (Artifact("DefinitionS3Location", "s3", "any"),),
    "AWS::AppSync::Resolver": _APPSYNC,
    "AWS::CloudFormation::ModuleVersion": (Artifact("ModulePackage", "s3", "any"),),
    "AWS::CloudFormation::ResourceVersion": (Artifact("SchemaHandlerPackage", "s3", "any"),),
    "AWS::CloudFormation::Stack": (Artifact("TemplateURL", "https", "template"),),
    "AWS::CloudFormation::StackSet": (Artifact("TemplateURL", "https", "template"),),
    "AWS::CodeCommit::Repository": (Artifact("Code.S3", _KEYS, "zip"),),
    "AWS::ElasticBeanstalk::ApplicationVersion": (Artifact("SourceBundle", _S3_KEYS, "any"),),
    "AWS::Glue::Job": (Artifact("Command.ScriptLocation", "s3", "any"),),
    "AWS::Lambda::Function": (Artifact("Code", _S3_KEYS, "zip"),),
    "AWS::Lambda::LayerVersion": (Artifact("Content", _S3_KEYS, "zip"),),
    "AWS::Serverless::Api": (Artifact("DefinitionUri", "s3", "any"),),
    "AWS::Serverless::Application": (Artifact("Location", "https", "template"),),
    "AWS::Serverless::Function": (Artifact("CodeUri", "s3", "zip"),),
    "AWS::Serverless::HttpApi": (Artifact("DefinitionUri", "s3", "any"),),
    "AWS::Serverless::LayerVersion": (Artifact("ContentUri", "s3", "zip"),),
    "AWS::Serverless::StateMachine": (Artifact("DefinitionUri", _KEYS, "any"),),
    "AWS::StepFunctions::StateMachine": (Artifact("DefinitionS3Location", _KEYS, "any"),),
}

_UPLOADED = {
    kind: each.name
    for kind, (each, *_) in ARTIFACTS.items()
    if kind.startswith("AWS::Serverless::") and each.content != "template"
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
