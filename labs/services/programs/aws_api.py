"""The embedded AWS API: moto, with IAM enforced from the first call. It keeps everything in memory.

One user exists when it starts: `course-admin`, who may do everything, like the first user of a new account. Its keys
stand in DATA/credentials.json. What moto gets wrong about IAM: docs/services.md.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

from labs.services.programs.aws_refusals import Refusing
from labs.workspace import write_whole

ADMIN = "course-admin"
ACCOUNT = "123456789012"
MAY_DO_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def main(argv: list[str]) -> int:
    os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = (
        "0"  # moto reads it when it is imported: every call is judged
    )
    listener, data = socket.socket(fileno=int(argv[0])), Path(argv[1])
    host, port = listener.getsockname()[:2]
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    write_whole(data / "credentials.json", json.dumps(first_user()))
    application = Refusing(DomainDispatcherApplication(create_backend_app))
    make_server(host, port, application, threaded=True, fd=listener.fileno()).serve_forever()
    return 0


def first_user() -> dict[str, str]:
    """Make the administrator; its keys, named as the variables that every AWS client reads."""
    from moto.iam.models import iam_backends
    from moto.moto_api._internal import mock_random

    mock_random.seed(secrets.randbits(128))  # two forks would draw the same keys
    iam: Any = iam_backends[ACCOUNT]["aws"]
    iam.create_user("ap-south-1", user_name=ADMIN)
    iam.put_user_policy(ADMIN, "everything", json.dumps(MAY_DO_ALL))
    key = iam.create_access_key(user_name=ADMIN)
    return {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
