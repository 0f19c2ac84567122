"""What the role that deploys a stack has to be allowed: from the handlers of each resource type's own schema.

CloudFormation publishes with every type which actions its handlers call to create, read, update, delete and list; the
schemas come with cfn-lint. Whoever calls CloudFormation needs `cloudformation:` actions besides, and iam:PassRole on
this role, which depends on how it is called and not on the stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any, cast

from ..checks import iam, sam
from ..checks.finding import Source
from ..checks.model import Model, Resource, arms, entries, function, items, nodes, substituted, written
from ..checks.template import TemplateError
from ..checks.tools import version
from ..core.errors import BlueprintError, Fault

_SCHEMAS = "cfn-lint"
_REGION = "us-east-1"  # has every type; the handlers of one are the same everywhere
_PASSING = "iam:PassRole"
# What IAM takes for an action. Some schemas list others, such as s3:REST.PUT.OBJECT or nothing, and a few write the
# service in capitals.
_ACTION = re.compile(r"([\w-]+):([\w*]+)")

# IAM User Guide, "IAM and STS quotas"
MANAGED_POLICY, INLINE_POLICY = 6144, 10240

# What CloudFormation handles by itself
_NEEDS_NOTHING = (
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
)

# Read by CloudFormation with the permissions of whoever deploys (User Guide, "Dynamic references", "Parameters")
_DYNAMIC = {
    r"\{\{resolve:(ssm|ssm-secure):": "ssm:GetParameters",
    r"\{\{resolve:secretsmanager:": "secretsmanager:GetSecretValue",
}
# A generated name is the stack's, the logical id and twelve characters; longer ones are shortened in a way that is
# documented nowhere, so of these the pattern keeps the beginning alone.
_LONGEST_ROLE, _SUFFIX, _KEPT = 64, 14, 20
_ROLE_PROPERTY = re.compile(r"(^|\.)\w*Role(Arn|ARN)?$")


@dataclass(frozen=True)
class Deployment:
    """A policy document, and what is to be known of it.

    `unknown` are types whose needs nobody publishes, `elsewhere` properties that pass on a role of no resource here,
    `unlisted` actions of the policy that the Service Authorization Reference does not have.
    """

    policy: dict[str, Any]
    unknown: list[str]
    elsewhere: list[str]
    unlisted: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The plain form that `--format json` prints."""
        return asdict(self)

    def remarks(self) -> Iterator[str]:
        """What the policy lacks or exceeds, a line each, for whoever is about to use it."""
        for each in self.unknown:
            yield f"{each}: no handlers are published for it, so what it needs is not in this policy; add it by hand"
        for each in self.elsewhere:
            yield f"{each}: passes on a role that the stack does not make; allow iam:PassRole on its ARN"
        if self.unlisted:
            what = "the schemas name these and IAM's reference does not; kept, since one too few stops a deployment"
            yield f"{', '.join(self.unlisted)}: {what}"
        size = len(json.dumps(self.policy, separators=(",", ":")))
        if size > MANAGED_POLICY:
            what = f"{size:,} characters; a managed policy takes {MANAGED_POLICY:,}"
            yield f"{what}, the inline policies of a role {INLINE_POLICY:,}: split it by statements"


def deployment(source: Source, stack_name: str = "*") -> Deployment:
    """What deploying a template under that name needs; `*` stands for any name.

    Raises BlueprintError for text that is no template, ToolMissingError where cfn-lint or policy_sentry is not
    installed.
    """
    version(_SCHEMAS)
    try:
        model = Model(_expanded(source))
    except TemplateError as error:
        raise BlueprintError([Fault(source.name, "", f"no template: {error}")]) from error
    schemas = {each.type: _handlers(each.type) for each in model.resources.values()}
    actions = {action for found in schemas.values() for action in found or ()} | set(_read_first(model))
    policy = {
        "Version": "2012-10-17",
        "Statement": [*_by_service(actions - {_PASSING}), *_passing(model, actions, stack_name)],
    }
    passing = [each for each in model.resources.values() if _PASSING in (schemas[each.type] or ())]
    return Deployment(
        policy,
        sorted(name for name, found in schemas.items() if found is None),
        sorted(place for each in passing for place in _from_elsewhere(model, each)),
        sorted(action for action in actions if not iam.matching(action)),
    )


def _expanded(source: Source) -> Source:
    if not source.is_sam:
        return source
    expansion = sam.expand([source])[source.name]
    if expansion.text is None:
        raise BlueprintError([Fault(source.name, "", error) for error in expansion.errors])
    return Source(source.name, expansion.text)


def _handlers(type_: str) -> set[str] | None:
    """All actions that the handlers of a type call; None where that is not published."""
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    manager = cast("Any", PROVIDER_SCHEMA_MANAGER)
    if type_ in _NEEDS_NOTHING:
        return set()
    try:
        schema = cast("Mapping[str, Any]", manager.get_resource_schema(_REGION, type_).schema)
    except ResourceNotFoundError:
        return None
    handlers: Mapping[str, Any] = schema.get("handlers", {})
    listed = [_ACTION.fullmatch(each) for known in handlers.values() for each in known.get("permissions", ())]
    return {f"{each[1].lower()}:{each[2]}" for each in listed if each} if handlers else None


def _read_first(model: Model) -> Iterator[str]:
    """What CloudFormation reads before it makes anything: parameters in SSM, dynamic references."""
    types = [str(each.get("Type", "")) for each in model.parameters.values()]
    if any(each.startswith("AWS::SSM::Parameter::") for each in types):
        yield "ssm:GetParameters"
    for each in model.resources.values():
        for form, action in _DYNAMIC.items():
            if any(
                isinstance(text, str) and re.search(form, text) for _, text in nodes(each.raw_properties())
            ):
                yield action


def _by_service(actions: Iterable[str]) -> Iterator[dict[str, Any]]:
    """A statement for each service, less what a wildcard of another handler allows anyway."""
    wide = [each for each in actions if "*" in each]
    needed = [
        each for each in actions if not any(each != other and fnmatchcase(each, other) for other in wide)
    ]
    for service, found in groupby(sorted(needed), lambda action: action.partition(":")[0]):
        yield {"Sid": _sid(service), "Effect": "Allow", "Action": list(found), "Resource": "*"}


def _sid(words: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"\W+", words))


# Roles


def _passing(model: Model, actions: Iterable[str], stack_name: str) -> Iterator[dict[str, Any]]:
    """iam:PassRole on the roles that the stack makes, towards the services that may take them on."""
    made = model.of("AWS::IAM::Role") if _PASSING in actions else []
    roles = sorted(
        (_label(services), services, _role_arn(each, stack_name))
        for each in made
        for services in [_services(each)]
    )
    for label, group in groupby(roles, lambda role: role[0]):
        members = list(group)
        statement: dict[str, Any] = {"Sid": f"PassRole{label}", "Effect": "Allow", "Action": [_PASSING]}
        statement["Resource"] = [arn for _, _, arn in members]
        if label:
            services = sorted({each for _, trusted, _ in members for each in trusted})
            statement["Condition"] = {"StringEquals": {"iam:PassedToService": services}}
        yield statement


def _label(services: Iterable[str]) -> str:
    return _sid(" ".join(dict.fromkeys(each.partition(".")[0] for each in services)))


def _services(role: Resource) -> tuple[str, ...]:
    """The services that a role trusts; none where it trusts others too, or one that only the deployment knows."""
    services: set[str] = set()
    document = entries(role.raw_properties().get("AssumeRolePolicyDocument"))
    for statement in items(document.get("Statement")):
        principal = entries(entries(statement).get("Principal"))
        named = [written(each) for each in items(principal.get("Service"))]
        if set(principal) != {"Service"} or not named:
            return ()
        services |= {name for each in named for name in _in_partitions(each)}
    return () if any("$" in each for each in services) else tuple(sorted(services))


def _in_partitions(service: str) -> list[str]:
    """A principal with its end spelt out; that of China is the only other one in use."""
    ends = ("amazonaws.com", "amazonaws.com.cn")
    return (
        [service.replace("${AWS::URLSuffix}", end) for end in ends]
        if "${AWS::URLSuffix}" in service
        else [service]
    )


def _role_arn(role: Resource, stack_name: str) -> str:
    path = role.get("Path", "/")
    folder = path if isinstance(path, str) else "/*"
    return f"arn:*:iam::*:role{folder}{_role_name(role, stack_name)}"


def _role_name(role: Resource, stack_name: str) -> str:
    given = role.raw_properties().get("RoleName")
    if given is not None:
        return re.sub(r"\$\{[^}]*\}", "*", written(given).replace("${AWS::StackName}", stack_name))
    if stack_name != "*" and len(stack_name) + 1 + len(role.id) + _SUFFIX > _LONGEST_ROLE:
        return f"{stack_name[:_KEPT]}*"
    return f"{stack_name}-{role.id}-*"


def _from_elsewhere(model: Model, resource: Resource) -> Iterator[str]:
    for path, node in nodes(resource.raw_properties()):
        if _ROLE_PROPERTY.search(path) and any(_foreign(model, each) for each in arms(node)):
            yield f"{resource.id}.Properties.{path}"


def _foreign(model: Model, value: Any) -> bool:
    """Whether it is an ARN, or what becomes one at deploy, and not of a resource here."""
    if not isinstance(value, str) and not function(value)[0]:
        return False
    text = written(value)
    own = any(name.partition(".")[0] in model.resources for name in substituted(text))
    return not own and (text.startswith("arn:") or "${" in text)
