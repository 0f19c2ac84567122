#!/bin/bash
# Joins the cluster and starts the agent. Ends with one signal to CloudFormation: SUCCESS once the agent has written
# this host's own record, FAILURE when a step fails or hangs. Values arrive as exported variables.

export AWS_DEFAULT_REGION=$REGION AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''
readonly AGENT=/opt/ecs-dns-agent/agent.pyz

# A role that was made a minute ago may not be known everywhere yet; a mirror may be slow. What is tried does not stop
# at its first error by itself: bash has no errexit there.
patiently() {
  local try
  for try in 1 2 3 4 5; do
    "$@" && return
    echo "try $try failed: $1" >&2
    sleep "$RETRY_SECONDS"
  done
  "$@"
}

fetch() {
  local location
  location=$(aws lambda get-layer-version-by-arn --arn "$LAYER_ARN" --query Content.Location --output text) || return
  curl -sSf --retry 5 --max-time 60 -o "$AGENT" "$location" || return
  # What it holds is compared: packed again, the same files may be other bytes.
  python3 - "$AGENT" "$AGENT_SHA256" <<'END'
import hashlib, sys, zipfile
digest = hashlib.sha256()
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in sorted(archive.namelist()):
        digest.update(name.encode() + b"\0" + archive.read(name))
sys.exit(0 if digest.hexdigest() == sys.argv[2] else "the agent is not the one that the template names")
END
}

boot() {
  printf '%s\n' "ECS_CLUSTER=$CLUSTER" ECS_ENABLE_CONTAINER_METADATA=true ECS_AWSVPC_BLOCK_IMDS=true > /etc/ecs/ecs.config
  patiently dnf install -y awscli-2
  mkdir -p "${AGENT%/*}"
  patiently fetch
  local -a options=(--zone-id "$ZONE_ID" --zone "$ZONE_NAME" --ttl "$TTL" --answers "$ANSWERS" --hosts "$HOSTS")
  printf 'OPTIONS=%s\n' "${options[*]}" > /etc/ecs-dns-agent.env
  python3 -m zipfile -e "$AGENT" "${AGENT%/*}"
  install -m 644 "${AGENT%/*}/ecs-dns-agent.service" /etc/systemd/system/
  systemctl daemon-reload
  patiently /usr/bin/python3 "$AGENT" "${options[@]}" --sync
  systemctl enable --now ecs-dns-agent.service
}

if [ "${1:-}" = boot ]; then
  set -Eeuo pipefail
  trap 'echo "failed with status $? at line $LINENO: $BASH_COMMAND" >&2' ERR
  boot
  exit
fi

signal=FAILURE
if timeout --kill-after=30 "$BOOT_DEADLINE" "$BASH" "$0" boot; then
  signal=SUCCESS
fi
token=$(curl -sSf --retry 5 --max-time 10 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
instance=$(curl -sSf --retry 5 --max-time 10 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
# An instance that replaces another boots while nothing waits for its signal: CloudFormation refuses it then.
aws cloudformation signal-resource --stack-name "$STACK_ID" --logical-resource-id AutoScalingGroup \
  --unique-id "$instance" --status "$signal" || echo "signal $signal was not taken"
[ "$signal" = SUCCESS ]
