#!/usr/bin/env bash
# Per-model report from gzip'd JSON-lines inference logs.
#
#   bash triage.sh [--since TIME] [--until TIME] LOG_DIR REPORT
#
# Exit status: 0 report written; 1 failed, no report; 2 wrong usage, no report;
# 3 report written, but some file is damaged or unreadable; 4 no logs, no report.

# What happens to this script when one of its commands fails? Decide it here, first.

usage() {
  printf 'triage: %s\nusage: bash triage.sh [--since TIME] [--until TIME] LOG_DIR REPORT\n' "$1" >&2
  exit 2
}

# 1. Understand the arguments; `usage "what is wrong"` if you cannot.
# 2. Find the logs: every *.jsonl.gz directly in LOG_DIR.
# 3. Run your reader on them. summarise_logs.py is a beginning; throw it away if you prefer another design.
# 4. Put the report in place in one step; clean up; exit with the right status.

echo 'triage: not started' >&2
exit 75 # the grader's word for "not started": delete these two lines when you begin
