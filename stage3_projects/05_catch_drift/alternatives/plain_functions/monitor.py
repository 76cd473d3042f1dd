"""The monitor as functions over one dict of state: Kolmogorov–Smirnov, fitted mixtures, Poisson counts."""

from collections import deque

import numpy as np

from drift import is_null, is_text, z_score

FEATURES = (
    "amount_paise", "channel", "merchant_category", "hour_ist", "device_age_days", "payer_account_age_days",
    "payer_txn_count_24h", "payer_mean_amount_30d_paise", "payer_merchant_is_new", "distance_km",
)  # fmt: skip
MEASURED = ("amount_paise", "payer_mean_amount_30d_paise", "distance_km", "device_age_days")
HANDLING = {
    "schema_break": ("page", "data-oncall", "fix upstream"),
    "unit_switch": ("page", "data-oncall", "fix upstream"),
    "null_spike": ("ticket", "data-team", "fix upstream"),
    "renamed_category": ("ticket", "data-team", "fix upstream"),
    "stale_features": ("ticket", "data-team", "fix upstream"),
    "dead_upstream_job": ("ticket", "data-team", "fix upstream"),
    "bad_deploy": ("page", "fraud-oncall", "roll back"),
    "fraud_attack": ("page", "fraud-oncall", "retrain"),
    "population_shift": ("ticket", "ml-team", "retrain"),
    "expected_change": ("info", "digest", "accept"),
}
DECADES = np.linspace(-6, 12, 18 * 8 + 1)  # eighths of a decade
state = {}


def begin(reference, calendar, labels):
    state.clear()
    days = len(calendar)
    scores = [part.sum() for part in np.array_split(reference.score.to_numpy(), days)]
    numbers = [name for name in (*FEATURES, "score") if not is_text(reference[name])]
    texts = [name for name in FEATURES if is_text(reference[name])]
    feature_ages = np.array_split(reference.feature_age_minutes.to_numpy(), days)
    state.update(
        kinds={name: is_text(reference[name]) for name in reference},
        values={name: np.sort(reference[name].dropna().to_numpy()) for name in numbers},
        names={name: reference[name].value_counts(normalize=True).to_dict() for name in texts},
        nulls={name: reference[name].isna().mean() for name in FEATURES},
        age=[float(np.log(part).mean()) for part in feature_ages],
        amounts=_ordinary_amounts(reference, calendar),
        quick_per_score=_quick(_paid_at(reference), labels) / sum(scores[:-1]),
        usual_score=float(reference.score.mean()),
        recent=deque(maxlen=3),
        counts=deque(maxlen=2),
        open={},
    )
    yesterday = reference[reference.event_time >= reference.event_time.max() - np.timedelta64(24, "h")]
    state["ages"] = _ages(yesterday)


def observe(day, today, labels):
    broken = dict(_schema(day))
    alerts = [("schema_break", name, text) for name, text in broken.items()]
    if len(day):
        good = day[[name for name in day if name not in broken]]
        alerts += _data_faults(good, special=bool(today["festival"] or today["is_salary_day"]))
        if not alerts and "score" in good:
            alerts += _bad_scores(good)
        alerts += _attack(good, labels, trusted=not alerts)
        if not alerts:
            alerts += _expected(good, today)
    return _once(alerts)


def _schema(day):
    if not len(day):
        yield None, "no rows"
        return
    for name, text in state["kinds"].items():
        if name not in day.columns:
            yield name, "missing"
        elif day[name].isna().all():
            yield name, "empty"
        elif is_text(day[name]) != text:
            yield name, "another type"


def _data_faults(day, special):
    found, explained = [], set()
    if "feature_age_minutes" in day:
        # The mean over a day hides an hour of lag at its end; a high percentile does not.
        mean = float(np.log(day.feature_age_minutes).mean())
        late = np.log(np.nanquantile(day.feature_age_minutes, 0.98))
        if z_score(state["age"], mean) > 8 or late > np.mean(state["age"]) + 2.2:
            found.append(("stale_features", "feature_age_minutes", "lagging"))
            explained |= {"payer_txn_count_24h"}
    ages, before = _ages(day), state["ages"]
    state["ages"] = ages
    both = [payer for payer in ages if payer in before]
    if len(both) > 15 and np.mean([ages[p] == before[p] and before[p] > 0 for p in both]) > 0.15:
        found.append(("dead_upstream_job", "payer_account_age_days", "nobody grew a day older"))
    for name in FEATURES:
        if name in day and name not in explained:
            found += _column_faults(name, day[name], special)
    return found


def _column_faults(name, column, special):
    nulls = is_null(column).mean()
    if nulls > state["nulls"][name] + 0.004:
        return [("null_spike", name, f"{nulls:.1%} null")]
    if name in state["names"]:
        shares, known = column.value_counts(normalize=True).to_dict(), state["names"][name]
        unknown = sum(share for value, share in shares.items() if value not in known)
        if unknown > 0.003:
            return [("renamed_category", name, f"{unknown:.1%} unknown")]
        distance = sum(abs(shares.get(value, 0) - share) for value, share in known.items()) / 2
        limit = 0.2
    else:
        values = column.dropna().to_numpy()
        factor = _unit(name, values) if name in MEASURED else None
        if factor:
            return [("unit_switch", name, f"times {factor:g}")]
        distance = _ks(state["values"][name], values)
        limit = 0.25 if special else 0.12
    return [("population_shift", name, f"distance {distance:.2f}")] if distance > limit else []


def _ks(ordered, values):
    values = np.sort(values)
    here = np.searchsorted(values, values, side="right") / len(values)
    there = np.searchsorted(ordered, values, side="right") / len(ordered)
    return float(np.abs(here - there).max())


def _unit(name, values):
    """Fit today's logarithms as (1 - s) × reference + s × reference moved by two or three decades."""

    def shape(numbers):
        counts = np.histogram(np.log10(np.maximum(numbers, 1e-6)), DECADES)[0]
        return counts / counts.sum()

    usual, now = shape(state["values"][name]), shape(values)
    for decades in (-3, -2, 2, 3):
        moved = np.roll(usual, 8 * decades)
        direction, change = moved - usual, now - usual
        share = change @ direction / (direction @ direction)
        left = change - share * direction
        if share > 0.015 and left @ left < 0.35 * (change @ change):
            return 10.0**-decades
    return None


def _bad_scores(day):
    for version in day.model_version.unique():
        scores = day.score[day.model_version == version].dropna().to_numpy()
        if len(scores) > 60 and _ks(state["values"]["score"], scores) > 0.2:
            return [("bad_deploy", "score", f"{version} scores otherwise")]
    return []


def _attack(day, labels, trusted):
    if "transaction_id" not in day or "event_time" not in day:
        return []
    weight = float(day.score.sum()) if trusted else 1.5 * state["usual_score"] * len(day)
    state["recent"].append((_paid_at(day), weight))
    paid = {i: at for ids, _ in state["recent"] for i, at in ids.items()}
    young = _quick(paid, labels)
    expected = state["quick_per_score"] * float(np.mean([weight for _, weight in state["recent"]]))
    state["counts"].append((young, expected))
    seen, usual = np.sum(list(state["counts"]), axis=0)
    many = len(state["counts"]) == 2 and (seen - usual) / np.sqrt(usual) > 4.5
    return (
        [("fraud_attack", "is_fraud", f"{seen:.0f} quick reports in two days, {usual:.0f} usual")]
        if many
        else []
    )


def _expected(day, today):
    level = float(np.log(day.amount_paise.clip(lower=1)).mean())
    if not (today["festival"] or today["is_salary_day"]):
        state["amounts"] = [*state["amounts"][1:], level]
        return []
    z = z_score(state["amounts"], level)
    return [("expected_change", "amount_paise", f"z {z:.1f}")] if z > 4 else []


def _once(found):
    fresh = []
    for cause, feature, message in found:
        if (cause, feature) not in state["open"] or cause == "expected_change":
            handling = dict(zip(("severity", "route", "decision"), HANDLING[cause], strict=True))
            fresh.append({**handling, "cause": cause, "feature": feature, "message": message})
    now = {(cause, feature) for cause, feature, _ in found}
    still = {key: quiet + 1 for key, quiet in state["open"].items() if key not in now and quiet < 2}
    state["open"] = {**still, **dict.fromkeys(now, 0)}
    return fresh


def _ordinary_amounts(reference, calendar):
    date = (reference.event_time + np.timedelta64(330, "m")).dt.strftime("%Y-%m-%d")
    means = np.log(reference.amount_paise).groupby(date).mean()
    return [float(means[c["date"]]) for c in calendar if not (c["festival"] or c["is_salary_day"])]


def _ages(day):
    if "payer_id" not in day or "payer_account_age_days" not in day:
        return {}
    return dict(zip(day.payer_id.tolist(), day.payer_account_age_days.tolist(), strict=True))


def _paid_at(day):
    return dict(zip(day.transaction_id.tolist(), day.event_time.to_numpy(), strict=True))


def _quick(paid, labels):
    """Frauds among the labels that were reported within two days of a payment in `paid`."""
    frauds = labels[labels.is_fraud.astype(bool)]
    reports = zip(frauds.transaction_id.tolist(), frauds.labelled_at.to_numpy(), strict=True)
    return sum(1 for i, at in reports if i in paid and at - paid[i] < np.timedelta64(48, "h"))
