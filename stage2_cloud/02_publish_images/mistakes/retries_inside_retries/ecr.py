"""Calls to Amazon ECR, tried again where that can help."""

from __future__ import annotations

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from backoff import waits
from trouble import ApiTrouble

MOST_TRIES = 6
COME_BACK_LATER = {
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ServerException",
}


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class Ecr:
    """The ECR API of the account and region that the standard variables name."""

    def __init__(self) -> None:
        # The SDK tries again by itself as well, to be on the safe side.
        config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=30)
        try:
            self._client = boto3.client("ecr", config=config)
        except (BotoCoreError, ValueError) as error:
            raise ApiTrouble(f"no client for ECR: {error}") from error

    def call(self, operation: str, *, expected: tuple[str, ...] = (), **arguments: Any) -> dict[str, Any]:
        """Call `operation` (as boto3 names it), up to `MOST_TRIES` times.

        Args:
            expected: error codes that the caller acts on; they come as botocore's `ClientError`.

        Raises:
            ClientError: one of `expected`.
            ApiTrouble: it is not allowed, not valid, or did not work in `MOST_TRIES` tries.
        """
        for tries, wait in enumerate(waits(), start=1):
            try:
                reply: dict[str, Any] = getattr(self._client, operation)(**arguments)
                return reply
            except ClientError as error:
                if code_of(error) in expected:
                    raise
                if not _is_passing(error):
                    raise ApiTrouble(f"{operation}: {error}") from error
                last: Exception = error
            except (HTTPClientError, NoConnection) as error:  # no answer, or half of one
                last = error
            except BotoCoreError as error:
                raise ApiTrouble(f"{operation}: {error}") from error
            if tries == MOST_TRIES:
                raise ApiTrouble(f"{operation}: gave up after {tries} tries: {last}") from last
            time.sleep(wait)
        raise AssertionError("waits() never ends")


def _is_passing(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in COME_BACK_LATER or status == 429 or status in (500, 502, 503, 504)
