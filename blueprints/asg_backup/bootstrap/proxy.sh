#!/bin/bash
# Tells Systems Manager's agent, and so what it runs, about the proxy: PROXY_URL and PROXY_EXCEPT.
set -euo pipefail
trap 'echo "failed at line $LINENO: $BASH_COMMAND"' ERR

folder=/etc/systemd/system/amazon-ssm-agent.service.d
mkdir -p "$folder"
printf '[Service]\nEnvironment="http_proxy=%s" "https_proxy=%s" "no_proxy=169.254.169.254,%s"\n' \
  "$PROXY_URL" "$PROXY_URL" "$PROXY_EXCEPT" > "$folder/proxy.conf"
systemctl daemon-reload
systemctl try-restart amazon-ssm-agent.service
