"""Incidents at work on the rows: how what the service saw differs from what really was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labs.world.calendar import CalendarDay, ist_date
from labs.world.draws import Bits, Bools, Columns, Purpose, share, sixteen_bits, stream
from labs.world.incidents import LOOKED_UP, Incident, IncidentKind
from labs.world.population import CATEGORIES, CHANNELS, FIRST_MERCHANT_ID, MERCHANTS_PER_CATEGORY, population
from labs.world.serving import active_rows, lookups

# What the service uses when it cannot look a payer up in time: roughly the medians.
DEFAULTS: dict[str, float] = {
    "payer_account_age_days": 365.0,
    "payer_txn_count_24h": 2,
    "payer_mean_amount_30d_paise": 20_000.0,
    "payer_merchant_is_new": 0,
}
RENAMES = {"channel": ("collect", "upi_collect"), "merchant_category": ("groceries", "grocery_store")}
ATTACK_SHARE = 0.02  # of all payments, at severity 1
MULE_MERCHANTS = 12
_SLOWS_LOOKUPS = (IncidentKind.COLD_CACHE, IncidentKind.SLOW_DEPENDENCY)


def attack(seed: int, today: CalendarDay, columns: Columns, incidents: Sequence[Incident]) -> Bools:
    """Turn some payments into the attack's, in place; returns which. A real change of the world, so truth
    sees it too."""
    attacked = np.zeros(columns["event_time"].size, dtype=np.bool_)
    for incident in incidents:
        if incident.kind is not IncidentKind.FRAUD_ATTACK:
            continue
        rows = active_rows(columns["event_time"], incident)
        which, amount, merchant, distance = _bits(seed, today, incident, attacked.size, 4)
        hit = np.flatnonzero(share(which[rows], ATTACK_SHARE * incident.severity)) + rows.start
        attacked[hit] = True
        # By QR, at mules posing as groceries which the victim has "paid" before, close to home, on the victim's own
        # old phone, just under 500 rupees: each of these used to mean safe, so a model from before waves it through.
        columns["amount_paise"][hit] = 48_000 + (amount[hit].astype(np.int64) * 20 >> 16) * 100
        mule = merchant[hit].astype(np.int64) % MULE_MERCHANTS
        columns["merchant_id"][hit] = FIRST_MERCHANT_ID + MERCHANTS_PER_CATEGORY - 1 - mule
        columns["merchant_category"][hit] = CATEGORIES.index("groceries")
        columns["channel"][hit] = CHANNELS.index("qr")
        columns["payer_merchant_is_new"][hit] = 0
        columns["distance_km"][hit] = 0.05 + distance[hit] / 65536
    return attacked


def corrupt(seed: int, today: CalendarDay, columns: Columns, incidents: Sequence[Incident]) -> None:
    """Make the columns, in place, what the service saw.

    A renamed value gets the code after the last one. Data faults come first, then time-outs, because a
    default replaces whatever the store held.
    """
    for incident in incidents:
        damage = _DAMAGE.get(incident.kind)
        if damage is not None:
            damage(seed, today, columns, incident)
    if not any(incident.kind in _SLOWS_LOOKUPS for incident in incidents):
        return  # then no look-up times out
    timed_out = lookups(seed, today.day, columns["event_time"], incidents).timed_out
    for name in LOOKED_UP:
        columns[name][timed_out] = DEFAULTS[name]


def _unit_switch(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> None:
    rows, hit = _struck(seed, today, columns, incident)
    values = columns[str(incident.feature)][rows]
    rupees = values // 100 if values.dtype.kind == "i" else values / 100
    columns[str(incident.feature)][rows] = np.where(hit, rupees, values)


def _null_spike(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> None:
    rows, hit = _struck(seed, today, columns, incident)
    columns[str(incident.feature)][rows][hit] = np.nan


def _renamed_category(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> None:
    rows, hit = _struck(seed, today, columns, incident)
    names = CHANNELS if incident.feature == "channel" else CATEGORIES
    codes = columns[str(incident.feature)][rows]
    codes[hit & (codes == names.index(RENAMES[str(incident.feature)][0]))] = len(names)


def _stale_features(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> None:
    """The stream consumer falls behind from the start on, by `severity` minutes each minute: counts miss what
    came since."""
    rows = active_rows(columns["event_time"], incident)
    start = int(np.datetime64(incident.start, "us").astype(np.int64))
    lag_minutes = (columns["event_time"][rows] - start) * (incident.severity / 60_000_000)
    columns["feature_age_minutes"][rows] += lag_minutes
    seen = np.maximum(0.0, 1 - lag_minutes / (24 * 60))
    columns["payer_txn_count_24h"][rows] = columns["payer_txn_count_24h"][rows] * seen


def _dead_upstream_job(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> None:
    """The tables of the night before the job died are served on, for `severity` of the payer partitions, and
    nothing says so: the loader copies the old table afresh, so feature_age_minutes stays low."""
    rows = active_rows(columns["event_time"], incident)
    late = (today.date - ist_date(incident.start)).days
    if late <= 0 or rows.start == rows.stop:
        return  # the job had already run for the day on which it died
    slot = columns["slot"][rows]
    people = population(seed)
    age, _ = people.account_age(slot, today.day)
    frozen = (slot & 0xFF) < incident.severity * 256
    known = age >= late
    old_age = np.where(known, age - late, DEFAULTS["payer_account_age_days"])
    old_mean = np.where(
        known,
        people.nightly_mean_paise(slot, today.day - late, seed),
        DEFAULTS["payer_mean_amount_30d_paise"],
    )
    for name, old in (("payer_account_age_days", old_age), ("payer_mean_amount_30d_paise", old_mean)):
        columns[name][rows] = np.where(frozen, old, columns[name][rows])


def _struck(seed: int, today: CalendarDay, columns: Columns, incident: Incident) -> tuple[slice, Bools]:
    """The incident's rows, and which of them it reaches: `severity` is the share."""
    rows = active_rows(columns["event_time"], incident)
    (bits,) = _bits(seed, today, incident, columns["event_time"].size, 1)
    return rows, share(bits[rows], incident.severity)


def _bits(seed: int, today: CalendarDay, incident: Incident, rows: int, columns: int) -> list[Bits]:
    number = list(IncidentKind).index(incident.kind)
    return sixteen_bits(stream(seed, today.day, Purpose.FAULT + number), columns, rows)


_DAMAGE: dict[IncidentKind, Callable[[int, CalendarDay, Columns, Incident], None]] = {
    IncidentKind.UNIT_SWITCH: _unit_switch,
    IncidentKind.NULL_SPIKE: _null_spike,
    IncidentKind.RENAMED_CATEGORY: _renamed_category,
    IncidentKind.STALE_FEATURES: _stale_features,
    IncidentKind.DEAD_UPSTREAM_JOB: _dead_upstream_job,
}
