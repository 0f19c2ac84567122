"""Who may do what: instances write backups, state machines follow them, and whoever restores may read them."""

from __future__ import annotations

from awacs import autoscaling, kms, s3, sns, ssm, states
from awacs.aws import Condition, PolicyDocument, StringEquals, StringLike
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, iam, stepfunctions
from troposphere import s3 as buckets
from troposphere import sns as topics
from troposphere import ssm as documents

from ..blocks import roles

# Service Authorization Reference, of each service.
_LOOKS = "the action has no resource-level permissions"


def write_backups(bucket: buckets.Bucket, prefix: Ref, key: AWSHelperFn | None) -> list[roles.Grant]:
    """Write below the prefix and see which versions are there, without reading any."""
    below = Condition(StringLike({"s3:prefix": Sub(f"${{{prefix.data['Ref']}}}/*")}))
    granted = [
        roles.allow(
            s3.PutObject,
            s3.AbortMultipartUpload,
            on=Sub(f"${{{bucket.title}.Arn}}/${{{prefix.data['Ref']}}}/*"),
        ),
        roles.allow(s3.ListBucketVersions, on=GetAtt(bucket, "Arn"), condition=below),
    ]
    if key is not None:
        # S3 User Guide, "Multipart upload API and permissions": the parts are decrypted when they become one object.
        granted.append(roles.allow(kms.GenerateDataKey, kms.Decrypt, on=key, condition=_through("s3")))
    return granted


def read_backups(bucket_name: Ref, prefix: Ref, key: AWSHelperFn | None) -> list[roles.Grant]:
    """List backups and read them."""
    arn = f"arn:${{AWS::Partition}}:s3:::${{{bucket_name.data['Ref']}}}"
    below = Condition(StringLike({"s3:prefix": Sub(f"${{{prefix.data['Ref']}}}/*")}))
    granted = [
        roles.allow(s3.GetObject, s3.GetObjectVersion, on=Sub(f"{arn}/${{{prefix.data['Ref']}}}/*")),
        roles.allow(s3.ListBucket, on=Sub(arn), condition=below),
    ]
    if key is not None:
        granted.append(roles.decrypt(key, via="s3"))
    return granted


def policy(granted: list[roles.Grant]) -> PolicyDocument:
    """Grants as the document of a policy that is a resource of its own."""
    return PolicyDocument(Version="2012-10-17", Statement=[each.statement() for each in granted])


def intake_role(group: AWSHelperFn, machine: stepfunctions.StateMachine, *, spot: bool) -> iam.Role:
    """Start the one state machine; with Spot, look up an instance's group and take it out of ours."""
    granted = [roles.allow(states.StartExecution, on=Ref(machine))]
    if spot:
        granted += [
            roles.allow_everywhere(autoscaling.DescribeAutoScalingInstances, because=_LOOKS),
            roles.allow(autoscaling.TerminateInstanceInAutoScalingGroup, on=_group_arn(group)),
        ]
    return roles.role("IntakeStateMachineRole", "states", granted)


def machine_role(
    group: AWSHelperFn, document: documents.Document, topic: topics.Topic, topic_key: AWSHelperFn
) -> iam.Role:
    """Run the one document on instances of the one group, answer its hook, and tell the topic."""
    # Amazon EC2 Auto Scaling User Guide, "Tag lifecycle": every instance carries its group's name.
    ours = Condition(StringLike({"ssm:resourceTag/aws:autoscaling:groupName": group}))
    granted = [
        roles.allow(
            autoscaling.CompleteLifecycleAction,
            autoscaling.RecordLifecycleActionHeartbeat,
            on=_group_arn(group),
        ),
        roles.allow(ssm.SendCommand, on=roles.arn("ssm", "document", Sub(f"${{{document.title}}}"))),
        roles.allow(ssm.SendCommand, on=roles.arn("ec2", "instance", "*"), condition=ours),
        roles.allow_everywhere(
            autoscaling.DescribeAutoScalingInstances,
            ssm.CancelCommand,
            ssm.GetCommandInvocation,
            because=_LOOKS,
        ),
        roles.allow(sns.Publish, on=Ref(topic)),
        roles.allow(kms.GenerateDataKey, kms.Decrypt, on=topic_key, condition=_through("sns")),
    ]
    return roles.role("StateMachineRole", "states", granted)


def rule_role(intake: stepfunctions.StateMachine) -> iam.Role:
    """Hand events to the one state machine."""
    return roles.role("RuleRole", "events", [roles.allow(states.StartExecution, on=Ref(intake))])


def _group_arn(group: AWSHelperFn) -> Sub:
    name = group if isinstance(group, Sub) else Sub(f"${{{group.data['Ref']}}}")
    return roles.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName", name)


def _through(service: str) -> Condition:
    return Condition(StringEquals({"kms:ViaService": Sub(f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")}))
