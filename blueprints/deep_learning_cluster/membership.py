"""What lets nodes know each other: the table they register in, and the parameters that hold what they run."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import Ref, Sub, dynamodb, ssm

from ..blocks.properties import given
from .runtime import Runtime


def table(key: Ref | None) -> dynamodb.Table:
    """One item a slot. Nodes write it anew within a period, so nothing of it outlives the stack."""
    return dynamodb.Table(
        "RegistryTable",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        AttributeDefinitions=[dynamodb.AttributeDefinition(AttributeName="Slot", AttributeType="S")],
        KeySchema=[dynamodb.KeySchema(AttributeName="Slot", KeyType="HASH")],
        BillingMode="PAY_PER_REQUEST",
        PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True
        ),
        SSESpecification=dynamodb.SSESpecification(
            SSEEnabled=True, SSEType="KMS", **given(KMSMasterKeyId=key)
        ),
    )


@dataclass(frozen=True)
class Carriers:
    """The parameters that hold the runtime, in the order of its parts."""

    parts: tuple[ssm.Parameter, ...]

    @property
    def names(self) -> Sub:
        """Their names, with spaces between."""
        return Sub(" ".join(f"${{{each.title}}}" for each in self.parts))


def carriers(runtime: Runtime) -> Carriers:
    """A standard parameter for each part; the first says in its metadata what is packed."""
    made = [
        ssm.Parameter(f"Runtime{number}Parameter", Type="String", Value=part)
        for number, part in enumerate(runtime.parts(), start=1)
    ]
    made[0].Metadata = {"Packed": "bootstrap/phases.sh and agent/", "Sha256": runtime.sources}
    return Carriers(tuple(made))
