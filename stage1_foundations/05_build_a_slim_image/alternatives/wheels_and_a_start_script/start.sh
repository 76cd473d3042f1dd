#!/bin/sh
set -eu
cd /opt/fraud
exec uvicorn app.main:app --host 0.0.0.0 --port "${PORT}"
