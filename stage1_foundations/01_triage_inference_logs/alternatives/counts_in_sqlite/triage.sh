#!/usr/bin/env bash
# Everything happens in triage.py; a shell script is only what cron knows.
exec python3 "$(dirname -- "$0")/triage.py" "$@"
