#!/bin/sh
# What docker-compose.yml uses of the official image's entry point: make a cluster once, with the password of a file, run
# what lies in /docker-entrypoint-initdb.d against a server that only this container reaches, then serve.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" \
        --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    postgres -c listen_addresses='' -c unix_socket_directories=/var/run/postgresql &
    server=$!
    until pg_isready --quiet --host /var/run/postgresql --username "$POSTGRES_USER"; do sleep 0.2; done
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ -e "$script" ] || continue
        # The official entry point runs a script that may be executed, and sources one that may not.
        # shellcheck disable=SC1090  # whatever lies there
        if [ -x "$script" ]; then "$script"; else . "$script"; fi
    done
    kill -INT "$server"
    wait "$server"
fi
exec "$@" -c listen_addresses='*'
