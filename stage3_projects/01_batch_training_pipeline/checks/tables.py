"""Comparisons of what was published with what must be, for checks that read as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from labs.checks import Finished, Work
from published import LAKE, Published, must_read, same
from season import Season

GATE = "A gate that fails ends the run before anything is published."
NOISE_BEFORE = "features.py gave noise in the run before. Features that it made then must not be used now."
CHANCE = "Times, random names, an unseeded model or an order of rows that is left to chance all change bytes."


def still(
    finished: Finished,
    work: Work,
    wanted: Published,
    table: str = "the table of the day before",
    hint: str = "",
) -> None:
    """Fail unless a reader sees exactly what `wanted` was."""
    finished.require(same(must_read(work), wanted), wanted=table, got="another one", hint=hint)


def the_same_bytes(
    finished: Finished, found: Published, wanted: Published, where: str, hint: str = CHANCE
) -> None:
    finished.require(same(found, wanted), wanted="the same bytes", got=f"other bytes {where}", hint=hint)


def best_by_score(
    found: Published, day: Any, rows: pd.DataFrame, scores: npt.NDArray[np.float64], most: int
) -> None:
    """Fail unless the table holds each payer's highest scores, given the model's own score of each row."""
    best = rows.assign(score=scores).groupby(["payer_id", "merchant_id"])["score"].max().sort_values()
    tops = best.groupby("payer_id").tail(most).groupby("payer_id").sum().sort_index()
    table = found.table(day).groupby("payer_id")["score"].sum().sort_index()
    found.document.require(
        np.allclose(tops, table.reindex(tops.index), rtol=0, atol=1e-6),
        wanted="each payer's highest scores by the published model",
        got="other scores in the table",
        hint="The best row of each merchant counts. Give the model what `score` gives it: what was known by then.",
    )


def auc_of_the_model(found: Published, day: Any, rows: pd.DataFrame, scores: npt.NDArray[np.float64]) -> None:
    """Fail unless `metrics.auc` is that of the published model's scores."""
    auc = found.entry(day)["metrics"]["auc"]
    wanted = roc_auc_score(rows["redeemed"], scores)
    found.document.require(
        abs(auc - wanted) < 1e-4,
        wanted="metrics.auc as the published model's scores of the date give it",
        got="another number",
        hint="Evaluate the model that you publish, on all rows of the date, none of which it was trained on.",
        measured=f"{auc} and {wanted:.6f}",
    )


def latest_is(found: Published, day: Any) -> None:
    latest = found.manifest["latest"]
    found.document.require(latest == str(day), wanted=f"latest: {day}", got=f"latest: {latest}")


def trained_on(found: Published, season: Season) -> None:
    """Fail unless the model learned from every day of the window that is fit, and from no other."""
    days = found.entry(season.day)["metrics"].get("train_days")
    found.document.require(
        days == season.train_days,
        wanted=f"train_days {season.train_days}",
        got=f"{days}",
        hint=f"window_days is 5. On {season.bad} a distance is out of range: an unfit day teaches no model.",
    )


def learned_from(
    finished: Finished, found: Published, day: Any, fit: list[Any], unfit: Mapping[Any, str]
) -> None:
    """Fail unless `day` was trained on the days that are fit, and on no other. `unfit` says what those have."""
    days = found.entry(day)["metrics"].get("train_days") or []
    for one, why in unfit.items():
        finished.require(
            str(one) not in days, wanted=f"no training on {one}", got="it is in train_days", hint=why
        )
    missing = [str(one) for one in fit if str(one) not in days]
    finished.require(
        not missing,
        wanted=f"{len(fit)} train_days, {', '.join(map(str, fit))} among them"[:200],
        got=f"none of {', '.join(missing)}",
        hint="Limits are inclusive: a value that is exactly the least or the most is fine.",
    )
    finished.require(
        days == sorted(map(str, fit)),
        wanted="train_days in order, each once",
        got="others",
        measured=str(days),
    )


def counted(finished: Finished, found: Published, day: Any, rows: int) -> None:
    """Fail unless the date was evaluated on this number of rows."""
    got = found.entry(day)["metrics"].get("test_rows")
    finished.require(
        got == rows,
        wanted=f"test_rows {rows}",
        got=f"test_rows {got}",
        hint="impression_id says which rows are the same.",
    )


def row_by_row(finished: Finished, scores: npt.NDArray[np.float64], alone: npt.NDArray[np.float64]) -> None:
    """Fail unless rows were scored the same with fewer rows beside them."""
    finished.require(
        np.allclose(scores, alone, rtol=0, atol=1e-9),
        wanted="the same score for a row, whatever rows are beside it",
        got="other scores when fewer rows are scored",
        hint="Nothing in build() may be computed over the rows at hand: no mean, no fitted encoder.",
    )


def same_model(finished: Finished, found: Published, wanted: Published, day: Any) -> None:
    """Fail unless the date has the model and the metrics that it had before there were features of noise."""
    got, before = found.entry(day), wanted.entry(day)
    finished.require(
        (got["model"]["sha256"], got["metrics"]) == (before["model"]["sha256"], before["metrics"]),
        wanted="the model and the metrics that this code gave before",
        got="others",
        hint=NOISE_BEFORE,
    )


def good_dates(finished: Finished, found: Published, wanted: Mapping[Any, int]) -> list[Any]:
    """The dates that must have status 0. Fails unless these are published, and no other."""
    days = [day for day, status in wanted.items() if status == 0]
    finished.require(
        sorted(found.manifest["dates"]) == list(map(str, days)),
        wanted=f"the {len(days)} good dates in the manifest, and no other",
        got=f"{len(found.manifest['dates'])} dates",
    )
    latest_is(found, days[-1])
    return days


def whatever_ran_before(finished: Finished, alone: dict[str, Any], among_others: dict[str, Any]) -> None:
    finished.require(
        alone == among_others,
        wanted="for each date the same entry, whichever dates were run before it",
        got="another one in a lake with other dates",
        hint="What a date publishes follows from the landing folder, the settings and the code, and from nothing else.",
    )


def not_trained_on_itself(
    finished: Finished, before: Published, after: Published, day: Any, late: pd.DataFrame
) -> None:
    """Fail unless rows that came late to `day` left the scores of its other rows alone."""
    keys = ["payer_id", "merchant_id"]
    both = before.table(day).merge(after.table(day), on=keys).merge(late[keys], how="left", indicator=True)
    both = both[both["_merge"] == "left_only"]
    finished.require(
        np.allclose(both["score_x"], both["score_y"], rtol=0, atol=1e-9),
        wanted=f"the same scores for rows of {day} that have not changed",
        got="other scores",
        hint="A model that changes with rows of its own date was trained on them.",
    )


def learned_anew(finished: Finished, before: Published, after: Published, day: Any) -> None:
    """Fail if the model of `day` is still the one of before."""
    tables = [found.table(day).sort_values(["payer_id", "merchant_id"])["score"] for found in (before, after)]
    finished.require(
        len(tables[0]) != len(tables[1]) or not np.array_equal(*tables),
        wanted=f"for {day} a model that learned from the rows that came late to the day before",
        got="the scores of the run before",
        hint="What you keep of a training day must be named after its manifest, not only after its date.",
    )


def about_the_same_scores(
    finished: Finished, found: Published, wanted: Published, day: Any, hint: str
) -> None:
    """Fail if the scores of `day` are others on average."""
    means = [published.table(day)["score"].mean() for published in (found, wanted)]
    finished.require(
        abs(means[0] - means[1]) < 0.03,
        wanted="about the same scores as without rows that are delivered again",
        got="others",
        hint=hint,
        measured=f"{means[0]:.4f} and {means[1]:.4f} on average",
    )


def only_this_date_changed(
    finished: Finished, work: Work, before: Published, after: Published, other: Any, latest: Any
) -> None:
    """Fail unless the entry of `other`, `latest` and every file of the manifest before are as they were."""
    finished.require(
        after.entry(other) == before.entry(other), wanted=f"{other} as it was", got="another entry"
    )
    finished.require(
        after.manifest["latest"] == str(latest),
        wanted=f"latest: {latest}",
        got=f"latest: {after.manifest['latest']}",
        hint="An old date that is run again is not the newest.",
    )
    gone = [path for path in before.files if work.read(f"{LAKE}/{path}").bytes != before.files[path]]
    finished.require(
        not gone,
        wanted="the files of the manifest before, for readers who have just read it",
        got="some are gone or changed",
        hint="Never write to a published file, and keep those of the last manifest.",
    )
