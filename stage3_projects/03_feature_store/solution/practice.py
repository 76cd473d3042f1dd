"""Plays a small night to your feature store and prints what it answers, in a folder that is thrown away.

python practice.py               # a night, a morning, four payers
python practice.py --dead-job    # three nights; from the second on the nightly job is dead
python practice.py --rollout     # version 2 beside version 1
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

NIGHT = datetime(2026, 10, 5, 20, 30)  # UTC: 02:00 in India
WHO = {101: "in both views", 102: "no row of the stream", 103: "deleted", 104: "unknown"}
PAYERS = [*range(1, 101), 101, 102, 103]


def nightly(event: datetime, seed: int) -> pd.DataFrame:
    """What the nightly job writes: one row per payer."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "payer_id": PAYERS,
            "event_timestamp": event,
            "created_timestamp": event + timedelta(minutes=8),
            "payer_account_age_days": rng.integers(1, 3000, len(PAYERS)).astype(float),
            "payer_mean_amount_30d_paise": rng.integers(5_000, 90_000, len(PAYERS)).astype(float),
            "is_deleted": [one == 103 for one in PAYERS],
        }
    )


def streamed(event: datetime, seed: int) -> pd.DataFrame:
    """What the stream consumer pushes."""
    payers = [one for one in PAYERS if one != 102]
    counts = np.random.default_rng(seed).integers(0, 9, len(payers))
    return pd.DataFrame(
        {
            "payer_id": payers,
            "event_timestamp": event,
            "created_timestamp": event + timedelta(seconds=4),
            "payer_txn_count_24h": counts,
            "is_deleted": False,
        }
    )


def show(answer: pd.DataFrame) -> None:
    """One line for each value of each payer would be long: statuses, ages in minutes, and the ratio."""
    for row in answer.to_dict("records"):
        states = "  ".join(
            f"{view[6:]} {row[f'{view}_status']:8}" for view in ("payer_nightly", "payer_stream")
        )
        ratio = row["amount_to_mean_30d"]
        ratio = "null" if pd.isna(ratio) else f"{ratio:.3f}"
        print(f"payer {row['payer_id']:3}  {states}  ratio {ratio:6}  ({WHO[row['payer_id']]})")


def a_night(features) -> datetime:
    now = NIGHT + timedelta(hours=7)
    features.apply()
    features.ingest("payer_nightly", nightly(NIGHT, 1))
    features.materialize(NIGHT + timedelta(hours=1))
    features.push(streamed(now - timedelta(minutes=3), 2))
    return now


def play(features, options: argparse.Namespace) -> None:
    now = a_night(features)
    payers, amounts = list(WHO), [250_000] * len(WHO)
    if options.dead_job:
        for night in range(3):
            later = now + timedelta(days=night)
            features.materialize(NIGHT + timedelta(days=night, hours=1))
            found = features.freshness(later)["payer_nightly"]
            print(
                f"{later:%d %b %H:%M} UTC  payer_nightly: p95 age {found['p95_age_seconds'] / 3600:.0f} h, "
                f"stale {found['stale_share']:.0%}, objective {'met' if found['met'] else 'MISSED'}"
            )
    elif options.rollout:
        features.rollout(NIGHT + timedelta(hours=2))
        for service in ("fraud_v1", "fraud_v2"):
            answer = features.online([101], [250_000], now, service)
            print(
                f"{service}: {', '.join(name for name in answer if name.endswith(('paise', 'rupees', '30d')))}"
            )
        features.rollback()
        try:
            features.online([101], [250_000], now, "fraud_v2")
        except KeyError:
            print("after the rollback: no fraud_v2")
    else:
        show(features.online(payers, amounts, now))
        print("two hours later, without a push:")
        show(features.online(payers[:1], amounts[:1], now + timedelta(hours=2)))
        asked = pd.DataFrame(
            {"payer_id": [101, 101, 104], "event_timestamp": [now, NIGHT, now], "amount_paise": 250_000}
        )
        print("in a training set:")
        print(features.training_set(asked)["amount_to_mean_30d"].round(3).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dead-job", action="store_true")
    parser.add_argument("--rollout", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.pop("REDIS_URL", None)  # practice on SQLite, whatever runs beside it
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        import features

        try:
            play(features, options)
        except NotImplementedError as missing:
            print(f"not started: {missing}", file=sys.stderr)
            sys.exit(75)
        finally:
            os.chdir("/")


if __name__ == "__main__":
    main()
