"""ECS DNS discovery: a cluster whose services find each other by name, as soon as they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Base64, GetAtt, Ref, Sub, awslambda, ecr, ecs, logs, route53
from troposphere import servicediscovery as discovery

from ..blocks import functions, instances, roles
from ..blocks.network import SUBNETS_IN_VPC, Network
from ..blocks.user_data import user_data
from ..core import Blueprint
from . import assets, cluster, images, network, permissions, services, zone
from .config import Agent, CloudMap, DiscoveryConfig, ServiceConnect
from .parameters import DiscoveryParameters

_BOOTSTRAP = Path(__file__).parent / "bootstrap"


@dataclass(frozen=True)
class AgentParts:
    """What the agent needs of the stack."""

    zone: route53.HostedZone
    layer: awslambda.LayerVersion
    records: zone.Records


class EcsDnsDiscovery(DiscoveryParameters, Blueprint[DiscoveryConfig]):
    """A cluster whose containers are found by name as soon as they run."""

    def build(self) -> None:
        net = self.add(self.network())
        groups = self.add(
            network.groups(net.vpc_id, self.client_cidr, 443 if self.config.tls else 80, checked=self.checked)
        )
        repositories = [self.add(images.repository(each, self.encryption_key)) for each in images.SERVICES]
        built = self.images(repositories)
        namespace = self.namespace(net)
        agent = self.agent(net, groups)
        home = self.add(cluster.cluster(GetAtt(namespace, "Arn") if self.connects else None))
        capacity = self.capacity(net, groups, home, agent)
        entrance = self.add(
            services.entrance(
                net.vpc_id,
                net.public_subnet_ids,
                net.public_ready,
                groups.balancer,
                self.certificate_arn if self.config.tls else None,
                self.config.http_reason,
            )
        )
        self.services(home, repositories, [built, capacity], entrance, namespace)

        scheme = "https" if self.config.tls else "http"
        address = f"{scheme}://${{{entrance.balancer.title}.DNSName}}/"
        words = "Address of the portal" + (
            "; point the certificate's name to it." if self.config.tls else "."
        )
        self.output("PortalURL", Sub(address), words)
        self.output("ClusterName", Ref(home), "Name of the cluster.")
        self.output("VpcId", net.vpc_id, "Network in which services find each other.")
        self.output(
            "InstanceSecurityGroupId",
            Ref(groups.instance),
            "Security group of the instances, for further services.",
        )
        if agent is not None:
            self.output("HostedZoneId", Ref(agent.zone), "Zone that holds the records.")
        elif isinstance(self.config.discovery, CloudMap) and namespace is not None:
            self.output("NamespaceId", Ref(namespace), "Cloud Map's namespace, for further services.")

    def contradictions(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Sizes that the group refuses."""
        least, most = int(values["MinSize"]), int(values["MaxSize"])
        if least > most:
            yield "MinSize", f"got {least} of {most} instances; write at most MaxSize"

    @property
    def connects(self) -> bool:
        """Whether services find each other by Service Connect."""
        return isinstance(self.config.discovery, ServiceConnect)

    @property
    def checked(self) -> bool:
        """Whether the health function asks tasks."""
        chosen = self.config.discovery
        return isinstance(chosen, Agent) and chosen.health.checks

    def log_group(self, title: str) -> logs.LogGroup:
        """A log group of the stack's own."""
        return functions.log_group(title, self.config.log_retention_days, self.encryption_key)

    # Network and names

    def network(self) -> Network:
        """A new network over two zones, or the subnets that exist."""
        if self.environment.network == "new":
            net = network.two_zone_network()
            if self.config.flow_logs:
                group = self.add(self.log_group("FlowLogGroup"))
                role = self.add(permissions.flow_log_role(group))
                self.add(network.flow_log(net.vpc_id, group, role))
            return net
        self.rule("SubnetsInVpc", {"Every subnet must belong to VpcId.": SUBNETS_IN_VPC})
        return Network(
            vpc_id=self.vpc_id,
            public_subnet_ids=self.public_subnet_ids,
            private_subnet_ids=self.private_subnet_ids,
        )

    def namespace(self, net: Network) -> discovery.PrivateDnsNamespace | discovery.HttpNamespace | None:
        """Where Cloud Map or Service Connect keeps what it knows."""
        if isinstance(self.config.discovery, CloudMap):
            return self.add(
                discovery.PrivateDnsNamespace("DnsNamespace", Name=self.zone_name, Vpc=net.vpc_id)
            )
        if self.connects:
            return self.add(discovery.HttpNamespace("HttpNamespace", Name=Sub("${AWS::StackName}")))
        return None

    # Images

    def images(self, repositories: list[ecr.Repository]) -> images.Images:
        """The images, built and pushed before any service starts."""
        inline = not isinstance(self.config.discovery, Agent)
        build_logs = self.add(self.log_group("BuildLogGroup"))
        granted = permissions.push(repositories, build_logs)
        layer: Ref | None = None
        if not inline:
            layer = Ref(self.add(assets.layer("ImagesLayerVersion", "image", "What the images are made of")))
            granted.append(permissions.fetch(layer))
        build_role = self.add(roles.role("BuildRole", "codebuild", granted))
        project = self.add(images.project(repositories, build_role, build_logs, self.encryption_key, layer))
        function_logs = self.add(self.log_group("ImagesFunctionLogGroup"))
        granted = [permissions.build(GetAtt(project, "Arn")), roles.write_logs(GetAtt(function_logs, "Arn"))]
        role = self.add(roles.role("ImagesFunctionRole", "lambda", granted))
        function = self.add(images.builder(project, role, function_logs, inline=inline))
        return self.add(images.built(function, repositories))

    # Agent

    def agent(self, net: Network, groups: network.Groups) -> AgentParts | None:
        """The zone, the agent's code and the function that keeps the zone clean, if the agent is chosen."""
        if not isinstance(self.config.discovery, Agent):
            return None
        health = self.config.discovery.health
        hosted = self.add(zone.hosted_zone(self.zone_name, net.vpc_id))
        layer = self.add(assets.layer("AgentLayerVersion", "agent", "Agent that runs on the hosts"))
        log_group = self.add(self.log_group("HealthFunctionLogGroup"))
        granted = [
            permissions.read_zone(hosted),
            permissions.clear_zone(hosted),
            permissions.look_around(),
            *permissions.tasks(stop=health.checks),
            roles.write_logs(GetAtt(log_group, "Arn")),
        ]
        if health.checks:
            granted += permissions.in_vpc()
        role = self.add(roles.role("HealthFunctionRole", "lambda", granted))
        function = self.add(
            zone.health_function(
                hosted,
                role,
                log_group,
                health.stop_percent if health.checks else None,
                groups.checker,
                net.private_subnet_ids,
                net.private_ready,
            )
        )
        for each in zone.rules(function, health.schedule_minutes):
            self.add(each)
        after = (*net.private_ready, *groups.rules) if health.checks else ()
        return AgentParts(hosted, layer, self.add(zone.cleaned(hosted, function, after)))

    # Cluster

    def capacity(
        self,
        net: Network,
        groups: network.Groups,
        home: ecs.Cluster,
        agent: AgentParts | None,
    ) -> ecs.ClusterCapacityProviderAssociations:
        """The instances, counted by the cluster."""
        granted = permissions.join(Ref(home), GetAtt(home, "Arn"))
        if self.config.sessions:
            granted.append(roles.session_manager())
        ready: tuple[AWSObject, ...] = (*net.private_ready, *groups.rules)
        if agent is not None:
            granted += permissions.boot(Ref(agent.layer))
            granted += [
                permissions.know_zone(agent.zone),
                permissions.read_zone(agent.zone),
                permissions.write_zone(agent.zone, self.zone_name, ("UPSERT", "DELETE")),
            ]
            ready = (*ready, agent.records)
        role = self.add(roles.role("InstanceRole", "ec2", granted))
        profile = self.add(roles.instance_profile("InstanceProfile", role))
        template = self.add(
            instances.launch_template(
                "LaunchTemplate",
                profile,
                instances.root_volume(instances.AMAZON_LINUX_ROOT, cluster.VOLUME_GIB, self.encryption_key),
                SecurityGroupIds=[Ref(groups.instance)],
                UserData=self.boot(home, agent),
                ImageId=self.image_parameter,
                InstanceType=self.instance_type,
            )
        )
        fleet = self.add(
            cluster.group(
                template,
                net.private_subnet_ids,
                ready,
                least=self.min_size,
                most=self.max_size,
                signals=agent is not None,
            )
        )
        provider = self.add(cluster.capacity_provider(fleet))
        return self.add(cluster.association(home, provider))

    def boot(self, home: ecs.Cluster, agent: AgentParts | None) -> Base64:
        """What an instance does first."""
        chosen = self.config.discovery
        if agent is None or not isinstance(chosen, Agent):
            return user_data(_BOOTSTRAP / "join.sh", {"CLUSTER": Ref(home)})
        return user_data(
            _BOOTSTRAP / "agent.sh",
            {
                "REGION": Ref("AWS::Region"),
                "STACK_ID": Ref("AWS::StackId"),
                "CLUSTER": Ref(home),
                "LAYER_ARN": Ref(agent.layer),
                "AGENT_SHA256": assets.digest("agent"),
                "ZONE_ID": Ref(agent.zone),
                "ZONE_NAME": self.zone_name,
                "TTL": str(chosen.ttl),
                "ANSWERS": chosen.answers,
                "HOSTS": self.max_size,
                "BOOT_DEADLINE": str(cluster.BOOT_SECONDS),
                "RETRY_SECONDS": "15",
            },
        )

    # Services

    def services(
        self,
        home: ecs.Cluster,
        repositories: list[ecr.Repository],
        after: list[AWSObject],
        entrance: services.Entrance,
        namespace: discovery.PrivateDnsNamespace | discovery.HttpNamespace | None,
    ) -> None:
        """Portal, time and calc."""
        log_group = self.add(self.log_group("ServicesLogGroup"))
        credentials = self.add(services.secret(self.encryption_key))
        role = self.add(
            permissions.execution_role(repositories, log_group, Ref(credentials), self.encryption_key)
        )
        kept: dict[str, ecr.Repository] = dict(zip(images.SERVICES, repositories, strict=True))
        for each in (services.PORTAL, services.TIME, services.CALC):
            definition = self.add(
                services.task_definition(
                    each, images.uri(kept[each.image]), self.variables(each), role, credentials, log_group
                )
            )
            more: dict[str, Any] = {}
            first = after
            if each is services.PORTAL:
                more |= services.balanced(entrance.target_group)
                first = [*after, entrance.listener]
            elif isinstance(namespace, discovery.PrivateDnsNamespace):
                ttl = self.config.discovery.ttl if isinstance(self.config.discovery, CloudMap) else 0
                entry = self.add(services.cloud_map_service(each, namespace, ttl))
                more["ServiceRegistries"] = services.registry(each, entry)
            if self.connects:
                more["ServiceConnectConfiguration"] = services.connected(each, log_group)
            self.add(services.service(each, home, definition, first, **more))

    def variables(self, service: services.Service) -> dict[str, AWSHelperFn | str]:
        """Variables of a container: what it is to be found as, or where the portal finds the others."""
        if service is services.PORTAL:
            others = (services.TIME, services.CALC)
            return {f"{each.found.upper()}_SERVICE": self.place(each) for each in others}
        found: dict[str, AWSHelperFn | str] = {}
        if isinstance(self.config.discovery, Agent):
            found[f"SERVICE_{service.port}_NAME"] = service.srv
        if self.checked:
            found[f"SERVICE_{service.port}_CHECK"] = "http:/health"
        return found

    def place(self, service: services.Service) -> AWSHelperFn | str:
        """Where the portal looks for a service."""
        if self.connects:
            return f"{service.found}:{service.port}"
        return Sub(f"{service.srv}.${{{self.zone_name.data['Ref']}}}")
