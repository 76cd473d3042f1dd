"""The pipeline of the lab `batch_training_pipeline` on one large day, against a program that reads the day at once.

    python benchmarks/batch_pipeline.py [--rows 10000000] [--rounds 1] [--window 1]

Both do the same work on the same landing folder: count each impression once, check every row, build the features of a
training day, train, compute the AUC of the day, rank the best offers of each payer. Neither uses Prefect or Redis,
whose cost does not grow with rows. Each runs in a process of its own, in turn. The solution streams batches of Parquet
row groups; its peer is what one writes first: pandas, whole. The peer uses the solution's own features and model, so
only the way in which data moves differs. Ratios are of the same round. Prints Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "stage3_projects" / "01_batch_training_pipeline"
DAY = date(2026, 11, 2)  # no festival
TRAINING_ROWS = 200_000  # of each day of the window
SOLUTION, PEER = "solution, streamed", "pandas, in memory"


def land(folder: Path, rows: int, window: int) -> int:
    """A landing folder with one large day, and `window` smaller ones before it. Returns the day's rows."""
    from labs.world.offers import Offers

    for back in range(window, -1, -1):
        day = DAY - timedelta(days=back)
        offers = Offers(7, date(2026, 10, 1), rows if not back else TRAINING_ROWS)
        target = folder / f"dt={day}"
        target.mkdir(parents=True)
        parts = []
        for number, chunk in enumerate(offers.chunks(day)):
            name = f"part-{number:05d}.parquet"
            text = chunk.assign(merchant_category=chunk["merchant_category"].astype(str))
            text.to_parquet(target / name, index=False)
            digest = hashlib.file_digest((target / name).open("rb"), "sha256").hexdigest()
            parts.append({"path": name, "rows": len(chunk), "sha256": digest})
        (target / "_MANIFEST.json").write_text(json.dumps({"date": str(day), "parts": parts}))
    return offers.rows(DAY)


def run_solution(landing: Path, lake: Path, window: int) -> dict[str, float]:
    """The steps of `solution/pipeline.py`, without the flow around them."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    import days
    import deliveries
    import model as models
    import publishing

    dates = [DAY - timedelta(days=back) for back in range(window, -1, -1)]
    *training, today = (days.copy_in(deliveries.find(landing, day), lake) for day in dates)
    model = models.fit([models.sample(day, lake) for day in training])
    scores, labels = [], []
    for impressions, redeemed in today.batches():
        scores.append(model.score(impressions).astype(np.float32))
        labels.append(redeemed)
    auc = float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))
    del scores, labels
    ranking = publishing.rank(today, model, 3)
    publishing.publish(lake, DAY, ranking, model, {"auc": auc}, 4, lambda: None)
    return {"auc": auc, "ranked": len(ranking)}


def run_peer(landing: Path, lake: Path, window: int) -> dict[str, float]:
    """The same with whole frames, as in a notebook."""
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    import deliveries
    import features
    import impressions
    import model as models

    def read(day: date) -> pd.DataFrame:
        parts = deliveries.find(landing, day).parts
        return pd.concat([pd.read_parquet(part) for part in parts]).drop_duplicates(
            "impression_id", ignore_index=True
        )

    samples = []
    for back in range(window, 0, -1):
        frame = read(DAY - timedelta(days=back))
        samples.append(lake / f"{back}.parquet")
        features.build(frame).assign(redeemed=frame["redeemed"]).to_parquet(samples[-1])
    model = models.fit(samples)
    today = read(DAY)
    start, end = impressions.bounds(DAY)
    for name, column in impressions.COLUMNS.items():
        outside = ~today["shown_at"].between(start, end, inclusive="left") if name == "shown_at" else None
        if column.least is not None:
            outside = (today[name] < column.least) | (today[name] > (column.most or float("inf")))
        if outside is not None and outside.any():
            raise SystemExit(f"{name} is out of range")
    today["score"] = model.score(today)
    auc = float(roc_auc_score(today["redeemed"], today["score"]))
    best = today.sort_values(["payer_id", "score", "merchant_id"], ascending=[True, False, True])
    best = best.drop_duplicates(["payer_id", "merchant_id"])
    ranking = best[best.groupby("payer_id").cumcount() < 3][["payer_id", "merchant_id", "score"]]
    ranking.to_parquet(lake / "ranking.parquet")
    return {"auc": auc, "ranked": len(ranking)}


def child(kind: str, landing: Path, window: int) -> None:
    """One measurement, in this process: JSON on standard output."""
    sys.path.insert(0, str(LAB / "solution"))
    with tempfile.TemporaryDirectory(dir=landing.parent) as lake:
        began = time.perf_counter()
        found = (run_solution if kind == SOLUTION else run_peer)(landing, Path(lake), window)
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    found |= {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}
    print(json.dumps(found))


def measured(kind: str, landing: Path, window: int) -> dict[str, float] | None:
    """The same in a process of its own; None if it did not live to the end (the machine may be too small for it)."""
    words = [sys.executable, __file__, "--child", kind, "--landing", str(landing), "--window", str(window)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, check=False)
    found: dict[str, float] = json.loads(ran.stdout) if ran.returncode == 0 else {}
    return found or None


def show(rows: int, rounds: list[dict[str, dict[str, float] | None]]) -> None:
    print(f"\n{rows:,} rows in one day; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"Python {sys.version.split()[0]}, {len(rounds)} rounds, medians\n")  # fmt: skip
    print("| | rows/s | rows per CPU second | peak MiB | AUC | time, ratio | memory, ratio |")
    print("|---|---|---|---|---|---|---|")
    for kind in (SOLUTION, PEER):
        done = [one for turn in rounds if (one := turn[kind])]
        if not done:
            print(f"| {kind} | ended before it was done | | | | | |")
            continue

        def middle(key: str, done: list[dict[str, float]] = done) -> float:
            return statistics.median(one[key] for one in done)

        def ratio(key: str, kind: str = kind) -> str:
            pairs = [(turn[kind], turn[SOLUTION]) for turn in rounds]
            return f"{statistics.median(one[key] / base[key] for one, base in pairs if one and base):.2f}"

        print(f"| {kind} | {rows / middle('seconds'):,.0f} | {rows / middle('cpu'):,.0f} | {middle('peak_mib'):,.0f} "
              f"| {middle('auc'):.4f} | {ratio('seconds')} | {ratio('peak_mib')} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="of an ordinary day; this one has a few more"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--window", type=int, default=1, help="training days")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--landing", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.landing, asked.window)
        return
    with tempfile.TemporaryDirectory() as scratch:
        landing = Path(scratch) / "landing"
        rows = land(landing, asked.rows, asked.window)
        rounds = []
        for _ in range(asked.rounds):
            rounds.append({kind: measured(kind, landing, asked.window) for kind in (SOLUTION, PEER)})
        show(rows, rounds)


if __name__ == "__main__":
    main()
