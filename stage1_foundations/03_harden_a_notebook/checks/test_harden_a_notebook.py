"""Watches what the package does: trains, serves and decides. How it is built, nobody looks at."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import gate_cases
import writings
from commands import (
    METRICS,
    RUN_IT,
    SCORES,
    SERVING,
    TRAINING,
    answers_of,
    asked,
    collect,
    command,
    ends_with,
    give_files,
    object_in,
    predict,
    predict_in_image,
    train,
)
from labs.checks import check, close
from log_lines import run_id
from material import GAPS, as_questions, held_by_mistake, material, with_another_holdout
from payments import lines, unlabelled

LEAST_AUC = 0.80
TRAINING_LIBRARIES = ("pandas", "sklearn", "scipy", "joblib", "matplotlib")
REFERENCE = "models/a"


@pytest.fixture(scope="session")
def data(seed):
    return material(seed)


@pytest.fixture(scope="session")
def shelf():
    """What trainings of earlier checks left, so that not every check must train."""
    return {}


# Training


@check(points=2)
def trains_a_model(work, data, shelf):
    """trains: `metrics.json`, `holdout_scores.jsonl`, and one JSON object on standard output"""
    trained = collect(work, train(work, data.files()))
    said = trained.finished.stdout.splitlines()
    result = object_in(said[0]) if len(said) == 1 else None
    trained.finished.require(
        result is not None and result.get("model_version") == trained.metrics["model_version"],
        wanted="one JSON object on standard output, with the `model_version`",
        got=f"{len(said)} lines" if len(said) != 1 else "another line",
        hint="Standard output is for the result. All else goes to the log.",
    )
    shelf["a"] = trained


@check(points=2, after=trains_a_model)
def splits_by_indian_days(data, shelf):
    """keeps every row of the last days in India for the holdout, and trains on every earlier one"""
    trained = shelf["a"]
    taken = [broken.words for broken in data.broken if broken.transaction_id in trained.scores]
    trained.finished.require(
        not taken,
        wanted="every broken row left out and counted",
        got=f"in the holdout: {_rows_with(taken)}",
        hint="Go through the table of the contract, field by field: what does your reader take that it should not?",
    )
    held = {row["transaction_id"] for row in data.holdout()}
    same = set(trained.scores) == held and len(trained.files[SCORES].splitlines()) == len(held)
    got, hint = ("", "") if same else _other_holdout(data, trained)
    wanted = f"a line for each of the {len(held)} rows of the last 7 days in `{SCORES}`"
    trained.finished.require(same, wanted=wanted, got=got, hint=hint)
    rows = {"refused": len(data.broken), "train": len(data.train()), "holdout": len(held)}
    for name, wanted in rows.items():
        trained.finished.require(
            trained.metrics["rows"][name] == wanted,
            wanted=f"`rows.{name}` = {wanted}",
            got=f"{trained.metrics['rows'][name]}",
            hint="Each row is in one of three parts: training, holdout, refused. Only a broken row is refused.",
        )


def _rows_with(faults):
    more = f"; and {len(faults) - 8} more" if len(faults) > 8 else ""
    return f"a row with {'; one with '.join(faults[:8])}{more}"


def _other_holdout(data, trained):
    """What the holdout is instead, and what to think about."""
    for rule, ids in held_by_mistake(data).items():
        if ids == set(trained.scores):
            hint = "A day is a day in India with at least one good row. Take the last 7 of these days."
            return f"the {len(ids)} rows that come from counting {rule}", hint
    lost = [row for row in data.holdout() if row["transaction_id"] not in trained.scores]
    if not lost:
        count = len(trained.files[SCORES].splitlines())
        return f"{count} lines", "The rows of the holdout, no others, and each of them once."
    gaps = [f", whose `{name}` is not known" for name in GAPS if lost[0].get(name) is None]
    such_as = f"transaction_id {lost[0]['transaction_id']}{''.join(gaps[:1])}"
    hint = "Which day is it in India? And a gap (null) is no reason to drop a row."
    return f"{len(lost)} of them are missing, such as {such_as}", hint


@check(points=2, after=splits_by_indian_days)
def measures_what_it_scored(data, shelf):
    """reports the average precision of its scores on the holdout, overall and for each channel"""
    trained = shelf["a"]
    held = data.holdout()
    channels = {row["channel"] for row in held if row["is_fraud"]} - {None}
    wanted = {"holdout": _figures(held, trained.scores)}
    slices = trained.metrics["slices"]
    off = [f"no `{name}`" for name in sorted(channels - set(slices))]
    off += [f"also `{name[:40]}`" for name in sorted(set(slices) - channels)]
    trained.finished.require(
        not off,
        wanted=f"a slice for each channel with a fraud: {', '.join(sorted(channels))}",
        got=", ".join(off[:5]),
        hint="Group the holdout by `channel`: null is none, and without a fraud there is nothing to measure.",
    )
    for channel in sorted(channels):
        wanted[channel] = _figures([row for row in held if row["channel"] == channel], trained.scores)
    for name, figures in wanted.items():
        found = trained.metrics["holdout"] if name == "holdout" else slices[name]
        for key, figure in figures.items():
            value = found.get(key) if isinstance(found, dict) else None
            trained.finished.require(
                type(value) in (int, float) and close(value, figure, rel=0, abs=1e-6),
                wanted=f"`{key}` of `{name}` as it follows from `{SCORES}`",
                got="another one",
                hint="Measure on the holdout alone: the very scores that you wrote down, and its labels.",
                measured=f"{value!r} instead of {figure!r}",
            )


def _figures(rows, scores):
    labels = [row["is_fraud"] for row in rows]
    precision = float(average_precision_score(labels, [scores[row["transaction_id"]] for row in rows]))
    return {"rows": len(rows), "frauds": sum(labels), "average_precision": precision}


# Serving


@check(points=3, after=splits_by_indian_days)
def serves_what_training_scored(work, data, shelf):
    """gives each row of the holdout, gaps and unknown names too, the probability that training wrote down"""
    trained = shelf["a"]
    held = data.holdout()
    answers = predict(work, trained.put(work), as_questions(held), did="the rows of the holdout")
    answers.finished.require(
        len(set(answers.scores)) > 10,
        wanted="probabilities that differ from payment to payment",
        got=f"{len(set(answers.scores))} different ones",
        hint="A model that says the same of every payment agrees with itself, and helps nobody.",
    )
    wanted = [trained.scores[row["transaction_id"]] for row in held]
    hint = "One function makes the features, and both sides call it. What does each do with a null?"
    answers.agree_with(wanted, what="the probability that training wrote down", hint=hint)
    for answer, row in zip(answers.rows, held, strict=True):
        wanted = {"transaction_id": row["transaction_id"], "model_version": trained.metrics["model_version"]}
        found = {name: answer[name] for name in wanted}
        answers.finished.require(
            found == wanted,
            wanted="the row's `transaction_id`, and the `model_version` of `metrics.json`",
            got="others",
            hint="Answers come in the order of the rows, and name the model that gave them.",
        )


@check(points=2, after=serves_what_training_scored)
def reads_every_way_of_writing(work, data, shelf, rng):
    """gives a payment one probability, in whatever offset, unit and form it is written"""
    model = shelf["a"].put(work)
    plain = writings.plain(data.holdout(), rng)
    ways = writings.others(plain)
    every = lines([*plain, *(row for way in ways for row in way.rows)])
    both = command(work, SERVING, "predict", "--model", model, stdin=every)
    if both.status != 0:  # which way is it?
        for way in ways:
            predict(work, model, lines(way.rows), did=way.words)
    answers = answers_of(work, both, model, every, 0, "all of these", RUN_IT)
    wanted = answers.scores[: len(plain)]
    what = "the probability of the same payments"
    for number, way in enumerate(ways, start=1):
        part = answers.part(number * len(plain), (number + 1) * len(plain), asked(model, way.words))
        part.agree_with(wanted, what=what, hint=way.hint, within=1e-6)
    words = "on a machine in another time zone"
    other = predict(work, model, lines(plain), did=words, TZ="XYZ11")
    other.agree_with(wanted, what=what, hint="The machine's own zone means nothing.", within=1e-6)


@check(points=1, after=serves_what_training_scored)
def scores_each_row_by_itself(work, data, shelf, rng):
    """gives a row the same probability alone, in another company, and in another order"""
    model = shelf["a"].put(work)
    with_gaps = sorted(data.holdout(), key=lambda row: -sum(row[name] is None for name in GAPS))[:2]
    rows = [*with_gaps, *(data.history[i] for i in rng.permutation(len(data.history))[:58])]
    wanted = predict(work, model, as_questions(rows)).scores
    for words, again, scores in (
        ("the first ten rows only, in another order", rows[9::-1], wanted[9::-1]),
        ("one row alone", rows[:1], wanted[:1]),
    ):
        hint = "A request knows nothing of other requests: no mean, no order, no state from the rows before."
        other = predict(work, model, as_questions(again), did=words)
        other.agree_with(scores, what="the same probability as before", hint=hint, within=1e-6)


@check(points=1, after=trains_a_model)
def refuses_rows_it_cannot_read(work, data, shelf):
    """answers a broken row with its `error`, scores all others, and exits 3"""
    broken = [each for each in data.broken if not each.needs_label]
    rows = [lines([unlabelled(row)]) for row in data.later[:30]]
    rows[1:1] = [each.line + "\n" for each in broken]
    model = shelf["a"].put(work)
    refusals = predict(work, model, "".join(rows), status=3, did="broken ones among them")
    shelf["refusals"] = refusals
    scored = [
        each.words for each, row in zip(broken, refusals.rows[1:], strict=False) if "fraud_probability" in row
    ]
    refusals.finished.require(
        not scored,
        wanted="an `error`, and no `fraud_probability`, for each broken row",
        got=f"a probability for {_rows_with(scored)}",
        hint="No guess: a row without a known amount or moment has no score. The contract lists what is broken.",
    )
    for each, row in zip(broken, refusals.rows[1:], strict=False):
        refusals.finished.require(
            isinstance(row.get("error"), str) and row["error"],
            wanted="an `error`, a text, for each broken row",
            got=f"none for a row with {each.words}",
            hint="Say which field is wrong. Its value stays where it is: it is about a person.",
        )
    good = [refusals.rows[0], *refusals.rows[1 + len(broken) :]]
    refusals.finished.require(
        all("fraud_probability" in row for row in good),
        wanted="scores for the other rows",
        got="none for some of them",
        hint="One bad row is no reason to stop.",
    )


@check(points=3, after=trains_a_model)
def serves_without_the_trainer(work, data, shelf):
    """scores where nothing but `fraud_serving`, a model folder and Python with NumPy is installed"""
    trained = shelf["a"]
    rows = as_questions(data.holdout()[:40])
    wanted = predict(work, trained.put(work), rows).scores
    for library in TRAINING_LIBRARIES:
        text = f"raise ModuleNotFoundError(\"No module named '{library}'\", name={library!r})\n"
        work.give(f"image/{library}/__init__.py", text)
    trained.put(work, "image/model")
    bare = {"PYTHONPATH": f"{work.inputs}/image"}
    answers = predict_in_image(work, rows, **bare)
    hint = "Whatever serving needs lies in `fraud_serving` or in the model folder."
    answers.agree_with(wanted, what="the same probability as where all is installed", hint=hint, within=1e-6)
    finished = work.run(
        "python3", "-c", EVERY_MODULE, env={**bare, "PYTHONPATH": f"image:{bare['PYTHONPATH']}"}
    )
    finished.did = "import every module of `fraud_serving`, without pandas, scikit-learn and SciPy"
    said = finished.stdout.strip().splitlines()
    ends_with(finished, 0, hint)
    finished.require(
        not said,
        wanted="every module can be imported",
        got=f"`{said[0][:100] if said else ''}` cannot",
        hint="What needs a training library is training: move it to `fraud_training`.",
    )


EVERY_MODULE = """
import importlib, pkgutil, fraud_serving
for found in pkgutil.walk_packages(fraud_serving.__path__, "fraud_serving.", onerror=print):
    if not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except ImportError:
            print(found.name)
"""


@check(points=2, after=trains_a_model)
def helps_on_later_days(work, data, shelf):
    """ranks the frauds of the ten days after its data well above ordinary payments"""
    answers = predict(work, shelf["a"].put(work), as_questions(data.later), did="ten days that it never saw")
    auc = float(roc_auc_score([row["is_fraud"] for row in data.later], answers.scores))
    answers.finished.require(
        auc >= LEAST_AUC,
        wanted=f"an area under the ROC curve of {LEAST_AUC} or more",
        got="less",
        hint="Is it the probability of fraud, or of its opposite? Do features keep their order and their scale?",
        measured=f"{auc:.3f}",
    )


# Training, by the rules


@check(points=2, after=scores_each_row_by_itself)
def takes_the_threshold_from_training_rows(work, data, shelf):
    """sets the threshold where the top `review_share` of the training rows begins"""
    _share_is_reviewed(work, shelf["a"], data.train(), 0.05)


def _share_is_reviewed(work, trained, rows, share):
    answers = predict(work, trained.put(work), as_questions(rows), did="the training rows")
    k = math.ceil(share * len(rows))
    ranked = sorted(answers.scores, reverse=True)
    kth, threshold = ranked[k - 1], trained.metrics["threshold"]
    right = close(threshold, kth, rel=0, abs=1e-5)
    got, hint = ("", "") if right else _other_threshold(threshold, ranked, k, trained, share)
    answers.finished.require(
        right,
        wanted=f"`threshold` = the lowest of the {k} highest scores of the {len(rows)} training rows",
        got=got,
        hint=hint,
        measured=f"{threshold!r} instead of {kth!r}",
    )
    allowed = sum(row["decision"] == "allow" for row in answers.rows if row["fraud_probability"] >= kth)
    answers.finished.require(
        not allowed,
        wanted=f"`review` for the {k} training rows with the highest scores, also for the one at the threshold",
        got=f"`allow` for {allowed} of them",
        hint="Or more: `>=`. Is the threshold, to the last digit, the score that `predict` gives to this row?",
    )
    low = [row for row in answers.rows if row["fraud_probability"] < threshold - 1e-5]
    answers.finished.require(
        all(row["decision"] == "allow" for row in low),
        wanted="`allow` below the threshold",
        got="`review` for some of these rows",
        hint="The threshold belongs to the model: store it with the model, and read it there.",
    )


def _other_threshold(threshold, ranked, k, trained, share):
    """What the threshold is instead, and what to think about."""

    def is_rank(place, scores):
        return 0 < place <= len(scores) and close(threshold, scores[place - 1], rel=0, abs=1e-5)

    for count in (k - 1, k + 1):
        if is_rank(count, ranked):
            return f"the lowest of the {count} highest", "ceil: a part of a row counts as one more row."
    if ranked[min(k + 1, len(ranked) - 1)] < threshold < ranked[max(k - 3, 0)]:
        hint = "A quantile function gives a number between two scores, and rounding moves one. Take the score itself."
        return "a number near it which no row has as its score", hint
    held = sorted(trained.scores.values(), reverse=True)
    if any(is_rank(count, held) for count in (math.ceil(share * len(held)), math.floor(share * len(held)))):
        hint = "The holdout stands for days that are still to come: nothing is chosen on it."
        return "the one that the rows of the holdout give", hint
    hint = "Score all training rows, and no others, with the finished model; then count from the top."
    return "another number", hint


@check(points=2, after=takes_the_threshold_from_training_rows)
def follows_its_settings(work, data, shelf, rng):
    """takes settings from `--set` before the environment before the file, and does as they say"""
    days, seed = int(rng.integers(5, 7)) * 2, int(rng.integers(100, 10_000))
    share = _share(rng, len(data.train(days)))
    config = f"review_share = {share}\nholdout_days = 3\nseed = 1\n"
    env = {"FRAUD_SEED": str(seed), "FRAUD_HOLDOUT_DAYS": "4", "FRAUD_TEAM": "night"}
    finished = train(work, data.files(), "--set", f"holdout_days={days}", config=config, **env)
    variables = " ".join(f"{name}={value}" for name, value in env.items())
    finished.did = f"{variables} train --set holdout_days={days}, and a file with {config!r}"
    trained = collect(work, finished)
    wanted = {"seed": seed, "holdout_days": days, "review_share": share}
    found = {name: trained.metrics["config"].get(name) for name in wanted}
    hint = "--set before FRAUD_… variables before the file before the defaults, each key for itself."
    trained.finished.require(found == wanted, wanted=f"`config` = {wanted}", got=f"{found}", hint=hint)
    trained.finished.require(
        trained.metrics["model_version"] != shelf["a"].metrics["model_version"],
        wanted="another `model_version`: it is another model",
        got="the same one",
        hint="Make the version from what the model has learned.",
    )
    held = len(data.holdout(days))
    trained.finished.require(
        trained.metrics["rows"]["holdout"] == held,
        wanted=f"`rows.holdout` = {held}: the last {days} days",
        got=f"{trained.metrics['rows']['holdout']}",
        hint="A setting that is only written down changes nothing. Where is it used?",
    )
    _share_is_reviewed(work, trained, data.train(days), share)


def _share(rng, rows):
    """A share of these rows that is no whole number of them, and where ceil, round and floor do not say the same."""
    while True:
        share = round(float(rng.uniform(0.08, 0.2)), 3)
        if 0.1 < share * rows % 1 < 0.4:
            return share


@check(points=2, after=trains_a_model)
def runs_from_any_folder(work, data, shelf, rng):
    """runs from any folder, with almost no environment, on relative paths, and writes only to `--out`"""
    for name, text in data.shuffled(rng).items():
        work.put(f"night shift/rows/{name}", text)
    work.put("night shift/settings.toml", "")
    before = set(work.files())
    names = ["PATH", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"]
    kept = " ".join(f'{name}="${name}"' for name in names)
    line = f'cd "night shift" && exec env -i {kept} PYTHONHASHSEED=4711 TZ=XYZ11 PYTHONPATH=".." '
    words = f"python3 -m {TRAINING} train --config settings.toml --data rows --out 'new models/b'"
    finished = work.run("bash", "-c", line + words, timeout=90)
    finished.did = f'cd "night shift" && {words}'
    out = "night shift/new models/b"
    trained = collect(work, finished, out)
    litter = sorted(path for path in set(work.files()) - before if not path.startswith(f"{out}/"))
    finished.require(
        not litter,
        wanted="new files in the folder of --out, and nowhere else",
        got=f"also {litter[0] if litter else ''}",
        hint="A path in the code belongs to somebody's machine. All paths come from the command line.",
    )
    shelf["b"] = trained


@check(points=3, after=runs_from_any_folder)
def gives_the_same_bytes_again(work, data, shelf, rng):
    """gives the same bytes again: rows in another order, another time zone, another hash seed"""
    one, other = shelf["a"], shelf["b"]
    for name in (METRICS, SCORES):
        if one.files[name] != other.files[name]:
            what, hint = _what_matters(work, data, one, rng)
            wanted = f"the same bytes in `{name}`"
            other.finished.fail(wanted=wanted, got=f"others, {what}", hint=hint)


def _what_matters(work, data, one, rng):
    """Which change alone changes the result; only asked when there is something to explain."""
    changes = {
        "though nothing was changed": (
            data.files(),
            {},
            "Seed what is random; keep clocks and run ids out.",
        ),
        "because the rows came in another order": (
            data.shuffled(rng),
            {},
            "Sort the rows by their id first.",
        ),
        "because the machine has another time zone": (data.files(), {"TZ": "XYZ11"}, "Name the zone: India."),
    }
    for number, (what, (files, env, hint)) in enumerate(changes.items()):
        out = f"models/{number}"
        again = collect(work, train(work, files, out=out, rows=f"rows {number}", **env), out)
        if any(again.files[name] != one.files[name] for name in (METRICS, SCORES)):
            return what, hint
    return "because PYTHONHASHSEED or the folder is another one", "The order of a set is no order: sort it."


@check(points=3, after=splits_by_indian_days)
def learns_from_training_rows_alone(work, data, shelf, rng):
    """learns from training rows alone: with quite another holdout, the model stays the same"""
    first = shelf["a"]
    changed = with_another_holdout(data.history, data.holdout(), rng)
    files = replace(data, history=changed).files()
    other = collect(work, train(work, files, out="models/other"), "models/other")
    other.finished.did = "train twice: the same training rows, quite another holdout (features and labels)"
    questions = as_questions(data.later[:200])
    before = predict(work, first.put(work), questions)
    after = predict(work, "models/other", questions)
    after.finished.did = other.finished.did + ", and ask both models about 200 later rows"
    hint = "Means, fills, rates, categories, the threshold: each is fitted, and only on training rows."
    after.agree_with(before.scores, what="the same probability from both", hint=hint, within=1e-12)
    for key in ("threshold", "model_version"):
        other.finished.require(
            other.metrics[key] == first.metrics[key],
            wanted=f"the same `{key}`",
            got="another one",
            hint="The version follows from the model alone." if key == "model_version" else hint,
        )
    other.finished.require(
        other.metrics["holdout"]["id"] != first.metrics["holdout"]["id"],
        wanted="another `holdout.id`: the labels are others",
        got="the same",
        hint="Make the id from the rows of the holdout and their labels.",
    )


@check(points=1, after=trains_a_model)
def refuses_wrong_settings(work, data):
    """refuses settings that it does not know, or that cannot be: exit 2, the key named in the log, no model"""
    files = {"every day.jsonl": lines(data.history)}
    hint = "A wrong key or value must not become a silent default. Check all settings before any work."
    ended = {}
    for number, (config, more, env, key) in enumerate(
        (
            ("holdout_day = 7\n", (), {}, "holdout_day"),
            ("", ("--set", "sead=3"), {}, "sead"),
            ("", (), {"FRAUD_SEED": "soon"}, "seed"),
            ("", (), {"FRAUD_REVIEW_SHARE": "1.5"}, "review_share"),
            ('holdout_days = "7"\n', (), {}, "holdout_days"),
            ("holdout_days = true\n", (), {}, "holdout_days"),
            ("seed = 7.5\n", (), {}, "seed"),
            ("", ("--set", "holdout_days=0"), {}, "holdout_days"),
            ("", ("--set", "review_share=nan"), {}, "review_share"),
            ("seed = = 7\n", (), {}, ""),
        )
    ):
        out = f"models/{number}"
        finished = ended[out] = train(work, files, *more, config=config, out=out, **env)
        set_before = "".join(f"{name}={value} " for name, value in env.items())
        finished.did = f"{set_before}train {' '.join(more)} --config FILE, which holds {config!r}"
        ends_with(finished, 2, hint)
        finished.require(
            key in finished.stderr.lower(),
            wanted=f"`{key}` named in the log",
            got="not a word of it",
            hint="Say which key is wrong, and what you know.",
        )
    _left_nothing(work, ended)


def _left_nothing(work, ended):
    """`ended`: what should not have made a model folder, by the folder."""
    listed = work.run("ls", "-d", *ended).stdout.splitlines()
    for out, finished in ended.items():
        has_files = any(path.startswith(f"{out}/") for path in work.files())
        finished.require(
            out not in listed,
            wanted="no model folder",
            got="one with files in it" if has_files else "an empty one",
            hint="Make the whole folder beside, then rename it: a folder that is there is a whole one.",
        )


@check(points=2, after=trains_a_model)
def leaves_a_whole_model_or_none(work, data):
    """leaves no model folder when it fails, and never overwrites one"""
    rows = data.history[:600]
    hint = "Exit 1, say why in the log, and leave nothing that looks like a model."
    cases = (
        ("a folder without rows", {"empty.jsonl": ""}, ""),
        ("rows without a single fraud", {"a.jsonl": lines(row for row in rows if not row["is_fraud"])}, ""),
        ("a holdout that is longer than the data", {"a.jsonl": lines(rows)}, "holdout_days = 400\n"),
    )
    ended = {}
    for number, (words, files, config) in enumerate(cases):
        out = f"models/{number}"
        finished = ended[out] = train(work, files, config=config, out=out, rows=f"rows {number}")
        finished.did = f"train  ({words})"
        ends_with(finished, 1, hint)
    _left_nothing(work, ended)
    work.put(f"{REFERENCE}/{METRICS}", "the champion's\n")
    finished = train(work, data.files())
    finished.did = f"train --out {REFERENCE}  (where a model lies already)"
    ends_with(finished, 2, "Who served this folder, serves another model now, and nobody said so. Refuse.")
    left = [path for path in work.files() if path.startswith(f"{REFERENCE}/")]
    same = left == [f"{REFERENCE}/{METRICS}"] and work.read(left[0]).bytes == b"the champion's\n"
    finished.require(same, wanted="the folder as it was", got="changed", hint="Look first, write later.")


# Logs


@check(points=2, after=refuses_rows_it_cannot_read)
def logs_json_lines(work, data, shelf, rng):
    """logs JSON lines on standard error: ts, level, event, run_id, from `started` to `finished`"""
    words = ("train", "--config", work.give("train.toml", "holdout_days = 2\n"), "--data")
    lost = command(work, TRAINING, *words, f"{work.inputs}/lost", "--out", "models/lost")
    lost.did = "train  (there is no such data folder)"
    ends_with(lost, 1, "There is nothing to train on.")
    work.put("a_file", "")
    rows = {"days.jsonl": lines(data.holdout(4))}
    crash = command(work, TRAINING, *words, give_files(work, "rows", rows), "--out", "a_file/model")
    crash.did = "train --out a_file/model  (where a_file is a file)"
    crash.require(
        crash.status != 0,
        wanted="an exit status that says so",
        got="exit status 0",
        hint="There is no model.",
    )
    for name in shelf["a"].files:
        work.put(f"models/broken/{name}", b"\x00")
    unusable = command(work, SERVING, "predict", "--model", "models/broken", stdin="{}\n")
    unusable.did = "predict --model models/broken  (in each of its files there is a single byte, 0)"
    ends_with(
        unusable, 1, "Without a model there is no score, and no answer. Read the model before the rows."
    )
    champion = gate_cases.champion(rng)
    refusal = _gate(work, champion, gate_cases.moved(champion, -0.2), "0.2 worse overall")
    undecided = _gate(work, champion, None, "there is no metrics.json")
    runs = [
        run_id(finished, "ERROR" if finished.status in (1, 2) else least)
        for finished, least in (
            (shelf["a"].finished, "INFO"),
            (lost, "ERROR"),
            (crash, "ERROR"),
            (shelf["refusals"].finished, "WARNING"),
            (unusable, "ERROR"),
            (refusal, "INFO"),
            (undecided, "INFO"),
        )
    ]
    lost.require(
        len(set(runs)) == len(runs),
        wanted="a new `run_id` for each run",
        got="the same one twice",
        hint="Make it when the command starts, from what no other run has: `uuid.uuid4()`. No seed, no setting.",
    )


@check(points=1, after=refuses_rows_it_cannot_read)
def keeps_payers_out_of_its_output(shelf):
    """names no payer: not in logs, not in results, not in the model folder"""
    trained = shelf["a"]
    hint = "A log is read by many, and kept for years. Name fields and row numbers, not what they hold."
    answers = shelf["refusals"]
    places = {
        "the log of `train`": (trained.finished, trained.finished.stderr),
        "the standard output of `train`": (trained.finished, trained.finished.stdout),
        "the log of `predict`": (answers.finished, answers.finished.stderr),
        "the answers of `predict`": (answers.finished, json.dumps(answers.rows)),
        "the model folder": (trained.finished, b"\n".join(trained.files.values()).decode("latin-1")),
    }
    for where, (finished, text) in places.items():
        wanted = "no payer's address (`payer_vpa`) anywhere"
        finished.require("@nukkad" not in text, wanted=wanted, got=f"some in {where}", hint=hint)


# The gate


def _gate(work, champion, candidate, words):
    """The gate over two metrics; a text is what the file holds, None stands for no file."""
    folders = [re.sub(r"\W+", "_", words) + name for name in ("/champion", "/candidate")]
    for folder, metrics in zip(folders, (champion, candidate), strict=True):
        if metrics is not None:
            work.put(f"{folder}/{METRICS}", metrics if isinstance(metrics, str) else json.dumps(metrics))
    finished = command(work, TRAINING, "gate", "--champion", folders[0], "--candidate", folders[1])
    finished.did = f"gate  (the candidate: {words})"
    return finished


def _decides(finished, status, decision, hint):
    ends_with(finished, status, hint)
    said = finished.stdout.splitlines()
    result = object_in(said[0]) if len(said) == 1 else None
    good = (
        result is not None and result.get("decision") == decision and isinstance(result.get("reasons"), list)
    )
    finished.require(
        good and bool(result["reasons"]) == (decision == "refuse"),
        wanted=f'one JSON object on standard output: "decision": "{decision}", and its "reasons"',
        got="something else",
        hint="A list of reasons: empty for promote, a text for each thing that is worse for refuse.",
    )


@check(points=1)
def gate_promotes_what_is_no_worse(work, rng):
    """gate: promotes a candidate that is as good, better, or worse by no more than noise"""
    champion = gate_cases.champion(rng)
    for words, candidate, hint in gate_cases.no_worse(champion):
        _decides(_gate(work, champion, candidate, words), 0, "promote", hint)


@check(points=2, after=gate_promotes_what_is_no_worse)
def gate_refuses_a_worse_model(work, rng):
    """gate: refuses a candidate that is worse overall, with exit status 1"""
    champion = gate_cases.champion(rng)
    for words, candidate, hint in gate_cases.worse(champion):
        _decides(_gate(work, champion, candidate, words), 1, "refuse", hint)


@check(points=2, after=gate_promotes_what_is_no_worse)
def gate_refuses_a_worse_slice(work, rng):
    """gate: refuses a candidate that is better overall and worse on one channel"""
    champion = gate_cases.champion(rng)
    for words, candidate, hint in gate_cases.worse_on_a_slice(champion):
        _decides(_gate(work, champion, candidate, words), 1, "refuse", hint)


@check(points=2, after=gate_promotes_what_is_no_worse)
def gate_makes_no_decision_without_figures(work, rng):
    """gate: exits 2 when a figure is missing, broken, impossible, or measured on other rows"""
    champion = gate_cases.champion(rng)
    hint = "No figure is no pass, and no refusal either. Check both files before you compare."
    for words, candidate in gate_cases.broken(champion):
        ends_with(_gate(work, champion, candidate, words), 2, hint)
    nameless = gate_cases.changed(champion, lambda metrics: metrics["holdout"].pop("id"))
    finished = _gate(work, nameless, gate_cases.moved(nameless, 0.1), "neither has a `holdout.id`")
    finished.did = "gate  (neither has a `holdout.id`)"
    ends_with(finished, 2, hint)
    unsound = gate_cases.changed(
        champion, lambda metrics: metrics["holdout"].update(average_precision=math.nan)
    )
    for words, text in (("there is no champion", None), ("the champion's average_precision is NaN", unsound)):
        finished = _gate(work, text, gate_cases.moved(champion, 0.1), words)
        finished.did = f"gate  ({words})"
        ends_with(finished, 2, hint)
