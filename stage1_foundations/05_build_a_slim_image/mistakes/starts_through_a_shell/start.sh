#!/bin/sh
# Say what starts, for the log.
set -eu
echo "{\"service\": \"fraud\", \"event\": \"starting\"}"
uvicorn app.main:app --host 0.0.0.0 --port 8000
