"""Values that CloudFormation fetches from other services while it deploys: SSM parameters and secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

# User Guide, "Get values stored in other services using dynamic references": {{resolve:service:key}}.
DYNAMIC = re.compile(r"\{\{resolve:(ssm-secure|ssm|secretsmanager):([^{}]+)\}\}")


@dataclass(frozen=True)
class Lookup:
    """One value to fetch. `service` is ssm, ssm-secure or secretsmanager; `name` may be a secret's ARN.

    `version` is a parameter's version or a secret's version id, `stage` a secret's version stage, and `json_key`
    the key in a secret that holds JSON; each empty where the latest, or the whole, is meant.
    """

    service: str
    name: str
    version: str = ""
    stage: str = ""
    json_key: str = ""


Fetch = Callable[[Lookup], str]
"""Gives the value of a lookup. Raises LookupError, with the reason, where there is none."""


def refuse(lookup: Lookup) -> str:
    """The Fetch of a stack that nobody has given one."""
    raise LookupError(f"nothing was given to fetch {lookup.service} values with; pass `fetch`")


def from_mapping(values: Mapping[str, str]) -> Fetch:
    """A Fetch over fixed values, by the name of a parameter or secret."""

    def fetch(lookup: Lookup) -> str:
        if lookup.name not in values:
            raise LookupError(f"no {lookup.service} value {lookup.name!r} is given")
        return values[lookup.name]

    return fetch


def from_clients(client: Callable[[str], Any]) -> Fetch:
    """A Fetch over an account; `client("ssm")` gives a boto3 client."""

    def fetch(lookup: Lookup) -> str:
        from botocore.exceptions import ClientError

        try:
            return _ask(client, lookup)
        except ClientError as error:
            raise LookupError(f"{lookup.service} {lookup.name!r}: {error}") from error

    return fetch


def _ask(client: Callable[[str], Any], lookup: Lookup) -> str:
    if lookup.service == "secretsmanager":
        chosen = {"VersionId": lookup.version, "VersionStage": lookup.stage}
        given = {key: value for key, value in chosen.items() if value}
        return client("secretsmanager").get_secret_value(SecretId=lookup.name, **given)["SecretString"]
    name = f"{lookup.name}:{lookup.version}" if lookup.version else lookup.name
    secure = lookup.service == "ssm-secure"
    return client("ssm").get_parameter(Name=name, WithDecryption=secure)["Parameter"]["Value"]


def dynamic(service: str, key: str) -> Lookup:
    """What `{{resolve:service:key}}` asks for. Raises LookupError for a key of another form."""
    if service != "secretsmanager":
        name, _, version = key.partition(":")
        if version and not version.isdigit():
            raise LookupError(f"{key!r} is no parameter name with a version; write name or name:number")
        return Lookup(service, name, version)
    parts = key.split(":")
    # An ARN has seven fields: arn, partition, secretsmanager, region, account, secret, name.
    size = 7 if parts[0] == "arn" else 1
    rest = [*parts[size:], "", "", "", ""]
    if rest[0] not in ("", "SecretString") or len(parts) > size + 4:
        raise LookupError(f"{key!r}: only SecretString can be read; write secret:SecretString:key")
    return Lookup(service, ":".join(parts[:size]), version=rest[3], stage=rest[2], json_key=rest[1])


def value(fetch: Fetch, lookup: Lookup) -> str:
    """The text that stands for a lookup. Raises LookupError where there is none."""
    found = fetch(lookup)
    if not lookup.json_key:
        return found
    try:
        document: Any = json.loads(found)
    except ValueError:
        raise LookupError(f"the secret {lookup.name!r} holds no JSON, so it has no keys") from None
    if not isinstance(document, dict) or lookup.json_key not in document:
        raise LookupError(f"the secret {lookup.name!r} has no key {lookup.json_key!r}")
    return str(cast("dict[str, Any]", document)[lookup.json_key])
