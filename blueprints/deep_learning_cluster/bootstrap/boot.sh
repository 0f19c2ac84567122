#!/bin/bash
# Boots one node: address, cluster key, shared file system. Ends every path with one signal to CloudFormation:
# SUCCESS when all phases are done, FAILURE when one fails, hangs past the deadline or dies.
# Values arrive as exported variables: REGION STACK_ID SIGNAL_RESOURCE NODE_TYPE LOGIN_USER LOG_GROUP
# KEY_PARAMETER BOOT_DEADLINE ADDRESS_ID STORAGE_KIND STORAGE_SOURCE STORAGE_MOUNT PROXY_URL PROXY_EXCEPT

readonly LOG=/var/log/deeplearning-boot.log
readonly IMDS=http://169.254.169.254/latest
export AWS_DEFAULT_REGION=$REGION AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''
if [ -n "$PROXY_URL" ]; then
  export http_proxy=$PROXY_URL https_proxy=$PROXY_URL no_proxy=169.254.169.254,$PROXY_EXCEPT
fi

metadata() {
  local token
  token=$(curl -sSf --noproxy '*' --retry 5 --max-time 10 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$IMDS/api/token")
  curl -sSf --noproxy '*' --retry 5 --max-time 10 -H "X-aws-ec2-metadata-token: $token" "$IMDS/meta-data/$1"
}

phase_proxy() {
  [ -n "$PROXY_URL" ] || return 0
  printf '%s=%s\n' http_proxy "$PROXY_URL" https_proxy "$PROXY_URL" no_proxy "169.254.169.254,$PROXY_EXCEPT" >> /etc/environment
}

phase_address() {
  [ -n "$ADDRESS_ID" ] || return 0
  local mac interface
  mac=$(metadata mac)
  interface=$(metadata "network/interfaces/macs/$mac/interface-id")
  aws ec2 associate-address --allocation-id "$ADDRESS_ID" --network-interface-id "$interface" --allow-reassociation
}

phase_key() {
  local home
  home=$(getent passwd "$LOGIN_USER" | cut -d: -f6)
  install -d -m 700 -o "$LOGIN_USER" -g "$LOGIN_USER" "$home/.ssh"
  (
    umask 077
    aws ssm get-parameter --name "$KEY_PARAMETER" --with-decryption --query Parameter.Value --output text > "$home/.ssh/id_ed25519"
  )
  ssh-keygen -y -f "$home/.ssh/id_ed25519" >> "$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
  chown "$LOGIN_USER:$LOGIN_USER" "$home/.ssh/id_ed25519" "$home/.ssh/authorized_keys"
}

phase_storage() {
  local type options
  case $STORAGE_KIND in
    none) return 0 ;;
    efs) type=nfs4 options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev ;;
    fsx_lustre) type=lustre options=relatime,flock,_netdev ;;
  esac
  if [ "$type" = nfs4 ] && ! command -v mount.nfs4 > /dev/null; then
    if command -v apt-get > /dev/null; then
      apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y nfs-common
    else
      dnf install -y nfs-utils
    fi
  fi
  mkdir -p "$STORAGE_MOUNT"
  printf '%s %s %s %s 0 0\n' "$STORAGE_SOURCE" "$STORAGE_MOUNT" "$type" "$options" >> /etc/fstab
  mount "$STORAGE_MOUNT"
}

boot() {
  local phase
  for phase in proxy address key storage; do
    echo "$(date -u +%FT%TZ) phase $phase"
    "phase_$phase"
  done
}

ship_log() {
  python3 -c 'import json, sys, time
lines = open(sys.argv[1], errors="replace").read()[-100000:] or "(empty)"
json.dump([{"timestamp": int(time.time() * 1000), "message": lines}], sys.stdout)' "$LOG" > /run/deeplearning-boot.json
  aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$1"
  aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$1" --log-events file:///run/deeplearning-boot.json > /dev/null
}

if [ "${1:-}" = boot ]; then
  set -Eeuo pipefail
  trap 'echo "failed with status $? at line $LINENO: $BASH_COMMAND"' ERR
  boot
  exit
fi

signal=FAILURE
if timeout --kill-after=30 "$BOOT_DEADLINE" "$BASH" "$0" boot > "$LOG" 2>&1; then
  signal=SUCCESS
fi
tail -n 20 "$LOG"
instance=$(metadata instance-id)
ship_log "$NODE_TYPE/$instance" || echo 'the log stays on the node'
# An instance that replaces another boots while nothing waits for its signal: CloudFormation refuses it then.
aws cloudformation signal-resource --stack-name "$STACK_ID" --logical-resource-id "$SIGNAL_RESOURCE" \
  --unique-id "$instance" --status "$signal" || echo "signal $signal was not taken"
[ "$signal" = SUCCESS ]
