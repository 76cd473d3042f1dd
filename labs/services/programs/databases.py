"""A database for a server in the PostgreSQL that LABS_DATABASE_URL names."""

from __future__ import annotations

import os

VARIABLE = "LABS_DATABASE_URL"


def address(name: str, driver: str = "postgresql") -> str:
    """Where the database `name` is, made if it is not there; "" when there is no PostgreSQL to put it in."""
    server = os.environ.get(VARIABLE, "")
    if not server:
        return ""
    import psycopg2

    base = server.rpartition("/")[0]
    connection = psycopg2.connect(server)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                # An identifier cannot be a parameter; this one is ours, not a learner's.
                cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()
    return f"{base}/{name}".replace("postgresql", driver, 1)
