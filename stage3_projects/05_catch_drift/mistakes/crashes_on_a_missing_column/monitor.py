"""The monitor of the `fraud` model: one healthy reference, then one day after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from drift import Bins, is_text, psi_of_counts, z_score
from quality import EarlyReports
from routing import Finding, alert

Today = Mapping[str, Any]  # a day of the calendar, as the contract has it

FEATURES = (
    "amount_paise",
    "channel",
    "merchant_category",
    "hour_ist",
    "device_age_days",
    "payer_account_age_days",
    "payer_txn_count_24h",
    "payer_mean_amount_30d_paise",
    "payer_merchant_is_new",
    "distance_km",
)
FRESHNESS = "feature_age_minutes"
STREAMED = (FRESHNESS, "payer_txn_count_24h")  # what the stream consumer writes
NIGHTLY = "payer_mean_amount_30d_paise"  # the nightly job writes it anew for every payer

PSI_LIMIT = 0.10  # weekends reach half of it
SPECIAL_PSI_LIMIT = 0.25  # on salary days and festivals people spend more, on other things
SCORE_PSI_LIMIT = 0.25
Z_LIMIT = 4.0
NULL_SHARE_RISE = 0.005
UNKNOWN_VALUE_SHARE = 0.005
OUT_OF_RANGE_SHARE = 0.01  # one row in a thousand is expected, at either end
UNIT_FACTORS = (1 / 1000, 1 / 100, 100.0, 1000.0)
FROZEN_SHARE, FEWEST_PAIRS = 0.2, 20
FEWEST_SCORES = 50
QUIET_DAYS_TO_CLOSE = 3
HISTORY_DAYS = 35
IST_OFFSET = pd.Timedelta(hours=5, minutes=30)


class Column:
    """What one column looked like while all was well."""

    def __init__(self, name: str, values: pd.Series) -> None:
        self.name = name
        self.is_text = is_text(values)
        self.bins = Bins.of(values)
        self.counts = self.bins.counts(values)
        self.null_share = float(self.counts[-1] / max(self.counts.sum(), 1))
        self.low, self.high, self.usual = -np.inf, np.inf, (-np.inf, np.inf)
        if not self.is_text and values.notna().any():
            points = np.nanquantile(values.to_numpy(dtype=np.float64), [0.001, 0.02, 0.98, 0.999])
            self.low, self.high, self.usual = points[0], points[3], (points[1], points[2])

    def findings(self, values: pd.Series, psi_limit: float) -> Iterator[Finding]:
        """What is wrong with this column today: faults that have a name, else a shift of the population."""
        counts = self.bins.counts(values)
        shares = counts / counts.sum()
        named = list(self._faults(values, shares))
        yield from named
        moved = psi_of_counts(self.counts, counts)
        if not named and moved > psi_limit:
            yield Finding("population_shift", self.name, f"PSI {moved:.2f} against the reference")

    def _faults(self, values: pd.Series, shares: np.ndarray) -> Iterator[Finding]:
        if shares[-1] > self.null_share + NULL_SHARE_RISE:
            yield Finding("null_spike", self.name, f"{shares[-1]:.0%} null, usually {self.null_share:.0%}")
        if self.is_text:
            if shares[-2] > UNKNOWN_VALUE_SHARE:
                assert self.bins.known is not None
                new = sorted(set(values.dropna().unique()) - set(self.bins.known))
                message = f"{shares[-2]:.1%} are new values: {', '.join(new[:5])}"
                yield Finding("renamed_category", self.name, message)
        else:
            numbers = values.to_numpy(dtype=np.float64)
            outside = numbers[(numbers < self.low) | (numbers > self.high)]
            factor = self._unit_factor(outside)
            if outside.size > OUT_OF_RANGE_SHARE * numbers.size and factor:
                share = outside.size / numbers.size
                message = f"at least {share:.0%} fit again when multiplied by {factor:g}"
                yield Finding("unit_switch", self.name, message)

    def _unit_factor(self, outside: np.ndarray) -> float | None:
        """The factor that brings most of the values which are out of range back among the usual ones."""
        if not outside.size:
            return None
        low, high = self.usual
        back = {f: np.mean((outside * f >= low) & (outside * f <= high)) for f in UNIT_FACTORS}
        best = max(back, key=lambda f: back[f])
        return best if back[best] > 0.6 else None


class Monitor:
    """Holds the reference, what a usual day is like, and which incidents are open."""

    def __init__(self, reference: pd.DataFrame, calendar: Sequence[Today], labels: pd.DataFrame) -> None:
        self.was_text = {name: is_text(reference[name]) for name in reference}
        self.columns = {name: Column(name, reference[name]) for name in FEATURES}
        self.score_bins = Bins.of(reference["score"])
        self.score_counts = self.score_bins.counts(reference["score"])
        self.oldest = float(np.nanquantile(reference[FRESHNESS], 0.999))
        self.amount_level: deque[float] = deque(maxlen=HISTORY_DAYS)
        self.open: dict[tuple[str, str | None], int] = {}  # incident -> days since it was last seen

        midnights = [_midnight(today) for today in calendar]
        cuts = reference["event_time"].searchsorted(midnights)
        days = [reference.iloc[first:last] for first, last in pairwise([*cuts, len(reference)])]
        for day, today in zip(days, calendar, strict=True):
            self._remember(day, today)
        self.nightly_values = _by_payer(days[-1])
        self.early_reports = EarlyReports(days, midnights, labels)

    def observe(self, day: pd.DataFrame, today: Today, labels: pd.DataFrame) -> list[Finding]:
        """What one day shows that no open incident has shown before.

        From the root to the symptoms: a broken column is left out of what follows, and scores are looked at only when
        the features are as they were. (After a real shift the model is trained again, and `begin` called again.)
        """
        findings = list(self._broken_schema(day))
        day = day.drop(columns=[f.feature for f in findings if f.feature in day])
        if not day.empty:
            findings += self._stale(day)
            findings += self._frozen(day)
            named = {finding.feature for finding in findings}
            psi_limit = SPECIAL_PSI_LIMIT if _is_special(today) else PSI_LIMIT
            for name, column in self.columns.items():
                if name in day and name not in named:
                    findings += column.findings(day[name], psi_limit)
            if not findings:
                findings += self._bad_deploy(day)
            findings += self._attack(day, labels, scores_hold=not findings)
            if not findings:
                findings += self._expected(day, today)
                self._remember(day, today)
        return self._news(findings)

    def _broken_schema(self, day: pd.DataFrame) -> Iterator[Finding]:
        if day.empty:
            yield Finding("schema_break", None, "no transactions arrived")
            return
        values = day.count()
        for name, was_text in self.was_text.items():
            if not values[name]:
                yield Finding("schema_break", name, "the column holds no value")
            elif is_text(day[name]) != was_text:
                kind = "numbers" if was_text else "text"
                yield Finding("schema_break", name, f"the column now holds {kind}")

    def _stale(self, day: pd.DataFrame) -> Iterator[Finding]:
        if FRESHNESS in day:
            old = float((day[FRESHNESS] > self.oldest).mean())
            if old > OUT_OF_RANGE_SHARE:
                message = f"{old:.0%} of rows are over {self.oldest:.0f} minutes old"
                yield from (Finding("stale_features", name, message) for name in STREAMED)

    def _frozen(self, day: pd.DataFrame) -> Iterator[Finding]:
        """A dead job leaves every distribution as it was; only one payer on two days gives it away."""
        yesterday, self.nightly_values = self.nightly_values, _by_payer(day)
        both = yesterday.keys() & self.nightly_values.keys()
        if len(both) >= FEWEST_PAIRS:
            frozen = sum(yesterday[payer] == self.nightly_values[payer] for payer in both) / len(both)
            if frozen > FROZEN_SHARE:
                message = f"{frozen:.0%} of payers have yesterday's value, to the last digit"
                yield Finding("dead_upstream_job", NIGHTLY, message)

    def _bad_deploy(self, day: pd.DataFrame) -> Iterator[Finding]:
        if not {"model_version", "score"} <= set(day):
            return
        # By version, because one that took over at noon would hide behind the morning. Old versions too: files are
        # replaced under their names.
        for version, scores in day.groupby("model_version", observed=True)["score"]:
            moved = psi_of_counts(self.score_counts, self.score_bins.counts(scores))
            if len(scores) >= FEWEST_SCORES and moved > SCORE_PSI_LIMIT:
                yield Finding("bad_deploy", "score", f"PSI {moved:.2f} for the scores of {version}")

    def _attack(self, day: pd.DataFrame, labels: pd.DataFrame, scores_hold: bool) -> Iterator[Finding]:
        if "transaction_id" in day:
            reported, expected = self.early_reports.observe(day, labels, scores_hold)
            if self.early_reports.alarming:
                message = f"{reported} early fraud reports, {expected:.0f} expected"
                yield Finding("fraud_attack", "is_fraud", message)

    def _expected(self, day: pd.DataFrame, today: Today) -> Iterator[Finding]:
        if _is_special(today):
            z = z_score(self.amount_level, _log_mean(day["amount_paise"]))
            if abs(z) > Z_LIMIT:
                message = f"z = {z:+.1f}: {today['festival'] or 'salary day'}"
                yield Finding("expected_change", "amount_paise", message)

    def _remember(self, day: pd.DataFrame, today: Today) -> None:
        """Let a healthy day into the rolling baseline. An incident stays out, or it would become normal."""
        if not _is_special(today):
            self.amount_level.append(_log_mean(day["amount_paise"]))

    def _news(self, findings: list[Finding]) -> list[Finding]:
        """Findings of incidents that are not open yet; an incident closes after some days without it."""
        seen = {(f.cause, f.feature): f for f in findings}
        news = [f for key, f in seen.items() if key not in self.open or f.cause == "expected_change"]
        aged = {key: days + 1 for key, days in self.open.items() if days + 1 < QUIET_DAYS_TO_CLOSE}
        self.open = aged | dict.fromkeys(seen, 0)
        return news


def _by_payer(day: pd.DataFrame) -> dict[int, float]:
    """What the nightly job wrote for each payer who paid that day."""
    if not {"payer_id", NIGHTLY} <= set(day):
        return {}
    return dict(zip(day["payer_id"].tolist(), day[NIGHTLY].tolist(), strict=True))


def _log_mean(amounts: pd.Series) -> float:
    return float(np.log(np.maximum(amounts.to_numpy(dtype=np.float64), 1)).mean())


def _is_special(today: Today) -> bool:
    return bool(today["is_salary_day"] or today["festival"])


def _midnight(today: Today) -> pd.Timestamp:
    """When the day began in India, in UTC."""
    return pd.Timestamp(today["date"]) - IST_OFFSET


_monitor: Monitor | None = None


def begin(reference: pd.DataFrame, calendar: Sequence[Today], labels: pd.DataFrame) -> None:
    """Start to watch, from healthy days; forgets whatever was watched before."""
    global _monitor
    _monitor = Monitor(reference, calendar, labels)


def observe(day: pd.DataFrame, today: Today, labels: pd.DataFrame) -> list[dict[str, str | None]]:
    """Alerts for one day that has just ended, given the labels that arrived during it.

    Raises:
        RuntimeError: `begin` was not called.
    """
    if _monitor is None:
        raise RuntimeError("call begin() with healthy days first")
    return [alert(finding) for finding in _monitor.observe(day, today, labels)]
