"""ASG backup: before an instance of an Auto Scaling group ends, its task is run and its files are in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from troposphere import (
    AWSHelperFn,
    Base64,
    GetAtt,
    Ref,
    Sub,
    autoscaling,
    events,
    iam,
    s3,
    sns,
    ssm,
    stepfunctions,
)

from ..blocks import instances, roles
from ..blocks.properties import given
from ..blocks.user_data import user_data
from ..core import Blueprint
from . import alerts, intake, machine, permissions, scripts, states, storage, wiring
from . import group as groups
from .config import BackupConfig
from .parameters import BackupParameters
from .states import State

_PROXY = Path(__file__).parent / "bootstrap" / "proxy.sh"
_RESTORE_SECONDS = 6 * 3600
# EC2 ends a Spot instance two minutes after its warning.
_SPOT_SECONDS = 120


class AsgBackup(BackupParameters, Blueprint[BackupConfig]):
    """Back an instance up before its Auto Scaling group ends it."""

    def build(self) -> None:
        if self.config.group == "none":
            self.restore()
            return
        bucket = self.add(storage.bucket(self.config.retention_days, self.encryption_key))
        self.add(storage.bucket_policy(bucket))
        key = self.topic_key()
        topic = self.add(self.topic(key))
        document = self.add(self.backup_document(bucket))
        state_machine = self.add(self.state_machine(document, topic, key))
        intake = self.add(self.intake(state_machine))
        group = self.watched(bucket, intake, topic)
        self.add(alerts.failure_alarm(state_machine, intake, topic))

        self.output("AutoScalingGroupName", group, "Auto Scaling group whose instances are backed up.")
        self.output("BucketName", Ref(bucket), "Bucket that holds the backups.")
        self.output("TopicArn", Ref(topic), "Topic that is told what happened to each instance.")
        self.output("DocumentName", Ref(document), "Document that runs the task and the backup.")
        self.output("StateMachineArn", Ref(state_machine), "State machine that sees each backup through.")

    def restore(self) -> None:
        """The means to restore, which no backup's stack has to exist for."""
        document, policy = self.add(self.restore_document()), self.add(self.restore_policy())
        self.output(
            "RestoreDocumentName", Ref(document), "Document that lists, verifies and unpacks backups."
        )
        self.output("RestorePolicyArn", Ref(policy), "Policy for the roles of instances that restore.")

    def contradictions(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Values that CloudFormation takes one by one and the services refuse together."""
        if int(values.get("MinSize", "0")) > int(values.get("MaxSize", "0")):
            yield "MinSize", f"got {values['MinSize']}, more than MaxSize; write at most {values['MaxSize']}"
        if (
            self.config.group != "none"
            and not values.get("BackupDirectories")
            and not values.get("TaskCommand")
        ):
            yield "BackupDirectories", "empty, and so is TaskCommand; write folders, a command or both"

    # Documents

    def backup_document(self, bucket: s3.Bucket) -> ssm.Document:
        """What runs on an instance before its end."""
        # The state machine names the group; by hand, whoever sends the command may.
        group = self.auto_scaling_group_name if self.config.group == "existing" else "manual"
        values = scripts.backup_values(
            {
                "Group": group,
                "BackupDirectories": self.backup_directories,
                "ExcludePatterns": self.exclude_patterns,
                "TaskCommand": self.task_command,
            }
        )
        return scripts.document(
            "BackupDocument",
            "backup.sh",
            "Runs a task and streams files to S3, with a manifest.",
            [
                *scripts.stored(Ref(bucket), self.backup_prefix),
                *values,
                scripts.deadline(self.config.timing.deadline_minutes * 60),
            ],
        )

    def restore_document(self) -> ssm.Document:
        """What brings a backup back, on any instance with the policy below."""
        return scripts.document(
            "RestoreDocument",
            "restore.sh",
            "Lists backups, verifies one, or unpacks one that it has verified.",
            [
                *scripts.stored(self.bucket_name, self.backup_prefix),
                *scripts.restore_values(),
                scripts.deadline(_RESTORE_SECONDS),
            ],
        )

    def restore_policy(self) -> iam.ManagedPolicy:
        """For the roles of instances that restore; attached to none."""
        granted = permissions.read_backups(self.bucket_name, self.backup_prefix, self.encryption_key)
        return iam.ManagedPolicy("RestoreManagedPolicy", PolicyDocument=permissions.policy(granted))

    # Notification

    def topic_key(self) -> AWSHelperFn:
        """What encrypts the topic: the environment's key, or one of the stack's own."""
        return self.encryption_key or GetAtt(self.add(alerts.topic_key()), "Arn")

    def topic(self, key: AWSHelperFn) -> sns.Topic:
        """The topic, with its policy and, if asked for, a subscriber."""
        topic = alerts.topic(key)
        self.add(alerts.topic_policy(topic))
        if self.config.email:
            self.add(
                sns.SubscriptionResource(
                    "EmailSubscription", TopicArn=Ref(topic), Protocol="email", Endpoint=self.sns_email
                )
            )
        return topic

    # Orchestration

    @property
    def group_pattern(self) -> Ref | Sub:
        """The group's name; a new group's up to the part that CloudFormation chooses."""
        return groups.NEW_NAMES if self.config.group == "new" else self.auto_scaling_group_name

    def state_machine(
        self, document: ssm.Document, topic: sns.Topic, topic_key: AWSHelperFn
    ) -> stepfunctions.StateMachine:
        """What sees the task of one instance through."""
        role = self.add(permissions.machine_role(self.group_pattern, document, topic, topic_key))
        return _state_machine(
            "StateMachine", role, machine.backup(self.config), Document=Ref(document), Topic=Ref(topic)
        )

    def intake(self, backup: stepfunctions.StateMachine) -> stepfunctions.StateMachine:
        """What takes events, each once."""
        spot = self.config.spot
        role = self.add(permissions.intake_role(self.group_pattern, backup, spot=spot))
        watched = {"Group": self.group_pattern} if spot else {}
        return _state_machine(
            "IntakeStateMachine", role, intake.intake(self.config), StateMachine=Ref(backup), **watched
        )

    def rules(
        self,
        intake: stepfunctions.StateMachine,
        topic: sns.Topic,
        group: dict[str, Sub] | Ref,
        hook: Ref | str,
    ) -> list[events.Rule]:
        """Hand the hook's events to the state machine; what cannot be delivered is kept, and an alarm says so."""
        queue = self.add(alerts.undelivered())
        role = self.add(permissions.rule_role(intake))
        age = max(60, self.config.timing.heartbeat_seconds)
        rules = [self.add(wiring.lifecycle_rule(group, hook, wiring.target(intake, role, queue, age)))]
        if self.config.spot:
            rules.append(self.add(wiring.spot_rule(wiring.target(intake, role, queue, _SPOT_SECONDS))))
        self.add(alerts.undelivered_policy(queue, rules))
        self.add(alerts.undelivered_alarm(queue, topic))
        return rules

    # The group

    def watched(self, bucket: s3.Bucket, intake: stepfunctions.StateMachine, topic: sns.Topic) -> Ref:
        """The group with its hook, and the rules that watch it."""
        writes = permissions.write_backups(bucket, self.backup_prefix, self.encryption_key)
        if self.config.group == "new":
            rules = self.rules(intake, topic, groups.NEW_MATCHED, groups.HOOK)
            return Ref(self.new_group([roles.session_manager(), *writes], rules))
        name = self.auto_scaling_group_name
        policy = self.add(
            iam.PolicyType(
                "InstancePolicy",
                PolicyName="Backup",
                PolicyDocument=permissions.policy(writes),
                Roles=[self.instance_role_name],
            )
        )
        hook = self.add(groups.hook(name, self.config, [intake, policy]))
        self.rules(intake, topic, name, Ref(hook))
        return name

    def new_group(self, granted: list[roles.Grant], after: list[events.Rule]) -> autoscaling.AutoScalingGroup:
        """A group whose instances can be reached through Systems Manager and in no other way."""
        role = self.add(roles.role("InstanceRole", "ec2", granted))
        profile = self.add(roles.instance_profile("InstanceProfile", role))
        security_group = self.add(groups.security_group(self.vpc_id, proxy=self.environment.proxy))
        template = self.add(
            instances.launch_template(
                "LaunchTemplate",
                profile,
                instances.root_volume(instances.AMAZON_LINUX_ROOT, self.volume_size, self.encryption_key),
                SecurityGroupIds=[Ref(security_group)],
                **given(UserData=self.user_data()),
                ImageId=self.image_parameter,
                InstanceType=self.instance_type,
            )
        )
        sizes = {"MinSize": self.min_size, "MaxSize": self.max_size, "VPCZoneIdentifier": self.subnet_ids}
        return self.add(groups.group(template, self.config, after, **sizes))

    def user_data(self) -> Base64 | None:
        """The image has all that is needed; with a proxy its agent has to be told."""
        if not self.environment.proxy:
            return None
        return user_data(_PROXY, {"PROXY_URL": self.proxy_url, "PROXY_EXCEPT": self.no_proxy})


def _state_machine(
    title: str, role: iam.Role, definition: State, **values: Any
) -> stepfunctions.StateMachine:
    """A definition as JSON, a state on a line; CloudFormation fills in what it alone knows."""
    return stepfunctions.StateMachine(
        title,
        StateMachineType="STANDARD",
        RoleArn=GetAtt(role, "Arn"),
        DefinitionString=Sub(states.text(definition), **values),
    )
