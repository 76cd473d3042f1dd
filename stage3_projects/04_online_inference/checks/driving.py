"""Lets the learner's autoscaler run a fleet on simulated time, and holds its score against the bounds."""

from __future__ import annotations

import math

import numpy as np

import fleet
import watching
from watching import renamed


def drive(work, seed, name):
    """One trace, drawn from `seed`."""
    draw, bounds = fleet.TRACES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    facts, trace = fleet.config(rng), draw(rng)
    work.call("autoscaler.py:start", facts)
    answers, before = [], [0]

    def decide(row):
        answer = work.call("autoscaler.py:decide", row)
        answers[:] = [answer]
        whole = isinstance(answer.value, int) and not isinstance(answer.value, bool)
        least, most = facts["min_replicas"], facts["max_replicas"]
        renamed(answer, f"decide(telemetry) on the trace `{name}`").require(
            whole and least <= answer.value <= most,
            wanted=f"a whole number, from min_replicas={least} to max_replicas={most}",
            got="another number"
            if isinstance(answer.value, int | float)
            else watching.show(answer.value, 40),
            hint="With fewer than `min_replicas`, the next payment meets nobody, or only cold caches.",
            measured=watching.show(answer.value, 40),
        )
        blind = math.isnan(row["requests"])
        answer.require(
            not blind or answer.value >= before[-1],
            wanted="no replicas given back while the telemetry is missing",
            got="fewer than before",
            hint="You do not know what is going on. What does a pilot do who sees nothing?",
            measured=f"{answer.value} after {before[-1]}",
        )
        before.append(answer.value)
        return answer.value

    score = fleet.play(trace, facts, decide, rng)
    turns = math.floor(fleet.TURNS_PER_HOUR * trace.hours)
    did = renamed(answers[0], f"{trace.hours:.1f} simulated hours of the trace `{name}`")
    did.require(
        score.turns <= turns,
        wanted=f"at most {turns} changes of direction",
        got="a fleet that flaps",
        hint="Grow at once, shrink only when a whole window agrees: each change costs warm caches.",
        measured=f"{score.turns} changes, {score.lost_minutes:g} minutes lost, {score.cost:.2f} times the ideal cost",
    )
    did.require(
        score.lost_minutes <= bounds.lost_minutes,
        wanted=f"at most {bounds.lost_minutes:g} minutes outside of the objective",
        got="more",
        hint=f"Watch them happen: `python …/checks/fleet.py work/online_inference --watch {name}`",
        measured=f"{score.lost_minutes:g} minutes lost, {score.cost:.2f} times the ideal cost, {score.turns} changes",
    )
    did.require(
        score.cost <= bounds.cost,
        wanted=f"at most {bounds.cost:g} times the replica-hours of an ideal fleet",
        got="more",
        hint="What is not needed for many minutes can go, a few at a time.",
        measured=f"{score.cost:.2f} times",
    )
