#!/bin/bash
# Writes requirements.lock: exact versions with hashes, for every platform, without any index address; and the versions
# of the tools in scripts/foreign, each by itself, the runners that load our classes beside what these need.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv build/lock
build/lock/bin/pip install --quiet uv
lock() {
  build/lock/bin/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --quiet "$@"
}
lock pyproject.toml --all-extras --group dev --generate-hashes -o requirements.lock "$@"
# torch.txt is chosen by hand, since its builds for CPUs are on an index of their own.
foreign=scripts/foreign/locks
for tool in checkov cdk sam aws; do
  lock "$foreign/$tool.in" --no-annotate -o "$foreign/$tool.txt" "$@"
done
for tool in cfngin sceptre; do
  lock "$foreign/$tool.in" pyproject.toml --no-annotate -o "$foreign/$tool.txt" "$@"
done
