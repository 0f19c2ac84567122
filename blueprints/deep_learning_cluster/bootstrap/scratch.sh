#!/bin/bash
# Scratch space on the instance's own NVMe disks, whenever the agent starts: kept over a reboot, empty after a stop.
set -u
at=/opt/deeplearning/scratch
disks=() empty=() target=
mapfile -t disks < <(lsblk -dnpo NAME,MODEL | sed -n 's/ *Amazon EC2 NVMe Instance Storage *$//p')
# Images that mount these disks themselves do it here.
if mountpoint -q /opt/dlami/nvme; then ln -sfn /opt/dlami/nvme $at; fi
if [ -L $at ] || [ ${#disks[@]} = 0 ] || mountpoint -q $at; then exit 0; fi
for disk in /dev/md/scratch "${disks[@]}"; do
  found=$(blkid -p -o value -s LABEL "$disk")
  case $? in
    0) if [ "$found" = dl-scratch ]; then target=$disk; fi ;;
    2) if [ "$(lsblk -no NAME "$disk" | wc -l)" = 1 ]; then empty+=("$disk"); fi ;;
  esac
done
if [ -z "$target" ] && [ ${#empty[@]} != 0 ]; then
  target=${empty[0]}
  if [ ${#empty[@]} -gt 1 ] && mdadm --create /dev/md/scratch --run --level=0 --raid-devices=${#empty[@]} "${empty[@]}"; then
    target=/dev/md/scratch
  fi
  mkfs.ext4 -q -L dl-scratch "$target" || exit 0
fi
if [ -n "$target" ]; then mkdir -p $at && mount -o noatime "$target" $at && chmod 1777 $at; fi
exit 0
