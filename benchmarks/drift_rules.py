"""The `catch_drift` solution beside Evidently's default drift preset and a plain PSI > 0.2 rule, on the same replays.

    python benchmarks/drift_rules.py [--seeds 100] [--monitor FOLDER …] [--preset-days 20]

For each seed: a healthy month, a healthy Diwali, a month and a half with one incident of each kind in random order,
and a slow shift. Every contestant gets one day after the other, as in the lab. The rules name no cause, so they are
given credit for an alarm on any guilty column; for a fraud attack, which has no column, for an alarm on any column.

Evidently's default tests are called column by column, because its report costs over a second a day; on `--preset-days`
days the real `DataDriftPreset` is run as well and must say the same. Its reference is a sample of 10,000 rows.
Prints Markdown. Exits 1 if the preset says something else than its tests.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "stage3_projects" / "05_catch_drift"
sys.path[:0] = [str(ROOT), str(LAB / "checks")]

from replay import AFTERMATH_DAYS, Replay, Strike  # noqa: E402
from seasons import around_diwali, ordinary, with_slow_shift  # noqa: E402

COLUMNS = (
    "amount_paise", "channel", "merchant_category", "hour_ist", "device_age_days", "payer_account_age_days",
    "payer_txn_count_24h", "payer_mean_amount_30d_paise", "payer_merchant_is_new", "distance_km",
    "feature_age_minutes", "score",
)  # fmt: skip
KINDS = (
    "unit_switch", "null_spike", "renamed_category", "stale_features", "dead_upstream_job", "bad_deploy",
    "fraud_attack",
)  # fmt: skip
FEATURES = {
    "unit_switch": ("amount_paise", "payer_mean_amount_30d_paise"),
    "null_spike": ("distance_km", "device_age_days", "payer_mean_amount_30d_paise"),
    "renamed_category": ("channel", "merchant_category"),
}
PRESET_ROWS = 10_000


@dataclass(frozen=True)
class Alarm:
    """What a contestant said on one day. A rule gives no cause; `wakes` is false for a note."""

    day: int
    feature: str | None
    cause: str | None = None
    wakes: bool = True


class Contestant(Protocol):
    def begin(self, reference: pd.DataFrame, calendar: Sequence[Any], labels: pd.DataFrame) -> None: ...
    def observe(self, day: int, frame: pd.DataFrame, today: Any, labels: pd.DataFrame) -> list[Alarm]: ...


class Monitor:
    """A folder with the lab's `monitor.py`."""

    def __init__(self, folder: Path) -> None:
        before = set(sys.modules)
        sys.path.insert(0, str(folder))
        self.module = importlib.import_module("monitor")
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:  # the next folder has modules of the same names
            if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]

    def begin(self, reference: pd.DataFrame, calendar: Sequence[Any], labels: pd.DataFrame) -> None:
        self.module.begin(reference, calendar, labels)

    def observe(self, day: int, frame: pd.DataFrame, today: Any, labels: pd.DataFrame) -> list[Alarm]:
        said = self.module.observe(frame, today, labels)
        return [Alarm(day, each["feature"], each["cause"], each["severity"] != "info") for each in said]


class PlainPsi:
    """An alarm for each column whose PSI against the reference is above 0.2 (deciles; nulls and new values counted)."""

    LIMIT = 0.2

    def __init__(self, solution: Path) -> None:
        sys.path.insert(0, str(solution))
        self.drift = importlib.import_module("drift")
        sys.path.remove(str(solution))
        del sys.modules["drift"]

    def begin(self, reference: pd.DataFrame, calendar: Sequence[Any], labels: pd.DataFrame) -> None:
        self.bins = {name: self.drift.Bins.of(reference[name]) for name in COLUMNS}
        self.counts = {name: self.bins[name].counts(reference[name]) for name in COLUMNS}

    def observe(self, day: int, frame: pd.DataFrame, today: Any, labels: pd.DataFrame) -> list[Alarm]:
        psi = {
            name: self.drift.psi_of_counts(self.counts[name], bins.counts(frame[name]))
            for name, bins in self.bins.items()
        }
        return [Alarm(day, name) for name, value in psi.items() if value > self.LIMIT]


class EvidentlyTests:
    """Evidently's default drift tests: an alarm for each column that drifted."""

    def __init__(self, preset_days: int) -> None:
        self.preset_days = preset_days
        self.disagreed = 0
        self.drifted: dict[int, list[str]] = {}

    def begin(self, reference: pd.DataFrame, calendar: Sequence[Any], labels: pd.DataFrame) -> None:
        self.reference = reference[list(COLUMNS)].sample(PRESET_ROWS, random_state=0)
        self.drifted = {}

    def observe(self, day: int, frame: pd.DataFrame, today: Any, labels: pd.DataFrame) -> list[Alarm]:
        self.drifted[day] = [name for name in COLUMNS if self._drifted(name, frame[name])]
        if self.preset_days > 0 and day % 9 == 4:
            self.preset_days -= 1
            self.disagreed += set(self.drifted[day]) != self._by_preset(frame)
        return [Alarm(day, name) for name in self.drifted[day]]

    def _drifted(self, name: str, values: pd.Series) -> bool:
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType

        number = pd.api.types.is_numeric_dtype(values)
        kind = ColumnType.Numerical if number else ColumnType.Categorical
        before, now = self.reference[name].dropna(), values.dropna()
        return bool(get_stattest(before, now, kind, None)(before, now, kind, None).drifted)

    def _by_preset(self, frame: pd.DataFrame) -> set[str]:
        from evidently import Report
        from evidently.presets import DataDriftPreset

        snapshot = Report([DataDriftPreset()], include_tests=True).run(frame[list(COLUMNS)], self.reference)
        tests = [
            (test["metric_config"]["params"].get("column"), test["status"].name)
            for test in snapshot.dict()["tests"]
        ]
        return {column for column, status in tests if column and status != "SUCCESS"}


class EvidentlyVerdict:
    """The preset's own verdict over the same tests: an alarm when at least half of the columns drifted."""

    def __init__(self, tests: EvidentlyTests) -> None:
        self.tests = tests

    def begin(self, reference: pd.DataFrame, calendar: Sequence[Any], labels: pd.DataFrame) -> None:
        """The tests have just played the same replay."""

    def observe(self, day: int, frame: pd.DataFrame, today: Any, labels: pd.DataFrame) -> list[Alarm]:
        drifted = self.tests.drifted[day]
        return [Alarm(day, name) for name in drifted] if 2 * len(drifted) >= len(COLUMNS) else []


@dataclass
class Score:
    """One contestant's record."""

    delays: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    strikes: Counter[str] = field(default_factory=Counter)
    in_time: Counter[str] = field(default_factory=Counter)
    right_cause: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    false_days: Counter[str] = field(default_factory=Counter)
    beside: int = 0  # alarms during incidents which name something else

    def add_strikes(self, replay: Replay, alarms: Sequence[Alarm]) -> None:
        for strike in replay.strikes:
            self.strikes[strike.cause] += 1
            found = [alarm for alarm in alarms if _credits(strike, alarm)]
            if found:
                self.delays[strike.cause].append(found[0].day - strike.first)
                self.in_time[strike.cause] += found[0].day <= strike.by
                self.right_cause[strike.cause] += found[0].cause == strike.cause
        self.beside += sum(
            a.wakes and not any(_credits(strike, a) for strike in replay.strikes) for a in alarms
        )

    def add_healthy(self, replay: Replay, alarms: Sequence[Alarm]) -> None:
        woken = {alarm.day for alarm in alarms if alarm.wakes}
        for day in range(replay.days):
            today = replay.calendar(day)
            kind = "festival" if today.festival else "salary day" if today.is_salary_day else "other"
            self.days[kind] += 1
            self.false_days[kind] += day in woken


def _credits(strike: Strike, alarm: Alarm) -> bool:
    """Whether the alarm is about this strike: a guilty column while it lasts, or the right cause."""
    if alarm.cause is not None:
        until = strike.last + AFTERMATH_DAYS.get(strike.cause, 1)
        return (
            alarm.cause == strike.cause
            and alarm.feature in strike.features
            and strike.first <= alarm.day <= until
        )
    guilty = strike.cause == "fraud_attack" or alarm.feature in strike.features
    return guilty and strike.first <= alarm.day <= strike.last


def replays(seed: int) -> tuple[tuple[Replay, ...], tuple[Replay, ...]]:
    """(healthy, with incidents)."""
    rng = np.random.default_rng([seed, 1])
    struck = ordinary(seed)
    for kind in rng.permutation(KINDS):
        choices = FEATURES.get(str(kind))
        struck = struck.hit(rng, str(kind), str(rng.choice(choices)) if choices else None)
    healthy = (ordinary(seed, days=30), around_diwali(seed, before=9, after=5)[0])
    return healthy, (struck, with_slow_shift(ordinary(seed), rng, first=3, days=25))


def play(contestant: Contestant, reference: Any, days: Iterable[Any]) -> list[Alarm]:
    contestant.begin(*reference)
    return [alarm for day, *shown in days for alarm in contestant.observe(day, *shown)]


def table(scores: Mapping[str, Score]) -> str:
    """Markdown: what was found and how soon, then what was made up."""
    rows = {"found in time, mean delay in days, longest": list(scores)}
    for kind in (*KINDS, "population_shift"):
        rows[f"`{kind}`"] = [_found(score, kind) for score in scores.values()]
    for kind in ("festival", "salary day", "other"):
        cells = [f"{score.false_days[kind]} of {score.days[kind]}" for score in scores.values()]
        rows[f"healthy days with an alarm: {kind}"] = cells
    rows["alarms beside the point during incidents"] = [str(score.beside) for score in scores.values()]
    rows["right cause"] = [_causes(score) for score in scores.values()]
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join([lines[0], "|---" * (len(scores) + 1) + "|", *lines[1:]])


def _found(score: Score, kind: str) -> str:
    delays = score.delays[kind]
    return f"{score.in_time[kind]} of {score.strikes[kind]}" + (
        f", {np.mean(delays):.1f}, {max(delays)}" if delays else ""
    )


def _causes(score: Score) -> str:
    named, found = sum(score.right_cause.values()), sum(map(len, score.delays.values()))
    return f"{named} of {found}" if named else "names none"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--monitor", type=Path, nargs="*", default=[], help="more folders with the lab's files"
    )
    parser.add_argument("--preset-days", type=int, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    preset = EvidentlyTests(options.preset_days)
    contestants: dict[str, Contestant] = {"solution": Monitor(LAB / "solution")}
    contestants |= {folder.name: Monitor(folder.resolve()) for folder in options.monitor}
    contestants |= {"PSI > 0.2": PlainPsi(LAB / "solution"), "Evidently, any column": preset}
    contestants |= {"Evidently preset's verdict": EvidentlyVerdict(preset)}
    scores = {name: Score() for name in contestants}
    for seed in range(options.first, options.first + options.seeds):
        for group, healthy in zip(replays(seed), (True, False), strict=True):
            for replay in group:
                reference, days = replay.reference(), list(replay)
                for name, contestant in contestants.items():
                    alarms = play(contestant, reference, days)
                    add = scores[name].add_healthy if healthy else scores[name].add_strikes
                    add(replay, alarms)
        print(f"seed {seed}", file=sys.stderr)
    print(table(scores))
    compared = options.preset_days - preset.preset_days
    print(f"\nAll days are simulated; seeds {options.first} to {options.first + options.seeds - 1}.", end=" ")
    print(
        f"The preset itself ran on {compared} of the days; it differed from its tests on {preset.disagreed}."
    )
    return 1 if preset.disagreed else 0


if __name__ == "__main__":
    sys.exit(main())
