"""Facts of the emulated account that a request's judgement needs and its parameters do not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .request import NotJudgedError

Client = Callable[[str], Any]
"""Gives a boto3 client for a service."""


class Account:
    """Looked up once each; what does not exist is None."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, ...], Any] = {}
        self._before: dict[str, dict[str, str]] = {}

    def remember(self) -> None:
        """Keep in mind which tags EC2 has now: moto takes some from an instance that ends, AWS none."""
        for each in self._client("ec2").describe_tags()["Tags"]:
            self._before.setdefault(each["ResourceId"], {})[each["Key"]] = each["Value"]

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer to an operation; empty where the service refuses, as for what does not exist.

        Raises NotJudgedError where nobody answers.
        """
        from botocore.exceptions import ClientError

        asked = (service, operation, repr(parameters))
        if asked not in self._known:
            try:
                self._known[asked] = getattr(self._client(service), operation)(**parameters)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                    raise NotJudgedError(
                        f"{service}:{operation} of {parameters} cannot be asked: {error}"
                    ) from error
                self._known[asked] = {}
        return self._known[asked]

    def tags(self, arn: str) -> dict[str, str]:
        """Tags of a resource of EC2 or DynamoDB, a role or a group. Raises NotJudgedError for another."""
        service, name = arn.split(":")[2], arn.partition("/")[2]
        if service == "ec2":
            return self._of_ec2(name)
        if service == "autoscaling":
            group = [{"Name": "auto-scaling-group", "Values": [name.rpartition("/")[2]]}]
            found = self.ask("autoscaling", "describe_tags", Filters=group)["Tags"]
        elif service == "dynamodb":
            found = self.ask("dynamodb", "list_tags_of_resource", ResourceArn=arn).get("Tags", [])
        else:
            raise NotJudgedError(f"nobody here looks up the tags of {arn}; teach privilege/account.py")
        return {each["Key"]: each["Value"] for each in found}

    def _of_ec2(self, name: str) -> dict[str, str]:
        found = self.ask("ec2", "describe_tags", Filters=[{"Name": "resource-id", "Values": [name]}])
        return self._before.get(name, {}) | {each["Key"]: each["Value"] for each in found["Tags"]}

    def partition_key(self, table: str) -> str:
        """The attribute by which a table is divided. Raises NotJudgedError where there is no such table."""
        described = self.ask("dynamodb", "describe_table", TableName=table)
        if not described:
            raise NotJudgedError(f"no table {table}, so its partition key is not known")
        return next(
            each["AttributeName"] for each in described["Table"]["KeySchema"] if each["KeyType"] == "HASH"
        )

    def group_of(self, instance: str) -> str:
        """The Auto Scaling group of an instance, by the tag that every such instance carries."""
        group = self._of_ec2(instance).get("aws:autoscaling:groupName")
        if group is None:
            raise NotJudgedError(f"{instance} carries no tag of a group, so its group is not known")
        return group

    def interfaces_of(self, instance: str) -> list[str]:
        """Ids of an instance's network interfaces."""
        attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
        found = self.ask("ec2", "describe_network_interfaces", Filters=attached)
        return [each["NetworkInterfaceId"] for each in found.get("NetworkInterfaces", [])]

    def secret(self, name: str) -> str | None:
        """The ARN of a secret, whose end only Secrets Manager knows."""
        return self.ask("secretsmanager", "describe_secret", SecretId=name).get("ARN")

    def key(self, name: str) -> str | None:
        """The ARN of a key that a customer manages, by its id, ARN or alias. None for a key of AWS's.

        Raises NotJudgedError for an id or alias that nothing has; an ARN needs no look.
        """
        if name.startswith("alias/aws/"):
            return None
        found = self.ask("kms", "describe_key", KeyId=name).get("KeyMetadata")
        if found is None and ":key/" in name:
            return name
        if found is None:
            raise NotJudgedError(f"no key {name} in the account, so its ARN is not known")
        aliases = self.ask("kms", "list_aliases", KeyId=found["KeyId"]).get("Aliases", [])
        managed = any(each["AliasName"].startswith("alias/aws/") for each in aliases)
        return None if managed else str(found["Arn"])
