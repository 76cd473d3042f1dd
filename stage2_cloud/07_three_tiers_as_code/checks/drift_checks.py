"""What drift.py has to say: nothing, something, or that it does not know."""

from __future__ import annotations

import copy
from typing import Any

import happenings
import reality
from labs.checks import Finished

ORDER = "Two lists that hold the same may be in different orders. Null is what nobody has set."


def nothing(done: Finished) -> None:
    if done.status == 75:
        done.expect(status=0)
    if done.status == 2:
        said = reality.found(done)
        done.fail(
            wanted="no drift, status 0",
            got="; ".join(f"{address} {kind}" for address, kind in said) or "status 2",
            hint=ORDER,
        )
    done.require(
        done.status == 0,
        wanted="no drift, status 0",
        got=f"status {done.status}",
        hint="It has an administrator's keys here.",
    )
    done.require(reality.found(done) == [], wanted='{"drift": []}', got=done.stdout.strip()[:80])


def everything(work, real: reality.Reality) -> None:
    """Five things are changed; then three more happen. All of it has to be reported, and nothing else."""
    wanted: dict[tuple[str, str], str] = {}
    for numbers in ([0, 1, 2, 3, 4], [5, 6, 7]):
        for number in numbers:
            title, _, kind = happenings.CASES[number]
            wanted[(happenings.happen(real, number), kind)] = title
        if 5 in numbers:  # with the bucket its versioning is gone
            versioning = "module.data.aws_s3_bucket_versioning.this"
            del wanted[(versioning, "changed")]
            wanted[(versioning, "vanished")] = happenings.CASES[5][0]
        done = real.look(work, f"after {len(numbers)} things happened by hand")
        done.require(
            done.status == 2,
            wanted="status 2: drift",
            got=f"status {done.status}",
            hint="What does the account say, and what the state?",
        )
        said = reality.found(done)
        missing = [title for one, title in wanted.items() if one not in said]
        kinds = [
            f"{address} {kind}" if kind != "added" else "something that was added" for address, kind in said
        ]
        if missing:
            done.did = f"run drift.py {missing[0]}, among others"
            done.fail(
                wanted=_wanted(wanted, missing),
                got="; ".join(kinds) or "nothing",
                hint="Look at each field of the contract, and at what lies beside.",
            )
        more = [f"{address} {kind}" for address, kind in said if (address, kind) not in wanted]
        done.require(not more, wanted="nothing else", got="; ".join(more), hint=ORDER)
        done.require(
            real.secret not in done.stdout + done.stderr,
            wanted="no value of the state in the report",
            got="the password of the database",
        )


def _wanted(wanted: dict[tuple[str, str], str], missing: list[str]) -> str:
    address, kind = next(one for one, title in wanted.items() if title == missing[0])
    return f"its id, added: {missing[0].removeprefix('after ')}" if kind == "added" else f"{address}, {kind}"


def trouble(work, real: reality.Reality) -> None:
    hint = "“I could not look” is status 1, whatever is wrong. A night without rights must not look like a quiet night."
    whole: Any = real.state()
    cases: list[tuple[str, Any, dict[str, str]]] = []
    for blind, rights in (("EC2", ["rds:*", "s3:*"]), ("RDS", ["ec2:*", "s3:*"]), ("S3", ["ec2:*", "rds:*"])):
        cases.append((f"as a user who may not look at {blind}", None, real.user(rights)))
    cases.append(("where no API answers", None, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}))
    cases.append(("with a state that is cut off", '{"format_version": "1.0", "values": {"root_mod', {}))
    cases.append(("with a state of format 2.0", {**copy.deepcopy(whole), "format_version": "2.0"}, {}))
    for title, state, env in cases:
        done = real.look(work, title, state, env)
        done.require(done.status == 1, wanted="status 1: trouble", got=f"status {done.status}", hint=hint)
        done.require(
            real.secret not in done.stdout + done.stderr,
            wanted="no value of the state in what it prints",
            got="the password of the database",
        )
