"""What an EC2 instance knows of itself, by the instance metadata service, version 2."""

from __future__ import annotations

import calendar
import http.client
import json
import os
import time
from typing import NamedTuple

_ADDRESS = "169.254.169.254"
_TOKEN_SECONDS = 21600
_REFRESH_SECONDS = 300  # before credentials end


class MetadataError(Exception):
    """The metadata service did not answer."""


class Credentials(NamedTuple):
    """Keys that sign requests. `expires` is in seconds since 1970."""

    access: str
    secret: str
    token: str
    expires: float


class Instance:
    """The metadata service of this host. It is asked again where an answer may have changed."""

    def __init__(self) -> None:
        self._token, self._until = "", 0.0
        self._credentials = Credentials("", "", "", 0)

    def read(self, path: str) -> str:
        """A category such as `instance-id`. Raises MetadataError."""
        if time.monotonic() > self._until:
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
            self._token = _ask("PUT", "/latest/api/token", headers)
            self._until = time.monotonic() + _TOKEN_SECONDS / 2
        return _ask("GET", "/latest/meta-data/" + path, {"X-aws-ec2-metadata-token": self._token})

    def credentials(self) -> Credentials:
        """Those of the environment, as every AWS SDK takes them, or the instance's role's. Raises MetadataError."""
        given = os.environ.get("AWS_ACCESS_KEY_ID")
        if given:
            token = os.environ.get("AWS_SESSION_TOKEN", "")
            return Credentials(given, os.environ.get("AWS_SECRET_ACCESS_KEY", ""), token, float("inf"))
        if time.time() > self._credentials.expires - _REFRESH_SECONDS:
            self._credentials = self._of_role()
        return self._credentials

    def _of_role(self) -> Credentials:
        role = self.read("iam/security-credentials/").split("\n")[0]
        try:
            told = json.loads(self.read("iam/security-credentials/" + role))
            expires = calendar.timegm(time.strptime(told["Expiration"], "%Y-%m-%dT%H:%M:%SZ"))
            return Credentials(told["AccessKeyId"], told["SecretAccessKey"], told["Token"], expires)
        except (KeyError, ValueError) as error:
            raise MetadataError(f"the credentials of {role} cannot be read: {error!r}") from error

    def forget(self) -> None:
        """Ask for credentials anew: those at hand were refused."""
        self._credentials = Credentials("", "", "", 0)
        self._until = 0.0


def _ask(method: str, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(_ADDRESS, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise MetadataError(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise MetadataError(f"{path}: status {response.status}")
    return text
