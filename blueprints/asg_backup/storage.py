"""Where backups are kept."""

from __future__ import annotations

from awacs import s3 as actions
from awacs.aws import Bool, Condition, Deny, PolicyDocument, Principal, Statement
from troposphere import AWSHelperFn, GetAtt, Join, Ref, s3

from ..blocks.properties import given

# An upload that takes longer than this is abandoned: longer than an instance can wait, which is two days.
_UPLOAD_DAYS = 7
_OLD_VERSION_DAYS = 30


def bucket(retention_days: int, key: AWSHelperFn | None) -> s3.Bucket:
    """Private, encrypted and versioned. It outlives the stack; what is in it expires."""
    encryption = s3.ServerSideEncryptionByDefault(
        SSEAlgorithm="aws:kms" if key is not None else "AES256", **given(KMSMasterKeyID=key)
    )
    rule = s3.ServerSideEncryptionRule(
        ServerSideEncryptionByDefault=encryption, **given(BucketKeyEnabled=True if key is not None else None)
    )
    return s3.Bucket(
        "Bucket",
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
        BucketEncryption=s3.BucketEncryption(ServerSideEncryptionConfiguration=[rule]),
        LifecycleConfiguration=s3.LifecycleConfiguration(Rules=_expiry(retention_days)),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
        ),
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
    )


def _expiry(days: int) -> list[s3.LifecycleRule]:
    return [
        s3.LifecycleRule(
            Id="Backups",
            Status="Enabled",
            ExpirationInDays=days,
            NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=_OLD_VERSION_DAYS),
            AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
                DaysAfterInitiation=_UPLOAD_DAYS
            ),
        ),
        s3.LifecycleRule(Id="DeleteMarkers", Status="Enabled", ExpiredObjectDeleteMarker=True),
    ]


def bucket_policy(bucket: s3.Bucket) -> s3.BucketPolicy:
    """Refuse every request that is not made over TLS."""
    plain = Condition(Bool({"aws:SecureTransport": "false"}))
    refused = Statement(
        Effect=Deny,
        Principal=Principal("*"),
        Action=[actions.Action("*")],
        Resource=[GetAtt(bucket, "Arn"), Join("", [GetAtt(bucket, "Arn"), "/*"])],
        Condition=plain,
    )
    return s3.BucketPolicy(
        "BucketPolicy",
        Bucket=Ref(bucket),
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[refused]),
    )
