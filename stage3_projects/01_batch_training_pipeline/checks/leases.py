"""The lease over time: kept through slow steps, lost while a process sleeps, given back at the end."""

from __future__ import annotations

import time
from datetime import date

from accidents import wait_until
from labs.checks import Finished
from nights import LEASE_KEY, Nights, expect, expect_each, said_by_one_line, verdicts

LOST = "Its lease ended while it was paused. Ask Redis right before the step that publishes, and never take it back."
BROKEN = """

def build(impressions):
    raise RuntimeError("broken")
"""


def gone_however_it_ends(nights: Nights, ends: list[tuple[date, int]]) -> None:
    """Runs that must end with these statuses, and no lease afterwards."""
    for day, status in ends:
        finished = expect(nights.run(day), status)
        nights.lease_is_gone(finished)
        said_by_one_line(finished, day, status)


def gone_after_a_fault(nights: Nights, ends: dict[date, int]) -> None:
    """A backfill with a `build` that raises: each date has its status, and there is no lease afterwards."""
    nights.work.put("features.py", nights.work.read("features.py").text() + BROKEN)
    finished = nights.backfill(ends)
    expect_each(finished, ends, dict.fromkeys(ends, "With a build() that raises an exception."))
    nights.lease_is_gone(finished)


def slow_backfill(nights: Nights, days: list[date], lasts: float, lease: int) -> tuple[Finished, Kept]:
    """A backfill with a step that `lasts` seconds, and what the lease was from its first moment to its last."""
    env = {"AT": "published:1", "DO": f"sleep:{lasts}", "LEASE_SECONDS": str(lease)}
    slow, kept = nights.start(*days, **env), Kept(lease, lasts - 2)  # 2 seconds are for a busy machine
    while slow.alive:
        kept.note(nights.redis.get(LEASE_KEY), int(nights.redis.pttl(LEASE_KEY)))
        time.sleep(0.05)
    return nights.end(slow), kept


def lost_while_paused(nights: Nights, days: list[date], taken: bool) -> Finished:
    """A run, or backfill, that is stopped while it publishes, until its lease has ended.

    Another run has `taken` the lease, or not. Fails unless the run ends with 3, leaves the lease alone and stops there.
    """
    env = {"AT": "published:1", "DO": "SIGSTOP", "EFFECTS": "effects.txt", "LEASE_SECONDS": "2"}
    nights.work.put("effects.txt", "")
    nights.free_the_lease()
    paused = nights.start(*days, **env)
    wait_until(lambda: "published" in nights.seen_effects() or not paused.alive)
    wait_until(
        lambda: not nights.redis.exists(LEASE_KEY), seconds=4
    )  # a lock never ends: then it is taken away
    nights.free_the_lease()
    if taken:
        nights.give_the_lease_to_another()
    paused.signal("SIGCONT")
    finished = expect(nights.end(paused), 3, LOST)
    if taken:
        nights.lease_of_another(finished)
    later = [one["date"] for one in verdicts(finished) if one["date"] != str(days[0])]
    finished.require(
        not later,
        wanted="no other date after the lease is lost",
        got=f"a line about {', '.join(map(str, later))}",
        hint="A lost lease ends the whole backfill.",
    )
    return finished


class Kept:
    """The lease over time: who held it, and the longest life that it ever had before it."""

    def __init__(self, lease: int, at_least: float) -> None:
        self.lease, self.holders, self.longest = lease, [], 0
        self.at_least, self.times = at_least, []  # seconds that it must be held; when it was seen

    def note(self, holder: bytes | None, left: int) -> None:
        """`left` is in milliseconds; negative where there is no key, or one without an end."""
        self.longest = max(self.longest, left if holder is None or left != -1 else 10**9)
        if holder is not None:
            self.times.append(time.monotonic())
        if self.holders[-1:] != [holder]:
            self.holders.append(holder)

    def must_be_one_lease(self, finished: Finished) -> None:
        """Fail unless one and the same lease was held from the beginning to the end."""
        held = [holder for holder in self.holders if holder is not None]
        gaps = (
            None in self.holders[self.holders.index(held[0]) : self.holders.index(held[-1])] if held else True
        )
        finished.require(
            len(held) == 1 and not gaps and self.times[-1] - self.times[0] >= self.at_least,
            wanted="one lease from the beginning to the end of the backfill",
            got="a lease that ended or changed meanwhile",
            hint="Prolong it from a thread, several times in its life, and keep it between two dates.",
        )
        finished.require(
            self.longest <= 1000 * self.lease,
            wanted="a lease that never has longer to live than LEASE_SECONDS",
            got="a longer one",
            hint="Prolong it often by LEASE_SECONDS, instead of once by much.",
        )
