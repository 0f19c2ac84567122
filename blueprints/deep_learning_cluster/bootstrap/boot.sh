#!/bin/bash
# Boots one node: address, cluster key, shared file system. Ends every path with one signal to CloudFormation:
# SUCCESS when all phases are done, FAILURE when one fails, hangs past the deadline or dies. One FAILURE fails the
# stack, so a worker that fails where fewer than all are needed sends none: the others decide.
# Values arrive as exported variables, REGION to PROXY_EXCEPT.

export LOG=/var/log/deeplearning-boot.log
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
  local -a values=("http_proxy=$PROXY_URL" "https_proxy=$PROXY_URL" "no_proxy=169.254.169.254,$PROXY_EXCEPT")
  printf '%s\n' "${values[@]}" >> /etc/environment
  local agent folder
  for agent in amazon-ssm-agent snap.amazon-ssm-agent.amazon-ssm-agent; do
    folder=/etc/systemd/system/$agent.service.d
    mkdir -p "$folder"
    printf '[Service]\nEnvironment="%s" "%s" "%s"\n' "${values[@]}" > "$folder/proxy.conf"
  done
  systemctl daemon-reload
  systemctl try-restart amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service
}

phase_address() {
  [ -n "$ADDRESS_ID" ] || return 0
  local mac interface
  mac=$(metadata mac)
  interface=$(metadata "network/interfaces/macs/$mac/interface-id")
  aws ec2 associate-address --allocation-id "$ADDRESS_ID" --network-interface-id "$interface" --allow-reassociation
}

fetch_key() {
  (umask 077 && aws ssm get-parameter --name "$KEY_PARAMETER" --with-decryption --query Parameter.Value --output text > "$1")
}

# A role that was made a minute ago may not be known everywhere yet.
fetch_key_patiently() {
  local try
  for try in 1 2 3 4 5; do
    fetch_key "$1" && return
    echo "try $try failed"
    sleep "$RETRY_SECONDS"
  done
  fetch_key "$1"
}

phase_key() {
  local home
  home=$(getent passwd "$LOGIN_USER" | cut -d: -f6)
  install -d -m 700 -o "$LOGIN_USER" -g "$LOGIN_USER" "$home/.ssh"
  fetch_key_patiently "$home/.ssh/id_ed25519"
  ssh-keygen -y -f "$home/.ssh/id_ed25519" >> "$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
  chown "$LOGIN_USER:$LOGIN_USER" "$home/.ssh/id_ed25519" "$home/.ssh/authorized_keys"
}

install_client() {
  if command -v dnf > /dev/null; then
    case $1 in nfs4) dnf install -y nfs-utils ;; lustre) dnf install -y lustre-client ;; esac
    return
  fi
  local -a packages=(nfs-common)
  if [ "$1" = lustre ]; then
    local site=https://fsx-lustre-client-repo
    curl -sSf --retry 5 --max-time 60 "$site-public-keys.s3.$URL_SUFFIX/fsx-ubuntu-public-key.asc" -o /etc/apt/keyrings/fsx.asc
    # shellcheck source=/dev/null
    . /etc/os-release
    echo "deb [signed-by=/etc/apt/keyrings/fsx.asc] $site.s3.$URL_SUFFIX/ubuntu $VERSION_CODENAME main" > /etc/apt/sources.list.d/fsx.list
    packages=("lustre-client-modules-$(uname -r)")
  fi
  apt-get -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y "${packages[@]}"
}

phase_storage() {
  local type options
  case $STORAGE_KIND in
    none) return 0 ;;
    efs) type=nfs4 options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev ;;
    fsx_lustre) type=lustre options=relatime,flock,_netdev ;;
  esac
  command -v "mount.$type" > /dev/null || install_client "$type"
  mkdir -p "$STORAGE_MOUNT"
  printf '%s %s %s %s 0 0\n' "$STORAGE_SOURCE" "$STORAGE_MOUNT" "$type" "$options" >> /etc/fstab
  mount "$STORAGE_MOUNT"
  [ -z "$STORAGE_OWNER" ] || chown "$STORAGE_OWNER:" "$STORAGE_MOUNT"
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
  aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$STREAM"
  aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$STREAM" --log-events file:///run/deeplearning-boot.json > /dev/null
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
if [ "$signal" = FAILURE ] && [ "$NODES_NEEDED" != "$NODES" ]; then
  echo "no signal: $NODES_NEEDED of $NODES nodes are enough"
else
  # An instance that replaces another boots while nothing waits for its signal: CloudFormation refuses it then.
  aws cloudformation signal-resource --stack-name "$STACK_ID" --logical-resource-id "$SIGNAL_RESOURCE" \
    --unique-id "$instance" --status "$signal" || echo "signal $signal was not taken"
fi
export STREAM=$NODE_TYPE/$instance
export -f ship_log
timeout 60 "$BASH" -c ship_log || echo 'the log stays on the node'
[ "$signal" = SUCCESS ]
