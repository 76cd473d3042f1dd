#!/bin/sh
# /srv/fraud is root's, and the service's user may not make a file in it.
set -eu
date > started_at
exec uvicorn app.main:app --host 0.0.0.0 --port 8000
