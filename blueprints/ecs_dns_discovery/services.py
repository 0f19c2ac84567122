"""The three services: what each runs, how it is found, and the load balancer in front of the portal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import (
    AWSHelperFn,
    AWSObject,
    GetAtt,
    Ref,
    Sub,
    ec2,
    ecs,
    iam,
    logs,
    secretsmanager,
    servicediscovery,
)
from troposphere import elasticloadbalancingv2 as elb

from ..blocks.acceptance import accept
from ..blocks.network import waiting
from ..blocks.properties import given

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True)
class Service:
    """One of the post's services. `image` names its module and repository, `found` the name it is found by."""

    title: str
    image: str
    found: str
    port: int
    count: int
    cpu: int
    memory: int

    @property
    def srv(self) -> str:
        """Its name in the zone, as RFC 2782 has it."""
        return f"_{self.found}._tcp"


PORTAL = Service("Portal", "portal", "portal", 8080, 1, 200, 192)
TIME = Service("Time", "clock", "time", 8081, 2, 100, 128)
CALC = Service("Calc", "calc", "calc", 8081, 2, 100, 128)


class _DnsRecord(servicediscovery.DnsRecord):
    """A record whose TTL is the number that CloudFormation asks for; troposphere takes text."""

    props = {  # noqa: RUF012 - troposphere's own form
        "TTL": (int, True),
        "Type": (str, True),
    }


def secret(key: AWSHelperFn | None) -> secretsmanager.Secret:
    """The password by which the portal is known to the other two."""
    return secretsmanager.Secret(
        "CredentialsSecret",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        Description="What the portal says to time and calc",
        GenerateSecretString=secretsmanager.GenerateSecretString(
            SecretStringTemplate='{"username": "portal"}',
            GenerateStringKey="password",
            ExcludePunctuation=True,
            PasswordLength=32,
        ),
        **given(KmsKeyId=key),
    )


def task_definition(
    service: Service,
    image: Sub,
    variables: dict[str, Any],
    role: iam.Role,
    credentials: secretsmanager.Secret,
    log_group: logs.LogGroup,
) -> ecs.TaskDefinition:
    """One container on a port of the host that Docker chooses; it may write nothing and call nothing of AWS."""
    known = ("TIME", "CALC") if service is PORTAL else (service.image.upper(),)
    secrets = [
        ecs.Secret(Name=f"{each}_{part.upper()}", ValueFrom=Sub(f"${{{credentials.title}}}:{part}::"))
        for each in known
        for part in ("username", "password")
    ]
    container = ecs.ContainerDefinition(
        Name=service.found,
        Image=image,
        Cpu=service.cpu,
        Memory=service.memory,
        Essential=True,
        User="65534:65534",
        ReadonlyRootFilesystem=True,
        PortMappings=[
            ecs.PortMapping(ContainerPort=service.port, HostPort=0, Name="http", AppProtocol="http")
        ],
        HealthCheck=ecs.HealthCheck(
            Command=["CMD", "python", "server.py", "check"], Interval=10, Timeout=5, Retries=3, StartPeriod=10
        ),
        LinuxParameters=ecs.LinuxParameters(
            Capabilities=ecs.KernelCapabilities(Drop=["ALL"]), InitProcessEnabled=True
        ),
        LogConfiguration=ecs.LogConfiguration(
            LogDriver="awslogs",
            Options={
                "awslogs-group": Ref(log_group),
                "awslogs-region": Ref("AWS::Region"),
                "awslogs-stream-prefix": service.found,
            },
        ),
        Environment=[ecs.Environment(Name=name, Value=value) for name, value in variables.items()],
        Secrets=secrets,
    )
    return ecs.TaskDefinition(
        f"{service.title}TaskDefinition",
        ContainerDefinitions=[container],
        ExecutionRoleArn=GetAtt(role, "Arn"),
        NetworkMode="bridge",
        RequiresCompatibilities=["EC2"],
    )


def cloud_map_service(
    service: Service, namespace: servicediscovery.PrivateDnsNamespace, ttl: int
) -> servicediscovery.Service:
    """Where ECS registers a service's tasks: each an SRV record, up to eight in an answer."""
    return servicediscovery.Service(
        f"{service.title}DiscoveryService",
        Name=service.srv,
        DnsConfig=servicediscovery.DnsConfig(
            NamespaceId=Ref(namespace),
            RoutingPolicy="MULTIVALUE",
            DnsRecords=[_DnsRecord(Type="SRV", TTL=ttl)],
        ),
        HealthCheckCustomConfig=servicediscovery.HealthCheckCustomConfig(FailureThreshold=1),
    )


def service(
    what: Service,
    cluster: ecs.Cluster,
    definition: ecs.TaskDefinition,
    after: Sequence[AWSObject],
    **more: Any,
) -> ecs.Service:
    """Keeps as many tasks as asked for, in both zones; a deployment whose tasks do not start is taken back."""
    return ecs.Service(
        f"{what.title}Service",
        **waiting(after),
        Cluster=Ref(cluster),
        DeploymentConfiguration=ecs.DeploymentConfiguration(
            DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(Enable=True, Rollback=True),
            MaximumPercent=200,
            MinimumHealthyPercent=100,
        ),
        DesiredCount=what.count,
        PlacementStrategies=[
            ecs.PlacementStrategy(Type="spread", Field="attribute:ecs.availability-zone"),
            ecs.PlacementStrategy(Type="binpack", Field="memory"),
        ],
        TaskDefinition=Ref(definition),
        **more,
    )


def registry(what: Service, entry: servicediscovery.Service) -> list[ecs.ServiceRegistry]:
    """ECS tells Cloud Map of each task, and of the port that Docker chose."""
    return [
        ecs.ServiceRegistry(
            RegistryArn=GetAtt(entry, "Arn"), ContainerName=what.found, ContainerPort=what.port
        )
    ]


def connected(what: Service, log_group: logs.LogGroup) -> ecs.ServiceConnectConfiguration:
    """A proxy beside each task; `time:8081` and `calc:8081` are names that it knows."""
    alias = ecs.ServiceConnectClientAlias(DnsName=what.found, Port=what.port)
    offered = [ecs.ServiceConnectService(PortName="http", ClientAliases=[alias])]
    options = {
        "awslogs-group": Ref(log_group),
        "awslogs-region": Ref("AWS::Region"),
        "awslogs-stream-prefix": "proxy",
    }
    return ecs.ServiceConnectConfiguration(
        Enabled=True,
        LogConfiguration=ecs.LogConfiguration(LogDriver="awslogs", Options=options),
        **given(Services=None if what is PORTAL else offered),
    )


def balanced(target_group: elb.TargetGroup) -> dict[str, Any]:
    """Properties of a service that a load balancer stands in front of."""
    return {
        "HealthCheckGracePeriodSeconds": 60,
        "LoadBalancers": [
            ecs.LoadBalancer(
                ContainerName=PORTAL.found, ContainerPort=PORTAL.port, TargetGroupArn=Ref(target_group)
            )
        ],
    }


# What checkov and Guard have against a listener without TLS
_WITHOUT_TLS = ("CKV_AWS_2", "CKV_AWS_103", "alb_http_to_https_redirection_check")


@dataclass(frozen=True)
class Entrance:
    """The load balancer, and what stands behind it."""

    balancer: elb.LoadBalancer
    target_group: elb.TargetGroup
    listener: elb.Listener


def entrance(
    vpc_id: AWSHelperFn,
    subnets: Any,
    ready: Sequence[AWSObject],
    group: ec2.SecurityGroup,
    certificate: AWSHelperFn | None,
    http_reason: str | None,
) -> Entrance:
    """The portal's address. Without TLS it says why there is none."""
    balancer = elb.LoadBalancer(
        "LoadBalancer",
        **waiting(ready),
        LoadBalancerAttributes=[
            elb.LoadBalancerAttributes(Key="routing.http.drop_invalid_header_fields.enabled", Value="true")
        ],
        Scheme="internet-facing",
        SecurityGroups=[Ref(group)],
        Subnets=subnets,
        Type="application",
    )
    target_group = elb.TargetGroup(
        "PortalTargetGroup",
        HealthCheckIntervalSeconds=10,
        HealthCheckPath="/health",
        HealthCheckPort="traffic-port",
        HealthyThresholdCount=2,
        Matcher=elb.Matcher(HttpCode="200"),
        Port=80,
        Protocol="HTTP",
        TargetGroupAttributes=[
            elb.TargetGroupAttribute(Key="deregistration_delay.timeout_seconds", Value="30")
        ],
        TargetType="instance",
        VpcId=vpc_id,
    )
    secure: dict[str, Any] = {"Port": 80, "Protocol": "HTTP"}
    if certificate is not None:
        given_certificate = [elb.Certificate(CertificateArn=certificate)]
        secure = {
            "Port": 443,
            "Protocol": "HTTPS",
            "SslPolicy": TLS_POLICY,
            "Certificates": given_certificate,
        }
    listener = elb.Listener(
        "Listener",
        DefaultActions=[elb.Action(Type="forward", TargetGroupArn=Ref(target_group))],
        LoadBalancerArn=Ref(balancer),
        **secure,
    )
    if http_reason is not None:
        accept(listener, _WITHOUT_TLS, f"No TLS, as the stack file says: {http_reason}")
    return Entrance(balancer, target_group, listener)
