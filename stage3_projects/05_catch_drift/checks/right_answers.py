"""The definitions of the brief, written the slow and plain way, to compare with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd


def psi(reference: Sequence[Any], current: Sequence[Any], closed: str = "right") -> float:
    """The sum over bins of (c - r) ln(c / r), with half a row added to each bin.

    With `closed="left"`, what comes out when a value on an edge is put on its wrong side.
    """
    text = any(isinstance(value, str) for value in reference)
    known = [value for value in reference if not _null(value)]
    if text:
        names = sorted(set(known))
        bins = len(names) + 2
        place = {name: number for number, name in enumerate(names)}
        position = lambda value: place.get(value, bins - 2)  # noqa: E731
    else:
        edges = sorted(set(np.quantile(np.array(known, dtype=float), [k / 10 for k in range(1, 10)])))
        bins = len(edges) + 2
        above = float.__gt__ if closed == "right" else float.__ge__
        position = lambda value: sum(above(float(value), float(edge)) for edge in edges)  # noqa: E731
    shares = []
    for sample in (reference, current):
        placed = [bins - 1 if _null(value) else position(value) for value in sample]
        shares.append([(placed.count(k) + 0.5) / (len(placed) + 0.5 * bins) for k in range(bins)])
    return sum((c - r) * math.log(c / r) for r, c in zip(*shares, strict=True))


def z_score(history: Sequence[float], today: float) -> float:
    days = [value for value in history if not math.isnan(value)]
    mean = sum(days) / len(days)
    return (today - mean) / math.sqrt(sum((value - mean) ** 2 for value in days) / (len(days) - 1))


def quality(
    transactions: pd.DataFrame, labels: pd.DataFrame, as_of: datetime, threshold: float
) -> dict[str, Any]:
    """Precision, recall and average precision over transactions that are at least 30 days old and labelled."""
    arrived = labels[labels["labelled_at"] <= as_of]
    known = dict(zip(arrived["transaction_id"].tolist(), arrived["is_fraud"].tolist(), strict=True))
    old = transactions[transactions["event_time"] <= as_of - timedelta(days=30)]
    ids_and_scores = zip(old["transaction_id"].tolist(), old["score"].tolist(), strict=True)
    rows = [(score, known[id_]) for id_, score in ids_and_scores if id_ in known]
    flagged = [fraud for score, fraud in rows if score >= threshold]
    frauds = sum(fraud for _, fraud in rows)
    ranked = [fraud for _, fraud in sorted(rows, key=lambda row: -row[0])]
    places = [place for place, fraud in enumerate(ranked, start=1) if fraud]
    precisions = [found / place for found, place in enumerate(places, start=1)]
    return {
        "counted": len(rows),
        "waiting": len(transactions) - len(rows),
        "precision": sum(flagged) / len(flagged) if flagged else None,
        "recall": sum(flagged) / frauds if frauds else None,
        "pr_auc": sum(precisions) / len(precisions) if precisions else None,
    }


def with_rows_on_the_edges(
    rng: np.random.Generator, transactions: pd.DataFrame, labels: pd.DataFrame, as_of: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same tables with rows exactly on the two edges, which count, and a second beyond each, which wait."""
    window, second, day = timedelta(days=30), timedelta(seconds=1), timedelta(days=1)
    transactions, labels = transactions.copy(), labels.copy()
    times = [
        (as_of - window, as_of - day),
        (as_of - window + second, as_of - day),
        (as_of - window - 3 * day, as_of),
        (as_of - window - 3 * day, as_of + second),
    ]
    ids = rng.choice(transactions["transaction_id"].to_numpy(), len(times), replace=False).tolist()
    for id_, (paid, labelled) in zip(ids, times, strict=True):
        transactions.loc[transactions["transaction_id"] == id_, "event_time"] = paid
        labels.loc[labels["transaction_id"] == id_, "labelled_at"] = labelled
    return transactions, labels


def _null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def rounded(figures: dict[str, Any]) -> str:
    """Figures with four digits, which do not depend on the order of a sum."""
    return ", ".join(
        f"{key}: {v:.4g}" if isinstance(v, float) else f"{key}: {v!r:.40}" for key, v in figures.items()
    )
