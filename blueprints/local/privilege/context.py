"""Values of condition keys in a request, for the keys that the policies of a stack read.

IAM User Guide, "AWS global condition context keys"; keys of services by the Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from ...checks import iam
from .call import Asked
from .policies import Role
from .request import Context, NotJudgedError
from .table import Ask

_TAG = "resourcetag/"


def context(asked: Asked, ask: Ask, resource: str, role: Role, wanted: Iterable[str]) -> Context:
    """What is known of the wanted keys. One that is in no request of the action is known to be absent.

    A key of which nothing is known, or that cannot be looked up, is left out: it fails the statement that reads it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for key in wanted:
        with suppress(NotJudgedError):
            values = _values(key, asked, ask, resource, role)
            if values is not None:
                found[key] = tuple(values)
    return found


def _values(key: str, asked: Asked, ask: Ask, resource: str, role: Role) -> Iterable[str] | None:
    service, _, name = key.partition(":")
    if key in ask.keys:
        return ask.keys[key](asked)
    if name.startswith("principaltag/"):
        return _one_of(role.tags, name.removeprefix("principaltag/"))
    if service == "aws" and not name.startswith((_TAG, "requesttag/", "tagkeys")):
        return _of_all(asked, role).get(name)
    if not _sees(ask.action, key):
        return ()
    if name.startswith(_TAG):
        # IAM compares keys of tags without regard to capitals, as it does those of conditions.
        return () if resource == "*" else _one_of(asked.account.tags(resource), name.removeprefix(_TAG))
    return None


def _sees(action: str, key: str) -> bool:
    known = iam.matching(action)
    if not known:
        raise NotJudgedError(f"{action} is no action of IAM")
    return any(each.sees(key) for each in known)


def _one_of(tags: Mapping[str, str], name: str) -> tuple[str, ...]:
    return next(((value,) for key, value in tags.items() if key.lower() == name), ())


def _of_all(asked: Asked, role: Role) -> Context:
    """Keys of every request. Here they are sent over plain HTTP, as nobody sends them to AWS, so TLS is supposed."""
    return {
        "principalaccount": (asked.place.account,),
        "principalarn": (role.arn,),
        "principaltype": ("AssumedRole",),
        "requestedregion": (asked.record.region or asked.place.region,),
        "resourceaccount": (asked.place.account,),
        "securetransport": ("true",),
        "viaawsservice": ("false",),
        "calledvia": (),
        "username": (),
    }
