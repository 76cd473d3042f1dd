#!/bin/sh
# Runs once, when the cluster is made: a database for each service, which its own role alone may enter.
set -eu

for service in mlflow prefect; do
    # psql reads the password from its own input: it stands in no argument that another process could see.
    {
        printf "\\\\set password '%s'\n" "$(cat "/run/secrets/postgres_$service")"
        cat <<'END'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE CONNECT ON DATABASE :"service" FROM PUBLIC;
END
    } | psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set service="$service"
done
