"""What the pipeline has to do with pull requests, and with main."""

from __future__ import annotations

from typing import Any

from pipeline import APPLY_ROLE, BOTH, OWN, PLAN_ROLE, Pipeline, Ran, ended_by, groups, held_by
from pipeline_events import others, pull_request, push, words

ROLES = {PLAN_ROLE: "the role that may read", APPLY_ROLE: "the role that may write", "": "no role"}


def _plans(line: Pipeline, *kinds: str) -> dict[str, list[Any]]:
    """Plans of both environments, in turn: `fine`, or `loss`."""
    one = line.drawn
    found: dict[str, list[Any]] = {}
    for name in BOTH:
        found[name] = []
        for kind in kinds:
            word, _, only = kind.partition(" ")
            server = one.change("server", ["update"], {"ami": "ami-1"}, {"ami": "ami-2"})
            lost = one.change("database", ["delete"], one.database(), None)
            plan = one.plan(lost if word == "loss" and only in ("", name) else server)
            plan["variables"]["environment"]["value"] = name
            found[name].append(plan)
    return found


def on_pull_requests(line: Pipeline) -> None:
    """A harmless pull request, then one that would lose the database of prod."""
    ran = line.run(
        pull_request(41), _plans(line, "fine", "fine"), "open a pull request whose plans are harmless"
    )
    seen = ran.evidence
    seen.require(
        not ran.of("apply"),
        wanted="nothing applied from a pull request",
        got="ci/apply was called",
        hint="Nobody has reviewed it yet.",
    )
    planned = {each[1] for each in ran.of("plan")}
    seen.require(
        planned == set(BOTH),
        wanted="a plan of staging and one of prod",
        got=", ".join(sorted(planned)) or "no call of ci/plan",
    )
    for each in ran.of("plan"):
        seen.require(
            each[6] == OWN,
            wanted="a plan of what the pull request would change",
            got=f"ci/plan in a checkout of {each[6]}",
            hint="Which commit does actions/checkout take if nobody tells it one?",
        )
    _credentials(ran, "plan", PLAN_ROLE)
    seen.require(
        not ran.failed,
        wanted="every job a success",
        got="; ".join(
            f"{job.name}: {job.why or job.failed_step.label if job.failed_step else job.why}"
            for job in ran.jobs
            if job.result == "failure"
        ),
    )
    for name in BOTH:
        seen.require(
            f"{line.mark} {name}" in ran.text,
            wanted=f"the plan of {name} in the log or in the summary",
            got="nobody can see it",
            hint="ci/plan leaves plan.txt for people.",
        )
    trusted = line.run(
        pull_request(42, "pull_request_target"), _plans(line, "fine", "fine"), "open a pull request"
    )
    trusted.evidence.require(
        not trusted.log,
        wanted="nothing run for pull_request_target",
        got="plans, with the rights of main",
        hint="It runs with secrets, and the files may be a stranger's.",
    )
    for name, changed in (("staging", "infra/modules/data/main.tf"), ("prod", "plan_gate.py")):
        bad = line.run(
            pull_request(43, changed=changed),
            _plans(line, f"loss {name}", f"loss {name}"),
            f"open a pull request that changes {changed}, when the plan would lose the database of {name}",
        )
        bad.evidence.require(
            bad.of("plan"),
            wanted="a plan of every pull request to main",
            got="no call of ci/plan",
            hint="What else does a pull request change that decides what is applied later?",
        )
        bad.evidence.require(
            bad.failed,
            wanted="a red job",
            got="all green",
            hint="Does the status of the gate reach the job? Does it run for both?",
        )

    for word in words(line.found):
        ran = line.run(
            pull_request(44, said=word, labels=(word,)),
            _plans(line, "fine", "fine"),
            f"open a pull request with {word!r} as its author, title, branch and label",
        )
        ran.evidence.require(
            not ran.of("apply"),
            wanted="nothing applied from a pull request",
            got="ci/apply was called",
            hint="Whoever opens it, and whatever it is called: nobody has reviewed it yet.",
        )


def _from_elsewhere(line: Pipeline) -> None:
    """Other branches, other ways to start: nothing is applied from a branch, and nothing that the gate refuses."""
    branch = line.run(push("9" * 40, "larger"), _plans(line, "fine"), "push to the branch larger")
    branch.evidence.require(
        not branch.of("apply"),
        wanted="nothing applied from another branch than main",
        got="ci/apply was called",
        hint="Which branches does `on.push` mean when it names none?",
    )
    for event in others(line.found):
        on_main = event.ref == "refs/heads/main"
        did = f"start it by {event.name}, on {event.ref.removeprefix('refs/heads/')}"
        ran = line.run(
            event,
            _plans(line, "loss" if on_main else "fine"),
            f"{did}, when the plans would lose both databases" if on_main else did,
        )
        ran.evidence.require(
            not ran.of("apply"),
            wanted="no apply of what the gate refuses"
            if on_main
            else "no apply from another branch than main",
            got="ci/apply was called",
            hint="Which ways lead to an apply, and what stands in each of them?",
        )


def on_main(line: Pipeline) -> None:
    """A push with harmless plans; one where the world moves between two plans; one that would lose data."""
    ran = line.run(
        push(),
        _plans(line, "fine", "loss", "loss"),
        "push to main, with plans that are harmless when they are made first, and not later",
    )
    seen = ran.evidence
    applied = ran.of("apply")
    seen.require(
        {each[1] for each in applied} == set(BOTH),
        wanted="an apply of staging and one of prod",
        got=", ".join(each[1] for each in applied) or "no call of ci/apply",
    )
    for each in applied:
        wanted = f"plan of {each[1]}, number 1"
        seen.require(
            each[2].strip() == wanted,
            wanted=f"the file that the gate has seen ({wanted})",
            got=each[2].strip() or "an empty file",
            hint="A second plan is another plan. Hand the file on.",
        )
    seen.require(len(applied) == 2, wanted="one apply for each environment", got=f"{len(applied)}")
    for each in applied:
        seen.require(
            each[6] == OWN,
            wanted="the files of main",
            got=f"ci/apply in a checkout of {each[6]}",
        )
    _credentials(ran, "apply", APPLY_ROLE)
    bad = line.run(
        push("e" * 40),
        _plans(line, "loss prod"),
        "push to main, when the plan would lose the database of prod",
    )
    done = [each[1] for each in bad.of("apply")]
    bad.evidence.require(
        "prod" not in done,
        wanted="no apply of prod",
        got="ci/apply was called",
        hint="The world may have moved since the review. What has to stand between plan and apply?",
    )
    bad.evidence.require(bad.failed, wanted="a red job", got="all green")
    _from_elsewhere(line)
    _alone(line, ran)


def _alone(line: Pipeline, ran: Ran) -> None:
    jobs = {each[3] for each in ran.of("apply")}
    first, second = (groups(line, jobs, push(sha * 40), number) for sha, number in (("d", 7), ("f", 8)))
    seen = ran.evidence
    seen.did = "push to main twice in a minute"
    for (one, cancels), (two, _) in zip(first, second, strict=True):
        seen.require(
            one,
            wanted="a concurrency group for the job that applies",
            got="none: both would run at the same time",
        )
        seen.require(
            one == two,
            wanted="one group for both pushes",
            got=f"{one} and {two}",
            hint="What is different in the two, that should not be?",
        )
        seen.require(
            not cancels,
            wanted="the second waits",
            got="it ends the first, in the middle of an apply",
            hint="cancel-in-progress",
        )
    seen.did = "open a pull request while main is being applied"
    both = held_by(line, jobs, push(), 7) & ended_by(line, pull_request(45), 9)
    seen.require(
        not both,
        wanted="the apply goes on",
        got=f"the pull request ends it: both are in the group {', '.join(sorted(both))}",
        hint="A group of the whole workflow holds all of its runs, whatever started them.",
    )


def _credentials(ran: Ran, what: str, role: str) -> None:
    seen = ran.evidence
    for each in ran.of(what):
        seen.require(
            each[4] == role,
            wanted=f"ci/{what} with {ROLES[role]}",
            got=ROLES.get(each[4], each[4]),
            hint="vars.PLAN_ROLE, vars.APPLY_ROLE and aws-actions/configure-aws-credentials",
        )
        seen.require(
            each[5].startswith("ASIA"),
            wanted="keys that end with the job",
            got="keys that live for ever" if each[5] else "none",
            hint="OpenID Connect needs no stored key.",
        )
    for job in ran.jobs:
        mine = [each for each in ran.log if each[3] == job.id]
        if mine and any(each[4] for each in mine):
            seen.require(
                job.permissions.get("id-token") == "write",
                wanted=f"the permission id-token: write in {job.name}",
                got="no token, so no role",
            )
        wide = {scope for scope, level in job.permissions.items() if level == "write"} - {
            "id-token",
            "pull-requests",
            "checks",
        }
        seen.require(
            not wide,
            wanted="a GITHUB_TOKEN that can do what the job needs",
            got=f"{job.name} may write {', '.join(sorted(wide)[:3])}",
            hint="`permissions`",
        )
    if what == "plan":
        written = [each for each in ran.log if each[4] == APPLY_ROLE]
        seen.require(not written, wanted="no job with the role that may write", got="one")
