"""Something to practise with: a model file, payers in Redis, payments to send, a day to diagnose.

python practise.py model fraud.onnx          train a model and write the file
python practise.py payers                    store 500 payers and the hot list in $REDIS_URL
python practise.py payments 20               print so many payments, one JSON object a line
python practise.py day cold_cache day.csv    write a day of telemetry with this wrong, or: slow_dependency, bad_deploy,
                                             traffic_spike, healthy; another seed at the end draws another day
"""

import json
import os
import sys
import time
from pathlib import Path

import labs

WORLD_SEED, PAYERS, HOT = 7, 500, 200
CHECKS = Path(labs.__file__).resolve().parents[1] / "stage3_projects" / "04_online_inference" / "checks"


def transactions():
    from labs.world import World

    return World(seed=WORLD_SEED).transactions(20).drop_duplicates("payer_id").head(PAYERS).to_dict("records")


def model(path):
    sys.path.insert(0, str(CHECKS))
    from model_maker import make_model

    made = make_model(seed=1)
    Path(path).write_bytes(made.content)
    print(f"{path}: {made.version}, blocks from {made.threshold}")


def payers():
    import redis

    store = redis.Redis.from_url(os.environ["REDIS_URL"])
    with store.pipeline() as pipe:
        pipe.delete("fraud:hot_payers")
        for number, row in enumerate(transactions()):
            fields = {
                "payer_account_age_days": repr(float(row["payer_account_age_days"])),
                "payer_txn_count_24h": str(row["payer_txn_count_24h"]),
                "payer_mean_amount_30d_paise": repr(float(row["payer_mean_amount_30d_paise"])),
                "event_time": str(int(time.time() * 1000)),
            }
            pipe.hset(f"fraud:payer:{row['payer_id']}", mapping=fields)
            if number < HOT:
                pipe.rpush("fraud:hot_payers", row["payer_id"])
        pipe.execute()
    print(f"{PAYERS} payers stored, {HOT} of them hot")


def payments(count):
    for row in transactions()[: int(count)]:
        body = {name: int(row[name]) for name in ("transaction_id", "payer_id", "amount_paise", "hour_ist")}
        body |= {"channel": row["channel"], "payer_merchant_is_new": bool(row["payer_merchant_is_new"])}
        body |= {name: round(float(row[name]), 3) for name in ("device_age_days", "distance_km")}
        print(json.dumps(body))


def day(kind, path, seed=WORLD_SEED):
    sys.path.insert(0, str(CHECKS))
    from pages import Replays

    replays = Replays(int(seed))
    days = [*replays.cold_caches(), *replays.others(), *replays.healthy()]
    found = next((one for one in days if (one.cause or "healthy") == kind), None)
    if found is None:
        sys.exit(
            f"There is no `{kind}`. There are: {', '.join(sorted({one.cause or 'healthy' for one in days}))}"
        )
    found.telemetry.to_csv(path, index=False)
    begins = f" from {found.start:%Y-%m-%d %H:%M} UTC" if found.start else ""
    print(f"{path}: 1440 minutes, {found.words}{begins}")


if __name__ == "__main__":
    acts = {"model": model, "payers": payers, "payments": payments, "day": day}
    if len(sys.argv) < 2 or sys.argv[1] not in acts:
        sys.exit(__doc__)
    acts[sys.argv[1]](*sys.argv[2:])
