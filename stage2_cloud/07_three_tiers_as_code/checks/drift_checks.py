"""What drift.py has to say: nothing, something, or that it does not know."""

from __future__ import annotations

import copy
from typing import Any

import reality
from happenings import FIRST, THEN, VERSIONING, happen
from labs.checks import Finished

ORDER = "Two lists that hold the same may be in different orders. Null is what nobody has set."


MODULES = "The state describes everything that is there: a module may lie in a module."


def _listed(said: list[tuple[str, str]]) -> str:
    """What was reported; ids of what was added differ with every grading."""
    named = [f"{address} {kind}" for address, kind in said if kind != "added"]
    count = len(said) - len(named)
    return "; ".join([*named, *([f"{count} that were added"] if count else [])])


def nothing(done: Finished) -> None:
    if done.status == 75:
        done.expect(status=0)
    if done.status == 2:
        said = reality.found(done)
        done.fail(
            wanted="no drift, status 0",
            got=_listed(said) or "status 2",
            hint=MODULES if any(kind == "added" for _, kind in said) else ORDER,
        )
    done.require(
        done.status == 0,
        wanted="no drift, status 0",
        got=f"status {done.status}",
        hint="It has an administrator's keys here.",
    )
    done.require(reality.found(done) == [], wanted='{"drift": []}', got=done.stdout.strip()[:80])


def everything(work, real: reality.Reality) -> None:
    """Fields are changed; then things come and go. All of it has to be reported, and nothing else."""
    wanted: dict[tuple[str, str], str] = {}
    for happenings in (FIRST, THEN):
        for each in happenings:
            wanted[happen(real, each)] = each[0]
        if happenings is THEN:  # with the bucket its versioning is gone
            del wanted[(VERSIONING, "changed")]
            wanted[(VERSIONING, "vanished")] = "after the bucket was deleted"
        done = real.look(work, f"after {len(wanted)} things happened by hand")
        done.require(
            done.status == 2,
            wanted="status 2: drift",
            got=f"status {done.status}",
            hint="What does the account say, and what the state?",
        )
        said = reality.found(done)
        for (address, kind), title in wanted.items():
            if (address, kind) in said:
                continue
            done.did = f"run drift.py {title}, among others"
            where = [other for one, other in said if one == address]
            done.fail(
                wanted=f"its id, added: {title.removeprefix('after ')}"
                if kind == "added"
                else f"{address}, {kind}",
                got=f"it is reported as {where[0]}" if where else "it is not in the report",
                hint="Look at each field of the contract, in modules of modules too, and at what lies beside.",
            )
        more = [one for one in said if one not in wanted]
        done.require(not more, wanted="nothing else", got=_listed(more), hint=ORDER)
        done.require(
            real.secret not in done.stdout + done.stderr,
            wanted="no value of the state in the report",
            got="the password of the database",
        )


def trouble(work, real: reality.Reality) -> None:
    hint = "“I could not look” is status 1, whatever is wrong. A night without rights must not look like a quiet night."
    whole: Any = real.state(whole=False)
    cases: list[tuple[str, Any, dict[str, str]]] = []
    for blind, rights in (("EC2", ["rds:*", "s3:*"]), ("RDS", ["ec2:*", "s3:*"]), ("S3", ["ec2:*", "rds:*"])):
        cases.append((f"as a user who may not look at {blind}", whole, real.user(rights)))
    cases.append(("where no API answers", whole, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}))
    cases.append(("with a state that is cut off", '{"format_version": "1.0", "values": {"root_mod', {}))
    cases.append(("with a state of format 2.0", {**copy.deepcopy(whole), "format_version": "2.0"}, {}))
    plan = {
        "format_version": "1.2",
        "planned_values": {"root_module": whole["values"]["root_module"]},
        "resource_changes": [],
        "prior_state": {"format_version": "1.0"},
    }
    cases.append(("with a plan in place of a state", plan, {}))
    for title, state, env in cases:
        done = real.look(work, title, state, env)
        done.require(done.status == 1, wanted="status 1: trouble", got=f"status {done.status}", hint=hint)
        done.require(
            real.secret not in done.stdout + done.stderr,
            wanted="no value of the state in what it prints",
            got="the password of the database",
        )
