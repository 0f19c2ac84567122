"""Defects of policies, and of who may call a function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .functions import scheduled
from .plant import (
    ABSENT,
    ATTRIBUTE,
    FUNCTION,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    mutates,
    of,
    put,
    with_resources,
)

ROLE = "AWS::IAM::Role"
PASSED = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
RULE = "Resources.Rule.Properties.Targets.0.Arn"
PERMISSION = "Resources.RulePermission.Properties"


def with_statement(template: Template, **statement: Any) -> Iterator[tuple[str, Template]]:
    """For each role the path of one more statement of its first policy, and a template with it."""
    for name, _ in of(template, ROLE):
        at = f"Resources.{name}.Properties.Policies.0.PolicyDocument.Statement"
        path = f"{at}.{len(get(template, at))}"
        yield path, put(template, path, statement)


def queue(name: str) -> dict[str, str]:
    """The ARN of a queue."""
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}"}


@mutates("CB047")
def every_action(template: Template) -> Iterator[Plant]:
    for at, base in with_statement(
        template, Effect="Allow", Action=["sqs:SendMessage"], Resource=[queue("q")]
    ):
        for action in ("*", "sqs:*"):
            yield Plant(base, f"{at}.Action.0", action, at)
            yield Plant(base, f"{at}.Action", action, at)


@mutates("CB047")
def every_resource(template: Template) -> Iterator[Plant]:
    for at, base in with_statement(
        template, Effect="Allow", Action=["sqs:SendMessage"], Resource=[queue("q")]
    ):
        yield Plant(base, f"{at}.Resource.0", "*", at)
        yield Plant(base, f"{at}.Resource", "*", at)


@mutates("CB047", no_parameter=STRUCTURE)
def everything_in_a_list(template: Template) -> Iterator[Plant]:
    for at, base in with_statement(
        template, Effect="Allow", Action=["sqs:SendMessage"], Resource=[queue("q")]
    ):
        yield Plant(base, f"{at}.Resource", ["*"], at)
        yield Plant(base, f"{at}.Action", ["sqs:GetQueueUrl", "*"], at)
        yield Plant(base, at, {"Effect": "Allow", "Action": "*", "Resource": "*"}, at)


@mutates("CB047")
def denial_turned_around(template: Template) -> Iterator[Plant]:
    for at, base in with_statement(template, Effect="Deny", Action=["*"], Resource=["*"]):
        yield Plant(base, f"{at}.Effect", "Allow", at)


@mutates("CB047", no_parameter=GONE)
def condition_gone(template: Template) -> Iterator[Plant]:
    condition = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    given: dict[str, Any] = {"Effect": "Allow", "Resource": ["*"], "Condition": condition}
    for words in ({"Action": ["sqs:SendMessage"]}, {"NotAction": ["iam:*"]}):
        for at, base in with_statement(template, **given, **words):
            yield Plant(base, f"{at}.Condition", ABSENT, at)


@mutates("CB047")
def administrator(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, ROLE):
        at = f"Resources.{name}.Properties.ManagedPolicyArns"
        for policy in ("AdministratorAccess", "AmazonS3FullAccess"):
            yield Plant(put(template, at, []), f"{at}.0", f"arn:aws:iam::aws:policy/{policy}", at)


@mutates("CB047", no_parameter=STRUCTURE)
def administrator_of_any_partition(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, ROLE):
        at = f"Resources.{name}.Properties.ManagedPolicyArns"
        policy = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess"}
        yield Plant(template, at, [policy], at)


@mutates("CB047", no_if=ATTRIBUTE, no_parameter=GONE)
def reasons_gone(template: Template) -> Iterator[Plant]:
    """A write on every resource, with its reason beside it until then."""
    given = {"Effect": "Allow", "Action": ["ec2:AssociateAddress"], "Resource": ["*"]}
    for at, base in with_statement(template, **given):
        name = at.split(".")[1]
        reason = {"Actions": given["Action"], "Because": "The address is chosen by whoever starts the node."}
        known = get(base, f"Resources.{name}.Metadata")
        metadata: dict[str, Any] = {} if known is ABSENT else known
        explained = put(
            base,
            f"Resources.{name}.Metadata",
            {**metadata, "AllowedEverywhere": [*metadata.get("AllowedEverywhere", []), reason]},
        )
        yield Plant(explained, f"Resources.{name}.Metadata", known, f"Resources.{name}")


@mutates("CB048")
def any_role(template: Template) -> Iterator[Plant]:
    task = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/task"}
    given = {"Effect": "Allow", "Condition": PASSED}
    for at, base in with_statement(template, **given, Action=["iam:PassRole"], Resource=[task]):
        yield Plant(base, f"{at}.Resource.0", "*", at)
        yield Plant(base, f"{at}.Resource.0", "arn:aws:iam::111122223333:role/*", at)
    for at, base in with_statement(template, **given, Action=["iam:GetRole"], Resource=["*"]):
        yield Plant(base, f"{at}.Action.0", "iam:PassRole", at)
    for at, base in with_statement(
        template, Effect="Deny", Condition=PASSED, Action=["iam:PassRole"], Resource=["*"]
    ):
        yield Plant(base, f"{at}.Effect", "Allow", at)


@mutates("CB048", no_parameter=GONE)
def towards_any_service(template: Template) -> Iterator[Plant]:
    task = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/task"}
    given = {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": [task]}
    for at, base in with_statement(template, **given, Condition=PASSED):
        yield Plant(base, f"{at}.Condition", ABSENT, at)


@mutates("CB101", no_parameter=GONE)
def version_gone(template: Template) -> Iterator[Plant]:
    for name, role in of(template, ROLE):
        at = f"Resources.{name}.Properties"
        documents = [
            f"Policies.{index}.PolicyDocument" for index, _ in enumerate(role["Properties"]["Policies"])
        ]
        for path in ("AssumeRolePolicyDocument", *documents):
            yield Plant(template, f"{at}.{path}.Version", ABSENT, f"{at}.{path}")


@mutates("CB101", no_parameter=STRUCTURE)
def document_without_version(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, ROLE):
        at = f"Resources.{name}.Properties.Policies.0.PolicyDocument"
        yield Plant(template, at, {"Statement": get(template, f"{at}.Statement")}, at)


@mutates("CB046", no_parameter=STRUCTURE)
def target_without_permission(template: Template) -> Iterator[Plant]:
    for name, base in scheduled(template, "rate(1 day)"):
        arn = {"Fn::GetAtt": [name, "Arn"]}
        base = put(put(base, RULE, "elsewhere"), "Resources.RulePermission", ABSENT)
        yield Plant(base, RULE, arn, RULE)


@mutates("CB046", no_parameter=STRUCTURE)
def permission_for_another(template: Template) -> Iterator[Plant]:
    for _, base in scheduled(template, "rate(1 day)"):
        other = {"Type": FUNCTION, "Properties": {"Handler": "index.handler"}}
        base = with_resources(base, Other=other)
        yield Plant(base, f"{PERMISSION}.FunctionName", {"Ref": "Other"}, RULE)


@mutates("CB046")
def principal_of_another(template: Template) -> Iterator[Plant]:
    for _, base in scheduled(template, "rate(1 day)"):
        yield Plant(base, f"{PERMISSION}.Principal", "sns.amazonaws.com", RULE)


@mutates("CB046", no_parameter=GONE)
def source_gone(template: Template) -> Iterator[Plant]:
    for _, base in scheduled(template, "rate(1 day)"):
        yield Plant(base, f"{PERMISSION}.SourceArn", ABSENT, PERMISSION)
