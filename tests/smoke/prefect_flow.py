"""Prefect: flows with retries and null arguments run on the temporary server that Prefect starts by itself."""

from prefect import flow, task

calls = []


@task(retries=2, retry_delay_seconds=0)
def flaky(number: int | None) -> int:
    calls.append(number)
    if len(calls) < 2:
        raise ConnectionError("the first try fails")
    return 2 * (number or 0)


@flow
def nightly(number: int | None = None) -> int:
    return flaky(number)


assert nightly(21) == 42
assert calls == [21, 21]
assert nightly(None) == 0
