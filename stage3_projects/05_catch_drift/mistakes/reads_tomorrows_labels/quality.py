"""What late labels can say: the quality of days whose labels are all in, a warning for those whose are not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

LABEL_WINDOW = pd.Timedelta(days=30)  # an undisputed payment counts as legitimate when this has passed
ONE_DAY = pd.Timedelta(days=1)


def quality(
    transactions: pd.DataFrame, labels: pd.DataFrame, as_of: pd.Timestamp, threshold: float
) -> dict[str, float | int | None]:
    """Precision, recall and PR AUC of the scores, where the label window had closed by `as_of` (UTC).

    Younger transactions wait: among them frauds are known first, so neither "no label yet, so it is good" nor "of
    those labelled so far" is a fair sample. A figure that cannot be computed is None.
    """
    arrived = labels[["transaction_id", "is_fraud"]]
    joined = transactions.merge(arrived, on="transaction_id", how="left")
    closed = joined["event_time"] + LABEL_WINDOW <= as_of
    counted = joined[closed & joined["is_fraud"].notna()]
    fraud = counted["is_fraud"].to_numpy(dtype=bool)
    flagged = counted["score"].to_numpy() >= threshold
    caught = int((fraud & flagged).sum())
    return {
        "counted": len(counted),
        "waiting": len(joined) - len(counted),
        "precision": caught / int(flagged.sum()) if flagged.any() else None,
        "recall": caught / int(fraud.sum()) if fraud.any() else None,
        "pr_auc": float(average_precision_score(fraud, counted["score"])) if fraud.any() else None,
    }


class EarlyReports:
    """Watches frauds that victims report within a few days, against how many the model itself expected.

    Like is compared with like: reports as young as these, per unit of score, as in the reference. So a festival,
    when people pay more and the scores rise with the frauds, is no attack; frauds that the model does not see are.
    The evidence adds up over days: Page's CUSUM for a Poisson rate (Page, "Continuous Inspection Schemes", 1954).
    """

    DAYS = 4  # a report counts when the payment was today or one of the three days before
    RATIO = 2.5  # times the expected reports: what the evidence is tuned to find
    ALARM = 8.0  # in nats
    MARGIN = 1.5  # what a festival may add to the usual frauds per payment
    CEILING = 10.0  # so that it can calm down again

    def __init__(
        self, days: Sequence[pd.DataFrame], midnights: Sequence[pd.Timestamp], labels: pd.DataFrame
    ) -> None:
        self.recent: deque[tuple[set[int], float]] = deque(
            maxlen=self.DAYS
        )  # ids and sum of scores, newest day first
        self.usual_score = float(np.mean([day["score"].mean() for day in days]))
        self.evidence = 0.0
        arrived = labels["labelled_at"]
        by_age, scores = np.full(self.DAYS, 0.5), 0.0
        for day, midnight in zip(days, midnights, strict=True):
            self._add(day, scores_hold=True)
            by_age += self._reported(labels[(arrived > midnight) & (arrived <= midnight + ONE_DAY)])
            scores += self.recent[0][1]
        self.rate_by_age = by_age / scores

    def observe(self, day: pd.DataFrame, labels: pd.DataFrame, scores_hold: bool) -> tuple[int, float]:
        """Young reports that arrived today, and how many were to be expected. Adds to the evidence.

        Where the scores do not hold, because the data are wrong or the model is, the usual ones stand in, with a
        margin: one fault must not sound two alarms, and it may be a festival.
        """
        self._add(day, scores_hold)
        reported = int(self._reported(labels).sum())
        expected = float(
            sum(rate * scores for rate, (_, scores) in zip(self.rate_by_age, self.recent, strict=False))
        )
        step = reported * math.log(self.RATIO) - expected * (self.RATIO - 1)
        self.evidence = min(max(self.evidence + step, 0.0), self.CEILING)
        return reported, expected

    @property
    def alarming(self) -> bool:
        return self.evidence >= self.ALARM

    def _add(self, day: pd.DataFrame, scores_hold: bool) -> None:
        scores = float(day["score"].sum()) if scores_hold else self.MARGIN * self.usual_score * len(day)
        self.recent.appendleft((set(day["transaction_id"].tolist()), scores))

    def _reported(self, labels: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Frauds among `labels`, by the age in days of the payment; older ones are left out."""
        frauds = labels.loc[labels["is_fraud"].to_numpy(dtype=bool), "transaction_id"].tolist()
        ages = [age for id_ in frauds for age, (ids, _) in enumerate(self.recent) if id_ in ids]
        return np.bincount(ages, minlength=self.DAYS)
