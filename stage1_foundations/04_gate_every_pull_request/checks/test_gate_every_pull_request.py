"""The grader of gate_every_pull_request: real pull requests, and the learner's own workflow run on each of them."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from labs.checks import CouldNotCheck, check
from labs.grading.evidence import Evidence
from labs.workflows import Registry, Unsupported, Workflow, permissions
from labs.workflows.registry import COMMIT
from proposals import CANARY, MARK
from review import FOLDER, REQUIRED, Desk, Malformed, Reviewed, not_started

MOST_MINUTES = 30
PUSHES = ("opened", "synchronize", "reopened")
TOGETHER = (("hostile", "lint"), ("test", "data"), ("model", "bar"), ("secret", "hidden secret", "night"))
# actionlint's words for what `never_runs_a_title` watches happen, and for what GitHub only warns of
LEFT_TO_OTHERS = ("-ignore", "potentially untrusted", "-ignore", "runtime .* is deprecated")


@pytest.fixture(scope="session")
def desk(seed):
    return Desk(seed)


def reviewed_with_others(work, desk: Desk, name: str) -> Reviewed:
    """One pull request; its neighbours are run beside it, for the checks that come next."""
    desk.review_all(work, next(names for names in TOGETHER if name in names))
    return desk.review(work, name)


def blocks(work, desk: Desk, name: str, fault: str, hint: str) -> None:
    """The required check keeps this pull request from being merged."""
    reviewed = reviewed_with_others(work, desk, name)
    state = reviewed.check
    got = f"it may be merged: {state.because}"
    wanted = f"`{REQUIRED}` blocks it, because {fault}"
    reviewed.evidence.require(not state.mergeable, wanted=wanted, got=got, hint=hint)


def lets_in(reviewed: Reviewed, hint: str) -> None:
    """The required check lets this pull request be merged, and has really run."""
    state = reviewed.check
    step = next((job.failed_step for job in reviewed.jobs if job.failed_step), None)
    said = step.output.strip().splitlines()[-1:] if step else []
    wanted = f"`{REQUIRED}` reports success"
    if not state.mergeable:
        got = f"`{REQUIRED}` is “{state.state}”: {state.because}"
        if state.state == "expected":
            hint = f"Branch protection asks for a job whose id, or `name`, is `{REQUIRED}`."
        reviewed.evidence.fail(wanted=wanted, got=got, hint=hint, measured=" ".join(said)[:200])
    reviewed.evidence.require(state.state == "success", wanted=wanted, got=state.because, hint=hint)


def places(found: list[Workflow]) -> list[tuple[str, str]]:
    """(where, what) of each action that any workflow uses."""
    return [
        (f"{workflow.path}, job `{job.id}`", str(uses))
        for workflow in found
        for job in workflow.jobs.values()
        for uses in (job.uses, *(step.uses for step in job.steps))
        if uses
    ]


# What GitHub starts


@check(points=1)
def is_accepted_by_github(work, desk):
    """is a workflow that GitHub accepts"""
    looked = Evidence(f"read `{FOLDER}`")
    try:
        found = desk.workflows(work)
    except Malformed as error:
        line = re.match(r"line \d+", error.what)
        got = f"{error.path} {line[0]}" if line else error.path
        looked.fail(
            wanted="a workflow", got=got, hint="`actionlint` says what is wrong.", measured=error.what
        )
    program = shutil.which("actionlint", path=Path(sys.prefix) / "bin") or shutil.which("actionlint")
    if not program:
        raise CouldNotCheck("no actionlint here: install the environment whole")
    options = ("-no-color", "-shellcheck=", "-pyflakes=", *LEFT_TO_OTHERS, "-format", "{{json .}}")
    done = work.run(program, *options, *(workflow.path for workflow in found))
    try:
        errors = json.loads(done.stdout)
    except ValueError:
        raise CouldNotCheck("actionlint did not run here") from None
    done.did = "actionlint"
    if errors:
        first = errors[0]
        got = f"{first['filepath']} line {first['line']}: {first['kind']}"
        hint = "Run it yourself: `actionlint` says what is wrong, and where."
        done.fail(wanted="no error", got=got, hint=hint, measured=first["message"][:300])


@check(points=1, after=is_accepted_by_github, needs=("git",))
def lets_a_good_change_in(work, desk):
    """lets a good pull request in, from a fork, with changes in code, tests, data, model and lock"""
    found = desk.workflows(work)
    why = not_started(found, desk.proposals["good"])
    if len(why) == len(found):
        looked = Evidence("somebody opens a pull request to main")
        got = "; ".join(f"{path} does not start: {reason}" for path, reason in why.items())
        looked.fail(
            wanted="a workflow that starts", got=got, hint="Which event is a pull request? To which branch?"
        )
    hint = "Nothing is wrong with this pull request. What does the failed step say?"
    lets_in(desk.review(work, "good"), hint)


@check(points=1, after=lets_a_good_change_in)
def reports_on_every_push(work, desk):
    """reports on a pull request when it is opened, when somebody pushes to it, and when it is opened again"""
    found = desk.workflows(work)
    reporting = {
        run.workflow.path
        for run in desk.review(work, "good").runs
        for job in run.jobs
        if job.name == REQUIRED
    }
    for action in PUSHES:
        why = not_started(found, desk.proposals["good"], action)
        silent = sorted(reporting & set(why))
        looked = Evidence(f"a pull request is “{action}”")
        got = f"{silent[0]} does not start: {why[silent[0]]}" if silent else ""
        wanted = f"`{REQUIRED}` reports on the new commit"
        hint = "A required check that nobody reports blocks for ever. What are the default `types`?"
        looked.require(not silent, wanted=wanted, got=got, hint=hint)


@check(points=1, after=lets_a_good_change_in)
def reports_on_docs(work, desk):
    """reports on a pull request that changes a README alone"""
    reviewed = reviewed_with_others(work, desk, "hostile")
    hint = "A workflow that a filter skips reports nothing, and its required check waits for ever."
    silent = reviewed.check.state == "expected"
    wanted = f"`{REQUIRED}` reports, whatever the pull request changes"
    reviewed.evidence.require(not silent, wanted=wanted, got="no job of this name has reported", hint=hint)


# What it blocks


@check(points=2, after=lets_a_good_change_in)
def blocks_a_lint_error(work, desk):
    """blocks a pull request in which `ruff check .` finds an error"""
    hint = "Which command ends the step, and what is its exit status? Which job is required?"
    blocks(work, desk, "lint", "ruff finds an error", hint)


@check(points=3, after=lets_a_good_change_in)
def blocks_a_broken_test(work, desk):
    """blocks a pull request that breaks a unit test"""
    blocks(
        work, desk, "test", "a unit test fails", "Does the exit status of pytest reach the end of its step?"
    )


@check(points=2, after=lets_a_good_change_in)
def blocks_bad_data(work, desk):
    """blocks a pull request with data that cannot be true, or that leak from the hold-out set"""
    hint = "`python -m fraudscore.check_data` must end its step with its own exit status."
    blocks(work, desk, "data", "the data check finds a fault", hint)


@check(points=3, after=lets_a_good_change_in)
def blocks_a_worse_model(work, desk):
    """blocks a pull request whose model is below the bar"""
    hint = "`python -m fraudscore.evaluate` ends with 1. What becomes of it?"
    blocks(work, desk, "model", "the average precision is below the bar", hint)


@check(points=3, after=blocks_a_worse_model)
def blocks_a_lowered_bar(work, desk):
    """blocks a pull request that brings a worse model, and lowers the bar for it"""
    hint = "Whose `model/bar.json` do you compare with? The one on main was not written by this pull request."
    blocks(work, desk, "bar", "the average precision is below the bar on main", hint)


@check(points=2, after=lets_a_good_change_in)
def blocks_a_secret(work, desk):
    """blocks a pull request that adds a key"""
    hint = "`python tools/find_secrets.py` must run on every pull request."
    blocks(work, desk, "secret", "it adds a key", hint)


@check(points=2, after=blocks_a_secret)
def blocks_a_secret_of_an_earlier_commit(work, desk):
    """blocks a pull request with a key in its first commit, which its second commit takes out"""
    hint = "The key stays in the history for ever. Look into each commit since main; for that, all must be there."
    blocks(work, desk, "hidden secret", "one of its commits holds a key", hint)


@check(points=3, after=lets_a_good_change_in)
def blocks_a_lock_that_stops_the_night(work, desk):
    """blocks a change of the lock with which all imports and tests are well, and the job of the night does nothing"""
    hint = "Run the job of the night itself, with the packages of the lock, and look at what it has written."
    blocks(work, desk, "night", "the job of the night writes no scores", hint)


# What a stranger can do. A gate that closes for nobody earns nothing for its form: hence `after=`.


@check(points=3, after=reports_on_docs)
def never_runs_a_title(work, desk):
    """writes the title of the pull request into the summary, and never runs it, nor the name of the branch"""
    reviewed = reviewed_with_others(work, desk, "hostile")
    ran = any(path.rpartition("/")[2] == MARK for path in reviewed.files)
    hint = "`${{ }}` in `run` is pasted into the script before bash reads it. Give the title by `env`."
    evidence = reviewed.evidence
    got = f"a command that stood in them was run: it made the file `{MARK}`"
    evidence.require(not ran, wanted="title and branch are only texts", got=got, hint=hint)
    lets_in(reviewed, hint)
    summary = "\n".join(job.summary for job in reviewed.jobs)
    got = "another text" if summary.strip() else "no summary"
    wanted = "the title, letter by letter, in GITHUB_STEP_SUMMARY"
    evidence.require(
        reviewed.proposal.title in summary, wanted=wanted, got=got, hint="printf '%s' leaves a text as it is."
    )


@check(points=2, after=blocks_a_lint_error)
def gives_its_token_no_rights(work, desk):
    """gives the token of each job the right to read the contents, and no other"""
    for run in desk.review(work, "good").runs:
        for job in run.workflow.jobs.values():
            given = permissions.of(run.workflow, job, default="write-all")
            more = sorted(
                f"{scope}: {level}"
                for scope, level in given.items()
                if (scope, level) != ("contents", "read")
            )
            got = f"{', '.join(more[:3])}" + (f" and {len(more) - 3} more" if len(more) > 3 else "")
            looked = Evidence(f"a pull request from a branch of ours, job `{job.id}`")
            hint = (
                "Without `permissions`, the settings of the organisation decide: here they give everything."
            )
            looked.require(not more, wanted="contents: read, or less", got=got, hint=hint)


@check(points=2, after=blocks_a_lint_error)
def keeps_secrets_from_strangers(work, desk):
    """never runs the code of a fork's pull request in a run that knows the secrets"""
    found = desk.workflows(work)
    if not any("pull_request_target" in workflow.triggers for workflow in found):
        return
    reviewed = desk.review(work, "stranger")
    ran = any("-pull_request_target/" in path and path.endswith(f"/{CANARY}") for path in reviewed.files)
    got = "the fork's code ran on `pull_request_target`, beside the secrets and a token that may write"
    wanted = "the code of a stranger runs on `pull_request` alone"
    hint = (
        "`pull_request_target` is for work that never touches what the pull request brings, such as labels."
    )
    reviewed.evidence.require(not ran, wanted=wanted, got=got, hint=hint)


@check(points=2, after=blocks_a_lint_error)
def uses_the_same_actions_tomorrow(work, desk):
    """uses the same code of every action tomorrow, whoever moves a tag today"""
    today, tomorrow = Registry(), Registry().after_an_attack()
    for where, uses in places(desk.workflows(work)):
        if uses.startswith("./"):
            continue
        try:
            moved = today.commit(uses) != tomorrow.commit(uses)
        except Unsupported:
            reference = uses.rpartition("@")[2]
            moved = not (COMMIT.fullmatch(reference) or reference.startswith("sha256:"))
        looked = Evidence(f"{where}, after somebody has moved every tag and branch")
        hint = "Name a whole commit: `owner/name@` and 40 digits. The brief has a table."
        got = f"`{uses}` is another program than yesterday"
        looked.require(not moved, wanted="every action is the same program", got=got, hint=hint)


# What it costs


@check(points=1, after=blocks_a_lint_error)
def gives_up_in_time(work, desk):
    """ends each job after 30 minutes at most, whatever hangs in it"""
    for job in desk.review(work, "good").jobs:
        looked = Evidence(f"job `{job.name}`, with a command that never ends")
        got = f"it ends after {job.longest_minutes:g} minutes"
        hint = "The default of GitHub is 360 minutes, and every one of them is paid for."
        looked.require(
            job.longest_minutes <= MOST_MINUTES,
            wanted=f"it ends after {MOST_MINUTES} minutes or less",
            got=got,
            hint=hint,
        )


@check(points=3, after=(reports_on_docs, blocks_a_lint_error))
def caches_by_the_lock(work, desk):
    """caches what it installs: the same cache while the lock is the same, another one when it changes"""
    docs, code = (reviewed_with_others(work, desk, name) for name in ("hostile", "test"))
    lock = desk.review(work, "good")
    evidence = Evidence("compare the keys of the caches over three pull requests")
    hint = "A key is a name and the hash of what decides the content: `hashFiles('requirements.lock', …)`."
    evidence.require(
        docs.keys, wanted="a cache", got="none", hint="`cache` of actions/setup-python, or actions/cache."
    )
    same = docs.keys & code.keys
    wanted = "the same key while `requirements.lock` is the same"
    evidence.require(same, wanted=wanted, got="another key, so nothing is ever found", hint=hint)
    wanted, got = (
        "another key when `requirements.lock` has changed",
        "the same key, so the old packages come back",
    )
    evidence.require(same - lock.keys, wanted=wanted, got=got, hint=hint)
