"""The account, region and stack that a template is resolved for: CloudFormation's pseudo parameters."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Place:
    """Where a stack stands. `zones` lists the zones of regions that have others than a, b and c."""

    stack_name: str = "stack"
    account: str = ACCOUNT
    region: str = REGION
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def partition(self) -> str:
        """User Guide, "Pseudo parameters reference", and AWS General Reference: aws, aws-cn, aws-us-gov."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((name for start, name in prefixes.items() if self.region.startswith(start)), "aws")

    @property
    def url_suffix(self) -> str:
        """Domain of the partition's endpoints."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @cached_property
    def stack_id(self) -> str:
        """The ARN of the stack; equal for equal places."""
        unique = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.account}.{self.region}.{self.stack_name}")
        return self.arn("cloudformation", f"stack/{self.stack_name}/{unique}")

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def pseudo(self) -> dict[str, str | list[str]]:
        """Pseudo parameters by name; AWS::NoValue is none of them, it stands for no value."""
        return {
            "AWS::AccountId": self.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::URLSuffix": self.url_suffix,
        }

    def availability_zones(self, region: str) -> list[str]:
        """What Fn::GetAZs gives for a region."""
        return list(self.zones.get(region, tuple(f"{region}{letter}" for letter in "abc")))

    def unique(self, seed: str, size: int, alphabet: str) -> str:
        """`size` characters that follow from this stack and the seed, as AWS would draw them at random."""
        number = int.from_bytes(hashlib.sha256(f"{self.stack_id}/{seed}".encode()).digest(), "big")
        letters: list[str] = []
        for _ in range(size):
            number, index = divmod(number, len(alphabet))
            letters.append(alphabet[index])
        return "".join(letters)

    def physical_name(self, logical_id: str, limit: int = 255, lower: bool = False) -> str:
        """A name as CloudFormation makes it: stack, logical id and 12 characters, cut to `limit`."""
        tail = self.unique(logical_id, 12, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        room = limit - len(tail) - 2
        stack = self.stack_name[
            : max(1, room // 2 if len(logical_id) > room // 2 else room - len(logical_id))
        ]
        name = f"{stack}-{logical_id[: room - len(stack)]}-{tail}"
        return name.lower() if lower else name
