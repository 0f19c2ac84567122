"""Ids for resources that are described and not run here, in the form that AWS gives them.

Only for types whose ids stand in what is run: in user data, in environment variables, in outputs. Whatever refers to
another type that is not run is an error. Source of forms and attributes: Template Reference, "Return values".
"""

from __future__ import annotations

from collections.abc import Callable

from .place import Place
from .resolver import Physical

_HEX = "0123456789abcdef"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def placeholder(kind: str, place: Place, logical_id: str) -> Physical | None:
    """What Ref and GetAtt give for a resource that is not run; None for a type that has no form here."""
    make = _FORMS.get(kind)
    return make(place, logical_id) if make else None


def _id(prefix: str) -> Callable[[Place, str], Physical]:
    """Longer format resource IDs: the prefix and 17 hexadecimal digits."""
    return lambda place, name: Physical(f"{prefix}-{place.unique(name, 17, _HEX)}")


def _named(place: Place, name: str) -> Physical:
    return Physical(place.physical_name(name))


def _http_api(place: Place, name: str) -> Physical:
    api = place.unique(name, 10, _LETTERS)
    endpoint = f"https://{api}.execute-api.{place.region}.{place.url_suffix}"
    return Physical(api, {"ApiId": api, "ApiEndpoint": endpoint})


def _rest_api(place: Place, name: str) -> Physical:
    api = place.unique(name, 10, _LETTERS)
    return Physical(api, {"RestApiId": api, "RootResourceId": place.unique(f"{name}/root", 10, _LETTERS)})


def _lustre(place: Place, name: str) -> Physical:
    file_system = f"fs-{place.unique(name, 17, _HEX)}"
    return Physical(
        file_system,
        {
            "DNSName": f"{file_system}.fsx.{place.region}.{place.url_suffix}",
            "LustreMountName": place.unique(f"{name}/mount", 8, _LETTERS),
            "ResourceARN": place.arn("fsx", f"file-system/{file_system}"),
        },
    )


def _efs(place: Place, name: str) -> Physical:
    file_system = f"fs-{place.unique(name, 17, _HEX)}"
    arn = place.arn("elasticfilesystem", f"file-system/{file_system}")
    return Physical(file_system, {"FileSystemId": file_system, "Arn": arn})


_FORMS: dict[str, Callable[[Place, str], Physical]] = {
    "AWS::ApiGateway::Deployment": _named,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _named,
    "AWS::ApiGatewayV2::Api": _http_api,
    "AWS::ApiGatewayV2::Stage": _named,
    "AWS::EFS::FileSystem": _efs,
    "AWS::EFS::MountTarget": _id("fsmt"),
    "AWS::FSx::FileSystem": _lustre,
    "AWS::Lambda::EventSourceMapping": _named,
    "AWS::Lambda::Permission": _named,
}
