"""Each defect of the post's system: a scenario that ours passes and the post's own logic or template fails.

A test's name begins with the id of the row it stands for: `test_d1_2_…` is D1.2.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from blueprints.core.environment import Environment
from blueprints.ecs_dns_discovery import DiscoveryConfig, EcsDnsDiscovery

from .originals import DEFECTS, TEMPLATE, Original
from .world import AGENT, ZONE, Daemon, Ours, World, container

Template = dict[str, Any]
Scenario = Callable[[World, Any], None]
AWSVPC = {"com.amazonaws.ecs.task-arn": "arn:aws-cn:ecs:cn-north-1:111122223333:task/c/1"}


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A scenario in a world of its own: ours passes it, the original does not."""
    worlds: list[World] = []

    def world(running: tuple[Any, ...], settings: dict[str, Any]) -> World:
        worlds.append(World(Daemon(*running), monkeypatch, **settings))
        return worlds[-1]

    def both(scenario: Scenario, *running: dict[str, Any], **settings: Any) -> None:
        ours = world(running, settings)
        scenario(ours, Ours(ours))
        theirs = world(running, settings)
        with pytest.raises(AssertionError):
            scenario(theirs, Original(theirs))

    yield both
    for each in worlds:
        each.close()


@pytest.fixture
def stated() -> Callable[[Callable[[Template], None]], None]:
    """A statement about a template: ours fulfils it in the agent's fullest shape, the original's does not."""
    ours = rendered(discovery={"kind": "agent", "health": {"checks": True}})

    def both(statement: Callable[[Template], None]) -> None:
        statement(ours)
        with pytest.raises((AssertionError, KeyError)):
            statement(TEMPLATE)

    return both


def rendered(**settings: Any) -> Template:
    return EcsDnsDiscovery(DiscoveryConfig.model_validate(settings), Environment()).template()


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def ports(world: World) -> list[int]:
    return sorted(int(value.split()[2]) for value in world.services().values())


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    folder = Path(__file__).parent
    files = [Path(__file__), folder / "test_health.py"]
    names = [
        each.name
        for path in files
        for each in ast.parse(path.read_text()).body
        if isinstance(each, ast.FunctionDef)
    ]
    found = {match[1] for name in names if (match := re.match(r"test_d1_(\d+)_", name))}
    assert {f"D1.{number}" for number in found} == DEFECTS.keys()


def test_d1_1_a_stream_that_ends_is_followed_again(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        one = container(1)
        world.live(agent, world.daemon.end_stream, lambda: world.daemon.start(one))
        assert world.daemon.subscriptions > 1
        assert len(world.services()) == 1

    holds(scenario)


def test_d1_2_what_starts_while_it_looks_is_not_missed(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.daemon.after_listing = lambda: world.daemon.start(container(1))
        world.live(agent)
        assert len(world.services()) == 1

    holds(scenario)


def test_d1_3_a_container_that_is_gone_at_once_ends_nothing(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        gone = container(1)["Id"]
        assert world.live(
            agent, lambda: world.daemon.tell("start", gone), lambda: world.daemon.tell("die", gone)
        )

    holds(scenario)


TWO = ("SERVICE_8081_NAME=_calc._tcp", "SERVICE_9000_NAME=_time._tcp")
TWO_PORTS = {"8081/tcp": 32768, "9000/tcp": 32769}


def test_d1_4_both_services_of_a_container_go_with_it(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        both = container(1, *TWO, ports=TWO_PORTS)
        world.live(
            agent,
            lambda: world.daemon.start(both),
            lambda: world.daemon.tell("die", both["Id"]),
        )
        assert world.services() == {}

    holds(scenario)


def test_d1_5_both_services_of_a_container_are_repaired(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent)
        assert ports(world) == [32768, 32769]

    holds(scenario, container(1, *TWO, ports=TWO_PORTS))


def test_d1_6_two_ports_of_one_name_are_two_records(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        twice = container(1, "SERVICE_8081_NAME=calc", ports={"8081/tcp": 32768, "8081/udp": 32769})
        world.live(agent, lambda: world.daemon.start(twice))
        assert ports(world) == [32768, 32769]

    holds(scenario)


def paged(world: World, number: int) -> set[str]:
    """Records of another host and of this one, so many each."""
    for index in range(number):
        for host in ("node0", "node1"):
            key = (f"_s{index:04}._tcp.{ZONE}", "SRV", f"{host}:{index:064x}:1/tcp")
            world.route53.sets[key] = (f"1 1 {index} elsewhere", 0, "weighted")
    return {identifier for _, _, identifier in world.route53.sets if identifier.startswith("node1:")}


def test_d1_7_every_page_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Daemon(), monkeypatch, most=100)
    expected = paged(world, 250)
    assert {each.id for each in world.zone().records(world.host.owns)} == expected
    assert len(world.route53.requests) == 5

    def original() -> set[str]:
        """The next page is asked for by its identifier alone."""
        found, query = set[str](), "maxitems=100"
        for _ in range(10):
            root = AGENT.route53.ElementTree.fromstring(
                world.route53.answer("GET", f"/2013-04-01/hostedzone/ZONE/rrset?{query}", b"")[1]
            )
            names = {"r": AGENT.route53._NAMESPACE}
            found |= {each.text or "" for each in root.iterfind(".//r:SetIdentifier", names)}
            query = f"maxitems=100&identifier={root.findtext('r:NextRecordIdentifier', '', names)}"
        return {each for each in found if each.startswith("node1:")}

    assert original() != expected
    world.close()


def test_d1_8_a_neighbour_with_a_longer_name_keeps_its_records(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        key = (f"_calc._tcp.{ZONE}", "SRV", f"node10:{'0' * 64}:8081/tcp")
        world.route53.sets[key] = ("1 1 1 elsewhere", 0, "weighted")
        world.live(agent)
        assert key in world.services()

    holds(scenario)


def agent_of(world: World) -> Any:
    """The agent's modules, with clients that the world closes."""

    def zone(*_: object) -> Any:
        return world.zone()

    route53 = SimpleNamespace(**{**vars(AGENT.route53), "Zone": zone})
    return SimpleNamespace(**{**vars(AGENT), "route53": route53})


@pytest.mark.parametrize("zone", [{"name": "servicediscovery.local"}, {"private": False}])
def test_d1_9_a_zone_that_is_another_is_refused(
    monkeypatch: pytest.MonkeyPatch, zone: dict[str, Any]
) -> None:
    import blueprints.ecs_dns_discovery.agent.__main__ as entry

    world = World(Daemon(), monkeypatch, **zone)
    given = [
        "--zone-id",
        "ZONE",
        "--zone",
        ZONE,
        "--host",
        "node1",
        "--address",
        "10.0.0.1",
        "--region",
        "eu-west-1",
    ]
    with pytest.raises(AGENT.route53.ZoneError, match="give the id"):
        entry.prepared(entry.arguments(given), agent_of(world))
    zones = [{"Name": f"{world.route53.name}.", "Private": world.route53.private}]
    original = next(iter(zones), {"Name": ""})  # the first that the list by names begins with
    assert original["Name"] != f"{ZONE}." or not original["Private"]
    world.close()


def test_d1_10_a_hosts_new_address_replaces_the_old_one(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        for identifier in ("node1:host", agent.host_name if isinstance(agent, Original) else "node1:host"):
            name = world.host.name if identifier == "node1:host" else f"node1.{ZONE}"
            world.route53.sets[name, "A", identifier] = ("10.9.9.9", 0, "weighted")
        world.live(agent)
        name = f"node1.{ZONE}" if isinstance(agent, Original) else world.host.name
        found = [value[0] for key, value in world.route53.sets.items() if key[:2] == (name, "A")]
        assert found == ["10.5.10.74"]

    holds(scenario)


def test_d1_11_a_target_is_an_address_in_the_same_zone(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent, lambda: world.daemon.start(container(1)))
        addresses = {name for name, kind, _ in world.route53.sets if kind == "A"}
        assert {value.split()[3] for value in world.services().values()} <= addresses

    holds(scenario)


def answer(world: World) -> int:
    """How many records are in one answer: one of those that are weighted, up to eight of the others."""
    routing = {content[2] for key, content in world.route53.sets.items() if key[1] == "SRV"}
    return 1 if routing == {"weighted"} else min(8, len(world.services()))


def test_d1_12_all_containers_may_be_in_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [container(number) for number in (1, 2, 3)]
    world = World(Daemon(*running), monkeypatch)
    world.routing = "multivalue"
    world.live(Ours(world))
    assert answer(world) == 3
    world.close()
    theirs = World(Daemon(*running), monkeypatch)
    theirs.live(Original(theirs))
    assert answer(theirs) == 1
    theirs.close()


def test_d1_13_a_container_in_the_hosts_network_is_found(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent, lambda: world.daemon.start(container(1, mode="host", ports={})))
        assert ports(world) == [8081]

    holds(scenario)


def test_d1_13_a_task_with_an_address_of_its_own_is_found(
    holds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    def address(container: str) -> str:
        return "10.5.70.5"

    monkeypatch.setattr(AGENT.daemon, "task_address", address)

    def scenario(world: World, agent: Any) -> None:
        world.live(agent, lambda: world.daemon.start(container(1, mode="none", ports={}, Labels=AWSVPC)))
        assert list(world.services().values()) == [f"1 1 8081 ip-10-5-70-5.{ZONE}"]
        assert (f"ip-10-5-70-5.{ZONE}", "A") in {key[:2] for key in world.route53.sets}

    holds(scenario)


def test_d1_14_a_container_without_service_is_nothing_to_add(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent, lambda: world.daemon.start(container(1, "PATH=/bin", ports={"80/tcp": 80})))
        counted = agent.counted if isinstance(agent, Original) else len(agent.registrar.waiting)
        assert counted == 0

    holds(scenario)


def test_d1_15_it_says_changed_only_when_it_was(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        refused = (f"_calc._tcp.{ZONE}", "SRV", "somebody")
        world.route53.sets[refused] = ("1 1 1 elsewhere", 0, "multivalue")
        world.live(agent, lambda: world.daemon.start(container(1)))
        said = [name for each in world.log if each["kind"] == "changed" for name in each["upserted"]]
        assert not [each for each in said if "_calc" in each]

    holds(scenario)


def test_d1_16_a_deletion_comes_after_the_creation_before_it(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        one = container(1)

        def quick() -> None:
            world.route53.before = lambda method: time.sleep(0.2 if method == "POST" else 0)
            world.daemon.start(one)
            world.daemon.tell("die", one["Id"])

        world.live(agent, quick)
        assert world.services() == {}

    holds(scenario)


def test_d1_17_the_ecs_agent_is_not_needed(holds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The original looks its task up in what the ECS agent tells, which is down here."""

    def scenario(world: World, agent: Any) -> None:
        if isinstance(agent, Original):
            told = ""
            create = agent.create
            agent.create = lambda record: create(record) if told[told.index("TaskArn") :] else None
        assert world.live(agent, lambda: world.daemon.start(container(1, Labels=AWSVPC)))
        assert len(world.services()) == 1

    holds(scenario)


@pytest.mark.parametrize(
    "wish",
    [
        "SERVICE_8081_NAME=a=b",
        "SERVICE_80_81_NAME=calc",
        "SERVICE_x_NAME=calc",
        "SERVICE_8081_NAME=-bad-",
        "SERVICE_0_NAME=c",
    ],
)
def test_d1_18_a_malformed_wish_is_told(holds: Any, wish: str) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent, lambda: world.daemon.start(container(1, wish)))
        assert world.services() == {}
        assert [each for each in world.log if each["kind"] == "problem"]

    holds(scenario)


def test_d1_19_many_changes_are_several_calls(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        world.live(agent, seconds=20)
        assert len(world.services()) == 700

    holds(scenario, *[container(number, ports={"8081/tcp": 20000 + number}) for number in range(700)])


def test_d1_20_the_filter_is_one_that_docker_knows() -> None:
    """Docker Engine API, "Monitor events": it ignores a filter that it does not know, such as `Type`."""
    known = {
        "config",
        "container",
        "daemon",
        "event",
        "image",
        "label",
        "network",
        "plugin",
        "scope",
        "type",
        "volume",
    }
    source = Path(AGENT.daemon.__file__).read_text()
    written = re.search(r"json\.dumps\((\{.*?\})\)", source)
    assert written
    given: dict[str, Any] = ast.literal_eval(written[1].replace("ACTIONS", "['start']"))
    original = {"Type": ["container"]}
    assert set(given) <= known
    assert not set(original) <= known


def test_d1_21_the_record_goes_while_the_container_still_answers(holds: Any) -> None:
    def scenario(world: World, agent: Any) -> None:
        one = container(1)
        world.live(
            agent,
            lambda: world.daemon.start(one),
            lambda: world.daemon.tell("kill", one["Id"], signal="15"),
        )
        assert world.services() == {}

    holds(scenario)


def test_d1_21_the_time_to_live_is_a_setting() -> None:
    boot = rendered(discovery={"kind": "agent", "ttl": 30})["Resources"]["LaunchTemplate"]
    assert (
        "export TTL='30'" in boot["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Join"][1]
    )


def test_d1_22_events_start_the_cleaning(stated: Any) -> None:
    def statement(template: Template) -> None:
        sources = {
            source
            for each in of_type(template, "AWS::Events::Rule")
            for source in each.get("EventPattern", {}).get("source", ())
        }
        assert sources == {"aws.ec2", "aws.ecs"}

    stated(statement)


def test_d1_27_everybody_may_do_what_he_has_to_and_no_more(stated: Any) -> None:
    def statement(template: Template) -> None:
        text = yaml.safe_dump(template)
        assert "FullAccess" not in text
        assert "ecs:StopTask" in text
        assert not [
            each
            for each in of_type(template, "AWS::EC2::SecurityGroupIngress")
            if each.get("CidrIp") == "0.0.0.0/0"
        ]
        for definition in of_type(template, "AWS::ECS::TaskDefinition"):
            for each in definition["ContainerDefinitions"]:
                assert not [part for part in each["Environment"] if "PASSWORD" in part["Name"]]

    stated(statement)


def test_d1_27_agents_change_records_of_their_zone_alone(stated: Any) -> None:
    def statement(template: Template) -> None:
        statements = template["Resources"]["InstanceRole"]["Properties"]["Policies"][0]["PolicyDocument"][
            "Statement"
        ]
        (change,) = [each for each in statements if "route53:ChangeResourceRecordSets" in each["Action"]]
        assert change["Resource"] == [{"Fn::Sub": "arn:${AWS::Partition}:route53:::hostedzone/${HostedZone}"}]
        limits = change["Condition"]
        prefix = "route53:ChangeResourceRecordSets"
        names = limits["ForAllValues:StringLike"][f"{prefix}NormalizedRecordNames"]
        assert names == [{"Fn::Sub": "*.${ZoneName}"}]
        assert limits["ForAllValues:StringEquals"][f"{prefix}RecordTypes"] == ["A", "SRV"]
        assert limits["ForAllValues:StringEquals"][f"{prefix}Actions"] == ["UPSERT", "DELETE"]

    stated(statement)


def test_d1_28_nothing_is_left_to_do_by_hand(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert all(each["EmptyOnDelete"] for each in of_type(template, "AWS::ECR::Repository"))
        assert of_type(template, "Custom::Records")
        assert not of_type(template, "AWS::EC2::Instance")

    stated(statement)


def test_d1_28_every_part_still_exists(stated: Any) -> None:
    def statement(template: Template) -> None:
        kinds = {each["Type"] for each in template["Resources"].values()}
        assert not kinds & {
            "AWS::AutoScaling::LaunchConfiguration",
            "AWS::ElasticLoadBalancing::LoadBalancer",
        }
        assert template["Parameters"]["ImageParameter"]["Type"].startswith("AWS::SSM::Parameter::Value<")
        assert "Mappings" not in template

    stated(statement)


def test_d1_29_there_are_three_ways(stated: Any) -> None:
    def kinds(chosen: str) -> set[str]:
        template = rendered(
            discovery={"kind": chosen}, tls=False, http_reason="A test that nobody connects to."
        )
        return {each["Type"] for each in template["Resources"].values()}

    assert "AWS::ServiceDiscovery::PrivateDnsNamespace" in kinds("cloud_map")
    assert "AWS::ServiceDiscovery::HttpNamespace" in kinds("service_connect")
    assert "AWS::Route53::HostedZone" in kinds("agent")

    def statement(template: Template) -> None:
        assert template["Resources"]["HostedZone"]["Properties"]["VPCs"]

    stated(statement)
