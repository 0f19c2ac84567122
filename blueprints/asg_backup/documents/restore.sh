#!/bin/sh
# Lists backups, or verifies one, or unpacks one that it has verified. A backup is read twice: first to compare its
# size, digest and number of entries with the manifest, then, the same version of it, to unpack. What does not agree
# is refused before anything is written. Prints one line of JSON at its end.
# Values arrive as exported variables, BUCKET to DEADLINE_SECONDS.
set -u
export LC_ALL=C PATH="$PATH:/usr/local/bin:/snap/bin"
export AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''

finding() { sed -n "s/^$1 //p" "$work/findings" 2> /dev/null; }

report() { printf '{"outcome": "%s", "reason": "%s", "backup": "%s", "target": "%s"}\n' "$1" "$2" "$BACKUP" "$TARGET"; }

refuse() {
  report refused "$1"
  exit 1
}

fail() {
  report failed "$1"
  exit 1
}

metadata() {
  token=$(curl -sSf --noproxy '*' --retry 5 --max-time 10 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' \
    http://169.254.169.254/latest/api/token) || return
  curl -sSf --noproxy '*' --retry 5 --max-time 10 -H "X-aws-ec2-metadata-token: $token" \
    "http://169.254.169.254/latest/meta-data/$1"
}

# The newest backups; a command's output holds no more.
list() {
  aws s3api list-objects-v2 --bucket "$BUCKET" --prefix "$PREFIX/$GROUP" --output text \
    --query "Contents[?ends_with(Key, '.json')].[LastModified, Key]" > "$work/listed" ||
    fail "the bucket cannot be listed"
  sort "$work/listed" | sed -n 's/^.*\t\(.*\)\.json$/\1/p' > "$work/keys"
  tail -n 100 "$work/keys"
  BACKUP=''
  report listed "$(grep -c . "$work/keys") backups"
}

# A line of the manifest; what is not of the form asked for counts as missing.
manifest() { sed -n "s/^  \"$1\": \"\{0,1\}\($2\)\"\{0,1\},\$/\1/p" "$work/manifest.json"; }

read_manifest() {
  aws s3api get-object --bucket "$BUCKET" --key "$BACKUP.json" "$work/manifest.json" > /dev/null ||
    refuse "there is no manifest for this backup"
  [ "$(manifest format '[0-9]*')" = 1 ] || refuse "the manifest is of another format"
  [ "$(manifest key '[^\"]*')" = "$BACKUP" ] || refuse "the manifest is of another backup"
  version=$(manifest version '[^\"]*')
  size=$(manifest size '[0-9]*')
  sha256=$(manifest sha256 '[0-9a-f]*')
  entries=$(manifest entries '[0-9]*')
  unpacked=$(manifest unpacked '[0-9]*')
  compression=$(manifest compression '[a-z]*')
  [ -n "$version" ] && [ -n "$size" ] && [ ${#sha256} -eq 64 ] && [ -n "$entries" ] && [ -n "$unpacked" ] ||
    refuse "the manifest is incomplete"
  case $compression in zstd | gzip) ;; *) refuse "the manifest names no compression" ;; esac
  command -v "$compression" > /dev/null || fail "this instance lacks $compression"
}

fetch() {
  aws s3api get-object --bucket "$BUCKET" --key "$BACKUP" --version-id "$version" /dev/fd/7 7>&1 > /dev/null
}

# Copies its input, and says on 3 how much it was and of which digest.
measure() {
  {
    { { tee /dev/fd/5 /dev/fd/6; echo "tee $?" >&3; } | sha256sum | sed 's/ .*//; s/^/sha256 /' >&3; } 6>&1 |
      wc -c | sed 's/^ */size /' >&3
  } 5>&1
}

# Reads the archive, hands it unpacked to a command, and leaves the findings of one reading.
through() {
  {
    { fetch; echo "fetch $?" >&3; } | measure | { "$compression" -q -d -c; echo "decompress $?" >&3; } |
      { "$@" >&4; echo "tar $?" >&3; }
  } 3> "$work/findings"
}

agrees() {
  [ "$(finding size)" = "$size" ] && [ "$(finding sha256)" = "$sha256" ] && [ "$(finding tar)" = 0 ] &&
    [ "$(finding decompress)" = 0 ]
}

# A connection that breaks is tried again; what arrived whole and differs is not.
verify() {
  for try in 1 2 3; do
    entries_read=$({ through tar --list --file=- --quoting-style=escape 4>&1; } | wc -l | tr -d ' ')
    [ "$(finding fetch)" = 0 ] && break
    echo "reading failed, try $try of 3" >&2
  done
  [ "$(finding fetch)" = 0 ] || [ "$(finding size)" = "$size" ] || refuse "S3 gave $(finding size) bytes of $size"
  agrees || refuse "the archive is not the one that the manifest describes"
  [ "$entries_read" = "$entries" ] || refuse "the archive has not the $entries entries of its manifest"
}

# The folder that exists, of the target or above it.
standing() {
  folder=$TARGET
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  echo "$folder"
}

check_target() {
  [ ! -e "$TARGET" ] || [ -d "$TARGET" ] || refuse "the target is no folder"
  if [ "$OVERWRITE" = no ] && [ -n "$(ls -A "$TARGET" 2> /dev/null)" ]; then
    refuse "the target is not empty; set Overwrite to yes to write over what is there"
  fi
  free=$(df -Pk "$(standing)" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
  awk -v free="$free" -v needed="$unpacked" 'BEGIN { exit !(free + 0 >= needed + 0) }' ||
    refuse "the target has $free bytes free and needs $unpacked"
}

unpack() {
  tar --extract --file=- --directory="$TARGET" --preserve-permissions --same-owner --numeric-owner --acls \
    --xattrs --xattrs-include='*' --delay-directory-restore
}

restore() {
  check_target
  verify
  mkdir -p "$TARGET" || fail "the target cannot be made"
  for try in 1 2 3; do
    through unpack 4>&2
    [ "$(finding fetch)" = 0 ] && break
    echo "unpacking failed, try $try of 3" >&2
  done
  agrees || fail "unpacking failed; the target is incomplete"
}

main() {
  [ "$ACTION" = list ] || [ -n "$BACKUP" ] || refuse "name the backup; Action list shows them"
  [ "$ACTION" != restore ] || [ -n "$TARGET" ] || refuse "name the target folder"
  case $ACTION in
    list) list ;;
    verify)
      read_manifest
      verify
      report verified "$entries entries, $size bytes"
      ;;
    restore)
      read_manifest
      restore
      report restored "$entries entries, $size bytes"
      ;;
  esac
}

missing=''
for tool in aws awk curl sed sha256sum tar tee; do
  command -v "$tool" > /dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || fail "this instance lacks$missing"
work=$(mktemp -d /run/asg-restore.XXXXXX) || fail "no room in /run"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' TERM INT HUP
export TMPDIR="$work"
AWS_DEFAULT_REGION=$(metadata placement/region) || fail "the metadata service does not answer"
export AWS_DEFAULT_REGION
main
