"""What Prefect's API must have on record after a night: steps, attempts and reasons."""

from __future__ import annotations

from typing import Any

import numpy as np

from labs.checks import Finished
from nights import expect, verdicts
from prefect_records import Records, Run

STEPS = ["ingest", "validate", "features", "train", "evaluate", "publish"]
DONE = dict.fromkeys(STEPS, "COMPLETED")


def each_step(records: Records, finished: Finished, day: Any) -> None:
    """Fail unless the flow run of a good date has its name, parameters, tags and six completed tasks."""
    run = records.wait_for(
        finished, day, lambda run: run.steps() == DONE and run.flow["state_type"] == "COMPLETED"
    )
    finished.require(
        run is not None,
        wanted=f"a flow run offers-{day} whose parameter `landing` is the folder given",
        got="none in Prefect's API",
        hint='@flow(name="offers", flow_run_name="offers-{day}"), with parameters day, landing and lake.',
    )
    assert run is not None
    given, tags = run.flow["parameters"].get("day"), set(run.flow["tags"])
    finished.require(given == str(day), wanted=f"parameter day = {day}", got=f"{given}")
    wanted = {"offers", f"dt:{day}"}
    finished.require(wanted <= tags, wanted=f"tags {sorted(wanted)}", got=f"{sorted(tags)}")
    completed = [name for name in STEPS if run.steps().get(name) == "COMPLETED"]
    finished.require(
        run.steps() == DONE and len(run.tasks) == 6,
        wanted=f"six tasks, each completed: {', '.join(STEPS)}",
        got=f"{len(run.tasks)} tasks: {', '.join(completed)}",
    )


def tried(run: Run) -> int:
    """How often `ingest` has been tried."""
    step = run.step("ingest")
    return int(step["run_count"]) if step else 0


def tried_again(records: Records, finished: Finished, day: Any, attempts: int, delays: list[float]) -> None:
    """Fail unless the run ended with 0, `ingest` having been completed by a try after these, and after its pauses."""
    run = records.wait_for(finished, day, lambda run: run.steps().get("ingest") in ("COMPLETED", "FAILED"))
    if run is not None:
        _paused(records, finished, run, delays)
    expect(finished, 0, hint="The manifest came while `ingest` was waiting to try again.")
    finished.require(
        run is not None and tried(run) > attempts,
        wanted="more than one attempt of the task `ingest` in Prefect's API",
        got=f"{tried(run) if run else 'none'}",
        hint="Prefect's own retries: @task(retries=…, retry_delay_seconds=…).",
    )


def pauses(records: Records, finished: Finished, day: Any, delays: list[float]) -> None:
    """Fail unless `ingest` was tried once and once more after each of these pauses (seconds)."""
    run = records.wait_for(
        finished, day, lambda run: run.flow["state_type"] == "FAILED" and tried(run) > len(delays)
    )
    finished.require(run is not None, wanted="a flow run in Prefect's API", got="none")
    assert run is not None
    wanted = 1 + len(delays)
    finished.require(
        tried(run) == wanted,
        wanted=f"{wanted} attempts of `ingest`: one, and one after each pause",
        got=f"{tried(run)}",
    )
    _paused(records, finished, run, delays)
    why_it_failed(finished, run, "upstream: ")


def _paused(records: Records, finished: Finished, run: Run, delays: list[float]) -> None:
    """Fail unless each try of `ingest` that there was came after its pause (seconds)."""
    gaps = np.diff(records.starts(run.step("ingest") or {}))
    finished.require(
        len(gaps) == tried(run) - 1
        and all(gap >= delay - 0.05 for gap, delay in zip(gaps, delays, strict=False)),
        wanted=f"pauses of at least {delays} seconds",
        got="shorter ones",
        hint="retry_delay_seconds takes a list: one pause for each retry.",
        measured=f"{gaps}",
    )


def closed_by_the_eval_gate(records: Records, finished: Finished, day: Any, *words: str) -> None:
    """Fail unless the steps before `evaluate` are completed, it failed, and the reason has these words."""
    why_it_failed(finished, where_it_stopped(records, finished, day, "evaluate"), "eval gate: ", *words)


def why_it_failed(finished: Finished, run: Run, *words: str) -> None:
    """Fail unless the reason has these words, and the flow run failed with the reason in its state's message."""
    reason = str(verdicts(finished)[-1]["reason"])
    message = str((run.flow.get("state") or {}).get("message"))
    finished.require(
        run.flow["state_type"] == "FAILED"
        and reason.startswith(words[0])
        and all(word in reason for word in words)
        and reason in message,
        wanted=f"a flow run that FAILED, with the reason ({' … '.join(words)}) in its state's message",
        got=f"a flow run {run.flow['state_type']}" + ("" if reason in message else ", without the reason"),
        hint="Raise the exception through the flow: Prefect puts its words into the message.",
        measured=f"{reason} / {message}"[:400],
    )


def where_it_stopped(records: Records, finished: Finished, day: Any, step: str) -> Run:
    """Fail unless the steps before this one are completed, this one has failed, and the later ones never began."""
    run = records.wait_for(
        finished, day, lambda run: run.flow["state_type"] == run.steps().get(step) == "FAILED"
    )
    finished.require(run is not None, wanted="a flow run in Prefect's API", got="none")
    assert run is not None
    place = STEPS.index(step)
    finished.require(
        run.steps() == {**dict.fromkeys(STEPS[:place], "COMPLETED"), step: "FAILED"},
        wanted=f"{place} completed tasks, `{step}` failed, and none after it",
        got=f"{sorted(run.steps().items())}",
    )
    attempts = int((run.step(step) or {})["run_count"])
    finished.require(
        attempts == 1,
        wanted=f"one attempt of `{step}`",
        got=f"{attempts}",
        hint="Waiting helps against an upstream that is late, and against nothing else.",
    )
    return run
