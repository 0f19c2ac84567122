#!/bin/sh
# Runs a task, then streams files to S3 without a copy on a disk; a manifest says that all arrived.
# Prints a line of JSON, whatever happens. Values arrive as exported variables, BUCKET to DEADLINE_SECONDS.
set -u
export LC_ALL=C PATH="$PATH:/usr/local/bin:/snap/bin"
export AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8 AWS_PAGER=''

uptime_seconds() { cut -d. -f1 /proc/uptime; }

left() {
  left=$((ENDS - $(uptime_seconds)))
  echo $((left > 1 ? left : 1))
}

# Runs a command in a group of its own, for so many seconds at most.
supervise() {
  timeout --kill-after=10 "$@" 7>&- 8>&- &
  child=$!
  echo "$child" > "$work/child"
  wait "$child"
  status=$?
  child=''
  : > "$work/child"
  return "$status"
}

finding() { sed -n "s/^$1 //p" "$work/findings" 2> /dev/null; }

strings() { finding "$1" | sed 's/.*/"&"/' | paste -sd, -; }

# Standard output may be a file's where a signal arrives; 8 is what it was at first.
fail() {
  trap '' TERM INT HUP
  printf '{"outcome": "failed", "reason": "%s", "instance": "%s", "task": "%s", "said": [%s]}\n' \
    "$1" "${instance:-}" "${task:-none}" "$([ -z "$work" ] || strings said)" >&8
  exit 1
}

interrupted() {
  [ -z "$child" ] || { kill -TERM "$child"; wait "$child"; }
  fail "interrupted by a signal"
}

ask() { curl -sSf --noproxy '*' --retry 5 --max-time 10 "$@"; }

metadata() {
  token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token) || return
  ask -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

# The skeleton calls nothing; its status is looked at later.
check_tools() {
  missing=''
  for tool in aws awk curl flock paste sed setsid sha256sum tar tee timeout; do
    command -v "$tool" > /dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] || fail "this instance lacks$missing"
  aws s3api put-object --if-none-match '*' --generate-cli-skeleton > /dev/null 2>&1 8>&- &
  skeleton=$!
}

choose_compression() {
  if [ "$COMPRESSION" = auto ]; then
    COMPRESSION=gzip
    ! command -v zstd > /dev/null || COMPRESSION=zstd
  fi
  command -v "$COMPRESSION" > /dev/null || fail "this instance lacks $COMPRESSION"
  case $COMPRESSION in zstd) suffix=tar.zst ;; *) suffix=tar.gz ;; esac
}

# Of the event, so that a second attempt finds what the first left.
choose_key() {
  day=${EVENT_TIME%%T*}
  [ -n "$day" ] || day=$(date -u +%F)
  [ -n "$TOKEN" ] || TOKEN=$(date -u +%H%M%S)
  key=$PREFIX/$GROUP/$(echo "$day" | tr - /)/$instance-$TOKEN.$suffix
}

run_task() {
  share=$(left)
  [ -z "$INCLUDE" ] || share=$((share / 2 + 1))
  [ -n "$TASK" ] || return 0
  if [ -e "$SEEN.task" ]; then
    task='done before'
  elif supervise "$share" "$SHELL_NAME" -c "$TASK" >&2 9>&-; then
    task='done'
    : > "$SEEN.task"
  else
    task="failed with status $status"
  fi
}

# Version and size of an object, if there is one.
version_of() {
  found=$(timeout "$(left)" aws s3api list-object-versions --bucket "$BUCKET" --prefix "$1" --output text \
    --query "Versions[?IsLatest && Key=='$1'].join(' ', [VersionId, to_string(Size)])" 2> "$work/errors") || return
  echo "$found" | sed -n '/ /p'
}

refused() {
  sed 's/[^ -~]/?/g; s/["\\]/ /g; s/^/said /' "$work/errors" | tail -n 5 >> "$work/findings"
  fail "$1"
}

# Folders to back up, one a line; a link with what it leads to.
roots() {
  set -f
  IFS=,
  for path in $INCLUDE; do
    real=$path
    [ ! -L "$path" ] || { echo ".$path"; real=$(readlink -fn "$path" | tr '\n' '?'); }
    if [ -e "$real" ]; then echo ".$real"; else echo "absent $path" >&3; fi
  done
}

# An upper bound in bytes; the CLI chooses the size of its parts by it.
expected_size() { du -skc "$@" 2> /dev/null | awk 'END { printf "%.0f", $1 * 1024 + 10485760 }'; }

pack() {
  set -f
  IFS=,
  for pattern in $EXCLUDE; do
    case $pattern in
      /*) set -- --anchored "--exclude=.$pattern" "$@" ;;
      *) set -- --no-anchored "--exclude=$pattern" "$@" ;;
    esac
  done
  tar --create --file=- --format=posix --sparse --acls --xattrs --xattrs-exclude=security.selinux \
    --verbose --totals --quoting-style=escape --ignore-failed-read --warning=no-file-ignored "$@"
}

compress() { if [ "$COMPRESSION" = zstd ]; then zstd -q -T0 -c; else gzip -c; fi; }

# Copies its input; on 3 are its size and digest.
measure() {
  {
    { { tee /dev/fd/5 /dev/fd/6; echo "tee $?" >&3; } | sha256sum | sed 's/ .*//; s/^/sha256 /' >&3; } 6>&1 |
      wc -c | sed 's/^ */size /' >&3
  } 5>&1
}

upload() { aws s3 cp - "s3://$BUCKET/$key" --expected-size "$expected" --only-show-errors; }

# What the programs say, as findings. Tar names members, ./ first, and escapes what is odd.
summarise() {
  awk '
    function quoted(text) { gsub(/[^ -~]/, "?", text); gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return substr(text, 1, 200) }
    /^\.\// { entries++; next }
    /^Total bytes written: / { unpacked = $4; next }
    /^tar: Exiting with failure status due to previous errors/ { finished = 1; next }
    /^tar: Removing leading/ { next }
    /^tar: / {
      if (/file changed as we read it|File shrank by/) changed++
      else if (/File removed before we read it|Cannot .*: No such file or directory/) vanished++
      else unreadable++
      if (changed + vanished + unreadable <= 20) odd = odd "\nexample " quoted(substr($0, 6))
      next
    }
    { said[++count] = $0 }
    END {
      printf "entries %d%s\nchanged %d\nvanished %d\nunreadable %d\n", entries, odd, changed, vanished, unreadable
      printf "unpacked %s\nfinished %d\n", unpacked ? unpacked : 0, finished
      for (line = count > 5 ? count - 4 : 1; line <= count; line++) print "said " quoted(said[line])
    }'
}

archive() {
  cd / || return
  {
    set -f
    IFS='
'
    # shellcheck disable=SC2046 # one root a line
    set -- $(roots)
    unset IFS
    set +f
    if [ $# -eq 0 ]; then echo "nothing 1" >&3; return; fi
    expected=$(expected_size "$@")
    { pack "$@"; echo "tar $?" >&3; } |
      { compress; echo "compress $?" >&3; } |
      measure |
      { upload; echo "upload $?" >&3; }
  } 3>&4 2>&1 > /dev/null | summarise
}

judge_archive() {
  [ -z "$(finding nothing)" ] || fail "nothing to back up: none of $INCLUDE exists"
  for stage in upload compress tee; do
    [ "$(finding $stage)" = 0 ] || fail "$stage ended with status $(finding $stage)"
  done
  case $(finding tar)$(finding finished) in
    0? | 1? | 21) ;;
    *) fail "tar ended with status $(finding tar)" ;;
  esac
  version=$(version_of "$key") || refused "S3 does not say what is there"
  size=${version##* }
  version=${version%% *}
  [ "$size" = "$(finding size)" ] || fail "S3 holds ${size:-no} bytes of $(finding size)"
}

describe_archive() {
  outcome=complete
  [ "$(finding unreadable)" = 0 ] && [ -z "$(finding absent)" ] || outcome=partial
  cat << EOF
{
  "format": 1,
  "outcome": "$outcome",
  "group": "$GROUP", "instance": "$instance", "token": "$TOKEN",
  "started": "$started", "finished": "$(date -u +%FT%TZ)",
  "key": "$key",
  "version": "$version",
  "size": $size,
  "sha256": "$(finding sha256)",
  "compression": "$COMPRESSION",
  "entries": $(finding entries),
  "unpacked": $(finding unpacked),
  "include": "$INCLUDE", "exclude": "$EXCLUDE", "absent": [$(strings absent)],
  "changed": $(finding changed), "vanished": $(finding vanished), "unreadable": $(finding unreadable),
  "examples": [$(strings example)], "task": "$task"
}
EOF
}

publish_manifest() {
  describe_archive > "$work/manifest.json" || fail "no room in /run for the manifest"
  timeout "$(left)" aws s3api put-object --bucket "$BUCKET" --key "$key.json" --body "$work/manifest.json" \
    --content-type application/json --if-none-match '*' > /dev/null 2> "$work/errors" && return
  grep -q PreconditionFailed "$work/errors" && return
  refused "the manifest could not be written"
}

back_up() {
  if [ -e "$SEEN.json" ]; then
    sed "s/\"task\": \"[^\"]*\"/\"task\": \"$task\"/" "$SEEN.json"
    return
  fi
  before=$(version_of "$key.json") || refused "S3 does not say what is there"
  if [ -n "$before" ]; then
    printf '{"outcome": "complete", "reason": "backed up before", "key": "%s", "task": "%s"}\n' "$key" "$task"
    return
  fi
  wait "$skeleton" || fail "the AWS CLI cannot write with a condition; install 2.18 or later"
  supervise "$(left)" "$SHELL_NAME" "$0" archive "$COMPRESSION" "$key" > "$work/findings"
  [ "$status" = 0 ] || fail "the archive ended with status $status after $(($(uptime_seconds) - BEGAN)) seconds"
  judge_archive
  publish_manifest
  line=$(sed 's/^  *//' "$work/manifest.json" | tr '\n' ' ')
  printf '%s\n' "$line" > "$SEEN.json" || rm -f "$SEEN.json"
  printf '%s\n' "$line"
}

if [ "${1:-}" = archive ]; then
  COMPRESSION=$2 key=$3
  archive 4>&1
  exit
fi

work='' child='' task=none
exec 8>&1
trap interrupted TERM INT HUP
trap 'rm -rf "$work"' EXIT
BEGAN=$(uptime_seconds)
# The last tenth of the time is to say what happened.
ENDS=$((BEGAN + DEADLINE_SECONDS * 9 / 10))
SHELL_NAME=${BASH:-/bin/sh}
started=$(date -u +%FT%TZ)
check_tools
{ work=$(mktemp -d /run/asg-backup.XXXXXX) && echo > "$work/errors"; } || fail "no room in /run"
export TMPDIR="$work"
# Whatever ends this script frees the lock on 7, and then what it runs ends too.
exec 7> "$work/alive" && flock 7
setsid flock "$work/alive" -c "kill \$(cat $work/child)" > /dev/null 2>&1 7>&- 8>&- &
instance=$(metadata instance-id) || fail "the metadata service does not answer"
AWS_DEFAULT_REGION=$(metadata placement/region) || fail "the metadata service does not answer"
export AWS_DEFAULT_REGION
exec 9> /run/asg-backup.lock
supervise "$(left)" flock 9 || fail "another backup of this instance does not end"
choose_compression
choose_key
SEEN=/run/asg-backup.$TOKEN
run_task
if [ -n "$INCLUDE" ]; then
  back_up
else
  printf '{"outcome": "complete", "reason": "no files asked for", "task": "%s"}\n' "$task"
fi
case $task in failed*) exit 1 ;; esac
