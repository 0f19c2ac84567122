#!/bin/bash
# Phases of a boot after the runtime is there, each of which may run again. boot.sh reads this file and runs them.

# A line of a file, once.
line() {
  grep -qxF -- "$2" "$1" 2> /dev/null || printf '%s\n' "$2" >> "$1"
}

# Of units that go by two names, an image has one.
restart() {
  local unit
  for unit in "${@:2}"; do
    systemctl "$1" "$unit" || echo "no $unit to $1"
  done
}

phase_proxy() {
  [ -n "${http_proxy:-}" ] || return 0
  local -a values=("http_proxy=$http_proxy" "https_proxy=$http_proxy" "no_proxy=${no_proxy:-}")
  local value agent folder
  for value in "${values[@]}"; do line /etc/environment "$value"; done
  for agent in amazon-ssm-agent snap.amazon-ssm-agent.amazon-ssm-agent; do
    folder=/etc/systemd/system/$agent.service.d
    mkdir -p "$folder"
    printf '[Service]\nEnvironment="%s" "%s" "%s"\n' "${values[@]}" > "$folder/proxy.conf"
  done
  systemctl daemon-reload
  restart try-restart amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service
}

fetch_key() {
  (umask 077 && aws ssm get-parameters --names "$KEY_PARAMETER" --with-decryption --query 'Parameters[0].Value' --output text > "$1.new")
  ssh-keygen -y -f "$1.new" > /dev/null && mv "$1.new" "$1"
}

# How nodes reach each other: the cluster's key, host keys as the registry has them, and no question asked.
phase_key() {
  local home
  home=$(getent passwd "$LOGIN_USER" | cut -d : -f 6)
  install -d -m 700 -o "$LOGIN_USER" -g "$LOGIN_USER" "$home/.ssh"
  patiently fetch_key "$home/.ssh/id_ed25519"
  line "$home/.ssh/authorized_keys" "$(ssh-keygen -y -f "$home/.ssh/id_ed25519")"
  chmod 600 "$home/.ssh/authorized_keys"
  ln -sfn /opt/deeplearning/current/environment "$home/.ssh/environment"
  chown -h "$LOGIN_USER:$LOGIN_USER" "$home/.ssh/"{id_ed25519,authorized_keys,environment}
  cat > /etc/ssh/ssh_config.d/20-deeplearning.conf << EOF
Host deeplearning-*
  User $LOGIN_USER
  IdentityFile ~/.ssh/id_ed25519
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  GlobalKnownHostsFile /opt/deeplearning/current/known_hosts
  UserKnownHostsFile /dev/null
EOF
  echo 'PermitUserEnvironment DEEPLEARNING_*,EFS_MOUNT' > /etc/ssh/sshd_config.d/20-deeplearning.conf
  ssh-keygen -A
  restart try-reload-or-restart ssh.service sshd.service
}

install_client() {
  if command -v dnf > /dev/null; then
    case $1 in nfs4) dnf install -y nfs-utils ;; lustre) dnf install -y lustre-client ;; esac
    return
  fi
  local -a packages=(nfs-common)
  if [ "$1" = lustre ]; then
    local site=https://fsx-lustre-client-repo
    curl -sSf --retry 5 --max-time 60 "$site-public-keys.s3.amazonaws.com/fsx-ubuntu-public-key.asc" -o /etc/apt/keyrings/fsx.asc
    # shellcheck source=/dev/null
    . /etc/os-release
    echo "deb [signed-by=/etc/apt/keyrings/fsx.asc] $site.s3.amazonaws.com/ubuntu $VERSION_CODENAME main" > /etc/apt/sources.list.d/fsx.list
    packages=("lustre-client-modules-$(uname -r)")
  fi
  apt-get -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y "${packages[@]}"
}

phase_storage() {
  local type options
  case $STORAGE_SOURCE in
    '') return 0 ;;
    *@tcp:*) type=lustre options=relatime,flock,_netdev ;;
    *) type=nfs4 options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev ;;
  esac
  command -v "mount.$type" > /dev/null || install_client "$type"
  mkdir -p "$STORAGE_MOUNT"
  line /etc/fstab "$STORAGE_SOURCE $STORAGE_MOUNT $type $options 0 0"
  mountpoint -q "$STORAGE_MOUNT" || mount "$STORAGE_MOUNT"
  [ -z "$STORAGE_OWNER" ] || chown "$STORAGE_OWNER:" "$STORAGE_MOUNT"
}

# A place in the cluster and the files that name its nodes; the agent keeps both from now on.
phase_join() {
  local name
  CLUSTER=$(cut -d / -f 2 <<< "$STACK_ID")
  export CLUSTER
  mkdir -p /etc/deeplearning /opt/deeplearning/on-change.d
  for name in AWS_DEFAULT_REGION TABLE PERIOD NODE_TYPE NODES CLUSTER UPKEEP STORAGE_MOUNT http_proxy https_proxy no_proxy; do
    echo "$name=${!name:-}"
  done > /etc/deeplearning/agent.env
  for name in workers hostfile machinefile nodes.json torchrun.env; do
    ln -sfn "current/$name" "/opt/deeplearning/$name"
  done
  ln -sfn /opt/deeplearning/current/deeplearning.sh /etc/profile.d/deeplearning.sh
  cp "$LIB/deeplearning-agent.service" /etc/systemd/system/
  install -m 755 "$LIB/check.sh" /usr/local/bin/deeplearning-check
  (cd "$LIB" && python3 -m agent join)
  systemctl daemon-reload
  systemctl enable --now deeplearning-agent.service
}
