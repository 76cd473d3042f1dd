"""The grader of gate_every_pull_request: real pull requests, and the learner's own workflow run on each of them."""

from __future__ import annotations

import re

import pytest

from labs.checks import check
from labs.grading.evidence import Evidence
from labs.workflows import Registry, Unsupported, Workflow, permissions
from labs.workflows.record import CacheUse
from labs.workflows.registry import COMMIT
from labs.workflows.results import SKIPPED
from proposals import CANARY, MARK
from review import FOLDER, REQUIRED, Desk, Malformed, Reviewed, not_started

MOST_MINUTES = 30
DAILY = ("good", "hostile")  # a change of everything, and one of the README alone
# Which install, says the learner's workflow: those that most designs install for come first.
SAME_LOCK = (("lint", "data", "schema"), ("model", "old branch", "bar"))  # as that of the good one
OTHER_LOCK = (("test", "hostile"), ("short night", "night"))
PUSHES = ("opened", "synchronize", "reopened")
# actionlint's words for what GitHub runs all the same
GITHUB_RUNS_IT = re.compile("potentially untrusted|runtime .* is deprecated|is too old to run|was deprecated")


@pytest.fixture(scope="session")
def desk(seed):
    return Desk(seed)


def blocks(work, desk: Desk, name: str, fault: str, hint: str) -> None:
    """The required check keeps this pull request from being merged."""
    is_blocked(desk.review(work, name), fault, hint)


def is_blocked(reviewed: Reviewed, fault: str, hint: str) -> None:
    state = reviewed.check
    skipped = f"; skipped: {', '.join(reviewed.skipped[:3])}" if reviewed.skipped else ""
    got = f"it may be merged: {because(reviewed)}{skipped}"
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
            got, hint = not_named(reviewed, got)
        reviewed.evidence.fail(wanted=wanted, got=got, hint=hint, measured=" ".join(said)[:200])
    if state.state == SKIPPED:
        hint = "Look at the `if` of the job, and at the jobs that it needs: a gate that is skipped closes for nobody."
        reviewed.evidence.fail(wanted=wanted, got=because(reviewed), hint=hint)


def because(reviewed: Reviewed) -> str:
    """What the state of the required check rests on, and why it was skipped, if it was."""
    said = reviewed.check.because
    return f"{said}: {reviewed.why_skipped}" if reviewed.check.state == SKIPPED else said


def not_named(reviewed: Reviewed, got: str) -> tuple[str, str]:
    """What the jobs are called instead, and what to do."""
    reports = [job.name for job in reviewed.jobs]
    named = ", ".join(f"“{name}”" for name in reports[:4])
    got = f"{got}; these have: {named}" if named else got
    if any(name.startswith(f"{REQUIRED} (") for name in reports):
        return (
            got,
            "A matrix gives each of its jobs another name. Let one more job, without a matrix, need them.",
        )
    return got, f"Branch protection asks for a job whose id, or `name`, is `{REQUIRED}`."


def key_hint(cache: CacheUse) -> str:
    """What a key is made of, in terms of the action that makes it."""
    if cache.action == "actions/cache":
        return (
            "A key is a name and the hash of what decides the content: `hashFiles('requirements.lock', …)`."
        )
    option = {"actions/setup-python": "cache-dependency-path"}.get(cache.action, "cache-dependency-glob")
    files = ", ".join(cache.files.split())
    return (
        f"{cache.action} makes the key of `{files}`. Which file says what is installed? `{option}` names it."
    )


def compared(good: Reviewed, others: list[Reviewed], having: str) -> Evidence:
    """What was compared, by number."""
    number = others[0].proposal.number if others else "…"
    return Evidence(
        f"compare the caches of the pull requests #{good.proposal.number} and #{number}, with {having}"
    )


def is_split(title: str, summary: str) -> bool:
    """Whether bash has split the title into words, and maybe replaced its `*`."""
    words = " ".join(title.split())
    start, _, end = words.partition(" * ")
    return title not in summary and start in summary and end in summary


def places(found: list[Workflow]) -> list[tuple[str, str]]:
    """(where, what) of each action that any workflow uses."""
    return [
        (f"{workflow.path}, job `{job.id}`", str(uses))
        for workflow in found
        for job in workflow.jobs.values()
        for uses in (job.uses, *(step.uses for step in job.steps))
        if uses
    ]


def says_nothing(errors: list[dict], hint: str) -> None:
    """The linter of workflows has found nothing."""
    if errors:
        first = errors[0]
        got = f"{first['filepath']} line {first['line']}: {first['kind']}"
        Evidence("actionlint").fail(
            wanted="no error", got=got, hint=hint, measured=" ".join(first["message"].split())[:300]
        )


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
    refused = [error for error in desk.lint(work, found) if not GITHUB_RUNS_IT.search(error["message"])]
    says_nothing(refused, "Run it yourself: `actionlint` says what is wrong, and where.")


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
    reviewed = desk.review(work, "hostile")
    hint = "A workflow that a filter skips reports nothing, and its required check waits for ever."
    silent = reviewed.check.state == "expected"
    wanted = f"`{REQUIRED}` reports, whatever the pull request changes"
    reviewed.evidence.require(not silent, wanted=wanted, got="no job of this name has reported", hint=hint)


# What it blocks


@check(points=2, after=lets_a_good_change_in)
def blocks_a_lint_error(work, desk):
    """blocks a pull request in which `ruff check .` finds an error"""
    hint = (
        "Which command ends the step, and what is its exit status? Does it look at every file, and mend none? "
        "Which job is required?"
    )
    blocks(work, desk, "lint", "ruff finds an error", hint)


@check(points=2, after=lets_a_good_change_in)
def blocks_a_broken_test(work, desk):
    """blocks a pull request that breaks a unit test"""
    hint = "Does the exit status of pytest reach the end of its step? Does the step run on every push?"
    blocks(work, desk, "test", "a unit test fails", hint)


@check(points=2, after=blocks_a_broken_test)
def blocks_a_test_that_hangs(work, desk):
    """blocks a pull request with a test that never ends, when the time of its job is over"""
    reviewed = desk.review_hung(work, "test")
    hint = (
        "The result of such a job is “cancelled”: no failure, and no success. Which results do you let pass?"
    )
    is_blocked(reviewed, "the job with the tests was cancelled: its time was over", hint)


@check(points=2, after=lets_a_good_change_in)
def blocks_bad_data(work, desk):
    """blocks a pull request with data that cannot be true, that leak, or that the changed code no longer allows"""
    hint = "`python -m fraudscore.check_data` must end its step with its own exit status."
    blocks(work, desk, "data", "the data check finds a fault", hint)
    hint = (
        "The data are the same as before. What is allowed in them stands in code: check them on every change."
    )
    blocks(work, desk, "schema", "the data check finds what the changed code does not allow", hint)


@check(points=2, after=lets_a_good_change_in)
def blocks_a_worse_model(work, desk):
    """blocks a pull request whose model is below the bar"""
    hint = (
        "`python -m fraudscore.evaluate` ends with 1. Does it run on each change of the code, and what becomes of its "
        "exit status?"
    )
    blocks(work, desk, "model", "the average precision is below the bar", hint)


@check(points=3, after=blocks_a_worse_model)
def blocks_a_lowered_bar(work, desk):
    """blocks a worse model below the bar of main, whatever bar the pull request or its branch brings"""
    hint = "Whose `model/bar.json` do you compare with? All commits of a pull request are its own."
    blocks(work, desk, "bar", "the average precision is below the bar on main", hint)
    hint = "Its branch began before main raised the bar. What counts is the bar of main as it is now, at its tip."
    blocks(work, desk, "old branch", "the average precision is below the bar on main", hint)


@check(points=2, after=lets_a_good_change_in)
def blocks_a_secret(work, desk):
    """blocks a pull request that adds a key"""
    hint = (
        "A key was added, and no step failed. Did your command find it, in a file of any kind? "
        "Does its exit status end the step? (`! command` in the middle of a script does not.)"
    )
    blocks(work, desk, "secret", "it adds a key", hint)


@check(points=2, after=blocks_a_secret)
def blocks_a_secret_of_an_earlier_commit(work, desk):
    """blocks a pull request with a key in its first commit, which its second commit takes out"""
    hint = "The key stays in the history for ever. Look into each commit since main; for that, all must be there."
    blocks(work, desk, "hidden secret", "one of its commits holds a key", hint)


@check(points=3, after=lets_a_good_change_in)
def blocks_a_bad_night(work, desk):
    """blocks a pull request with which all tests are well, and the job of the night does nothing, or loses a payment"""
    hint = "Run the job of the night itself, with the packages of the lock, and look at what it has written."
    blocks(work, desk, "night", "the job of the night writes no scores", hint)
    hint = (
        "The night has ended with 0, and one payment has no score. The lock is the same as before. "
        "Does your step run, and how many lines does a good night write?"
    )
    blocks(work, desk, "short night", "the job of the night leaves out a payment", hint)


# What a stranger can do. A gate that closes for nobody earns nothing for its form: hence `after=`.


@check(points=3, after=reports_on_docs)
def never_runs_a_title(work, desk):
    """writes the title of the pull request into the summary, and never runs it, nor the name of the branch"""
    reviewed = desk.review(work, "hostile")
    ran = any(path.rpartition("/")[2] == MARK for path in reviewed.files)
    hint = "`${{ }}` in `run` is pasted into the script before bash reads it. Give the title by `env`."
    evidence = reviewed.evidence
    got = f"a command that stood in them was run: it made the file `{MARK}`"
    evidence.require(not ran, wanted="title and branch are only texts", got=got, hint=hint)
    lets_in(reviewed, hint)
    summary, title = "\n".join(job.summary for job in reviewed.jobs), reviewed.proposal.title
    wanted = "the title, letter by letter, in GITHUB_STEP_SUMMARY"
    got = "another text" if summary.strip() else "no summary"
    hint = "Put the title into a variable by `env`, and print it: printf '%s' leaves a text as it is."
    if is_split(title, summary):
        got = "another text: its words, but not its spaces, or with names of files for its `*`"
        hint = (
            'Without quotes bash splits a variable into words, and takes `*` for file names: write "$TITLE".'
        )
    evidence.require(
        title in summary, wanted=wanted, got=got, hint=hint, measured=" ⏎ ".join(summary.split("\n"))[:200]
    )


@check(points=2, after=blocks_a_lint_error)
def gives_its_token_no_rights(work, desk):
    """gives the token of each job the right to read the contents, and no other"""
    for run in (run for name in DAILY for run in desk.review(work, name).runs):
        for job in run.workflow.jobs.values():
            given = permissions.of(run.workflow, job, default="write-all")
            more = sorted(
                f"{scope}: {level}"
                for scope, level in given.items()
                if (scope, level) != ("contents", "read")
            )
            got = f"{', '.join(more[:3])}" + (f" and {len(more) - 3} more" if len(more) > 3 else "")
            looked = Evidence(f"a pull request from a branch of ours, job `{job.id}`")
            says = "permissions" in run.workflow.body or "permissions" in job.body
            hint = (
                "Name what it needs, and leave out the rest: `contents: read`. What a job says counts for that job."
                if says
                else "Without `permissions`, the settings of the organisation decide: here they give everything."
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
            moved = not (COMMIT.fullmatch(reference.lower()) or reference.startswith("sha256:"))
        looked = Evidence(f"{where}, after somebody has moved every tag and branch")
        hint = "Name a whole commit: `owner/name@` and 40 digits. The brief has a table."
        got = f"`{uses}` is another program than yesterday"
        looked.require(not moved, wanted="every action is the same program", got=got, hint=hint)


# What it costs


@check(points=1, after=blocks_a_lint_error)
def gives_up_in_time(work, desk):
    """ends each job after 30 minutes at most, whatever hangs in it"""
    for job in (job for name in DAILY for job in desk.review(work, name).jobs):
        looked = Evidence(f"job `{job.name}`, with a command that never ends")
        got = f"it ends after {job.longest_minutes:g} minutes"
        hint = "The default of GitHub is 360 minutes, and every one of them is paid for."
        looked.require(
            job.longest_minutes <= MOST_MINUTES,
            wanted=f"it ends after {MOST_MINUTES} minutes or less",
            got=got,
            hint=hint,
        )


@check(points=2, after=blocks_a_lint_error)
def caches_by_the_lock(work, desk):
    """caches what it installs: the same cache while the lock is the same, another one when it changes"""
    good = desk.review(work, "good")
    hint = "`cache: pip` of actions/setup-python, `cache` of setup-uv, or actions/cache."
    good.evidence.require(good.caches, wanted="a cache", got="none", hint=hint)
    holding = [cache for cache in good.caches if cache.holds]
    got = f"nothing that was installed lies in what {good.caches[0].action} keeps, so it saves nothing"
    hint = "`path` has to be where your installer puts its downloads: `pip cache dir` prints it, `~` is your home."
    good.evidence.require(holding, wanted="a cache of what is installed", got=got, hint=hint)
    alike = desk.that_cache(work, SAME_LOCK)
    same = {cache.key for cache in holding} & {cache.key for one in alike for cache in one.caches}
    compared(good, alike, "the same `requirements.lock`").require(
        same,
        wanted="the same key while `requirements.lock` is the same",
        got="another key, so nothing is ever found",
        hint=key_hint(holding[0]),
    )
    others = desk.that_cache(work, OTHER_LOCK)
    compared(good, others, "another `requirements.lock`").require(
        others and same - {cache.key for one in others for cache in one.caches},
        wanted="another key when `requirements.lock` has changed",
        got="the same key, so the old packages come back" if others else "no cache in the second one",
        hint=key_hint(holding[0]),
    )


# Last, because most of it was seen above already.


@check(points=1, after=blocks_a_lint_error)
def leaves_the_linter_nothing_to_say(work, desk):
    """is a workflow in which actionlint finds nothing"""
    hint = "GitHub runs it all the same. The linter knows more ways to be attacked than were tried here."
    says_nothing(desk.lint(work, desk.workflows(work)), hint)
