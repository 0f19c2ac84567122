#!/bin/bash
# Every shell script that git knows or would add, through shellcheck.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard -- '*.sh' .ci/run | xargs -0 .venv/bin/shellcheck --severity=style
