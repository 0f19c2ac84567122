"""Defects of functions, and of roles at work before their policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .plant import (
    ABSENT,
    DEPENDS_ON,
    FUNCTION,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    groups,
    mutates,
    of,
    put,
    with_resources,
)

NETWORK = {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}


def role_of(template: Template, function: str) -> str:
    """The id of a function's role."""
    return get(template, f"Resources.{function}.Properties.Role.Fn::GetAtt.0")


def policy(role: Any, action: str) -> dict[str, Any]:
    """A policy beside a role."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {"PolicyName": "Work", "Roles": [role], "PolicyDocument": document}
    return {"Type": "AWS::IAM::Policy", "Properties": properties}


def with_policy(template: Template, function: str, action: str) -> Template:
    """A template with a policy beside the role of a function."""
    return with_resources(template, Policy=policy({"Ref": role_of(template, function)}, action))


@mutates("CB004", no_if=DEPENDS_ON, no_parameter=GONE)
def network_policy_not_awaited(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        base = with_policy(template, name, "ec2:CreateNetworkInterface")
        base = put(base, f"Resources.{name}.Properties.VpcConfig", NETWORK)
        base = put(base, f"Resources.{name}.DependsOn", "Policy")
        yield Plant(base, f"Resources.{name}.DependsOn", ABSENT, f"Resources.{name}")


@mutates("CB004", no_parameter=STRUCTURE)
def into_network(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        base = with_policy(template, name, "ec2:CreateNetworkInterface")
        yield Plant(base, f"Resources.{name}.Properties.VpcConfig", NETWORK, f"Resources.{name}")


@mutates("CB004")
def policy_for_network(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        base = put(
            with_policy(template, name, "dynamodb:Query"), f"Resources.{name}.Properties.VpcConfig", NETWORK
        )
        at = "Resources.Policy.Properties.PolicyDocument.Statement.0.Action"
        yield Plant(base, at, "ec2:CreateNetworkInterface", f"Resources.{name}")


def group_roles(template: Template) -> Iterator[tuple[str, str]]:
    """Ids of the groups, with the role that their instances work with."""
    for group, data in groups(template):
        profile = get(template, f"{data}.IamInstanceProfile.Arn.Fn::GetAtt.0")
        yield group, get(template, f"Resources.{profile}.Properties.Roles.0.Ref")


@mutates("CB018", no_if=DEPENDS_ON, no_parameter=GONE)
def group_before_policy(template: Template) -> Iterator[Plant]:
    for group, role in group_roles(template):
        base = with_resources(template, Policy=policy({"Ref": role}, "s3:ListBucket"))
        known = get(base, f"Resources.{group}.DependsOn")
        if known is ABSENT:
            continue
        depends = f"Resources.{group}.DependsOn.{len(known)}"
        base = put(base, depends, "Policy")
        yield Plant(base, depends, ABSENT, f"Resources.{group}")


@mutates("CB018", no_parameter=STRUCTURE)
def policy_for_role_at_work(template: Template) -> Iterator[Plant]:
    for group, role in group_roles(template):
        base = with_resources(template, Policy=policy("elsewhere", "s3:ListBucket"))
        yield Plant(base, "Resources.Policy.Properties.Roles.0", {"Ref": role}, f"Resources.{group}")


@mutates("CB018")
def policy_without_which_nothing_works(template: Template) -> Iterator[Plant]:
    """A policy that only let it report says something else too."""
    for group, role in group_roles(template):
        base = with_resources(template, Policy=policy({"Ref": role}, "logs:PutLogEvents"))
        at = "Resources.Policy.Properties.PolicyDocument.Statement.0.Action"
        yield Plant(base, at, "s3:ListBucket", f"Resources.{group}")


def scheduled(template: Template, expression: str) -> Iterator[tuple[str, Template]]:
    """For each function its id and a template with a rule that starts it."""
    for name, _ in of(template, FUNCTION):
        target = {"Id": "function", "Arn": {"Fn::GetAtt": [name, "Arn"]}}
        rule = {"ScheduleExpression": expression, "Targets": [target]}
        permission = {
            "FunctionName": {"Ref": name},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
        }
        yield (
            name,
            with_resources(
                template,
                Rule={"Type": "AWS::Events::Rule", "Properties": rule},
                RulePermission={"Type": "AWS::Lambda::Permission", "Properties": permission},
            ),
        )


@mutates("CB060")
def slower_than_its_schedule(template: Template) -> Iterator[Plant]:
    for name, base in scheduled(template, "rate(1 minute)"):
        yield Plant(base, f"Resources.{name}.Properties.Timeout", 300, f"Resources.{name}")


@mutates("CB060")
def schedule_faster_than_function(template: Template) -> Iterator[Plant]:
    for name, base in scheduled(template, "rate(1 day)"):
        base = put(base, f"Resources.{name}.Properties.Timeout", 300)
        for often in ("rate(1 minute)", "cron(0/5 * * * ? *)"):
            yield Plant(base, "Resources.Rule.Properties.ScheduleExpression", often, f"Resources.{name}")


@mutates("CB060")
def concurrency_of_two(template: Template) -> Iterator[Plant]:
    for name, base in scheduled(template, "rate(1 minute)"):
        reserved = f"Resources.{name}.Properties.ReservedConcurrentExecutions"
        base = put(put(base, f"Resources.{name}.Properties.Timeout", 300), reserved, 1)
        yield Plant(base, reserved, 2, f"Resources.{name}")


@mutates("CB060", no_parameter=GONE)
def concurrency_unbounded(template: Template) -> Iterator[Plant]:
    for name, base in scheduled(template, "rate(1 minute)"):
        reserved = f"Resources.{name}.Properties.ReservedConcurrentExecutions"
        base = put(put(base, f"Resources.{name}.Properties.Timeout", 300), reserved, 1)
        yield Plant(base, reserved, ABSENT, f"Resources.{name}")
