#!/usr/bin/env bash
# Per-model report from gzip'd JSON-lines inference logs.
#
# The shell finds the logs and guards the report; summarise_logs.py reads them.
# Exit status: 0 report written; 1 failed, no report; 2 wrong usage, no report;
# 3 report written, but some log is damaged or unreadable; 4 no logs, no report.
set -euo pipefail

usage() {
  printf 'triage: %s\nusage: bash triage.sh [--since TIME] [--until TIME] LOG_DIR REPORT\n' "$1" >&2
  exit 2
}

fail() {
  printf 'triage: %s\n' "$1" >&2
  exit "${2:-1}"
}

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
reader=(python3 "$here/summarise_logs.py")

while (($# > 0)); do
  case $1 in
    --since | --until)
      (($# >= 2)) || usage "$1 needs a time"
      reader+=("$1=$2")
      shift 2
      ;;
    --)
      shift
      break
      ;;
    -*) usage "there is no option $1" ;;
    *) break ;;
  esac
done
(($# == 2)) || usage "give LOG_DIR and REPORT"
log_dir=$1
report=$2

[[ -d $log_dir && -r $log_dir && -x $log_dir ]] || fail "cannot read the folder $log_dir"
[[ ! -d $report ]] || fail "$report is a folder" # mv would move the report into it, and be content

shopt -s nullglob # no logs give an empty list, not the pattern itself
logs=("$log_dir"/*.jsonl.gz)
((${#logs[@]} > 0)) || fail "no *.jsonl.gz in $log_dir" 4

# Beside the report: a rename is atomic only within one file system.
partial=$report.$$.partial
trap 'rm -f -- "$partial"' EXIT

status=0
"${reader[@]}" --out="$partial" -- ${logs[@]} || status=$?
case $status in
  0 | 3) ;;
  2) exit 2 ;; # the reader has said what is wrong with the times
  *) fail "the reader ended with status $status; $report is as it was" ;;
esac
mv -f -- "$partial" "$report"
exit "$status"
