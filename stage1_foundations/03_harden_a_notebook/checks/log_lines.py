"""Whether the log of one run is what the contract asks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from commands import object_in
from labs.checks import Finished

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def run_id(finished: Finished, least: str) -> str:
    """The run's id. Fails unless each line is as the contract says, and the worst is at least of this level."""
    entries = [object_in(line) for line in finished.stderr.splitlines() if line.strip()]
    hint = "Give the root logger one handler with a JSON formatter; let nothing else write to standard error."
    finished.require(
        entries and None not in entries,
        wanted="nothing but JSON objects on standard error, one a line",
        got="nothing" if not entries else "a line that is none",
        hint=hint,
    )
    for entry in entries:
        wrong = [name for name in ("ts", "level", "event", "run_id") if not _is_field(name, entry.get(name))]
        finished.require(
            not wrong,
            wanted="`ts` (RFC 3339 with an offset), `level`, `event` and `run_id` on each line",
            got=f"a line whose `{wrong[0] if wrong else ''}` is missing or is not so",
            hint="The contract lists the fields.",
        )
    finished.require(
        entries[0]["event"] == "started",
        wanted="`started` as the `event` of the first line",
        got=f"`{entries[0]['event'][:40]}`",
        hint="Log `started` before anything can fail: before settings and data are read.",
    )
    last = entries[-1]
    finished.require(
        (last["event"], last.get("status")) == ("finished", finished.status),
        wanted=f"`finished` as the `event` of the last line, with `status` {finished.status}",
        got=f"`{last['event'][:40]}`, with `status` {str(last.get('status'))[:20]}",
        hint="Also a run that fails or crashes ends with `finished`: catch it at the top, log it, say the status.",
    )
    worst = max((entry["level"] for entry in entries), key=LEVELS.index)
    finished.require(
        LEVELS.index(worst) >= LEVELS.index(least),
        wanted=f"a line of level {least} or above",
        got=f"at most {worst}",
        hint="Whoever is paged filters by level: exit status 1 or 2 is an ERROR, a refused row a WARNING.",
    )
    ids = {entry["run_id"] for entry in entries}
    finished.require(
        len(ids) == 1,
        wanted="one `run_id` in all lines of a run",
        got=f"{len(ids)}",
        hint="Make the id once, when the command starts, and give it to the formatter.",
    )
    return ids.pop()


def _is_field(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    if name == "level":
        return value in LEVELS
    try:
        return name != "ts" or datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
