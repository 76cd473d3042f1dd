"""The ways in which things go wrong at Nukkad Pay, each with the ground truth that only a grader sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from labs.world.calendar import ist_date
from labs.world.clock import utc


class IncidentKind(StrEnum):
    """What went wrong. `docs/world.md` says exactly what each one changes."""

    UNIT_SWITCH = "unit_switch"
    NULL_SPIKE = "null_spike"
    STALE_FEATURES = "stale_features"
    RENAMED_CATEGORY = "renamed_category"
    FRAUD_ATTACK = "fraud_attack"
    COLD_CACHE = "cold_cache"
    SLOW_DEPENDENCY = "slow_dependency"
    BAD_DEPLOY = "bad_deploy"
    DEAD_UPSTREAM_JOB = "dead_upstream_job"


LOOKED_UP = (
    "payer_account_age_days",
    "payer_txn_count_24h",
    "payer_mean_amount_30d_paise",
    "payer_merchant_is_new",
)
NIGHTLY = ("payer_account_age_days", "payer_mean_amount_30d_paise")


@dataclass(frozen=True)
class KindFacts:
    """What holds for every incident of one kind: how it is mended, what it may touch, how long and hard it
    strikes."""

    decision: str
    hours: tuple[int, int]  # a planned one lasts from so many to so many
    severity: tuple[float, float]
    causes: tuple[str, ...]  # one for each of `choices`, if it has any; otherwise any of them
    choices: tuple[str, ...] = ()  # the one column it strikes is one of these ...
    touches: tuple[str, ...] = ()  # ... or it strikes all of these


FACTS: dict[IncidentKind, KindFacts] = {
    IncidentKind.UNIT_SWITCH: KindFacts(
        decision="fix upstream",
        hours=(6, 48),
        severity=(0.4, 1.0),
        choices=("amount_paise", "payer_mean_amount_30d_paise"),
        causes=(
            "a new SDK sends rupees where the contract says paise",
            "a backfill job divided by 100 twice",
        ),
    ),
    IncidentKind.NULL_SPIKE: KindFacts(
        decision="fix upstream",
        hours=(4, 36),
        severity=(0.15, 0.8),
        choices=("distance_km", "device_age_days", "payer_mean_amount_30d_paise"),
        causes=(
            "the app's location dialog changed, and refusals come as null",
            "a new SDK renamed the device field",
            "a join in the aggregate job lost its right-hand side",
        ),
    ),
    IncidentKind.STALE_FEATURES: KindFacts(
        decision="fix upstream",
        hours=(6, 36),
        severity=(0.4, 1.0),
        touches=("payer_txn_count_24h", "feature_age_minutes"),
        causes=(
            "the stream consumer lags behind after a partition rebalance",
            "the online store's writer is throttled",
        ),
    ),
    IncidentKind.RENAMED_CATEGORY: KindFacts(
        decision="fix upstream",
        hours=(8, 72),
        severity=(0.5, 1.0),
        choices=("channel", "merchant_category"),
        causes=(
            "the gateway renamed an enum value without telling its readers",
            "the merchant registry moved to a new category list",
        ),
    ),
    IncidentKind.FRAUD_ATTACK: KindFacts(
        decision="retrain",
        hours=(36, 144),
        severity=(0.4, 1.0),
        causes=("a ring takes over old accounts and pays mule merchants just under 500 rupees",),
    ),
    IncidentKind.COLD_CACHE: KindFacts(
        decision="fix upstream",
        hours=(1, 4),
        severity=(0.6, 1.0),
        touches=LOOKED_UP,
        causes=("the autoscaler removed the replicas that held the warm cache",),
    ),
    IncidentKind.SLOW_DEPENDENCY: KindFacts(
        decision="fix upstream",
        hours=(1, 8),
        severity=(0.5, 1.0),
        touches=LOOKED_UP,
        causes=(
            "the feature store's disk is full and compaction stalls reads",
            "a noisy neighbour takes the feature store's disk",
        ),
    ),
    IncidentKind.BAD_DEPLOY: KindFacts(
        decision="roll back",
        hours=(2, 24),
        severity=(0.5, 1.0),
        causes=("the new model was exported with two feature columns exchanged",),
    ),
    IncidentKind.DEAD_UPSTREAM_JOB: KindFacts(
        decision="fix upstream",
        hours=(50, 120),
        severity=(0.5, 1.0),
        touches=NIGHTLY,
        causes=(
            "the nightly aggregate job exits 0 without writing anything",
            "the job's trigger was deleted with its owner",
        ),
    ),
}


@dataclass(frozen=True)
class Incident:
    """One thing that went wrong, from `start` up to but not including `end` (naive UTC).

    `severity` in (0, 1] is how hard: for most kinds the share of rows it reaches. `feature` is the one column
    struck, for the kinds that strike one (`None` takes the first that the kind allows). `cause` is for the
    grader and the postmortem.

    Raises `ValueError` naming the field when a value cannot be.
    """

    kind: IncidentKind
    start: datetime
    end: datetime
    severity: float = 1.0
    cause: str = ""
    feature: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__  # frozen, but these are cleaned before anyone sees them
        put(self, "kind", incident_kind(self.kind))
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, datetime):
                raise ValueError(f"{name} is {value!r}: give a datetime in UTC")
            put(self, name, utc(value))
        if self.end <= self.start:
            raise ValueError(
                f"end is {self.end}, not after start {self.start}: give an end later than the start"
            )
        if not 0 < self.severity <= 1:
            raise ValueError(f"severity is {self.severity!r}: give a number above 0 and at most 1")
        choices = FACTS[self.kind].choices
        if self.feature is None and choices:
            put(self, "feature", choices[0])
        if self.feature is not None and self.feature not in choices:
            allowed = ", ".join(choices) or "None (this kind strikes no single column)"
            raise ValueError(f"feature is {self.feature!r}: for {self.kind} give one of {allowed}")

    @property
    def decision(self) -> str:
        """What the owner of drift should decide: 'retrain', 'roll back' or 'fix upstream' (never 'accept':
        that is right for the benign days of the calendar only)."""
        return FACTS[self.kind].decision

    @property
    def features(self) -> tuple[str, ...]:
        """Every column of `transactions` whose values this incident can make wrong (none for attack and bad
        deploy)."""
        return (self.feature,) if self.feature is not None else FACTS[self.kind].touches

    def active(self, at: datetime) -> bool:
        """Whether it is going on at this moment (naive UTC, or aware)."""
        return self.start <= utc(at) < self.end

    def dates(self) -> tuple[date, ...]:
        """The dates in India that it touches."""
        first, last = ist_date(self.start), ist_date(self.end - timedelta(microseconds=1))
        return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))

    def days(self, first_day: date) -> tuple[int, ...]:
        """The same as day numbers of a world that starts on `first_day`."""
        return tuple((day - first_day).days for day in self.dates())


def incident_kind(kind: IncidentKind | str) -> IncidentKind:
    """The kind with this name; raises `ValueError` listing the kinds if there is none."""
    try:
        return IncidentKind(kind)
    except ValueError:
        raise ValueError(f"kind is {kind!r}: give one of {', '.join(IncidentKind)}") from None
