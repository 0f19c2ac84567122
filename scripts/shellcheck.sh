#!/bin/bash
# shellcheck over every shell script that git knows or would add.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard -- '*.sh' .ci/run | xargs -0 .venv/bin/shellcheck --severity=style
