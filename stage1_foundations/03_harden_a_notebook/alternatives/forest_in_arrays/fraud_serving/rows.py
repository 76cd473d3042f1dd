"""Lines to a table of float32, with NumPy. `clean` is strict; `table` is what both training and serving call."""

import json
from datetime import datetime, timedelta

import numpy as np

NUMBERS = [
    "payer_account_age_days",
    "payer_txn_count_24h",
    "payer_mean_amount_30d_paise",
    "device_age_days",
    "distance_km",
]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
INDIA = timedelta(hours=5, minutes=30)
GAP = -1.0


class Broken(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Broken(message)


def numeric(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and x == x and abs(x) != float("inf")


SECONDS = "9999-99-99T99:99:99"
SHAPES = {
    SECONDS + ("." + "9" * digits if digits else "") + zone
    for digits in range(7)
    for zone in ("Z", "+99:99", "-99:99")
}


def moment(text):
    """The time that a text says. Python reads more than the contract allows, so look at its shape first."""
    shape = "".join("9" if letter in "0123456789" else letter for letter in text)
    if shape not in SHAPES or (text[-1] != "Z" and text[-2:] > "59"):
        raise ValueError("not as the contract writes it")
    return datetime.fromisoformat(text)


def clean(line, label=False):
    """A dict with `id`, `minutes` (since 1970, on an Indian clock), `paise`, and the fields; gaps are None."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    need(isinstance(row, dict), "not a JSON object")
    get = row.get
    need(
        isinstance(get("transaction_id"), int) and get("transaction_id") not in (True, False),
        "transaction_id",
    )
    try:
        local = (moment(get("event_time")) - EPOCH + INDIA) / timedelta(minutes=1)
    except (TypeError, ValueError):
        raise Broken("event_time") from None
    amounts = [get(k) for k in ("amount_paise", "amount_rupees")]
    need(amounts.count(None) == 1, "one of amount_paise, amount_rupees")
    value = amounts[0] or amounts[1]
    need(numeric(value) and value > 0, "amount")
    out = {
        "id": row["transaction_id"],
        "minutes": local,
        "paise": int(value if amounts[1] is None else value * 100 + 0.5),
    }
    for name in NUMBERS:
        need(get(name) is None or (numeric(get(name)) and get(name) >= 0), name)
        out[name] = get(name)
    for name in ("channel", "merchant_category"):
        need(get(name) is None or isinstance(get(name), str), name)
        out[name] = get(name)
    out["new"] = get("payer_merchant_is_new")
    need(out["new"] is None or isinstance(out["new"], bool), "payer_merchant_is_new")
    if label:
        need(get("is_fraud") is True or get("is_fraud") is False, "is_fraud")
        out["y"] = get("is_fraud")
    return out


def table(rows, words):
    """One line of float32 for each row. `words`: the names met in training, by field."""
    x = []
    for r in rows:
        usual = r["payer_mean_amount_30d_paise"]
        cells = [r["paise"], r["paise"] / usual if usual else GAP, r["minutes"] // 60 % 24]
        cells += [GAP if r[n] is None else r[n] for n in [*NUMBERS, "new"]]
        cells += [float(r[field] == word) for field in sorted(words) for word in words[field]]
        x.append(cells)
    return np.array(x, dtype=np.float32)
