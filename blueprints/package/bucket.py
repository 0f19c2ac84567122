"""The bucket: asks what is there, uploads what is missing, and only to a bucket of the account that is meant."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import BlueprintError, Fault
from .addresses import InBucket
from .archive import digest_of
from .asset import Asset
from .requirements import EXTRA

Status = Literal["built", "present", "uploaded"]


@dataclass(frozen=True)
class Bucket:
    """A bucket of an account. Every call names the account, so that nobody else's bucket of this name is used."""

    client: Any
    owner: str
    kms_key: str | None
    addresses: InBucket

    def put(self, asset: Asset) -> Status:
        """Upload an asset unless it is there. Raises BlueprintError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return "present" if self._has(asset) else self._uploaded(asset)
        except (ClientError, BotoCoreError) as error:
            raise BlueprintError(self._fault(asset, error)) from error

    def _has(self, asset: Asset) -> bool:
        """Whether the key exists. Without s3:ListBucket S3 answers 403 for one that does not; an upload then tells."""
        from botocore.exceptions import ClientError

        try:
            self.client.head_object(**self._object(asset))
        except ClientError as error:
            if _status(error) in (403, 404):
                return False
            raise
        return True

    def _uploaded(self, asset: Asset) -> Status:
        """S3 checks the content against its hash. Without a key the bucket's own encryption applies."""
        checksum = base64.b64encode(bytes.fromhex(digest_of(asset.file)[0])).decode()
        key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}
        with asset.file.open("rb") as body:
            self.client.put_object(**self._object(asset), Body=body, ChecksumSHA256=checksum, **key)
        return "uploaded"

    def _object(self, asset: Asset) -> dict[str, str]:
        where = self.addresses
        return {"Bucket": where.bucket, "Key": where.key(asset), "ExpectedBucketOwner": self.owner}

    def _fault(self, asset: Asset, error: Exception) -> Fault:
        where = self.addresses
        response: dict[str, Any] = getattr(error, "response", {})
        code, status = response.get("Error", {}).get("Code"), _status(error)
        if code == "NoSuchBucket":
            return Fault(
                f"s3://{where.bucket}", "", "no such bucket; create it or name another with --bucket"
            )
        if status == 403:
            what = (
                f"{code}: needs s3:PutObject on s3://{where.bucket}/{where.key(asset)}, and the bucket has to belong"
                f" to the account {self.owner}; allow it, or name the owner with --expected-owner"
            )
            return Fault(f"s3://{where.bucket}", "", what)
        return Fault(f"s3://{where.bucket}", "", " ".join(str(error).split()))


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def connect(name: str, prefix: str, kms_key: str | None, owner: str | None) -> Bucket:
    """The bucket as boto3's usual credentials and region see it; of their own account unless `owner` is another.

    Raises BlueprintError where there are no credentials or no boto3.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        what = f"uploads need boto3; install {EXTRA}, or leave out --bucket"
        raise BlueprintError(Fault(f"s3://{name}", "", what)) from error
    aws: Any = boto3
    try:
        client = aws.client("s3")
        account = owner or aws.client("sts").get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        what = f"{' '.join(str(error).split())}; uploads need credentials and a region, or leave out --bucket"
        raise BlueprintError(Fault(f"s3://{name}", "", what)) from error
    return Bucket(client, account, kms_key, InBucket(name, prefix, client.meta.endpoint_url))
