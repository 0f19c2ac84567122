"""ARNs as patterns: what stands in a template, what the reference says, and whether both can mean one thing."""

from __future__ import annotations

import re
from typing import Any

from . import iam
from .model import Model, written

_REFERENCE = re.compile(r"\$\{([^${}]*)\}")

# Types whose Ref is an ARN (CloudFormation Template Reference, "Return values" of each)
_REF_IS_ARN = frozenset(
    {
        "AWS::CertificateManager::Certificate",
        "AWS::ECS::Service",
        "AWS::ECS::TaskDefinition",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::IAM::ManagedPolicy",
        "AWS::SNS::Topic",
        "AWS::SecretsManager::Secret",
        "AWS::StepFunctions::StateMachine",
    }
)

# In names like these stands neither slash nor colon; others, such as an object's or a log group's, may have both.
_NARROW = frozenset(
    {"Partition", "Region", "Account", "BucketName", "TableName", "QueueName", "TopicName", "KeyId"}
)

_ANY, _ONE = "any text", "any character"
_NAME, _LETTER = "any text of a name", "any character of a name"
_MANY = (_ANY, _NAME)


def pattern(model: Model, value: Any) -> str | None:
    """The ARNs a Resource element can mean; None where it may be any.

    `*` stands for what is filled in at deploy, and what refers to a resource has the shape of its ARN.
    """
    text = written(value)
    start = _REFERENCE.match(text)
    if start is None:
        return _REFERENCE.sub("*", text)
    known = _referred(model, start[1])
    return None if known is None else known + _REFERENCE.sub("*", text[start.end() :])


def _referred(model: Model, name: str) -> str | None:
    """The ARN that a reference is; None where it is none, or anybody's."""
    if name == "AWS::StackId":
        return "arn:*:cloudformation:*:*:stack/*/*"
    target, _, attribute = name.partition(".")
    resource = model.resources.get(target)
    if resource is None:
        return None
    if attribute.lower().endswith("arn") or (not attribute and resource.type in _REF_IS_ARN):
        found = iam.arn_of(resource.type)
        # An attribute such as StreamArn is the ARN of a part.
        return f"{found}*" if found and attribute not in ("", "Arn") else found
    return None


def overlap(arn: str, shape: str) -> bool:
    """Whether two patterns can mean one ARN; each may have `*` and `?` of a policy and `${BucketName}` in it."""
    if "*" in (arn, shape):
        return True
    left, right = arn.split(":", 5), shape.split(":", 5)
    if len(left) == len(right) == 6:  # a wildcard does not reach over the colons before the name
        return all(_meet(_tokens(one), _tokens(other)) for one, other in zip(left, right, strict=True))
    return _meet(_tokens(arn), _tokens(shape))


def _meet(left: list[str], right: list[str]) -> bool:
    """Whether some text fits both, by walking through both at once."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        i, k = waiting.pop()
        if i == len(left) and k == len(right):
            return True
        for step in _steps(left[i : i + 1], right[k : k + 1]):
            state = (i + step[0], k + step[1])
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return False


def _steps(left: list[str], right: list[str]) -> list[tuple[int, int]]:
    """How far both may go on: past a wildcard, or past one character that both can be."""
    steps = [(1, 0)] if left and left[0] in _MANY else []
    steps += [(0, 1)] if right and right[0] in _MANY else []
    if left and right and _agree(left[0], right[0]):
        steps.append((int(left[0] not in _MANY), int(right[0] not in _MANY)))
    return steps


def _agree(left: str, right: str) -> bool:
    """Whether one character can be both."""
    for one, other in ((left, right), (right, left)):
        if one in (_ANY, _ONE):
            return True
        if one in (_NAME, _LETTER):
            return other not in ("/", ":")
    return left == right


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for index, part in enumerate(_REFERENCE.split(text)):
        if index % 2:
            tokens += [_LETTER, _NAME] if part in _NARROW else [_ANY]  # a name is not empty
        else:
            tokens += [{"*": _ANY, "?": _ONE}.get(each, each) for each in part]
    return tokens
