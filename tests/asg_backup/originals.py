"""What was wrong with the post's backup, and its logic and its template restated as briefly as they show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

# The rows of the parity page's table, in its order.
DEFECTS = {
    "D2.1": "the document uses the region in the topic's ARN before it has one",
    "D2.2": "the first command invocation of an empty list, and the hook waits for an hour",
    "D2.3": "a command that is in progress counts as a success, and what fails later is never seen",
    "D2.4": "a backup that failed is completed with CONTINUE; a file that changes means no upload at all",
    "D2.5": "no heartbeat: what takes longer than the hook's time-out is cut off",
    "D2.6": "the archive is written to the root disk first, without compression, checksum or a key of its own",
    "D2.7": "the script is of bash, and runs under sh",
    "D2.8": "instance metadata without a token",
    "D2.9": "every group of the account, every resource, full access",
    "D2.10": "an instance that cannot be reached is asked until the function's time is up, and nobody completes",
    "D2.11": "a status that is not foreseen abandons; an event that is not foreseen is a NameError",
    "D2.12": "an empty message, a message without an end, names of one group in the document",
    "D2.13": "no VPC, a launch configuration, a map of images, eight manual steps, no outputs",
    "D2.14": "Spot interruptions and warm pools are not considered",
}


_ACTION = ("AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")


def handler(event: dict[str, Any], ssm: Any, autoscaling: Any, sleep: Callable[[float], None]) -> None:
    """The post's function: it looks until the command has begun, and leaves the rest to the script."""
    detail = event["detail"]
    action = {name: detail[name] for name in _ACTION}
    try:
        sent = ssm.send_command(InstanceIds=[detail["EC2InstanceId"]], DocumentName="ASGLogBackup")
        for _ in range(300):  # what Lambda gives it
            found = ssm.list_command_invocations(CommandId=sent["Command"]["CommandId"])
            status = found["CommandInvocations"][0]["Status"]
            if status in ("InProgress", "Success"):
                return
            if status != "Pending":
                autoscaling.complete_lifecycle_action(LifecycleActionResult="ABANDON", **action)
                return
            sleep(1)
    except Exception as error:
        print(error)  # noqa: T201 - the post logs it


SCRIPT = """#!/bin/sh
INSTANCEID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
INSTANCEID=${KNOWN:-$INSTANCEID}
HOOKRESULT='CONTINUE'
tar -cf /tmp/${INSTANCEID}.tar $BACKUPDIRECTORY > /tmp/backup 2>&1
if [ $? -ne 0 ]; then
  MESSAGE=$(cat /tmp/backup)
else
  aws s3 cp /tmp/${INSTANCEID}.tar s3://$S3BUCKET/${INSTANCEID}/ > /tmp/backup 2>&1
  MESSAGE=$(cat /tmp/backup)
fi
echo "$MESSAGE $HOOKRESULT"
"""

BASH = """#!/bin/sh
AZ=us-east-1a
REGION=${AZ::-1}
ls /srv &> /dev/null
aws s3 cp /etc/hostname s3://$S3BUCKET/$REGION/
"""

TEMPLATE: dict[str, Any] = yaml.safe_load("""
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Document:
    Type: AWS::SSM::Document
    Properties:
      Content:
        schemaVersion: '1.2'
        runtimeConfig:
          aws:runShellScript:
            properties:
              - runCommand:
                  - ASGNAME='ASGBackup'
                  - LIFECYCLEHOOKNAME='ASGBackup'
                  - SNSTARGET='arn:aws:sns:${REGION}:123456789012:backupoutcome'
                  - REGION=${AZ::-1}
                  - aws sns publish --subject "ASG Backup" --message "$MESSAGE" --target-arn $SNSTARGET
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.autoscaling]
        detail: {LifecycleTransition: ['autoscaling:EC2_INSTANCE_TERMINATING']}
      Targets: [{Id: Function, Arn: {Ref: Function}}]
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement: [{Effect: Allow, Action: ['autoscaling:CompleteLifecycleAction', 'sns:Publish'], Resource: '*'}]
  LambdaRole:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonSSMFullAccess', {Ref: Policy}]
  SecurityGroup: {Type: 'AWS::EC2::SecurityGroup', Properties: {GroupDescription: ssh}}
  LaunchConfiguration:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties: {ImageId: {'Fn::FindInMap': [Images, {Ref: 'AWS::Region'}, Id]}, InstanceType: t2.nano}
  LifecycleHook:
    Type: AWS::AutoScaling::LifecycleHook
    Properties: {LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING'}
""")
