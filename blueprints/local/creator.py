"""How a type of resource is created: one registered function a type, in `creators/`.

    @creates("AWS::SQS::Queue", attributes=("Arn", "QueueName", "QueueUrl"), exists=_queue_exists)
    def queue(new: New) -> Physical:
        url = new.call("sqs", "create_queue", QueueName=new.name("QueueName", 80))["QueueUrl"]
        return Physical(url, {"Arn": …, "QueueName": …, "QueueUrl": url})

The function calls the emulated APIs as CloudFormation would, and returns what `Ref` and `Fn::GetAtt` give. Properties
that it does not hand to an API have to be named in `ignored`, each with a reason beside it; any other is an error,
so that nothing of a template is lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .coerce import coerce
from .place import Place
from .resolver import Physical
from .stack import Stack

Client = Callable[[str], Any]
Create = Callable[["New"], Physical]
Exists = Callable[[Client, Physical], Any]


@dataclass(frozen=True)
class Creator:
    """How resources of one type come to be. `exists` is true, or anything not empty, for one that is there."""

    type: str
    create: Create
    attributes: tuple[str, ...]
    exists: Exists
    ignored: frozenset[str]


class New:
    """A resource that is being created: its properties, resolved, and the clients to create it with."""

    def __init__(
        self, stack: Stack, logical_id: str, client: Client, ignored: frozenset[str] = frozenset()
    ) -> None:
        self.stack = stack
        self.logical_id = logical_id
        self.client = client
        self.properties: dict[str, Any] = stack.properties(logical_id)
        self._left = set(self.properties) - ignored

    @property
    def place(self) -> Place:
        """Account, region and stack."""
        return self.stack.place

    @property
    def untouched(self) -> set[str]:
        """Properties that nobody has asked for yet."""
        return self._left

    def get(self, name: str, default: Any = None) -> Any:
        """One property, or `default` where the template does not set it."""
        self._left.discard(name)
        return self.properties.get(name, default)

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the properties that the template sets."""
        return {name: self.get(name) for name in names if name in self.properties}

    def rest(self) -> dict[str, Any]:
        """All properties that nobody has asked for yet."""
        return self.given(*sorted(self._left))

    def name(self, key: str, limit: int = 255, lower: bool = False) -> str:
        """The name that the template sets with property `key`, or else one as CloudFormation makes it."""
        return self.get(key) or self.place.physical_name(self.logical_id, limit, lower)

    def tags(self) -> list[dict[str, str]]:
        """The property Tags, as Key and Value, whichever way the template writes it."""
        found: Any = self.get("Tags") or []
        if isinstance(found, Mapping):
            entries = cast("Mapping[str, Any]", found).items()
            return [{"Key": key, "Value": str(value)} for key, value in entries]
        return [{"Key": str(each["Key"]), "Value": str(each["Value"])} for each in found]

    def tag_map(self) -> dict[str, str]:
        """The property Tags as a mapping."""
        return {each["Key"]: each["Value"] for each in self.tags()}

    def call(self, service: str, operation: str, **given: Any) -> Any:
        """One API call. Values take the types of the operation's model: '30' becomes 30, 'true' true.

        Raises ValueError for a parameter that the operation does not have.
        """
        client = self.client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        values = {key: value for key, value in given.items() if value is not None}
        return getattr(client, operation)(**coerce(model.input_shape, values, operation))


@dataclass
class Registry:
    """The creators, by type."""

    creators: dict[str, Creator] = field(default_factory=dict[str, Creator])

    def add(self, creator: Creator) -> None:
        """One more. Raises ValueError for a second of one type."""
        if creator.type in self.creators:
            raise ValueError(f"{creator.type} has a creator already")
        self.creators[creator.type] = creator


REGISTRY = Registry()


def creates(
    kind: str, *, exists: Exists, attributes: tuple[str, ...] = (), ignored: tuple[str, ...] = ()
) -> Callable[[Create], Create]:
    """Register the function that creates resources of a type, with the attributes that it has to give."""

    def register(create: Create) -> Create:
        REGISTRY.add(Creator(kind, create, attributes, exists, frozenset(ignored)))
        return create

    return register
