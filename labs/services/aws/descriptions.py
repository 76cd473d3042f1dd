"""botocore's descriptions of services, read once in the warm parent.

Before a process has its first client of S3, botocore unpacks and parses JSON for 0.1 s of a processor. A fork of the
warm parent finds it parsed. Nothing else about a client changes, and none is made ahead.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from typing import Any


def read_ahead(modules: Iterable[str]) -> None:
    """For the services whose moto modules (`moto.s3.responses`) are among `modules`."""
    import botocore.session
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import JSONFileLoader

    plainly, reader = JSONFileLoader.load_file, JSONFileLoader()

    @functools.cache
    def by_path(path: str) -> Any:
        return plainly(reader, path)

    setattr(JSONFileLoader, "load_file", lambda _, path: by_path(path))  # noqa: B010
    session = botocore.session.Session()
    nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    for name in dict.fromkeys(one.split(".")[1] for one in modules if one.startswith("moto.")):
        with contextlib.suppress(UnknownServiceError):  # moto.moto_server
            session.create_client(name, region_name="ap-south-1", **nobody)
