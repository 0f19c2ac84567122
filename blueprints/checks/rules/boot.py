"""What instances do when they boot: whether anybody waits for it, and whether their script says the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from ..check import Hit, at, check
from ..model import Model, Resource, arms, either_way, entries, function, nodes
from .launch import (
    GROUP,
    INSTANCE,
    images,
    launched,
    numbers,
    says,
    starters,
    text,
    user_data,
    written_user_data,
)

_HANDLE = "AWS::CloudFormation::WaitConditionHandle"
_CONDITION = "AWS::CloudFormation::WaitCondition"
_SIGNAL = re.compile(r"cfn-signal|signal-resource|SignalResource|signal_resource")
_CALL = r"(?:^|[;&|(]|\b(?:sudo|then|do|else|time)\s)\s*(?:-\S+\s+|[A-Z_a-z]+=\S*\s+)*"
_MAY_FAIL = re.compile(
    _CALL + r"(?:(?:apt-get|apt|yum|dnf|snap|amazon-linux-extras|pip3?|python3? -m pip|npm|gem|rpm)\b"
    r".*\binstall\b|curl\b|wget\b|git\s+clone\b|aws\s+s3\b|docker\s+(?:run|pull)\b|(?:/\S+/)?cfn-init\b|mount\s)"
)
_FETCHES = re.compile(r"\b(?:curl|wget|aws s3|git clone|cfn-init|ansible|source|bash /|sh /|python3? /)")
_ERREXIT = re.compile(r"^[ \t]*set (?:-\S+ )*-\w*e|^[ \t]*set .*-o errexit|^#!\S+(?: +\S+)*? +-\w*e", re.M)
_PIPED = re.compile(r"(?<!\|)\|(?![|&])")
_METADATA = "169.254.169.254"
_WITHOUT_HELPERS = re.compile(
    r"/aws/service/(?:canonical/ubuntu|debian|ecs/optimized-ami|ami-amazon-linux-latest/al2023-ami-minimal)"
)
_SHORTEST, _LONGEST = 5 * 60, 60 * 60


@dataclass(frozen=True)
class Line:
    """One command line of a script, continued lines joined."""

    text: str
    top: bool
    repeated: bool
    following: str = ""

    @property
    def may_fail(self) -> bool:
        """Whether it installs or fetches something; the metadata service is always there."""
        found = _MAY_FAIL.search(self.text)
        return found is not None and not _local(self.text[found.start() :])


@dataclass(frozen=True)
class Script:
    """A shell script in user data."""

    text: str

    @cached_property
    def lines(self) -> list[Line]:
        """Its commands, without comments and here-documents."""
        return list(_lines(_without_documents(self.text)))

    @property
    def stops_at_errors(self) -> bool:
        """Whether it, or a part that it runs by itself, leaves at the first error or has a trap."""
        return bool(_ERREXIT.search(self.text)) or any(line.text.startswith("trap ") for line in self.lines)


def scripts(model: Model, resource: Resource) -> Iterator[Script]:
    """The shell scripts that its instances may run at boot; parts of a multi-part document one by one."""
    for data in user_data(model, resource):
        parts = re.split(r"^--\S.*$", data, flags=re.M) if "Content-Type: multipart" in data else [data]
        for part in parts:
            shebang = re.search(r"^#!.*\b(?:ba|da|k|z)?sh\b", part, re.M)
            if shebang:
                yield Script(part[shebang.start() :])


def _without_documents(script: str) -> Iterator[str]:
    end = ""
    for line in re.sub(r"\\\n", " ", script).splitlines():
        if end:
            end = "" if line.strip() == end else end
            continue
        opened = re.search(r"<<-?\s*[\"'\\]?(\w+)", line)
        end = opened[1] if opened and "<<<" not in line else ""
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def _lines(written: Iterator[str]) -> Iterator[Line]:
    loops = braces = 0
    for line, following in pairwise([*written, ""]):
        starts = bool(re.match(r"(?:for|while|until)\b", line))
        loops += starts
        opens = line.endswith("{") and not line.endswith("${")
        braces += opens
        yield Line(line, top=not braces and not loops, repeated=loops > 0, following=following)
        loops -= bool(re.search(r"(?:^|;\s*)done\b", line)) and loops > 0
        braces -= line.startswith("}") and braces > 0


def booting(model: Model) -> Iterator[tuple[Resource, list[Resource]]]:
    """Instances and groups, each with where its user data may stand in this template."""
    for resource in model.of(INSTANCE, GROUP):
        yield resource, starters(model, resource)


def waits(model: Model, resource: Resource) -> bool:
    """Whether CloudFormation waits for signals of this resource when it is created."""
    counts = [numbers(each) for each in model.attribute(resource, "CreationPolicy.ResourceSignal.Count")]
    some = any(True for _ in model.attribute(resource, "CreationPolicy.ResourceSignal"))
    return some and [0] not in counts


def _awaited(model: Model, resource: Resource, boot: str) -> bool:
    """Whether anything waits for what this boot script says when it is made, or when it is updated."""
    on_update = waits_on_update(model, resource) and bool(_SIGNAL.search(boot))
    return on_update or _awaited_at_first(model, resource, boot)


def _awaited_at_first(model: Model, resource: Resource, boot: str) -> bool:
    """Whether the resource waits when it is made, or a condition does, or another resource that the script names."""
    if waits(model, resource) or _condition_awaits(model, resource):
        return True
    if not re.search(r"--resource\b", boot) and not _SIGNAL.search(boot):
        return False
    return any(waits(model, each) and each.id in boot for each in model.resources.values())


def _condition_awaits(model: Model, resource: Resource) -> bool:
    """Whether a wait condition may be for this resource: it is, or it does not say for which it is."""
    told = {condition.id: signallers for condition, _, signallers in _conditions(model)}
    return any(not told.get(each.id) or resource.id in told[each.id] for each in model.of(_CONDITION))


def _starts_empty(resource: Resource) -> bool:
    wanted = resource.get("DesiredCapacity", resource.get("MinSize", 1))
    return set(numbers(wanted)) == {0}


@check(
    "CB009",
    "Boot script that nobody waits for",
    harm="An installation fails, the stack turns green all the same, and somebody finds out days later.",
    source="CloudFormation User Guide, 'CreationPolicy attribute'; aws-samples/vpn-gateway-strongswan#22",
    remedy="end every path of the script with a signal and give the resource a CreationPolicy",
)
@either_way
def boot_nobody_waits_for(model: Model) -> Iterator[Hit]:
    for resource, places in booting(model):
        for script in (found for place in places for found in scripts(model, place)):
            works = any(line.may_fail for line in script.lines)
            signals = bool(_SIGNAL.search(_active(script.text)))
            if (
                (works or signals)
                and not _starts_empty(resource)
                and not _awaited_at_first(model, resource, script.text)
            ):
                what = (
                    "its signal is for nobody"
                    if signals
                    else "its user data installs, and nothing waits for it"
                )
                yield Hit(at(resource.id), what)
                break


@check(
    "CB151",
    "Creation policy that no boot script answers",
    harm="CloudFormation waits for a signal that nobody sends: each creation ends in the time-out and a rollback.",
    source="CloudFormation User Guide, 'CreationPolicy attribute'",
    remedy="send the signal from user data, by cfn-signal or aws cloudformation signal-resource",
)
@either_way
def signal_never_sent(model: Model) -> Iterator[Hit]:
    for resource, places in booting(model):
        data = [each for place in places for each in user_data(model, place)]
        if data and waits(model, resource) and not any(_may_signal(each) for each in data):
            if _SIGNAL.search(str(resource.raw.get("Metadata", ""))):
                continue
            yield Hit(at(resource.id, "CreationPolicy"), "its user data sends no signal")


def _may_signal(data: str) -> bool:
    """Whether it signals itself, or runs what may do so."""
    return bool(_SIGNAL.search(_active(data)) or _FETCHES.search(data)) or data.startswith("${")


@check(
    "CB010",
    "Time-out for signals too short or too long",
    harm="Too short, and a slow mirror rolls a good stack back; too long, and each failed attempt costs hours.",
    source="CloudFormation User Guide, 'CreationPolicy attribute'; "
    "CloudSmith-Delivery-Troubleshooting/CFNDeployment#70",
    remedy="wait between five minutes and an hour: what the boot takes, and as much again",
    severity="warning",
)
def signal_timeout_out_of_proportion(model: Model) -> Iterator[Hit]:
    for path, written in _durations(model, only_waits=True):
        length = _seconds(written)
        if length is not None and not _SHORTEST <= length <= _LONGEST:
            yield Hit(
                path, f"{written} is {'less than 5 minutes' if length < _SHORTEST else 'more than an hour'}"
            )
    for condition in model.of(_CONDITION):
        for length in numbers(condition.get("Timeout")):
            if not _SHORTEST <= length <= _LONGEST:
                yield Hit(at(condition.id, "Properties.Timeout"), f"it waits {length} s")


@check(
    "CB152",
    "Duration that CloudFormation cannot read",
    harm="The template passes every check before, and the stack fails when it comes to this resource.",
    source="CloudFormation User Guide, 'CreationPolicy attribute' and 'UpdatePolicy attribute'",
    remedy="write hours, minutes and seconds as ISO 8601 has them, such as PT1H30M",
)
def unreadable_duration(model: Model) -> Iterator[Hit]:
    for path, written in _durations(model, only_waits=False):
        if _seconds(written) is None:
            yield Hit(path, f"{written!r} is no duration")


def _durations(model: Model, *, only_waits: bool) -> Iterator[tuple[tuple[str, ...], Any]]:
    rolling = "UpdatePolicy.AutoScalingRollingUpdate"
    for resource in model.resources.values():
        for name in ("CreationPolicy.ResourceSignal.Timeout", f"{rolling}.PauseTime"):
            if only_waits and name.startswith(rolling) and not waits_on_update(model, resource):
                continue
            for value in model.attribute(resource, name):
                if isinstance(value, (str, int)):
                    yield at(resource.id, name), value


def waits_on_update(model: Model, resource: Resource) -> bool:
    """Whether a rolling update may wait for signals."""
    found = model.attribute(resource, "UpdatePolicy.AutoScalingRollingUpdate.WaitOnResourceSignals")
    return any(str(each).lower() == "true" for each in found)


def _seconds(written: Any) -> int | None:
    found = re.fullmatch(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", str(written))
    if not found:
        return None
    hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return hours * 3600 + minutes * 60 + seconds


@check(
    "CB011",
    "Helper script that the image does not have",
    harm="The command is not found, no signal is sent, and the stack waits for its time-out before it rolls back.",
    source="CloudFormation User Guide, 'CloudFormation helper scripts reference'; aws/aws-cdk#9841; "
    "amazonlinux/amazon-linux-2023#768",
    remedy="install aws-cfn-bootstrap first, or use aws cloudformation signal-resource",
)
def helper_not_on_image(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        lacking = sorted(each for each in images(model, resource) if _WITHOUT_HELPERS.search(each))
        for data in user_data(model, resource):
            used = re.search(r"\bcfn-(?:signal|init)\b", _active(data))
            if lacking and used and not _provides_helpers(data):
                yield Hit(at(resource.id), f"{used[0]} is not on the image {lacking[0]}")


def _active(data: str) -> str:
    """A script without the lines that are comments."""
    return re.sub(r"^[ \t]*#(?!!).*$", "", data, flags=re.M)


def _provides_helpers(data: str) -> bool:
    return bool(re.search(r"cfn-bootstrap|(?:command -v|which|type|test -x|\[ -[xf]) \S*cfn-", data))


@check(
    "CB012",
    "Signal that stops the boot when it is refused",
    harm="CloudFormation takes no signal when it does not wait for one, as when a group replaces an instance: "
    "cfn-signal fails, the script stops there, and the rest is never run.",
    source="aws-quickstart/quickstart-linux-bastion#150",
    remedy="signal at the very end, or go on where it fails: cfn-signal … || echo 'not taken'",
)
def fatal_signal(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        if any(_stops_at_signal(script) for script in scripts(model, resource)):
            yield Hit(at(resource.id), "its user data signals, stops if that fails, and has more to do")


def _stops_at_signal(script: Script) -> bool:
    if not _ERREXIT.search(script.text):
        return False
    for index, line in enumerate(script.lines):
        fatal = line.top and re.search(r"cfn-signal|signal-resource", line.text) and not _guarded(line)
        if fatal and any(later.may_fail for later in script.lines[index + 1 :]):
            return True
    return False


@check(
    "CB156",
    "Failure that ends the boot before it is signalled",
    harm="The script stops at the error, its last line is never reached, and CloudFormation waits for the whole "
    "time-out before it rolls back.",
    source="Bash Reference Manual, 'The Set Builtin'; CloudFormation User Guide, 'cfn-signal', exit code",
    remedy="signal from a trap, which every way out goes through: trap 'cfn-signal -e $? …' EXIT",
    severity="warning",
)
@either_way
def failure_never_signalled(model: Model) -> Iterator[Hit]:
    for resource, places in booting(model):
        for script in (found for place in places for found in scripts(model, place)):
            line = _ends_unsignalled(script) if _awaited(model, resource, script.text) else None
            if line:
                yield Hit(at(resource.id), f"it signals nothing when this fails: {_short(line.text)}")
                break


def _ends_unsignalled(script: Script) -> Line | None:
    """The first line that may end it before the signal at its end, where no trap sends one."""
    if not _ERREXIT.search(script.text) or re.search(r"^\s*(?:trap |set \+\w*e)", script.text, re.M):
        return None
    for index, line in enumerate(script.lines):
        if line.top and _SIGNAL.search(line.text):
            before = script.lines[:index]
            return next((each for each in before if each.may_fail and not _guarded(_alone(each))), None)
    return None


def _alone(line: Line) -> Line:
    """The line without the one after it: where errors end a script, nothing there can look at its status."""
    return replace(line, following="")


def _guarded(line: Line) -> bool:
    """Whether its failure is looked at, or is said not to matter."""
    plain = re.match(r"(?:if|elif|while|until|!|trap)\b", line.text) is None
    return not plain or "||" in line.text or "&&" in line.text or "$?" in line.following


def _signalled_by(model: Model, handle: str) -> set[str]:
    """Instances and groups whose user data has the URL of a handle."""
    told = {edge.source for edge in model.edges if edge.target == handle and "UserData" in edge.path}
    return {
        resource.id
        for resource, places in booting(model)
        if told & {resource.id, *(each.id for each in places)}
    }


def _conditions(model: Model) -> Iterator[tuple[Resource, str, set[str]]]:
    """Wait conditions of instances, with handle and instances."""
    handles = {each.id for each in model.of(_HANDLE)}
    for condition in model.of(_CONDITION):
        for edge in model.edges:
            if edge.source == condition.id and edge.path == "Properties.Handle" and edge.target in handles:
                yield condition, edge.target, _signalled_by(model, edge.target)


@check(
    "CB013",
    "Wait condition that works only once",
    harm="A wait condition keeps its first answer: an update that replaces the instance does not wait for it, and "
    "ends in success though the new instance has failed.",
    source="CloudFormation User Guide, 'Wait conditions'; aws-cloudformation/cloudformation-coverage-roadmap#1097",
    remedy="use a CreationPolicy, or end the handle's logical id with a hash of what boots",
    severity="warning",
)
@either_way
def condition_works_once(model: Model) -> Iterator[Hit]:
    for condition, handle, signallers in _conditions(model):
        if signallers and not re.search(r"[0-9A-Fa-f]{6,}$", handle):
            yield Hit(
                at(condition.id), f"{handle} stays the same when {', '.join(sorted(signallers))} is replaced"
            )


@check(
    "CB014",
    "Wait condition that counts before its instance exists",
    harm="Its time runs while networks and databases are made, and is over before the instance has booted.",
    source="CloudFormation User Guide, 'Wait conditions', DependsOn",
    remedy="add DependsOn with the resource that signals",
)
def condition_starts_early(model: Model) -> Iterator[Hit]:
    for condition, _, signallers in _conditions(model):
        if signallers and not signallers & model.needs(condition.id):
            yield Hit(at(condition.id), f"it does not wait for {', '.join(sorted(signallers))}")


@check(
    "CB023",
    "Boot script that goes on after an error",
    harm="A download or an installation fails, the script ends in success, and half an instance goes to work.",
    source="Bash Reference Manual, 'The Set Builtin'; CloudFormation User Guide, 'cfn-signal', exit code",
    remedy="begin with set -euo pipefail and signal the failure from a trap, or look at each exit status",
)
@either_way
def errors_ignored(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for script in scripts(model, resource):
            ignored = _hidden(script) if script.stops_at_errors else _ignored(script)
            if ignored:
                yield Hit(
                    at(resource.id), f"its user data goes on when this fails: {_short(ignored[0].text)}"
                )


def _ignored(script: Script) -> list[Line]:
    return [
        line
        for line in script.lines[:-1]
        if line.may_fail and not _guarded(line) and "cfn-bootstrap" not in line.text
    ]


def _hidden(script: Script) -> list[Line]:
    """Commands whose failure is lost in a pipe, of which the last command's status counts unless pipefail is set."""
    if "pipefail" in script.text:
        return []
    return [
        line for line in script.lines if _PIPED.search(line.text) and not _guarded(line) and _lost(line.text)
    ]


def _lost(line: str) -> bool:
    """Whether what stands before the pipe may fail: it installs or fetches, or it is worth a log of its own."""
    before, after = _PIPED.split(line, maxsplit=1)
    logged = re.match(r"\s*(?:sudo\s+)?tee\b", after) and not re.match(
        r"(?:sudo |\{ )?(?:echo|cat|printf)\b", before
    )
    fetched = _MAY_FAIL.search(before)
    return bool(logged) or (fetched is not None and not _local(before[fetched.start() :]))


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:60]}…"


@check(
    "CB024",
    "Download at boot that is tried once",
    harm="One lost packet or one slow mirror, and the instance fails for good; with no limit it hangs instead.",
    source="curl manual, --retry and --max-time; wget manual, --tries and --timeout",
    remedy="give curl --retry and --max-time, and wget --tries and --timeout",
    severity="warning",
)
def download_tried_once(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for script in scripts(model, resource):
            line = next((line for line in script.lines if _tried_once(line)), None)
            if line:
                yield Hit(at(resource.id), f"{_short(line.text)} is tried once or without limit")


def _tried_once(line: Line) -> bool:
    called = re.search(_CALL + r"(curl|wget)\b(.*)", line.text)
    if not called or not re.search(r"https?://|\$", called[2]) or _local(called[2]):
        return False
    tried = line.repeated or re.search(r"retr|attempt|--tries|\s-t\s?\d", line.text)
    limit = r"max-time|\s-\w*m\s?\d|connect-timeout|speed-time|timeout|\s-T\s?\d"
    return not (tried and re.search(limit, line.text))


def _local(arguments: str) -> bool:
    return bool(re.search(r"169\.254\.|//localhost|//127\.|\$\{?(?:IMDS|TOKEN|METADATA)", arguments, re.I))


@check(
    "CB025",
    "Boot script that asks the metadata service without a token",
    harm="Where IMDSv2 is required, as on Amazon Linux 2023, the answer is 401: region or instance id is empty, "
    "and what is built from it goes wrong later.",
    source="EC2 User Guide, 'Use the Instance Metadata Service'; realestate-com-au/shush#44; jcberquist/aws-cfml#92",
    remedy="fetch a token first and send it as X-aws-ec2-metadata-token",
)
def metadata_asked_without_token(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for script in scripts(model, resource):
            if any(_asks_without_token(line.text, script.text) for line in script.lines):
                yield Hit(at(resource.id), "its user data asks the metadata service without a token")
                break


@lru_cache(maxsize=8)
def _asking(script: str) -> re.Pattern[str]:
    """What a script writes when it asks the service: its address, or a variable that holds that."""
    variables = re.findall(rf"\b(\w+)=[\"']?http://{re.escape(_METADATA)}", script)
    address = "|".join([re.escape(_METADATA), *(rf"\$(?:{each}\b|{{{each}}})" for each in variables)])
    return re.compile(rf"\b(?:curl|wget)\b[^|;)`]*(?:{address})/[^|;)`]*")


def _asks_without_token(line: str, script: str) -> bool:
    called = _asking(script).search(line)
    if called:
        return not re.search(r"token|\s-H\b|--header|--config|\s-K\b", called[0], re.I)
    return f"{_METADATA}/latest/meta-data" in line and "token" not in script.lower()


@check(
    "CB027",
    "Shell variable that Fn::Sub replaces",
    harm="The script sets a variable and reads ${it} back, but CloudFormation has put a parameter or a resource of "
    "the same name there.",
    source="CloudFormation Template Reference, 'Fn::Sub', literal ${!Literal}",
    remedy="write ${!NAME} for the shell's variable, or give it another name",
)
def shell_variable_replaced(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for name in sorted({name for raw in written_user_data(resource) for name in _shadowed(model, raw)}):
            yield Hit(at(resource.id), f"its user data sets {name}, and ${{{name}}} is not that")


def _shadowed(model: Model, raw: Any) -> Iterator[str]:
    """Names that a Sub fills in and that its part of the script sets to something else."""
    for _, node in nodes(raw):
        known, argument = function(node)
        if known == "Fn::Sub" and isinstance(argument, str):
            yield from _set_and_filled(model, argument)


def _set_and_filled(model: Model, argument: str) -> Iterator[str]:
    for name in set(re.findall(r"\$\{(\w+)\}", argument)) & {*model.parameters, *model.resources}:
        values = re.findall(rf"(?:^|[;\s])(?:export |local |readonly )?{name}=(\S*)", argument, re.M)
        if any(f"{{{name}}}" not in value for value in values):
            yield name


@check(
    "CB031",
    "Instance with data on it that a newer image replaces",
    harm="The parameter names the latest image, so any later update of the stack may replace the instance.",
    source="CloudFormation User Guide, 'SSM parameter types'; aws-samples/ecs-refarch-cloudformation#76",
    remedy="name one image by its id or by a version of the parameter, or move the data off the instance",
    severity="warning",
)
def latest_image_of_stateful_instance(model: Model) -> Iterator[Hit]:
    attached = {
        each.target
        for each in model.edges
        if each.path == "Properties.InstanceId" and model.resources.get(each.source) in model.of(_ATTACHMENT)
    }
    for instance in model.of(INSTANCE):
        if (instance.id in attached or _keeps_volumes(instance)) and any(
            _moves(model, each) for each in arms(instance.raw_properties().get("ImageId"))
        ):
            yield Hit(at(instance.id, "Properties.ImageId"), "it keeps data and follows the latest image")


_ATTACHMENT = "AWS::EC2::VolumeAttachment"


def _keeps_volumes(instance: Resource) -> bool:
    if instance.raw.get("DeletionPolicy") == "Retain" or says(instance.get("DisableApiTermination"), "true"):
        return True
    return "'DeleteOnTermination': False" in str(instance.get("BlockDeviceMappings"))


def _moves(model: Model, image: Any) -> bool:
    """Whether an image is looked up anew by each update."""
    name, argument = function(image)
    declared = entries(model.parameters.get(str(argument)) if name == "Ref" else None)
    if "SSM::Parameter::Value" in str(declared.get("Type")):
        return not _pinned(str(declared.get("Default", "")))
    found = re.search(r"\{\{resolve:ssm:([^}]*)\}\}", text(model, image))
    return bool(found) and not _pinned(found[1])


def _pinned(parameter: str) -> bool:
    """Whether it ends with a version, or is no alias of the latest image."""
    return bool(re.search(r":\d+$", parameter))
