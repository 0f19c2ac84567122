#!/bin/bash
# Every shell script that git knows or would add, through shellcheck. Goldens are what a login shell reads: no shebang.
set -euo pipefail
cd "$(dirname "$0")/.."
check() { xargs -0 .venv/bin/shellcheck --severity=style "$@"; }
listed() { git ls-files -z --cached --others --exclude-standard -- "$@"; }
listed '*.sh' .ci/run ':!*/golden/*' | check
listed '*/golden/*.sh' | check --shell=sh
