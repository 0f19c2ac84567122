#!/bin/bash
# Writes requirements.lock: exact versions with hashes, for every platform, without any index address.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv build/lock
build/lock/bin/pip install --quiet uv
build/lock/bin/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock "$@"
