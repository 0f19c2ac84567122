"""What is asked of an account, by its APIs alone; nothing is changed. Every question that finds a fault says so, and
those that AWS does not answer are told too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import quotas
from .needs import Launch, Needs
from .quotas import Quota

Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Answer:
    """What is known of one thing that a stack needs."""

    about: str
    good: bool
    what: str

    def __str__(self) -> str:
        return f"{'ok' if self.good else 'FAULT'}  {self.about}: {self.what}"


class Zones:
    """The zones of the region, asked once and only when they are called for. `answers` has what AWS refused to tell."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._found: list[str] | None = None
        self.answers: list[Answer] = []

    def __call__(self) -> list[str]:
        """Their names, sorted; none where AWS does not say."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._found is None:
            try:
                self._found = self._ask()
            except (BotoCoreError, ClientError) as error:
                self._found = []
                self.answers.append(Answer("zones", False, f"AWS does not say: {error}"))
        return self._found

    def _ask(self) -> list[str]:
        available = [{"Name": "state", "Values": ["available"]}]
        found = self._clients("ec2").describe_availability_zones(Filters=available)["AvailabilityZones"]
        return sorted(each["ZoneName"] for each in found if each.get("ZoneType", "") != "local-zone")


class Doctor:
    """Asks about the needs of one stack. `clients` makes a client of a service."""

    def __init__(self, needs: Needs, clients: Clients) -> None:
        self._needs, self._clients, self._ec2 = needs, clients, clients("ec2")
        self._vcpus: dict[str, int] = {}

    def answers(self) -> list[Answer]:
        """All answers. What AWS refuses to tell is a fault of its own, and stops no other question."""
        from botocore.exceptions import BotoCoreError, ClientError

        found: list[Answer] = []
        questions = (
            self._existing,
            self._types,
            self._offers,
            self._reservations,
            self._instances,
            self._limits,
        )
        for question in questions:
            try:
                found += question()
            except (BotoCoreError, ClientError) as error:
                found.append(Answer(question.__name__.strip("_"), False, f"AWS does not say: {error}"))
        return found

    # What is there already

    def _existing(self) -> Iterator[Answer]:
        """Everything that parameters name."""
        for kind, values in sorted(self._needs.existing.items()):
            ask = self._asked(kind)
            if ask:
                yield from (self._there(kind, each, ask) for each in sorted(values))

    def _asked(self, kind: str) -> Callable[[str], Any] | None:
        if kind.startswith("AWS::SSM::Parameter::Value<"):
            return lambda name: self._clients("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        ec2 = self._ec2
        asked: dict[str, Callable[[str], Any]] = {
            "AWS::EC2::KeyPair::KeyName": lambda name: ec2.describe_key_pairs(KeyNames=[name]),
            "AWS::EC2::Image::Id": lambda name: ec2.describe_images(ImageIds=[name])["Images"][0],
            "AWS::EC2::VPC::Id": lambda name: ec2.describe_vpcs(VpcIds=[name]),
            "AWS::EC2::Subnet::Id": lambda name: ec2.describe_subnets(SubnetIds=[name]),
            "AWS::EC2::SecurityGroup::Id": lambda name: ec2.describe_security_groups(GroupIds=[name]),
        }
        return asked.get(kind)

    @staticmethod
    def _there(kind: str, name: str, ask: Callable[[str], Any]) -> Answer:
        from botocore.exceptions import ClientError

        about = kind.removeprefix("AWS::").partition("<")[0].removesuffix("::Value")
        try:
            ask(name)
        except (ClientError, IndexError) as error:
            return Answer(about, False, f"{name}: {error if isinstance(error, ClientError) else 'not there'}")
        return Answer(about, True, f"{name} exists")

    # Types, where they are offered, and where capacity was bought

    def _types(self) -> Iterator[Answer]:
        """Whether the region has each type, and how large it is."""
        for name in sorted({each for launch in self._needs.launches for each in launch.types}):
            if self._size(name):
                yield Answer("Instance type", True, f"{name} has {self._size(name)} vCPUs")
            else:
                yield Answer(
                    "Instance type", False, f"{name} is not in this region; choose another type or region"
                )

    def _size(self, name: str) -> int:
        """vCPUs of a type, which count against quotas whatever an instance's CPU options; 0 if it does not exist."""
        if name not in self._vcpus:
            asked = self._ec2.describe_instance_types(Filters=[{"Name": "instance-type", "Values": [name]}])
            self._vcpus[name] = sum(each["VCpuInfo"]["DefaultVCpus"] for each in asked["InstanceTypes"])
        return self._vcpus[name]

    def _offers(self) -> Iterator[Answer]:
        for launch in self._needs.launches:
            for zone in self._zones(launch):
                names = [name for name in launch.types if self._offered(name, zone)]
                lacking = sorted(set(launch.types) - set(names))
                about, all_there = f"{launch.resource} in {zone}", not lacking
                others = f"; only {', '.join(names)} is" if names else ""
                what = f"{', '.join(lacking or launch.types)} {'is' if all_there else 'is not'} offered"
                yield Answer(
                    about, all_there, what if all_there else f"{what}{others}; choose another zone or type"
                )

    def _zones(self, launch: Launch) -> list[str]:
        """The zones of a launch, those of subnets that exist included."""
        found = list(launch.zones)
        if launch.subnets:
            answer = self._ec2.describe_subnets(
                Filters=[{"Name": "subnet-id", "Values": list(launch.subnets)}]
            )
            found += [each["AvailabilityZone"] for each in answer["Subnets"]]
        return list(dict.fromkeys(found))

    def _offered(self, name: str, zone: str) -> bool:
        filters = [{"Name": "instance-type", "Values": [name]}, {"Name": "location", "Values": [zone]}]
        asked = self._ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=filters)
        return bool(asked["InstanceTypeOfferings"])

    def _reservations(self) -> Iterator[Answer]:
        """State, type, zone and size of reservations and Capacity Blocks."""
        wanted: dict[str, list[Launch]] = {}
        for each in self._needs.launches:
            if each.reservation:
                wanted.setdefault(each.reservation, []).append(each)
        for name, launches in wanted.items():
            found = self._ec2.describe_capacity_reservations(CapacityReservationIds=[name])[
                "CapacityReservations"
            ][0]
            faults = list(self._reservation(found, launches))
            yield from (Answer(f"Capacity {name}", False, each) for each in faults)
            if not faults:
                yield Answer(
                    f"Capacity {name}", True, f"{found['AvailableInstanceCount']} instances are free"
                )

    def _reservation(self, found: dict[str, Any], launches: list[Launch]) -> Iterator[str]:
        begins, now = found.get("StartDate"), datetime.now(UTC)
        if found["State"] != "active":
            when = f" and begins at {begins:%Y-%m-%d %H:%M} UTC" if begins and begins > now else ""
            yield f"it is {found['State']}{when}; nothing is launched into it until it is active"
        types = {each for launch in launches for each in launch.types}
        if types != {found["InstanceType"]}:
            yield f"it is for {found['InstanceType']}, the stack launches {', '.join(sorted(types))}"
        zones = {zone for launch in launches for zone in self._zones(launch)}
        if zones - {found["AvailabilityZone"]}:
            yield f"it is in {found['AvailabilityZone']}, the stack in {', '.join(sorted(zones))}"
        count, free = sum(each.on_demand + each.spot for each in launches), found["AvailableInstanceCount"]
        if free < count:
            yield f"{free} instances are free in it, the stack launches {count}"

    # Quotas

    def _instances(self) -> Iterator[Answer]:
        """vCPUs of On-Demand and Spot instances. A group that may take several types may need the largest of them."""
        needed: Counter[Quota] = Counter()
        for launch in self._needs.launches:
            for count, spot in ((launch.on_demand, False), (launch.spot, True)):
                of_quota: dict[Quota, int] = {}
                for name in launch.types if count and not launch.reservation else ():
                    quota = quotas.of_instances(name, spot=spot)
                    if quota is None:
                        yield Answer(
                            f"Quota of {name}", False, "not known here; look it up in Service Quotas"
                        )
                        continue
                    of_quota[quota] = max(of_quota.get(quota, 0), count * self._size(name))
                needed.update(of_quota)
        used = self._used() if needed else Counter[Quota]()
        for quota, count in needed.items():
            yield self._enough(quota, count, used[quota])

    def _used(self) -> Counter[Quota]:
        """vCPUs that instances of this region take of their quotas."""
        used: Counter[Quota] = Counter()
        states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        for page in self._ec2.get_paginator("describe_instances").paginate(Filters=states):
            for each in (each for reservation in page["Reservations"] for each in reservation["Instances"]):
                quota = quotas.of_instances(
                    each["InstanceType"], spot=each.get("InstanceLifecycle") == "spot"
                )
                if quota and each.get("InstanceLifecycle") != "capacity-block":
                    used[quota] += self._size(each["InstanceType"])
        return used

    def _limits(self) -> Iterator[Answer]:
        """Addresses and networks."""
        counts = self._needs.counts
        if counts.get("AWS::EC2::EIP"):
            used = len(self._ec2.describe_addresses()["Addresses"])
            yield self._enough(quotas.ADDRESSES, counts["AWS::EC2::EIP"], used)
        if counts.get("AWS::EC2::VPC"):
            used = sum(len(page["Vpcs"]) for page in self._ec2.get_paginator("describe_vpcs").paginate())
            yield self._enough(quotas.VPCS, counts["AWS::EC2::VPC"], used)

    def _enough(self, quota: Quota, needed: int, used: int) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        about = f"Quota {quota.code}"
        try:
            asked = self._clients("service-quotas").get_service_quota(
                ServiceCode=quota.service, QuotaCode=quota.code
            )
        except (BotoCoreError, ClientError) as error:
            return Answer(about, False, f"{quota.what}: AWS does not say: {error}")
        limit = int(asked["Quota"]["Value"])
        what = f"{quota.what}: {needed} needed, {used} of {limit} in use"
        return Answer(
            about, used + needed <= limit, what if used + needed <= limit else f"{what}; ask for more"
        )
