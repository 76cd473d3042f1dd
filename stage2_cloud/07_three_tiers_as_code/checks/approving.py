"""Approvals: one named loss in one plan, and nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

from gating import Asked, Gate, compare
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding

FIRST, AGAIN = "the bucket is destroyed", "the same, made again an hour before"
BOTH = "the bucket and the key are destroyed"
REPLACED, OTHER = "the bucket is replaced", "the bucket is replaced by a third one"

HINT = "An approval is for exact addresses in exactly one plan, and for nothing but losing data."


def digests(gate: Gate, asked: list[tuple[str, Any]]) -> dict[str, str]:
    """Title → digest of each plan."""
    found = {}
    done = gate.run([Asked(plan, title, ("--digest",)) for title, plan in asked])
    for (title, _), each in zip(asked, done, strict=True):
        each.did = f"ask for the digest of this plan: {title}"
        if each.status == 75:
            raise NotStarted(Finding(each.did, "a digest", "status 75: not started"))
        said = each.stdout.strip()
        each.require(
            each.status == 0 and said and "\n" not in said,
            wanted="status 0, and one line: the digest",
            got=f"status {each.status}, {said[:40] or 'nothing'}",
        )
        found[title] = said
    return found


def approve(gate: Gate, said: Any) -> tuple[str, ...]:
    """The words of a command that point to a folder with this approval in it."""
    gate.number += 1
    path = gate.work.give(
        f"approvals-{gate.number}/one.json", said if isinstance(said, str) else json.dumps(said)
    )
    return ("--approvals", path.rsplit("/", 1)[0])


def try_all(gate: Gate) -> None:
    """An approval lets its one loss through; wrong, old and greedy ones let nothing through."""
    one = gate.drawn
    bucket, key = one.names["bucket"], one.names["key"]
    lost = one.change("bucket", ["delete"], {"bucket": "decisions"}, None)
    key_lost = one.change("key", ["delete"], {"enable_key_rotation": True}, None)
    plan = one.plan(lost)
    again = {**copy.deepcopy(plan), "timestamp": one.time(minutes=-70)}
    again["resource_changes"] = again["resource_changes"][::-1]
    more = one.plan(lost, key_lost)
    door = one.plan(
        lost, one.change("group", ["update"], one.group(), one.group(one.rule(["0.0.0.0/0"], 22)))
    )
    plans = {
        FIRST: plan,
        AGAIN: again,
        BOTH: more,
        "the bucket goes, and a door opens": door,
        "another bucket is destroyed": one.plan(
            one.change("module.data.aws_s3_bucket.other", ["delete"], {"bucket": "decisions"}, None)
        ),
        REPLACED: one.plan(
            one.change("bucket", ["delete", "create"], {"bucket": "decisions"}, {"bucket": "d2"})
        ),
        OTHER: one.plan(
            one.change("bucket", ["delete", "create"], {"bucket": "decisions"}, {"bucket": "d3"})
        ),
        "another bucket is behind the same address": one.plan(
            one.change("bucket", ["delete"], {"bucket": "ledger"}, None)
        ),
    }
    of = digests(gate, list(plans.items()))
    Evidence("ask for the digests of one plan that was made twice").require(
        of[AGAIN] == of[FIRST],
        wanted="the same digest",
        got="another one",
        hint="The digest is about what would change, and not about when somebody asked.",
    )
    for title in plans:
        if title not in (FIRST, AGAIN):
            Evidence(f"ask for the digests of two plans: {FIRST}; {title}").require(
                of[title] != of[FIRST],
                wanted="two digests",
                got="the same one",
                hint="What else does a reviewer look at before they say yes?",
            )
    Evidence(f"ask for the digests of two plans: {REPLACED}; {OTHER}").require(
        of[REPLACED] != of[OTHER],
        wanted="two digests",
        got="the same one",
        hint="What did the reviewer look at, besides that which goes?",
    )
    good = {"digest": of[FIRST], "addresses": [bucket], "approved_by": "asha", "why": "moved to the ledger"}
    asked = [Asked(plan, f"{FIRST}, with an approval for it", approve(gate, good), 0)]
    asked.append(Asked(again, f"{AGAIN}, with the approval of before", approve(gate, good), 0))
    bad = {
        "an approval of another plan": {**good, "digest": "0" * len(of[FIRST])},
        "an approval without a digest": {"addresses": [bucket]},
        "an approval for a pattern": {
            **good,
            "addresses": ["*", "module.data.*", "module.data", bucket.rsplit(".", 1)[0]],
        },
        "an approval for the address with another index": {
            **good,
            "addresses": [f"{bucket}[0]", f"x{bucket}"],
        },
        "an approval whose addresses are one text": {**good, "addresses": f"{bucket} and others"},
        "an approval that is cut off": json.dumps(good)[:-9],
    }
    asked += [
        Asked(plan, f"{FIRST}, with {title}", approve(gate, said), 1, frozenset({bucket}))
        for title, said in bad.items()
    ]
    words = approve(gate, {"digest": of[BOTH], "addresses": [bucket]})
    asked.append(Asked(more, f"{BOTH}, with an approval for the bucket", words, 1, frozenset({key})))
    group = one.names["group"]
    words = approve(
        gate, {"digest": of["the bucket goes, and a door opens"], "addresses": [bucket, group, "plan"]}
    )
    asked.append(
        Asked(
            door, "the bucket goes and a door opens, with an approval for both", words, 1, frozenset({group})
        )
    )
    stale = {**plan, "timestamp": one.time(hours=-20)}
    words = approve(gate, {**good, "addresses": [bucket, "plan"]})
    asked.append(Asked(stale, f"{FIRST}, approved, in a plan of yesterday", words, 1, frozenset({"plan"})))
    for each, done in zip(asked, gate.run(asked), strict=True):
        compare(each, done, HINT if each.status else "Somebody has to be able to say yes.")
