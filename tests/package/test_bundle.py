"""Templates with what they name: which places are packaged, what becomes of them, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks.packaged import ARTIFACTS
from blueprints.checks.template import load
from blueprints.core import BlueprintError
from blueprints.package import asset
from blueprints.package.addresses import Addresses, Beside, InBucket
from blueprints.package.bundle import Bundle, bundle

from .conftest import MakeWheel, Write

BUCKET = InBucket("code", "p/", "https://s3.eu-west-1.amazonaws.com")

FUNCTION = """\
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Code: ../src
      Handler: app.handler
      Runtime: python3.13
      Architectures: [arm64]
"""


def made(template: str, addresses: Addresses = BUCKET) -> Bundle:
    (found,) = bundle([Path(template)], Path("build"), addresses)
    return found


def told(*templates: str) -> list[str]:
    with pytest.raises(BlueprintError) as caught:
        bundle([Path(each) for each in templates], Path("build"), BUCKET)
    return [str(each) for each in caught.value.faults]


def properties(text: str, name: str = "Function") -> dict[str, Any]:
    return load(text)["Resources"][name]["Properties"]


def names(found: Bundle) -> list[str]:
    with zipfile.ZipFile(found.made[-1].asset.file) as archive:
        return archive.namelist()


# Which places


@pytest.mark.parametrize("kind", sorted(ARTIFACTS))
def test_every_place_that_aws_packages_gets_an_address_in_its_form(write: Write, kind: str) -> None:
    for artifact in ARTIFACTS[kind]:
        outer, _, inner = artifact.name.rpartition(".")
        value = f"{{{inner}: here.yaml}}" if outer else "here.yaml"
        text = f"Resources:\n  It:\n    Type: {kind}\n    Properties:\n      {outer or inner}: {value}\n"
        write({"t/one.yaml": text, "t/here.yaml": "Resources: {}\n"})
        found = made("t/one.yaml")
        address: Any = properties(found.text, "It")
        for part in artifact.name.split("."):
            address = address[part]
        key = f"p/{found.made[0].asset.name}"
        expected = {"s3": f"s3://code/{key}", "https": f"https://s3.eu-west-1.amazonaws.com/code/{key}"}
        if isinstance(artifact.address, tuple):
            assert address == dict(zip(artifact.address, ("code", key), strict=True))
        else:
            assert address == expected[artifact.address]
        assert key.endswith(".zip" if artifact.content == "zip" else ".yaml")


def test_what_is_an_address_or_inline_or_chosen_at_deployment_stays(write: Write) -> None:
    text = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Uploaded: {Type: AWS::Serverless::Function, Properties: {CodeUri: "s3://b/k"}}
  Keys: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: b, S3Key: k}}}
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: "x"}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
  Chosen: {Type: AWS::Serverless::Function, Properties: {CodeUri: !Ref Code}}
  Remote: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://s3.amazonaws.com/b/k"}}
  Body: {Type: AWS::Serverless::Api, Properties: {DefinitionBody: {}}}
"""
    write({"t/one.yaml": text})
    assert made("t/one.yaml").text == text


def test_metadata_and_included_parts_are_packaged_as_they_are(write: Write) -> None:
    text = """\
Metadata:
  AWS::ServerlessRepo::Application: {Name: x, ReadmeUrl: README.md, LicenseUrl: "s3://b/LICENSE"}
Resources:
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}
"""
    write({"t/one.yaml": text, "t/README.md": "# It\n", "t/part.yaml": "Vpc: {}\n"})
    found = made("t/one.yaml")
    assert [(each.place.owner, each.asset.file.read_text()) for each in found.made] == [
        ("AWS::ServerlessRepo::Application", "# It\n"),
        ("AWS::Include", "Vpc: {}\n"),
    ]


def test_functions_that_name_no_code_have_that_of_globals_or_the_folder(write: Write) -> None:
    function = "{Type: AWS::Serverless::Function, Properties: {Handler: app.handler, Runtime: python3.13}}"
    write({"src/app.py": "", "t/here.py": ""})
    write(
        {
            "t/shared.yaml": f"Globals: {{Function: {{CodeUri: ../src}}}}\nResources: {{Function: {function}}}\n"
        }
    )
    write({"t/bare.yaml": f"Resources: {{Function: {function}}}\n"})
    shared = made("t/shared.yaml")
    assert names(shared) == ["app.py"]
    address = properties(shared.text)["CodeUri"]
    assert address.startswith("s3://code/p/")
    assert load(shared.text)["Globals"]["Function"]["CodeUri"] == address
    assert "here.py" in names(made("t/bare.yaml"))


# Nested templates


def test_nested_templates_are_packaged_first(write: Write) -> None:
    nested = (
        "Resources: {Deep: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: deep/deep.yaml}}}\n"
    )
    outer = "Resources: {Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ../n/nested.yaml}}}\n"
    write({"src/app.py": "", "n/deep/deep.yaml": FUNCTION.replace("../src", "../../src")})
    write({"n/nested.yaml": nested, "t/outer.yaml": outer})
    found = made("t/outer.yaml")
    assert [(each.template.as_posix(), each.place.name) for each in found.made] == [
        ("n/deep/deep.yaml", "Code"),
        ("n/nested.yaml", "TemplateURL"),
        ("t/outer.yaml", "TemplateURL"),
    ]
    code, deep, middle = [each.asset for each in found.made]
    assert properties(deep.file.read_text())["Code"] == {"S3Bucket": "code", "S3Key": f"p/{code.name}"}
    assert properties(middle.file.read_text(), "Deep")["TemplateURL"].endswith(f"/code/p/{deep.name}")


def test_without_a_bucket_every_template_names_files_from_where_it_stands(write: Write) -> None:
    nested = FUNCTION.replace("../src", "../../src")
    outer = "Resources: {Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ../n/n/nested.yaml}}}\n"
    write({"src/app.py": "", "n/n/nested.yaml": nested, "t/outer.yaml": outer})
    found = made("t/outer.yaml", Beside())
    code, inner = [each.asset for each in found.made]
    assert (
        found.out.parent / properties(found.text, "Nested")["TemplateURL"]
    ).resolve() == inner.file.resolve()
    assert (inner.file.parent / properties(inner.file.read_text())["Code"]).resolve() == code.file.resolve()


# Code


def test_a_single_file_is_zipped_alone_and_a_zip_is_taken_as_it_is(write: Write, folder: Path) -> None:
    write(
        {"src/app.py": "code", "src/other.py": "", "t/one.yaml": FUNCTION.replace("../src", "../src/app.py")}
    )
    alone = made("t/one.yaml")
    assert names(alone) == ["app.py"]
    with zipfile.ZipFile(folder / "src" / "made.zip", "w") as archive:
        archive.writestr("inside.py", "x")
    write({"t/two.yaml": FUNCTION.replace("../src", "../src/made.zip")})
    taken = made("t/two.yaml")
    assert taken.made[0].asset.file.read_bytes() == (folder / "src" / "made.zip").read_bytes()


def test_requirements_beside_the_handler_come_for_its_platform(write: Write, make_wheel: MakeWheel) -> None:
    arm = make_wheel("fast", "cp313-cp313-manylinux_2_34_aarch64", {"fast/__init__.py": "arm"})
    intel = make_wheel("fast", "cp313-cp313-manylinux_2_34_x86_64", {"fast/__init__.py": "intel"})
    write({"src/app.py": "", "src/requirements.txt": f"{arm} {intel.split(' ')[1]}\n"})
    write({"t/arm.yaml": FUNCTION, "t/intel.yaml": FUNCTION.replace("      Architectures: [arm64]\n", "")})
    for name, content in (("arm", b"arm"), ("intel", b"intel")):
        with zipfile.ZipFile(made(f"t/{name}.yaml").made[0].asset.file) as archive:
            assert archive.read("fast/__init__.py") == content
            assert {"app.py", "requirements.txt", "fast-1.0.dist-info/RECORD"} < set(archive.namelist())


def test_a_layers_requirements_lie_where_python_looks(write: Write, make_wheel: MakeWheel) -> None:
    text = """\
Resources:
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: ../src, CompatibleRuntimes: [python3.13]}}
"""
    write({"src/requirements.txt": make_wheel("pure", "py3-none-any"), "t/one.yaml": text})
    assert "python/pure.py" in names(made("t/one.yaml"))


def test_a_runtime_without_python_needs_no_requirements(write: Write) -> None:
    text = FUNCTION.replace("python3.13", "nodejs22.x")
    write({"src/index.js": "", "src/requirements.txt": "not locked", "t/one.yaml": text})
    assert names(made("t/one.yaml")) == ["index.js", "requirements.txt"]


# What a deployment may do


@pytest.mark.parametrize(
    ("resources", "needed"),
    [
        ("{V: {Type: AWS::EC2::VPC}}", set[str]()),
        ("{R: {Type: AWS::IAM::Role, Properties: {Path: /}}}", {"CAPABILITY_IAM"}),
        ("{P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p}}}", {"CAPABILITY_IAM"}),
        ("{R: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}", {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}),
        ("{F: {Type: AWS::Serverless::Function}}\nTransform: x", {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}),
        ("{Fn::ForEach::R: [I, [A], {'R${I}': {Type: AWS::IAM::Role}}]}", {"CAPABILITY_IAM"}),
        ("{S: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: role.yaml}}}",
         {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}),
    ],
)  # fmt: skip
def test_capabilities_are_those_of_all_templates(write: Write, resources: str, needed: set[str]) -> None:
    role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}"
    write({"t/one.yaml": f"Resources: {resources}\n", "t/role.yaml": role})
    assert made("t/one.yaml").capabilities == needed


# What is refused


def test_everything_wrong_with_several_templates_is_told_at_once(write: Write) -> None:
    chosen = FUNCTION.replace("python3.13", "!Ref Runtime")
    empty = FUNCTION.partition("\n")[2].replace("Function:\n", "Other:\n").replace("../src", "../empty")
    write({
        "t/one.yaml": FUNCTION.replace("../src", "../absent"),
        "t/two.yaml": chosen + empty,
        "t/three.yaml": "Resources: {N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: three.yaml}}}\n",
        "t/four.yaml": "- no template\n",
        "src/requirements.txt": "x==1\n",
    })  # fmt: skip
    Path("empty").mkdir()
    assert told("t/one.yaml", "t/two.yaml", "t/three.yaml", "t/four.yaml", "t/five.yaml") == [
        "empty: holds nothing to package; put the code there",
        "src/requirements.txt: Function has a runtime chosen at deployment, and wheels fit one;"
        " write one such as python3.13",
        "t/five.yaml: cannot be read: No such file or directory; name a template",
        "t/four.yaml: no template: a template is a mapping, got list; mend it",
        "t/one.yaml: Resources.Function.Properties.Code: no file or folder '../absent' in t; mend the path",
        "t/three.yaml: Resources.N.Properties.TemplateURL: three.yaml leads back to itself; nest another template",
    ]


def test_code_that_lambda_would_refuse_is_told_with_both_sizes(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asset.MOST_BYTES == 262_144_000
    monkeypatch.setattr(asset, "MOST_BYTES", 1000)
    write({"src/app.py": "x" * 1001, "t/one.yaml": FUNCTION})
    assert told("t/one.yaml") == [
        "src: 1,001 bytes unzipped, of which Lambda takes 1,000; leave out what is not used"
    ]
    write({"src/app.py": "x" * 1000})
    assert made("t/one.yaml").made[0].asset.size < 1000


def test_a_file_that_code_and_a_wheel_both_bring_is_refused(write: Write, make_wheel: MakeWheel) -> None:
    line = make_wheel("pure", "py3-none-any")
    write({"src/pure.py": "mine", "src/requirements.txt": line, "t/one.yaml": FUNCTION})
    assert told("t/one.yaml") == [
        "src: holds pure.py, as do the wheels of its requirements.txt; remove one or the other"
    ]


def test_a_zip_that_cannot_be_read_is_refused(write: Write, folder: Path) -> None:
    write({"t/one.yaml": FUNCTION.replace("../src", "bad.zip")})
    with zipfile.ZipFile(folder / "t" / "bad.zip", "w") as archive:
        archive.writestr("app.py", "")
    content = (folder / "t" / "bad.zip").read_bytes()
    (folder / "t" / "bad.zip").write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    assert told("t/one.yaml") == ["t/bad.zip: not a zip that can be read; make it anew or name a folder"]


def test_no_template_takes_the_place_of_another(write: Write) -> None:
    write({"build/t/one.yaml": FUNCTION, "build/src/app.py": "", "a/t/two.yaml": "{}", "b/t/two.yaml": "{}"})
    assert told("build/t/one.yaml", "a/t/two.yaml", "b/t/two.yaml") == [
        "b/t/two.yaml: would be written to build/t/two.yaml, as a/t/two.yaml; package them apart",
        "build/t/one.yaml: would be overwritten; choose another --build",
    ]
