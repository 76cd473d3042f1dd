"""How good a model can be expected to be, and days that are large."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from labs.checks import Finished, Work
from labs.world.offers import Offers
from landing import AFTER_THE_EVENT, FIRST_DAY, Delivery, as_delivered
from nights import Nights, expect
from published import Published
from season import before_the_event
from tables import auc_of_the_model, best_by_score

IDS = ["impression_id", "shown_at", "payer_id", "merchant_id"]
LARGE = 200_000  # rows of a large day
BYTES_A_ROW = 560  # measured: 290 to 450 when streamed, 650 to 730 when a day is read at once


def reference_auc(training: list[pd.DataFrame], later: pd.DataFrame) -> float:
    """What gradient boosting with its defaults reaches on a later day, given the columns as they are."""
    rows = pd.concat(training, ignore_index=True)
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(_plain(rows), rows["redeemed"])
    return float(roc_auc_score(later["redeemed"], trees.predict_proba(_plain(later))[:, 1]))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame.drop(columns=[*IDS, *AFTER_THE_EVENT])
    return plain.assign(
        merchant_category=plain["merchant_category"].map(lambda name: len(name) * 31 + ord(name[0]))
    )


def many_rows(seed: int, days: list[date]) -> dict[date, pd.DataFrame]:
    """Days of about 3,000 rows: enough to tell a good model from a bad one."""
    offers = Offers(seed, FIRST_DAY, 3000)
    return {day: as_delivered(offers.impressions(day)) for day in days}


def as_good_as_trees(nights: Nights, later: pd.DataFrame, training: list[pd.DataFrame]) -> None:
    """Fail unless the model's scores of a later day are nearly as good as those of plain gradient boosting."""
    finished, scores = scored(nights, later, "later.parquet")
    auc, reference = roc_auc_score(later["redeemed"], scores), reference_auc(training, later)
    finished.require(
        auc >= reference - 0.02,
        wanted="on the next day an AUC of at least that of plain gradient boosting, less 0.02",
        got="a lower one",
        hint="Train on all days of the window, with what is known when an offer is shown.",
        measured=f"{auc:.4f}, gradient boosting {reference:.4f}",
    )


def little_more(large: Finished, small: Sequence[Finished], rows: int) -> None:
    """Fail unless a large day took less than 560 bytes more for each of the `rows` that it has more.

    A peak is the highest of many looks. A busy machine looks less often, so two small runs say more than one.
    """
    more = large.peak_mb - max(one.peak_mb for one in small)
    large.require(
        more * 2**20 < BYTES_A_ROW * rows,
        wanted=f"less than {BYTES_A_ROW} bytes more for each row that is more",
        got="more",
        hint="Read a Parquet file in batches: ParquetFile(path).iter_batches(…).",
        measured=f"{more:.0f} MB more for {rows} rows more",
    )


def scored(nights: Nights, frame: pd.DataFrame, name: str) -> tuple[Finished, npt.NDArray[np.float64]]:
    """The learner's scores of these rows, in their order. Fails the check unless there is one for each row.

    The learner gets only what is known when an offer is to be shown.
    """
    content = io.BytesIO()
    before_the_event(frame).to_parquet(content, index=False)
    source, target = nights.work.give(name, content.getvalue()), f"scores-{name}"
    finished = expect(nights.score(source, target), 0)
    found = nights.work.read(target).expect().parquet()
    finished.require(
        {"impression_id", "score"} <= set(found) and len(found) == len(frame),
        wanted=f"columns impression_id and score, {len(frame)} rows",
        got=f"columns {sorted(found)}, {len(found)} rows",
    )
    scores = found.set_index("impression_id")["score"].reindex(frame["impression_id"]).to_numpy(float)
    finished.require(
        np.isfinite(scores).all(), wanted="a number for every impression_id", got="none for some"
    )
    return finished, scores


def ranked_by_its_scores(
    nights: Nights, found: Published, day: date, rows: pd.DataFrame
) -> tuple[Finished, npt.NDArray[np.float64]]:
    """Scores of the rows of `day`. Fails unless they are those of its table (3 for each payer) and of its AUC."""
    finished, scores = scored(nights, rows, "all.parquet")
    best_by_score(found, day, rows, scores, 3)
    auc_of_the_model(found, day, rows, scores)
    return finished, scores


NOISE = """

_build = build


def build(impressions):
    built = _build(impressions)
    noise = (impressions["impression_id"].to_numpy() % 1009) / 1009
    for name in built:
        built[name] = noise
    return built
"""


@contextmanager
def knowing_nothing(work: Work) -> Iterator[None]:
    """Meanwhile, the `build` of `features.py` has its columns, and noise in all of them."""
    code = work.read("features.py").text()
    work.put("features.py", code + NOISE)
    yield
    work.put("features.py", code)


def big_day(seed: int, day: date) -> tuple[Delivery, int]:
    """A day of more rows than a careless program can hold, in parts with row groups of 131,072 rows."""
    offers, found, rows = Offers(seed, FIRST_DAY, LARGE), Delivery(day), 0
    for chunk in offers.chunks(day):
        found.add(as_delivered(chunk))
        rows += len(chunk)
    return found, rows
