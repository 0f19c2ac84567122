"""What runs is what the committed templates deliver, and nothing of our source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blueprints.local.aws import Aws
from blueprints.local.place import Place
from blueprints.local.running import Running
from blueprints.local.stack import Stack

from .conftest import COMMITTED, IMAGES, System, read, subnets
from .instance import EVENT, ROOT, Instance, delivered, ended

HARMFUL = ["'", "a'b", "a\nb", "\n", "$(x)'", "'; touch /x; '", "{{ ssm:secret }}"]
SCRIPTS = ROOT / "blueprints" / "asg_backup" / "documents"


def test_every_resource_of_the_committed_templates_is_deployed(system: System) -> None:
    """Also by what `blueprints local` runs, which says what nothing here carries out."""
    assert (system.backup.not_run, system.restore.not_run) == ({}, {})
    assert system.aws.unimplemented() == []
    aws = Aws()
    stack = read("asg-backup", **subnets(aws))
    with Running(stack, aws) as running:
        assert set(running.deployment.created) == set(stack.resources())
        print(f"not run: {dict(running.not_run)}")  # noqa: T201 - what the proof leaves open
        outputs = running.deployment.outputs()
    assert outputs.keys() == {
        "AutoScalingGroupName",
        "BucketName",
        "TopicArn",
        "DocumentName",
        "StateMachineArn",
    }


def test_a_changed_script_in_the_template_changes_what_runs(
    system: System, instance: Instance, tmp_path: Path
) -> None:
    text = (COMMITTED / "asg-backup.yaml").read_text()
    assert text.count("nothing to back up") == 1
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace("nothing to back up", "nothing to keep"))
    stack = Stack.read(changed, COMMITTED / "asg-backup.parameters.json", Place("x"), fetch=IMAGES)
    stack.physical.update(system.backup.stack.physical)
    given = {**EVENT, "BackupDirectories": "/srv/nowhere"}
    for content, words in (
        (instance.documents["BackupDocument"], "nothing to back up"),
        (stack.document("BackupDocument"), "nothing to keep"),
    ):
        done = ended(instance.start_script(delivered(content, given)))
        assert done.report["reason"].startswith(words)


def test_a_document_holds_its_script_byte_by_byte(system: System) -> None:
    for name, script in (("BackupDocument", "backup.sh"), ("RestoreDocument", "restore.sh")):
        shebang, *exports, body = system.documents()[name]["mainSteps"][0]["inputs"]["runCommand"]
        assert f"{shebang}\n{body}" == (SCRIPTS / script).read_text()
        assert all(re.fullmatch(r"export [A-Z_]+='\{\{ \w+ \}\}'", each) for each in exports)


def test_an_instance_cannot_see_our_source(instance: Instance) -> None:
    assert instance.sh(f"find {ROOT} -name '*.sh' -path '*asg_backup*' | wc -l") == "0"
    assert Path(ROOT / "blueprints" / "asg_backup").exists()


@pytest.mark.parametrize("document", ["BackupDocument", "RestoreDocument"])
def test_no_parameter_can_leave_its_quotes(system: System, document: str) -> None:
    content = system.documents()[document]
    for name in content["parameters"]:
        for value in HARMFUL:
            with pytest.raises(ValueError, match=name):
                delivered(content, {name: value})


def test_a_hostile_value_that_is_allowed_stays_text(system: System, instance: Instance) -> None:
    instance.sh("mkdir '/srv/$(touch x); #`y`' && echo kept > '/srv/$(touch x); #`y`/file'")
    done = instance.back_up("/srv/$(touch x); #`y`", ExcludePatterns="$(touch y),*;touch z")
    assert (done.status, done.report["outcome"], done.report["entries"]) == (0, "complete", 2), done
    assert done.report["include"] == "/srv/$(touch x); #`y`"
    assert instance.host.run(["sh", "-c", "ls /x /y /z /srv/x"]).stdout == b""
