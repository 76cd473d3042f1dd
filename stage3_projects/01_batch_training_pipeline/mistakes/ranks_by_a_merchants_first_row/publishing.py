"""The published tables. One file, the manifest, says what is published; replacing it is the only step that counts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from days import Day
from model import Model

FOLDER = Path("published") / "offers"
MANIFEST = FOLDER / "manifest.json"
RANKING = pa.schema(
    [("payer_id", pa.int64()), ("rank", pa.int32()), ("merchant_id", pa.int64()), ("score", pa.float64())]
)


def read_manifest(lake: Path) -> dict[str, Any]:
    """What is published now; nothing at first."""
    try:
        found: dict[str, Any] = json.loads((lake / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"latest": None, "dates": {}}
    return found


def rank(day: Day, model: Model, most: int) -> pd.DataFrame:
    """Each payer's `most` best merchants of the day, by payer and rank. Holds the best so far and one batch."""
    best = pd.DataFrame({"payer_id": [], "merchant_id": [], "score": []}).astype(
        {"payer_id": np.int64, "merchant_id": np.int64}
    )
    waiting: list[pd.DataFrame] = []
    for impressions, _ in day.batches():
        scored = impressions[["payer_id", "merchant_id"]].assign(score=model.score(impressions))
        waiting.append(scored)
        if sum(map(len, waiting)) > len(best):  # merging costs what is held, so let as much come together
            best, waiting = _best([best, *waiting], most), []
    best = _best([best, *waiting], most)
    best["rank"] = best.groupby("payer_id").cumcount() + 1
    return best[RANKING.names]


def _best(frames: list[pd.DataFrame], most: int) -> pd.DataFrame:
    every = pd.concat(frames, ignore_index=True).drop_duplicates(["payer_id", "merchant_id"])
    order = np.lexsort(
        (every["merchant_id"], -every["score"], every["payer_id"])
    )  # equal scores: by merchant
    every = every.iloc[order]
    return every[every.groupby("payer_id").cumcount() < most].reset_index(drop=True)


def publish(
    lake: Path, day: date, ranking: pd.DataFrame, model: Model, metrics: dict[str, Any], parts: int,
    may_publish: Callable[[], None],
) -> None:  # fmt: skip
    """Write the table beside what is published, then let the manifest name it.

    Files get the name of their content, so nothing that a reader may be reading is ever written to, and the same
    content written again is the same file. What the manifest before named stays.

    Raises:
        LeaseHeld: from `may_publish`, which is asked last.
    """
    folder = FOLDER / f"dt={day}"
    (lake / folder).mkdir(parents=True, exist_ok=True)
    entry: dict[str, Any] = {"parts": [], "metrics": metrics}
    for number in range(parts):
        rows = ranking[ranking["payer_id"] % parts == number]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(rows, RANKING, preserve_index=False), sink)
        file = _keep(lake, folder, f"part-{number:05d}", ".parquet", sink.getvalue().to_pybytes())
        entry["parts"].append({**file, "rows": len(rows)})
    entry["model"] = _keep(lake, folder, "model", ".json", model.to_json())
    manifest = read_manifest(lake)
    manifest["dates"] = dict(sorted({**manifest["dates"], str(day): entry}.items()))
    manifest["latest"] = max(manifest["dates"])
    content = json.dumps(manifest, indent=1, sort_keys=True).encode()
    unfinished = lake / FOLDER / "manifest.json.unfinished"
    _write(unfinished, content)
    may_publish()
    os.replace(unfinished, lake / MANIFEST)


def _keep(lake: Path, folder: Path, stem: str, suffix: str, content: bytes) -> dict[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{stem}-{digest[:16]}{suffix}"
    if not (lake / path).exists():
        unfinished = lake / path.with_suffix(".unfinished")
        _write(unfinished, content)
        os.replace(unfinished, lake / path)
    return {"path": path.as_posix(), "sha256": digest}


def _write(path: Path, content: bytes) -> None:
    """Write and wait until it is on the disk: a rename must not arrive there before the content does."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
