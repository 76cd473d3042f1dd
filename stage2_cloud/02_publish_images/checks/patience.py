"""How long release.py waits for ECR, and when it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from answers_of_ecr import SILENCE, Said, error, throttled
from labs.checks import Finished
from registry_between import Call

MOST_TRIES = 6
Hook = Callable[[Call], Said | None]


def throttle(times: Mapping[str, float]) -> Hook:
    """ECR refuses the first so many calls of these operations: too many at a time."""
    return lambda call: throttled() if call.number <= times.get(call.operation, 0) else None


def fail_once(call: Call) -> Said | None:
    """One error of the server, and one connection that breaks."""
    if (call.operation, call.number) == ("DescribeImageScanFindings", 1):
        return error("ServerException", "These errors are usually caused by a server-side issue.", 500)
    return SILENCE if (call.operation, call.number) == ("PutLifecyclePolicy", 1) else None


def hopeless(operation: str) -> Iterator[tuple[str, Hook, int]]:
    """(what happens, how ECR answers, how often it may be tried)."""
    denied = error("AccessDeniedException", "not authorized")
    yield "throttled for ever", throttle({operation: 10**6}), MOST_TRIES
    yield "access denied", lambda call: denied if call.operation == operation else None, 1


def expect_longer_waits(done: Finished, calls: Sequence[Call], first: float) -> None:
    """A busy machine makes waits longer, never shorter: so only the least is asked for."""
    moments = [call.at for call in calls]
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    done.require(
        all(gap >= 0.95 * first * 2**number for number, gap in enumerate(gaps)),
        wanted=f"waits of at least {', '.join(f'{first * 2**number:g}' for number in range(MOST_TRIES - 1))} s",
        got="shorter waits between the six tries",
        hint="RELEASE_WAIT_SECONDS is the first wait; each one after it is twice as long.",
        measured=", ".join(f"{gap:.3f} s" for gap in gaps),
    )


def expect_tries(done: Finished, operation: str, count: int, wanted: int) -> None:
    done.require(
        count == wanted,
        wanted=f"{operation} tried {wanted} times" if wanted > 1 else f"{operation} tried once",
        got=f"{count} times",
        hint="boto3 tries again as well, by itself: two loops, one inside the other, multiply.",
    )


def expect_few_questions(done: Finished, count: int) -> None:
    done.require(
        2 <= count <= 12,
        wanted="2 to 12 questions in 1.5 s: waits of 0.02 s, then twice as long each time",
        got="fewer" if count < 2 else "more",
        hint="Wait between two questions as between two tries.",
        measured=f"{count} questions",
    )
