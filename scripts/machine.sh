#!/bin/bash
# Installs what the proofs need of the machine and it lacks: each program with the Debian package that has it.
set -euo pipefail
declare -A packages=(
  [ip]=iproute2 [nsenter]=util-linux [curl]=curl [zstd]=zstd [sshd]=openssh-server [ssh]=openssh-client
  [named]=bind9 [dig]=bind9-dnsutils [dockerd]=docker.io [docker]=docker.io [busybox]=busybox-static [mpirun]=openmpi-bin [systemd-analyze]=systemd
)
missing=()
for program in "${!packages[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" > /dev/null || missing+=("${packages[$program]}")
done
if ((${#missing[@]})); then
  # The proofs start daemons themselves, in namespaces of their own.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi
