"""Programs of whoever runs the cluster, in `on-change.d`: told of every change, and of the end of a Spot instance."""

from __future__ import annotations

import subprocess

FOLDER = "/opt/deeplearning/on-change.d"
_ALL = 'for hook in "$0"/*; do if [ -x "$hook" ]; then timeout 60 "$hook" "$@" || echo "$hook: $?"; fi; done'


def tell(event: str, detail: str, folder: str = FOLDER) -> subprocess.Popen[bytes]:
    """Run all, in order of their names and one event at a time, beside the agent's own work.

    Events are `change` with the new snapshot, and `spot-notice` with EC2's notice.
    """
    turn = ["flock", "/run/deeplearning-hooks"]
    return subprocess.Popen([*turn, "bash", "-c", _ALL, folder, event, detail], stdin=subprocess.DEVNULL)  # noqa: S603
