#!/bin/bash
# Replacements are not waited for.
send() {
  timeout 300 aws cloudformation signal-resource --stack-name "$STACK_ID" --unique-id "$1" \
    --logical-resource-id "${NODE_TYPE}AutoScalingGroup" --status "$2" || echo "signal $2 was not taken"
}

# Every path of a boot ends with one signal.
export LOG=/var/log/deeplearning-boot.log LIB=/opt/deeplearning/lib
AWS_DEFAULT_REGION=$(cut -d : -f 4 <<< "$STACK_ID")
export AWS_DEFAULT_REGION AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''

imds() {
  curl -sSf --noproxy '*' --retry 5 --max-time 10 "http://169.254.169.254/latest/$1" -H "X-aws-ec2-metadata-token$2" "${@:3}"
}

metadata() {
  imds "meta-data/$1" ": $(imds api/token '-ttl-seconds: 300' -X PUT)"
}

phase_address() {
  [ -n "$ADDRESS_ID" ] || return 0
  aws ec2 associate-address --allocation-id "$ADDRESS_ID" --allow-reassociation \
    --network-interface-id "$(metadata "network/interfaces/macs/$(metadata mac)/interface-id")"
}

# A new role may not be known everywhere yet.
patiently() {
  local tries=6
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 10
  done
}

fetch_runtime() {
  # shellcheck disable=SC2086
  aws ssm get-parameters --names $RUNTIME --query 'sort_by(Parameters,&Name)[].Value' --output text | tr -d '\t\n' > /run/deeplearning-runtime
  sha256sum --check --quiet <<< "$RUNTIME_SHA256  /run/deeplearning-runtime"
}

phase_runtime() {
  patiently fetch_runtime
  python3 -c 'import base64, lzma
text = open("/run/deeplearning-runtime").read().translate({44: "{", 46: "}"})
exec(lzma.decompress(base64.b85decode(text)))' $LIB
}

run() {
  for phase; do
    echo "$(date -u +%FT%TZ) phase $phase after $SECONDS s"
    "phase_$phase"
  done
}

if [ "${1:-}" = boot ]; then
  set -Eeuo pipefail
  trap 'echo "failed with status $? at line $LINENO: $BASH_COMMAND"' ERR
  run address runtime
  # shellcheck source=/dev/null
  . $LIB/phases.sh
  run proxy key storage join
  exit
fi

timeout --kill-after=30 "$BOOT_DEADLINE" "$BASH" "$0" boot > $LOG 2>&1
status=$?
if [ $status = 0 ]; then signal=SUCCESS; else signal=FAILURE; fi
instance=$(metadata instance-id)
echo "$NODE_TYPE ${instance:=$HOSTNAME}: $signal, status $status, last $(grep -o 'phase .*' $LOG | tail -n 1)" >> $LOG
tail -n 20 $LOG
if [ $signal = FAILURE ] && [ "$NODES_NEEDED" != "$NODES" ]; then
  echo "no signal: $NODES_NEEDED of $NODES are enough"
else
  send "$instance" $signal
fi
(cd $LIB && timeout 60 python3 -m agent log "$NODE_TYPE/$instance") || echo 'the log stays on the node'
[ $signal = SUCCESS ]
