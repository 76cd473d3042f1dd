"""Objects of one bucket: read with their ETag, written only over what the writer has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

ENOUGH = 1024 * 1024  # bytes: nobody shall fill our memory
NOT_THERE = {"NoSuchKey", "404"}
# 412: it is something else by now. 409: somebody writes it at this moment.
SOMEBODY_WAS_FASTER = {"PreconditionFailed", "ConditionalRequestConflict"}


class Missing(Exception):
    """There is no such object."""


class Taken(Exception):
    """The object is not what the writer thought it was."""


@dataclass(frozen=True)
class Found:
    content: bytes
    etag: str


@dataclass(frozen=True)
class Objects:
    s3: Any
    bucket: str

    def get(self, key: str) -> Found:
        """
        Raises:
            Missing
        """
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if _code(error) in NOT_THERE:
                raise Missing(key) from error
            raise
        return Found(found["Body"].read(ENOUGH), found["ETag"])

    def put(self, key: str, content: bytes, over: str | None) -> None:
        """Write `content` over the object with the ETag `over`, or where there is none (None).

        Raises:
            Taken: there is another one.
        """
        seen = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, **seen)
        except ClientError as error:
            gone = over is not None and _code(error) in NOT_THERE
            if gone or _code(error) in SOMEBODY_WAS_FASTER:
                raise Taken(key) from error
            raise


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
