#!/bin/sh
# Hands SIGTERM on. But a signal ends `wait` at once, and then the script is at its end, and process 1 is gone.
set -eu
uvicorn app.main:app --host 0.0.0.0 --port 8000 &
service=$!
trap 'kill -TERM "$service"' TERM
wait "$service"
