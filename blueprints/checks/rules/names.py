"""Physical names: what keeps a second copy of a stack out of an account, a region, or the world."""

from __future__ import annotations

from collections.abc import Iterator

from ..check import Hit, at, check
from ..model import Model, Resource, arms, entries, function, substituted, with_defaults, written

# Names that are the same in every region of an account, or in all accounts
_GLOBAL = {
    "AWS::CloudFront::CachePolicy": "CachePolicyConfig.Name",
    "AWS::CloudFront::Function": "Name",
    "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig.Name",
    "AWS::CloudFront::OriginRequestPolicy": "OriginRequestPolicyConfig.Name",
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig.Name",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::S3::Bucket": "BucketName",
}
_REGIONAL = {
    "AWS::ApiGateway::ApiKey": "Name",
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::AutoScaling::LaunchConfiguration": "LaunchConfigurationName",
    "AWS::Batch::ComputeEnvironment": "ComputeEnvironmentName",
    "AWS::Batch::JobQueue": "JobQueueName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::EC2::KeyPair": "KeyName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::CapacityProvider": "Name",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::EKS::Cluster": "Name",
    "AWS::ElastiCache::CacheCluster": "ClusterName",
    "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
    "AWS::ElasticLoadBalancing::LoadBalancer": "LoadBalancerName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Elasticsearch::Domain": "DomainName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::Glue::Crawler": "Name",
    "AWS::Glue::Job": "Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::OpenSearchService::Domain": "DomainName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::RDS::DBSubnetGroup": "DBSubnetGroupName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::SimpleTable": "TableName",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Document": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
_SAME_IN_EVERY_STACK = {"AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::URLSuffix"}


def names(model: Model, properties: dict[str, str]) -> Iterator[tuple[Resource, str, str]]:
    """Every name that a template gives: its resource, its property, and the name as written."""
    for resource in model.of(*properties):
        value: object = resource.raw_properties()
        for key in properties[resource.type].split("."):
            value = next((entries(each).get(key) for each in arms(value)), None)
        resolved = resource.get(properties[resource.type])
        for each in arms(value):
            # Of a mapping the entry is known, though not written here.
            known = isinstance(resolved, str) and function(each)[0] == "Fn::FindInMap"
            yield resource, f"Properties.{properties[resource.type]}", resolved if known else written(each)


@check(
    "CB019",
    "Fixed physical name",
    harm="A second copy of the stack fails because the name is taken, and an update that has to replace the"
    " resource fails for the same reason.",
    source="CloudFormation User Guide, 'Name type'; convox/rack#2941",
    remedy="leave the name out, or build it from ${AWS::StackName}",
    of_source=True,
)
@with_defaults
def fixed_name(model: Model) -> Iterator[Hit]:
    for resource, path, name in names(model, _GLOBAL | _REGIONAL):
        if set(substituted(name)) <= _SAME_IN_EVERY_STACK:
            yield Hit(at(resource.id, path), f"every copy of the stack has the name {name}")


@check(
    "CB020",
    "Name of a global type that two regions share",
    harm="The same stack in a second region fails because the first one has the name already.",
    source="CloudFormation User Guide, 'Name type'; stelligent/mu#187",
    remedy="leave the name out, or put ${AWS::Region} into it too",
    of_source=True,
)
@with_defaults
def same_name_in_every_region(model: Model) -> Iterator[Hit]:
    for resource, path, name in names(model, _GLOBAL):
        parts = set(substituted(name))
        if "AWS::StackName" in parts and parts <= {"AWS::StackName"} | _SAME_IN_EVERY_STACK - {"AWS::Region"}:
            yield Hit(at(resource.id, path), f"{name} is the same in every region")
