"""Defects of what waits for a boot: policies, time-outs, wait conditions, signals."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    ABSENT,
    CREATION,
    DEPENDS_ON,
    GONE,
    SCRIPT,
    STRUCTURE,
    Plant,
    Template,
    before_script,
    groups,
    mutates,
    put,
    script,
    with_resources,
)

TIMEOUTS = ("CreationPolicy.ResourceSignal.Timeout", "UpdatePolicy.AutoScalingRollingUpdate.PauseTime")


@mutates("CB009", no_if=CREATION, no_parameter=GONE)
def creation_policy_gone(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        yield Plant(template, f"Resources.{group}.CreationPolicy", ABSENT, f"Resources.{group}")


@mutates("CB009")
def no_signal_awaited(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.CreationPolicy.ResourceSignal.Count"
        yield Plant(template, at, "0", f"Resources.{group}")


@mutates("CB151")
def signal_gone_from_script(template: Template) -> Iterator[Plant]:
    """What fetches something may run what signals, so the script does nothing else."""
    for group, data in groups(template):
        path, _ = script(template, data)
        base = put(template, path, "aws cloudformation signal-resource --status SUCCESS")
        yield Plant(base, path, "echo ready", f"Resources.{group}.CreationPolicy")


@mutates("CB156", no_parameter=SCRIPT)
def trap_gone_from_script(template: Template) -> Iterator[Plant]:
    for group, data in groups(template):
        path, _ = script(template, data)
        plain = (
            "set -euo pipefail\ndnf install -y nfs-utils\naws cloudformation signal-resource --status SUCCESS"
        )
        trapped = f"trap 'aws cloudformation signal-resource --status FAILURE' ERR\n{plain}"
        yield Plant(put(template, path, trapped), path, plain, f"Resources.{group}")


@mutates("CB156")
def errexit_before_signal(template: Template) -> Iterator[Plant]:
    for group, data in groups(template):
        path, _ = script(template, data)
        base = put(
            template, path, "dnf install -y nfs-utils\naws cloudformation signal-resource --status SUCCESS"
        )
        yield Plant(base, *before_script(base, data, "set -e"), f"Resources.{group}")


@mutates("CB010")
def impatient(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        for timeout in TIMEOUTS:
            yield Plant(template, f"Resources.{group}.{timeout}", "PT10S", f"Resources.{group}.{timeout}")


@mutates("CB010")
def endless_condition(template: Template) -> Iterator[Plant]:
    for base, _ in conditions(template):
        at = "Resources.Booted.Properties.Timeout"
        yield Plant(base, at, "40000", at)


@mutates("CB152")
def duration_in_words(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        for timeout in TIMEOUTS:
            yield Plant(
                template, f"Resources.{group}.{timeout}", "30 minutes", f"Resources.{group}.{timeout}"
            )


@mutates("CB013", no_parameter=STRUCTURE)
def handle_that_stays(template: Template) -> Iterator[Plant]:
    for base, _ in conditions(template):
        yield Plant(base, "Resources.Booted.Properties.Handle", {"Ref": "Handle"}, "Resources.Booted")


@mutates("CB014", no_if=DEPENDS_ON, no_parameter=GONE)
def condition_that_does_not_wait(template: Template) -> Iterator[Plant]:
    for base, _ in conditions(template):
        yield Plant(base, "Resources.Booted.DependsOn", ABSENT, "Resources.Booted")


@mutates("CB014", no_parameter=STRUCTURE)
def handle_of_another(template: Template) -> Iterator[Plant]:
    """The instances are told the URL of a condition that waits for nothing."""
    for base, lines in conditions(template):
        early = put(base, "Resources.Early", {**base["Resources"]["Booted"]})
        early = put(early, "Resources.Early.DependsOn", ABSENT)
        early = put(early, "Resources.Early.Properties.Handle", {"Ref": "Other4f2a9c1d"})
        yield Plant(early, lines, {"Fn::Sub": "echo '${Other4f2a9c1d}'"}, "Resources.Early")


def conditions(template: Template) -> Iterator[tuple[Template, str]]:
    """For each group a template with a wait condition for it, and the path of the line that has its handles."""
    for group, data in groups(template):
        path, _ = before_script(template, data, "")
        base = put(template, path, {"Fn::Sub": "echo '${Handle}' '${Handle4f2a9c1d}'"})
        yield (
            with_resources(
                base,
                Handle={"Type": "AWS::CloudFormation::WaitConditionHandle"},
                Handle4f2a9c1d={"Type": "AWS::CloudFormation::WaitConditionHandle"},
                Other4f2a9c1d={"Type": "AWS::CloudFormation::WaitConditionHandle"},
                Booted={
                    "Type": "AWS::CloudFormation::WaitCondition",
                    "DependsOn": group,
                    "Properties": {"Handle": {"Ref": "Handle4f2a9c1d"}, "Timeout": "900"},
                },
            ),
            path,
        )
