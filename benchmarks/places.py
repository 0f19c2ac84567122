"""Where things lie: everything the benchmarks make is under `build/bench/`, which git ignores."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "stacks" / "example"

BENCH = ROOT / "build" / "bench"
STACKS = BENCH / "stacks"
ENVIRONMENT = "bench"
COPIES = BENCH / "copies.py"
FLOOR = BENCH / "floor_templates.py"
TEMPLATES = BENCH / "templates"
OUTPUTS = BENCH / "outputs"
CACHES = BENCH / "caches"
LOGS = BENCH / "logs"
RESULT = BENCH / "result.md"

NODE = BENCH / "node"
JSII_CACHE = BENCH / "jsii-cache"
ASSEMBLY = NODE / "node_modules" / "aws-cdk-lib" / ".jsii.gz"
CDK_CLI = NODE / "node_modules" / ".bin" / "cdk"
JAVASCRIPT_APP = NODE / "app"
PYTHON_APP = BENCH / "cdk-python-app"

# Our own commands run in BENCH, where the copies are, with the package of this checkout.
OWN = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(BENCH)])}
