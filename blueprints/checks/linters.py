"""What is left to the linters: failures that they find themselves, so that no check of ours looks for them."""

from __future__ import annotations

from dataclasses import dataclass

from . import lint, validation


@dataclass(frozen=True)
class Left:
    """A failure with the rules that find it. `row` counts with our checks: row 17 is what CB017 would be."""

    row: int
    title: str
    harm: str
    remedy: str
    source: str
    linter: tuple[str, ...] = ()
    validator: tuple[str, ...] = ()

    @property
    def engines(self) -> dict[str, tuple[str, ...]]:
        """Rules by the engine that has them."""
        return {lint.DISTRIBUTION: self.linter, validation.DISTRIBUTION: self.validator}

    @property
    def rules(self) -> tuple[str, ...]:
        """Rules of either engine, each once."""
        return tuple(dict.fromkeys((*self.linter, *self.validator)))


LEFT = (
    Left(
        17,
        "Security groups that let each other in",
        harm="Each needs the other one first, so CloudFormation refuses the template.",
        remedy="make each rule a resource of its own, AWS::EC2::SecurityGroupIngress",
        source="CloudFormation User Guide, 'Troubleshooting CloudFormation', circular dependency; "
        "aws/serverless-application-model#1044",
        linter=("E3004",),
        validator=("F3004",),
    ),
    Left(
        27,
        "Shell variable that Fn::Sub takes for a name of the template",
        harm="The template is refused for a name that only the script knows.",
        remedy="write ${!NAME} for the shell's variable",
        source="CloudFormation Template Reference, 'Fn::Sub', literal ${!Literal}",
        linter=("E1021",),
        validator=("F1018",),
    ),
    Left(
        27,
        "Placeholder outside of Fn::Sub",
        harm="The text reaches AWS with its ${} in it, and what is built from it has a wrong name or does not work.",
        remedy="put Fn::Sub around the text",
        source="CloudFormation Template Reference, 'Fn::Sub'",
        linter=("E1029",),
        validator=("E1029",),
    ),
    Left(
        28,
        "Runtime that Lambda has given up",
        harm="The function can no longer be created: a template that has worked for years fails in a new account.",
        remedy="move the code to a runtime that is supported",
        source="Lambda Developer Guide, 'Lambda runtimes', runtime deprecation; "
        "aws-quickstart/quickstart-datalake-pariveda#12",
        linter=("E2533",),
        validator=("E2533",),
    ),
    Left(
        29,
        "Launch configuration",
        harm="Accounts made since October 2024 cannot create any, and new instance types are not offered in them.",
        remedy="use a launch template",
        source="Auto Scaling User Guide, 'Auto Scaling launch configurations'; "
        "neo4j-partners/neo4j-aws-cloudformation#122",
        linter=("W3697",),
        validator=("W3697",),
    ),
    Left(
        42,
        "Queue that shows a message again while it is worked on",
        harm="Lambda refuses the event source, or the same message is handled twice at a time.",
        remedy="make VisibilityTimeout six times the function's Timeout",
        source="Lambda Developer Guide, 'Using Lambda with Amazon SQS'; aws/serverless-application-model#1424",
        linter=("E3505",),
        validator=("E3505",),
    ),
    Left(
        45,
        "Bucket and permission that wait for each other",
        harm="The bucket needs the permission to call a function, and the permission needs the bucket's name.",
        remedy="build the bucket's name with Fn::Sub in both, or notify through EventBridge",
        source="CloudFormation Template Reference, 'AWS::S3::Bucket NotificationConfiguration'",
        linter=("E3004",),
        validator=("F3004",),
    ),
    Left(
        46,
        "Permission for a bucket whoever owns it",
        harm="A bucket's ARN has no account in it: when the bucket is gone, another account takes its name and calls"
        " the function.",
        remedy="add SourceAccount",
        source="Lambda API Reference, 'AddPermission', SourceAccount",
        linter=("W3663",),
        validator=("W3663",),
    ),
    Left(
        50,
        "Hidden parameter that the template shows",
        harm="Metadata and outputs are plain text to everybody who may describe the stack.",
        remedy="pass the ARN of a secret on instead of its value",
        source="CloudFormation User Guide, 'CloudFormation template Parameters syntax', NoEcho",
        linter=("W2010",),
        validator=("W2010",),
    ),
    Left(
        50,
        "Secret looked up where it is not hidden",
        harm="The stack fails, or the value stands in plain text where everybody may read it.",
        remedy="look secrets up in properties that take passwords, and nowhere else",
        source="CloudFormation User Guide, 'Get values stored in other services using dynamic references'",
        linter=("E1051", "E1027"),
        validator=("E1051", "E1027"),
    ),
    Left(
        50,
        "Password parameter without NoEcho",
        harm="Everybody who may describe the stack reads the password.",
        remedy="set NoEcho: true, or let Secrets Manager generate the value",
        source="CloudFormation User Guide, 'CloudFormation template Parameters syntax', NoEcho",
        linter=("W2501",),
        validator=("W2501", "W2509"),
    ),
    Left(
        52,
        "Data that is deleted because nobody has said otherwise",
        harm="What a table or a file system holds goes with the stack, or with an update that replaces it.",
        remedy="set DeletionPolicy and UpdateReplacePolicy, to Delete where that is what you want",
        source="CloudFormation User Guide, 'DeletionPolicy attribute' and 'UpdateReplacePolicy attribute'",
        linter=("I3011",),
    ),
    Left(
        52,
        "Data that is kept on deletion and lost on replacement",
        harm="An update that replaces the resource deletes the old one with all it holds.",
        remedy="set UpdateReplacePolicy as DeletionPolicy is set",
        source="CloudFormation User Guide, 'UpdateReplacePolicy attribute'",
        linter=("W3011",),
        validator=("W3011",),
    ),
    Left(
        55,
        "Parameter that nothing uses",
        harm="Somebody changes it, nothing happens, and they look for the reason elsewhere.",
        remedy="use it or leave it out",
        source="CloudFormation User Guide, 'CloudFormation template Parameters syntax'",
        linter=("W2001",),
        validator=("W2001",),
    ),
    Left(
        56,
        "Reference to what a condition leaves out",
        harm="The template is refused as soon as somebody chooses the value that leaves it out.",
        remedy="put the reference under the same condition, with Fn::If or Condition",
        source="CloudFormation User Guide, 'CloudFormation template Conditions syntax'",
        linter=("W1001",),
        validator=("W1001",),
    ),
)
