"""Gives the learner a day of telemetry to read, and compares the answer with the truth."""

from __future__ import annotations

import pages
import watching
from watching import renamed


def diagnose(work, page):
    answer = renamed(
        work.call("diagnose.py:diagnose", page.telemetry), f"diagnose(…) of a day with {page.words}"
    )
    return answer.expect(keys=("cause", "minute"))


def expect_page(work, page):
    answer = diagnose(work, page)
    cause, minute = answer.value["cause"], answer.value["minute"]
    answer.require(
        cause == page.cause,
        wanted=f"`cause` {watching.show(page.cause)}",
        got=f"`cause` {watching.show(cause, 40)}",
        hint="Put the columns side by side at the moment when it began: what moved first, and what did not move?",
    )
    if page.cause is None:
        answer.require(minute is None, wanted="`minute` None", got=watching.show(minute, 40))
        return
    late = pages.minutes_apart(minute, page.start)
    answer.require(
        late is not None and -pages.EARLY <= late <= pages.LATE,
        wanted=f"`minute` from {pages.EARLY} minutes before to {pages.LATE} minutes after the beginning",
        got="another minute" if late is not None else f"no time: {watching.show(minute, 40)}",
        hint="Name the first bad minute, not the worst one.",
        measured="" if late is None else f"{late:.0f} minutes after the beginning",
    )
