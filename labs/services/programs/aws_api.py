"""The embedded AWS API: moto behind a guard that enforces IAM from the first call. It keeps everything in memory.

One user exists when it starts: `course-admin`, who may do everything, like the first user of a new account. Its keys
stand in DATA/credentials.json. DATA/control holds the password of moto's own pages, for checks.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import sys
from pathlib import Path
from typing import Any, cast

from labs.services.aws import alarm_calls, budgets
from labs.services.aws.callers import ACCOUNT
from labs.services.aws.guard import Application, Guard
from labs.workspace import write_whole

ADMIN = "course-admin"
MAY_DO_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def main(argv: list[str]) -> int:
    listener, data = socket.socket(fileno=int(argv[0])), Path(argv[1])
    host, port = listener.getsockname()[:2]
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    write_whole(data / "credentials.json", json.dumps(first_user()))
    control = secrets.token_urlsafe(24)
    write_whole(data / "control", control)
    moto_judges_no_more()
    moto_lists_its_modules_once()
    alarm_calls.complete_moto()
    budgets.complete_moto()
    application = Guard(cast(Application, DomainDispatcherApplication(create_backend_app)), control)
    make_server(host, port, application, threaded=True, fd=listener.fileno()).serve_forever()
    return 0


def moto_judges_no_more() -> None:
    """moto asks bucket policies even where its authorisation is off, and reads them wrongly. The guard did it."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.PERMITTED)  # noqa: B010


def moto_lists_its_modules_once() -> None:
    """It looks through its own folder at every request, which takes it longer than the rest of a small one."""
    from moto import backends

    modules = frozenset(backends.list_of_moto_modules())
    setattr(backends, "list_of_moto_modules", lambda: modules)  # noqa: B010


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
