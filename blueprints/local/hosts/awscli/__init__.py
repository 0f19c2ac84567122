"""The AWS CLI for emulated hosts: its own program, whose imports all calls of a user share.

They take half a second of a core, and what runs on hosts calls it all the time. `aws` on the host asks a process that
has imported it, one for each user, to be the AWS CLI in a fork, with the caller's arguments, variables, folder and
files. The fork ends with its caller. Nothing here knows a command or answers one.
"""

from pathlib import Path

_HERE = Path(__file__).parent
_AWS = "/usr/local/bin/aws"


def programs(environment: Path) -> dict[str, str]:
    """Files of a host by path: the AWS CLI of a virtual environment, in which it was installed by pip.

    The host has to see the environment; see `shown` of `Network.host`.
    """
    return {
        _AWS: (_HERE / "client.py").read_text(),
        f"{_AWS}-server": f"#!{environment}/bin/python -I\n" + (_HERE / "server.py").read_text(),
    }
