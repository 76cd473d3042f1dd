"""Refuses plans with surprises.

python3 plan_gate.py PLAN.json --environment ENV [--approvals FOLDER] [--max-changes N]
python3 plan_gate.py PLAN.json --digest

PLAN.json is what `terraform show -json PLAN` prints, format 1.x.
Status 0: apply it. 1: refused. 2: it cannot be judged.
The report on standard output is JSON and names addresses and reasons, never values.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gate_plan import NoPlan, Plan, read
from gate_rules import refusals

OLDEST, FUTURE = timedelta(hours=12), timedelta(minutes=5)
PASS, REFUSED, UNKNOWN = 0, 1, 2


def judge(plan: Plan, environment: str, most: int, approved: set[str]) -> Iterator[tuple[str, str]]:
    """(address, why) of everything that speaks against the plan. `plan` stands for the whole of it."""
    if plan.environment != environment:
        yield "plan", f"it is of another environment than {environment}"
    age = datetime.now(UTC) - plan.made
    if age > OLDEST or age < -FUTURE:
        yield "plan", "it is older than 12 hours, or from the future: plan again"
    if len(plan.changes) > most:
        yield "plan", f"{len(plan.changes)} changes, more than {most}: split it"
    for change in plan.changes:
        for why, can_be_approved in refusals(change):
            if not (can_be_approved and change.address in approved):
                yield change.address, why


def approved_addresses(folder: Path | None, digest: str) -> set[str]:
    """Addresses whose loss is approved, in this very plan. An approval that cannot be read counts for nothing."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.json")) if folder and folder.is_dir() else []:
        try:
            said: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if (
            isinstance(said, dict)
            and said.get("digest") == digest
            and isinstance(said.get("addresses"), list)
        ):
            found |= {each for each in said["addresses"] if isinstance(each, str)}
    return found


def say(verdict: str, refused: list[tuple[str, str]]) -> None:
    report = {"verdict": verdict, "refused": [{"address": address, "why": why} for address, why in refused]}
    print(json.dumps(report, indent=1, ensure_ascii=False))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plan", type=Path)
    parser.add_argument("--environment", default="")
    parser.add_argument("--approvals", type=Path)
    parser.add_argument("--max-changes", type=int, default=20)
    parser.add_argument("--digest", action="store_true")
    asked = parser.parse_args()
    try:
        plan = read(asked.plan)
    except NoPlan as error:
        say("cannot be judged", [("plan", str(error))])
        return UNKNOWN
    if asked.digest:
        print(plan.digest)
        return PASS
    if not asked.environment:
        parser.error("--environment is needed")
    approved = approved_addresses(asked.approvals, plan.digest)
    refused = list(judge(plan, asked.environment, asked.max_changes, approved))
    say("refused" if refused else "pass", refused)
    return REFUSED if refused else PASS


if __name__ == "__main__":
    sys.exit(main())
