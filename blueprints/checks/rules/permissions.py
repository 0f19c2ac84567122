"""Permissions: what roles may do, and who may call a function."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..actions import matches, only_everywhere
from ..check import Hit, at, check
from ..model import (
    Edge,
    Model,
    Reference,
    Resource,
    alternatives,
    either_way,
    entries,
    items,
    nodes,
    with_defaults,
    written,
)

_WITH_INLINE_POLICIES = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")
_POLICIES = (
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::GroupPolicy",
)
_SAM = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine")


@dataclass(frozen=True)
class Statement:
    """One statement of an identity's policy, wherever it is attached; `spared` is its NotAction."""

    resource: Resource
    path: tuple[str, ...]
    allows: bool
    actions: tuple[str, ...]
    spared: tuple[str, ...]
    on: tuple[Any, ...]
    condition: Any

    def may(self, action: str) -> bool:
        """Whether it allows an action, by name or by wildcard; capitals do not count in IAM."""
        return self.allows and (
            any(matches(each, action) for each in self.actions)
            or (bool(self.spared) and not any(matches(each, action) for each in self.spared))
        )


def statements(model: Model) -> Iterator[Statement]:
    """What identities of a template are allowed and denied: inline policies and separate ones, in one form."""
    for resource in model.resources.values():
        yield from statements_of(resource)


def statements_of(resource: Resource) -> Iterator[Statement]:
    """What one resource, a policy or what has policies in it, allows and denies."""
    for path, document in _documents(resource):
        for index, each in enumerate(items(document.get("Statement", []))):
            if isinstance(each, Mapping):
                entry = cast("Mapping[str, Any]", each)
                yield _statement(resource, at(resource.id, f"{path}.Statement.{index}"), entry)


def _documents(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if resource.type in _POLICIES:
        yield from _mappings("Properties.PolicyDocument", resource.get("PolicyDocument"))
    if resource.type in (*_WITH_INLINE_POLICIES, *_SAM):
        for index, policy in enumerate(items(resource.get("Policies", []))):
            path = f"Properties.Policies.{index}"
            for _, entry in _mappings(path, policy):
                yield from _mappings(f"{path}.PolicyDocument", entry.get("PolicyDocument"))
                if "Statement" in entry:
                    yield path, entry


def _mappings(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for each in alternatives(value):
        if isinstance(each, Mapping):
            yield path, cast("Mapping[str, Any]", each)


def _statement(resource: Resource, path: tuple[str, ...], entry: Mapping[str, Any]) -> Statement:
    actions, spared = (
        tuple(each for each in items(entry.get(name, [])) if isinstance(each, str))
        for name in ("Action", "NotAction")
    )
    on: Any = entry.get("Resource", [])
    # Allowed on all but some is allowed on what others make tomorrow.
    everything = ("*",) if "NotResource" in entry else tuple(items(on if isinstance(on, list) else [on]))
    allows = "Deny" not in alternatives(entry.get("Effect"))
    return Statement(resource, path, allows, actions, spared, everything, entry.get("Condition"))


# An ARN of S3 has neither region nor account: it is as much as `*` there.
_ALL_OF_IT = re.compile(r"\*|arn:[^:]*:s3:::\*(/\*)?")


def _whole_service(action: str) -> bool:
    return action == "*" or action.endswith(":*")


def _explained(resource: Resource) -> set[str]:
    """Actions of which the template says why they name no resource."""
    reasons = entries(resource.raw.get("Metadata")).get("AllowedEverywhere", [])
    return {
        str(action)
        for reason in items(reasons)
        if entries(reason).get("Because")
        for action in items(entries(reason).get("Actions", []))
    }


def _boundaries(model: Model) -> set[str]:
    """Policies that say what may be granted at most, and grant nothing."""
    return {edge.target for edge in model.edges if edge.path.startswith("Properties.PermissionsBoundary")}


@check(
    "CB047",
    "Permission for everything",
    harm="Whoever gets into one function or instance may read and delete what belongs to every other stack.",
    source="IAM User Guide, 'Security best practices in IAM'; Service Authorization Reference",
    remedy="name the actions and the ARNs; say in Metadata.AllowedEverywhere why actions can name none",
    of_source=True,
)
@with_defaults
def everything_is_allowed(model: Model) -> Iterator[Hit]:
    boundaries = _boundaries(model)
    for each in statements(model):
        if each.allows and each.resource.id not in boundaries:
            yield from _too_much(each)
    for resource in model.of(*_WITH_INLINE_POLICIES, *_SAM):
        yield from _broad_managed_policies(resource)


def _too_much(statement: Statement) -> Iterator[Hit]:
    whole = [action for action in statement.actions if _whole_service(action) and not only_everywhere(action)]
    if whole:
        yield Hit(statement.path, f"it allows {', '.join(whole)}")
    elif statement.spared and not statement.condition:
        yield Hit(statement.path, f"it allows everything but {', '.join(statement.spared)}")
    elif any(_ALL_OF_IT.fullmatch(each) for each in statement.on if isinstance(each, str)) and (
        not statement.condition
    ):
        explained = _explained(statement.resource)
        open_ended = [a for a in statement.actions if a not in explained and not only_everywhere(a)]
        if open_ended:
            yield Hit(statement.path, f"it allows {', '.join(open_ended)} on every resource")


def _broad_managed_policies(resource: Resource) -> Iterator[Hit]:
    name = "Policies" if resource.type in _SAM else "ManagedPolicyArns"
    named = [
        (path, written(node))
        for path, node in nodes(resource.raw_properties().get(name), f"Properties.{name}")
    ]
    resolved = enumerate(items(resource.get(name, [])))  # what a mapping holds is not written here
    named += [(f"Properties.{name}.{index}", each) for index, each in resolved if isinstance(each, str)]
    for path, text in named:
        if re.search(r"(^|/)(\w*FullAccess|AdministratorAccess|PowerUserAccess)$", text):
            yield Hit(at(resource.id, path), f"it attaches {text.rpartition('/')[2]}")
            return


@check(
    "CB048",
    "Any role may be passed on",
    harm="Whoever may pass every role to a service gets the rights of the strongest one, up to administrator.",
    source="IAM User Guide, 'Grant a user permissions to pass a role to an AWS service'",
    remedy="name the role's ARN and add the condition iam:PassedToService",
    of_source=True,
)
@with_defaults
def any_role_may_be_passed(model: Model) -> Iterator[Hit]:
    for each in statements(model):
        passing = [a for a in each.actions if matches(a, "iam:PassRole") and not _whole_service(a)]
        if not each.allows or not passing:
            continue
        if any(isinstance(on, str) and on.rpartition(":")[2] in ("*", "role*", "role/*") for on in each.on):
            yield Hit(each.path, "iam:PassRole is allowed on every role")
        elif "iam:passedtoservice" not in str(each.condition).lower() and not _trust_one(model, each.on):
            yield Hit(each.path, "iam:PassRole is allowed towards every service")


def _trust_one(model: Model, roles: tuple[Any, ...]) -> bool:
    """Whether these are roles of this template that one service each can take on, whoever passes them."""
    return bool(roles) and all(
        isinstance(each, Reference)
        and each.target in model.resources
        and _trusted(model.resources[each.target]) == 1
        for each in roles
    )


def _trusted(role: Resource) -> int:
    """How many principals it trusts; one that only the deployment knows counts for many."""
    document = entries(role.get("AssumeRolePolicyDocument"))
    principals = [each for entry in items(document.get("Statement", [])) for each in _principals(entry)]
    return len(set(principals)) if all(principals) else 2


def _principals(statement: Any) -> Iterator[str]:
    """The services of a trust statement; nothing in the place of any other principal."""
    principal = entries(statement).get("Principal")
    services = list(items(entries(principal).get("Service", [])))
    yield from (each if isinstance(each, str) else "" for each in services)
    if not services or set(entries(principal)) != {"Service"}:
        yield ""


@check(
    "CB101",
    "Policy without Version",
    harm="It is read in the language of 2008: policy variables such as ${aws:username} are plain text there.",
    source="IAM User Guide, 'IAM JSON policy elements: Version'",
    remedy="add Version: '2012-10-17'",
    severity="warning",
    of_source=True,
)
@either_way
def policy_without_version(model: Model) -> Iterator[Hit]:
    for resource in model.resources.values():
        for path, node in nodes(resource.raw_properties(), "Properties"):
            if re.search(r"(Document|Policy|Policies)(\.\d+)?(\.Fn::If\.\d)?$", path) and _unversioned(node):
                yield Hit(at(resource.id, path), "the policy has no Version")


def _unversioned(node: Any) -> bool:
    return isinstance(node, Mapping) and "Statement" in node and "Version" not in node


# What calls functions, by the place where it names one, and as whom
_CALLERS: dict[str, tuple[str, str]] = {
    "AWS::S3::Bucket": (r"NotificationConfiguration\.LambdaConfigurations\b", "s3"),
    "AWS::SNS::Topic": (r"Subscription\b", "sns"),
    "AWS::SNS::Subscription": (r"Endpoint\b", "sns"),
    "AWS::Events::Rule": (r"Targets\b.*\.Arn\b", "events"),
    "AWS::Logs::SubscriptionFilter": (r"DestinationArn\b", "logs"),
    "AWS::ApiGateway::Method": (r"Integration\.Uri\b", "apigateway"),
    "AWS::ApiGatewayV2::Integration": (r"IntegrationUri\b", "apigateway"),
    "AWS::Cognito::UserPool": (r"LambdaConfig\b", "cognito-idp"),
    "AWS::Config::ConfigRule": (r"Source\.SourceIdentifier\b", "config"),
    "AWS::IoT::TopicRule": (r"TopicRulePayload\..*\.Lambda\.FunctionArn\b", "iot"),
    "AWS::SecretsManager::RotationSchedule": (r"RotationLambdaARN\b", "secretsmanager"),
}
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_SOURCES = ("SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken", "FunctionUrlAuthType")


@check(
    "CB046",
    "Function that its event source may not call, or that anybody's may",
    harm="Without a permission the events are dropped and nobody is told; without a source in it, the same"
    " service in a stranger's account may call the function.",
    source="Lambda Developer Guide, 'Working with resource-based IAM policies in Lambda'",
    remedy="add an AWS::Lambda::Permission for that service, with the SourceArn of the one that calls",
)
@with_defaults
def caller_without_permission(model: Model) -> Iterator[Hit]:
    granted = [(_callable(model, each.id), _service(each)) for each in model.of("AWS::Lambda::Permission")]
    for edge, service in _calls(model):
        wanted = _function(model, edge.target)
        if wanted and not any(
            (wanted in called or not called) and by in (service, "") for called, by in granted
        ):
            path = at(edge.source, edge.path)
            yield Hit(path, f"{service} calls {edge.target} and no permission lets it")
    for permission in model.of("AWS::Lambda::Permission"):
        named = any(name in permission.raw_properties() for name in _SOURCES)
        if not named and _service(permission) in {service for _, service in _CALLERS.values()}:
            yield Hit(at(permission.id, "Properties"), "the permission names no source")


def _calls(model: Model) -> Iterator[tuple[Edge, str]]:
    for edge in model.edges:
        resource = model.resources.get(edge.source)
        if resource is None or resource.type not in _CALLERS or _has_role(resource):
            continue
        place, service = _CALLERS[resource.type]
        if re.match(rf"Properties\.{place}", edge.path):
            yield edge, service


def _has_role(resource: Resource) -> bool:
    """API Gateway may call by a role instead of a permission."""
    return bool(resource.get("CredentialsArn") or resource.get("Integration.Credentials"))


def _function(model: Model, id: str) -> str:  # noqa: A002
    """The function that an alias or a version is of; nothing for what is none of these."""
    resource = model.resources.get(id)
    if resource is None:
        return ""
    if resource.type in _FUNCTIONS:
        return id
    if resource.type in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        return next(iter(_callable(model, id)), "")
    return ""


def _callable(model: Model, id: str) -> set[str]:  # noqa: A002
    """The functions that a resource's FunctionName refers to."""
    return {
        found
        for edge in model.edges
        if edge.source == id and edge.path.startswith("Properties.FunctionName")
        for found in [_function(model, edge.target)]
        if found
    }


def _service(permission: Resource) -> str:
    """`s3` of s3.amazonaws.com, however its end is written; nothing where it is known at deploy only."""
    text = written(permission.raw_properties().get("Principal", ""))
    found = re.match(r"([a-z0-9-]+)\.(?:.*\.)?(amazonaws\.com|\$\{AWS::URLSuffix\})", text)
    if found:
        return found[1]
    return "" if text.startswith("${") else text
