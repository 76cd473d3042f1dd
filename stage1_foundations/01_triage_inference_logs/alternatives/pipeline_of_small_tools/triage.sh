#!/bin/bash
# gzip unpacks, flatten.py checks, sort drops second deliveries (on disk, not in memory), report.py counts.
set -euo pipefail
export LC_ALL=C

die() {
  echo "triage.sh: $2" >&2
  exit "$1"
}

since=- until=-
while [ $# -gt 0 ]; do
  case "$1" in
    --since) [ $# -gt 1 ] || die 2 "--since TIME"; since=$2; shift 2 ;;
    --until) [ $# -gt 1 ] || die 2 "--until TIME"; until=$2; shift 2 ;;
    --) shift; break ;;
    -*) die 2 "unknown option $1 (there are --since TIME and --until TIME)" ;;
    *) break ;;
  esac
done
[ $# -eq 2 ] || die 2 "usage: bash triage.sh [--since TIME] [--until TIME] LOG_DIR REPORT"
dir=$1 out=$2
tools=$(cd -- "$(dirname -- "$0")" && pwd)
python3 "$tools/flatten.py" --only-check "$since" "$until" || die $(($? == 2 ? 2 : 1)) "cannot use these times"
[ -d "$dir" ] || die 1 "$dir is no folder"
[ ! -d "$out" ] || die 1 "$out is a folder"

scratch=$(mktemp -d -- "$out.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
: >"$scratch/rows"
: >"$scratch/files"

seen=0 status=0
for log in "$dir"/*.jsonl.gz; do
  [ -e "$log" ] || [ -L "$log" ] || continue
  seen=$((seen + 1))
  state=whole
  : >"$scratch/counts"
  if [ ! -r "$log" ]; then
    state=unreadable
  else
    codes=(0 0)
    gzip -cd <"$log" 2>/dev/null | python3 "$tools/flatten.py" "$since" "$until" >>"$scratch/rows" 3>"$scratch/counts" ||
      codes=("${PIPESTATUS[@]}")
    case "${codes[*]}" in
      "0 0") ;;
      "1 0" | "2 0") state=damaged ;; # gzip complains of its input; anything else is our own trouble
      *) die 1 "a stage failed on $log: ${codes[*]}" ;;
    esac
  fi
  [ "$state" = whole ] || status=3
  printf '%s\t%s\t%s\0' "$state" "$(cat "$scratch/counts")" "${log##*/}" >>"$scratch/files"
done
[ "$seen" -gt 0 ] || die 4 "no logs in $dir"

sort -t $'\t' -u -k1,2 -T "$scratch" "$scratch/rows" |
  sort -t $'\t' -k1,1 -k5,5n -T "$scratch" |
  python3 "$tools/report.py" "$since" "$until" "$scratch/files" >"$scratch/report"
chmod 644 "$scratch/report"
mv -f -- "$scratch/report" "$out"
exit "$status"
