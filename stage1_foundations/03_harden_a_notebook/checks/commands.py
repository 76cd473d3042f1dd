"""The three commands of the contract, run as a scheduler or a service would, and what they leave behind."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from labs.checks import Finished, Work, close, show

TRAINING, SERVING = "fraud_training", "fraud_serving"
DEFAULTS = "seed = 7\nholdout_days = 7\nreview_share = 0.05\n"
METRICS, SCORES = "metrics.json", "holdout_scores.jsonl"

RUN_IT = "Run the same command yourself, and read its last lines on standard error."
NOT_ALLOWED = ("PermissionError", "Permission denied", "Read-only file system", "Operation not permitted")
STAY_INSIDE = (
    "The grader's sandbox refused it (run by you it may succeed): write only inside --out. "
    "Is there a path in your code that does not come from the command line?"
)
AFTER_REFUSALS = (
    "A broken row has no score. Answer it with an `error`, score the others, and exit 3 in the end."
)


@dataclass(frozen=True)
class Trained:
    """A training that went well: what it printed, and the files of its model folder, by their names in it."""

    finished: Finished
    files: dict[str, bytes]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        return json.loads(self.files[METRICS])

    @cached_property
    def scores(self) -> dict[int, float]:
        rows = [json.loads(line) for line in self.files[SCORES].splitlines()]
        return {row["transaction_id"]: row["fraud_probability"] for row in rows}

    def put(self, work: Work, folder: str = "models/a") -> str:
        """Lay the model folder into this check's sandbox."""
        for name, data in self.files.items():
            work.put(f"{folder}/{name}", data)
        return folder


def is_there(work: Work, package: str) -> None:
    """Not started, unless the package has the file that `python3 -m` looks for."""
    main = f"{package}/__main__.py"
    if main not in work.files():
        work.call(f"{main}:main")


def command(work: Work, package: str, *argv: str, stdin: str = "", **env: str) -> Finished:
    """`python3 -m PACKAGE …` in the work folder, with pandas and scikit-learn imported already."""
    is_there(work, package)
    words = ("python3", "-m", package, *argv)
    finished = work.run(*words, stdin=stdin.encode(), env=env, timeout=60, warm=True)
    return named(work, finished, " ".join(words))


def named(work: Work, finished: Finished, did: str) -> Finished:
    finished.did = did.replace(work.inputs, "/data")
    return finished


def ends_with(finished: Finished, status: int, hint: str = "") -> Finished:
    """Fail unless the command ended with this status; say what it said, without times and run ids."""
    if finished.status != status:
        if any(words in finished.stderr for words in NOT_ALLOWED):
            hint = STAY_INSIDE
        said = last_words(finished.stderr)
        got = f"exit status {finished.status}" + (f", {said}" if said else "")
        finished.fail(wanted=f"exit status {status}", got=got, hint=hint)
    return finished


def last_words(stderr: str) -> str:
    """The last error in a log, or its last line: no times, run ids or folders of this machine."""
    written = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in reversed(written):
        entry = object_in(line)
        if entry is None:
            return scrubbed(line)
        if entry.get("level") in ("ERROR", "CRITICAL"):
            trace = entry.get("exception")
            last = trace.strip().splitlines()[-1:] if isinstance(trace, str) else []
            words = [str(entry.get("event", "")), str(entry.get("reason", "")), *last]
            return scrubbed(": ".join(word for word in words if word))
    return ""


def scrubbed(text: str) -> str:
    return show(re.sub(r"/[^\s'\":]*/(?=[^/\s'\":]*)", "…/", text), 160)


def object_in(line: str | bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def give_files(work: Work, folder: str, files: dict[str, str]) -> str:
    """Lay files where the learner may read and not write. Returns the folder."""
    for name, text in files.items():
        work.give(f"{folder}/{name}", text)
    return f"{work.inputs}/{folder}"


def train(
    work: Work,
    files: dict[str, str],
    *more: str,
    config: str = DEFAULTS,
    out: str = "models/a",
    rows: str = "rows",
    **env: str,
) -> Finished:
    """`train` over these files, in the work folder. `rows`: what their folder is called."""
    data = give_files(work, rows, files)
    file = work.give("train.toml", config)
    return command(work, TRAINING, "train", "--config", file, "--data", data, "--out", out, *more, **env)


def collect(work: Work, finished: Finished, out: str = "models/a") -> Trained:
    """The model folder of a training that says it went well; or what is missing in it."""
    ends_with(finished, 0, RUN_IT)
    inside = [path for path in work.files() if path.startswith(f"{out}/")]
    files = {path.removeprefix(f"{out}/"): work.read(path).bytes for path in inside}
    for name in (METRICS, SCORES):
        finished.require(
            name in files,
            wanted=f"a file `{name}` in the folder of --out",
            got="none",
            hint=f"Write `{name}`.",
        )
    metrics = object_in(files[METRICS])
    if metrics is None:
        finished.fail(wanted=f"a JSON object in `{METRICS}`", got="something else", hint="Use `json.dump`.")
    for path, kind in SHAPE.items():
        has_kind(finished, metrics, path, kind)
    for line in files[SCORES].splitlines():
        row = object_in(line) or {}
        good = type(row.get("transaction_id")) is int and is_probability(row.get("fraud_probability"))
        finished.require(
            good,
            wanted=f"on each line of `{SCORES}`: an integer `transaction_id`, a `fraud_probability` from 0 to 1",
            got="a line that has not",
            hint="One JSON object for each row of the holdout.",
        )
    return Trained(finished, files)


SHAPE: dict[str, type] = {
    "model_version": str, "config": dict, "rows": dict, "rows.train": int, "rows.holdout": int, "rows.refused": int,
    "threshold": float, "holdout": dict, "holdout.id": str, "holdout.rows": int, "holdout.frauds": int,
    "holdout.average_precision": float, "slices": dict,
}  # fmt: skip


def has_kind(finished: Finished, metrics: dict[str, Any], path: str, kind: type) -> None:
    value: Any = metrics
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if kind is float:
        fits = type(value) in (int, float) and math.isfinite(value)
    else:
        fits = type(value) is kind and value != ""
    words = {str: "a text", dict: "an object", int: "an integer", float: "a number"}[kind]
    finished.require(
        fits,
        wanted=f"`{path}` in `{METRICS}`: {words}",
        got="nothing" if value is None else f"{type(value).__name__}",
        hint="The contract lists what `metrics.json` holds.",
    )


def is_probability(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


@dataclass(frozen=True)
class Answers:
    """What `predict` said: one object for each row, in their order."""

    finished: Finished
    rows: list[dict[str, Any]]

    @cached_property
    def scores(self) -> list[float]:
        return [row["fraud_probability"] for row in self.rows]

    def agree_with(self, wanted: list[float], *, what: str, hint: str, within: float = 1e-5) -> None:
        """Every row has the probability that is wanted of it."""
        wrong = [
            i for i, (a, b) in enumerate(zip(self.scores, wanted, strict=True)) if not close(a, b, 0, within)
        ]
        if wrong:
            first = wrong[0]
            self.finished.fail(
                wanted=f"{what} (± {within:g})",
                got=f"another one for {len(wrong)} of {len(wanted)} rows",
                hint=hint,
                measured=f"row {first + 1}: {self.scores[first]!r} instead of {wanted[first]!r}",
            )

    def part(self, start: int, stop: int, did: str) -> Answers:
        """The answers to some of the rows, as if only they had been asked."""
        said = replace(self.finished, did=did)
        return Answers(said, self.rows[start:stop])


def predict(work: Work, model: str, rows: str, *, status: int = 0, did: str = "", **env: str) -> Answers:
    """`predict` with these rows on standard input; every answer is an object, one for each row."""
    finished = command(work, SERVING, "predict", "--model", model, stdin=rows, **env)
    hint = AFTER_REFUSALS if status else RUN_IT
    return answers_of(work, finished, model, rows, status, did, hint)


def predict_in_image(work: Work, rows: str, **env: str) -> Answers:
    """`predict` in a fresh interpreter, in a folder `image` with `fraud_serving` and the model folder `model` only."""
    alone = "cp -r fraud_serving image/ && find . -mindepth 1 -maxdepth 1 ! -name image -exec rm -r {} +"
    line = f"{alone} && cd image && exec python3 -m {SERVING} predict --model model"
    finished = work.run("bash", "-c", line, stdin=rows.encode(), env=env, timeout=60)
    did = "an image that holds only `fraud_serving` and the model folder"
    hint = "Whatever serving needs lies in `fraud_serving` or in the model folder."
    return answers_of(work, finished, "model", rows, 0, did, hint)


def answers_of(
    work: Work, finished: Finished, model: str, rows: str, status: int, did: str, hint: str
) -> Answers:
    named(work, finished, asked(model, did))
    ends_with(finished, status, hint)
    return answers_in(work, finished, len(rows.splitlines()), scored=status == 0)


def asked(model: str, what: str) -> str:
    return f"python3 -m {SERVING} predict --model {model} <rows.jsonl" + (f"  ({what})" if what else "")


def answers_in(work: Work, finished: Finished, count: int, scored: bool) -> Answers:
    said = finished.stdout.splitlines()
    rows = [object_in(line) for line in said]
    finished.require(
        len(rows) == count and None not in rows,
        wanted=f"{count} JSON objects on standard output, one a line",
        got=f"{len(said)} lines" + (", not all of them objects" if None in rows else ""),
        hint="One answer for each row (an empty line is one), in their order; nothing else on standard output.",
    )
    answers = [row or {} for row in rows]
    for row in answers if scored else []:
        good = (
            type(row.get("transaction_id")) is int
            and is_probability(row.get("fraud_probability"))
            and row.get("decision") in ("review", "allow")
            and isinstance(row.get("model_version"), str)
        )
        finished.require(
            good,
            wanted="transaction_id, fraud_probability (0 to 1), decision (review or allow), model_version",
            got=f"an answer with {', '.join(map(str, sorted(row)))[:160] or 'nothing'} that is not so",
            hint="The contract lists what an answer holds.",
        )
    return Answers(finished, answers)
