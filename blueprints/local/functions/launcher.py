"""First code in a function's process: bind its life to its parent's, then become AWS's runtime client.

Run as a file, with nothing but the standard library on its path: `launcher.py PARENT_PID HANDLER`.
"""

import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    parent, handler = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        die_with(parent)
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    runtime = os.environ["LAMBDA_RUNTIME_DIR"]
    if runtime not in sys.path:  # the function has a PYTHONPATH of its own
        sys.path.append(runtime)
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, also by SIGKILL."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


if __name__ == "__main__":
    main()
