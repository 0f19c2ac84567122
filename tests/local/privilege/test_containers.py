"""What ECS, CodeBuild, VPC flow logs and a function's network ask for in a role's name."""

from __future__ import annotations

import json
from typing import Any

from blueprints.local.privilege.containers import container_instance, in_network, needs
from blueprints.local.privilege.policies import Role, Statement
from blueprints.local.privilege.request import Request
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

ROLE = "arn:aws:iam::123456789012:role/own"
HERE = "us-east-1:123456789012"
REPOSITORY, URI = f"arn:aws:ecr:{HERE}:repository/app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:password-abcdef"
KEY = f"arn:aws:kms:{HERE}:key/1"
CLUSTER = f"arn:aws:ecs:{HERE}:cluster/fleet"
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
PUSH = {"ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def stack_of(**resources: tuple[str, dict[str, Any]]) -> Stack:
    made = {name: {"Type": f"AWS::{kind}", "Properties": given} for name, (kind, given) in resources.items()}
    made["Repository"] = {"Type": "AWS::ECR::Repository", "Properties": {}}
    stack = Stack(json.dumps({"Resources": made}))
    stack.physical["Repository"] = Physical("app", {"Arn": REPOSITORY, "RepositoryUri": URI})
    return stack


def asked(stack: Stack) -> dict[str, list[Request]]:
    """Requests by their actions, all in the role's name."""
    found: dict[str, list[Request]] = {}
    for role, request in needs(stack):
        assert role == ROLE
        found.setdefault(request.action, []).append(request)
    return found


def task(**container: Any) -> tuple[str, dict[str, Any]]:
    given = {"Image": f"{URI}:1", **container}
    return "ECS::TaskDefinition", {"ExecutionRoleArn": ROLE, "ContainerDefinitions": [given]}


def test_a_task_is_pulled_from_the_repository_of_its_image() -> None:
    found = asked(stack_of(Task=task()))
    assert found.keys() == PULL | {"ecr:GetAuthorizationToken"}
    assert {each.resource for action in PULL for each in found[action]} == {REPOSITORY}


def test_a_task_from_elsewhere_asks_for_nothing() -> None:
    assert asked(stack_of(Task=task(Image=f"{URI}-another:1"))) == {}


def test_without_an_execution_role_nobody_is_asked() -> None:
    assert (
        asked(stack_of(Task=("ECS::TaskDefinition", {"ContainerDefinitions": [{"Image": f"{URI}:1"}]}))) == {}
    )


def test_a_task_writes_its_log_and_reads_its_secrets_by_their_key() -> None:
    container = {
        "LogConfiguration": {"Options": {"awslogs-group": "own"}},
        "Secrets": [{"Name": "A", "ValueFrom": f"{SECRET}:password::"}],
    }
    stack = stack_of(Task=task(**container), Secret=("SecretsManager::Secret", {"KmsKeyId": KEY}))
    stack.physical["Secret"] = Physical(SECRET)
    found = asked(stack)
    assert all("log-group:own:log-stream:" in each.resource for each in found["logs:PutLogEvents"])
    assert [each.resource for each in found["secretsmanager:GetSecretValue"]] == [SECRET]
    (decrypt,) = found["kms:Decrypt"]
    assert decrypt.resource == KEY
    assert decrypt.values("kms:ViaService") == ("secretsmanager.us-east-1.amazonaws.com",)


def test_a_project_with_docker_pulls_and_pushes_and_one_without_does_not() -> None:
    def project(privileged: str) -> dict[str, list[Request]]:
        variables = [{"Name": "REPOSITORY", "Value": URI}]
        environment = {"PrivilegedMode": privileged, "EnvironmentVariables": variables}
        logs = {"CloudWatchLogs": {"GroupName": "own"}}
        given = {"ServiceRole": ROLE, "Environment": environment, "LogsConfig": logs}
        return asked(stack_of(Project=("CodeBuild::Project", given)))

    assert project("false").keys() == LOGS
    assert project("true").keys() == LOGS | PULL | PUSH | {"ecr:GetAuthorizationToken"}


def test_flow_logs_are_delivered_to_their_group() -> None:
    given = {"DeliverLogsPermissionArn": ROLE, "LogGroupName": "own"}
    found = asked(stack_of(Flow=("EC2::FlowLog", given)))
    assert found.keys() == LOGS | {"logs:DescribeLogGroups", "logs:DescribeLogStreams"}
    assert [each.resource for each in found["logs:DescribeLogGroups"]] == ["*"]


def agent(action: str, service: str = "ec2") -> dict[str, set[str]]:
    stack = stack_of(Cluster=("ECS::Cluster", {}))
    stack.physical["Cluster"] = Physical("fleet", {"Arn": CLUSTER})
    role = Role("Role", "own", ROLE, (service,), (Statement("Role.0", True, (action,), ("*",)),))
    found: dict[str, set[str]] = {}
    for each in container_instance(stack, role):
        found.setdefault(each.action, set()).add(each.resource)
        if "container-instance" in each.resource:
            assert each.values("ecs:cluster") == (CLUSTER,)
    return found


def test_the_ecs_agent_of_a_host_that_may_join_needs_the_rest() -> None:
    found = agent("ecs:RegisterContainerInstance")
    assert found["ecs:SubmitTaskStateChange"] == {CLUSTER}
    assert len(found["ecs:Poll"]) == 2
    assert found["ecs:DiscoverPollEndpoint"] == {"*"}


def test_a_host_that_does_not_join_needs_nothing() -> None:
    assert agent("ecs:Poll") == agent("ecs:RegisterContainerInstance", "lambda") == {}


def test_a_function_in_a_network_has_interfaces() -> None:
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    found = list(in_network(stack_of(F=("Lambda::Function", {"VpcConfig": network})), "F"))
    created = {each.resource for each in found if each.action == "ec2:CreateNetworkInterface"}
    assert {f"arn:aws:ec2:{HERE}:subnet/subnet-1", f"arn:aws:ec2:{HERE}:security-group/sg-1"} < created
    assert {each.action for each in found if each.resource == "*"} == {
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
    }
