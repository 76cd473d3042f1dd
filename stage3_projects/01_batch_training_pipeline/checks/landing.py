"""Deliveries of the upstream: the world's offers as Parquet parts with a manifest, whole or with something wrong.

Run it to get some to practise with:  python landing.py FOLDER 2026-10-29 2026-11-15
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labs.world.offers import Offers

FIRST_DAY = date(2026, 10, 1)
AFTER_THE_EVENT = ["redeemed", "redeemed_at", "cashback_paise"]
PARTS = 3
Put = Callable[[str, bytes], Any]


@dataclass
class Delivery:
    """One date's parts, in memory, and what the manifest will say of them."""

    day: date
    parts: dict[str, bytes] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, frame: pd.DataFrame) -> Delivery:
        name = f"part-{len(self.parts):05d}.parquet"
        content = io.BytesIO()
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()  # not by pandas
        pq.write_table(table, content, row_group_size=1 << 17)
        self.parts[name] = content.getvalue()
        digest = hashlib.sha256(self.parts[name]).hexdigest()
        self.listed.append({"path": name, "rows": len(frame), "sha256": digest})
        return self

    def manifest(self) -> bytes:
        return json.dumps({"date": str(self.day), "parts": self.listed}, indent=1).encode()

    def land(self, put: Put, manifest: bool = True) -> None:
        """Write the parts with `put(path, bytes)`, and the manifest last."""
        for name, content in self.parts.items():
            put(f"landing/dt={self.day}/{name}", content)
        if manifest:
            self.land_manifest(put)

    def land_manifest(self, put: Put) -> None:
        put(f"landing/dt={self.day}/_MANIFEST.json", self.manifest())


def delivery(day: date, frame: pd.DataFrame, parts: int = PARTS) -> Delivery:
    """The frame in `parts` parts of about the same size."""
    found = Delivery(day)
    for rows in np.array_split(np.arange(len(frame)), parts):
        found.add(frame.iloc[rows])
    return found


def as_delivered(frame: pd.DataFrame) -> pd.DataFrame:
    """Text instead of categories: what Parquet written by somebody else's program holds."""
    return frame.assign(merchant_category=frame["merchant_category"].astype(str))


def of_regulars(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, shown to an eighth as many payers, by nine merchants: each payer has several to be ranked."""
    regulars = max(1, len(frame) // 8)
    return frame.assign(payer_id=1 + frame["payer_id"] % regulars, merchant_id=1 + frame["merchant_id"] % 9)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def main(argv: Sequence[str]) -> int:
    """Write a landing folder for the dates from FIRST to LAST: `landing.py FOLDER FIRST LAST [PER_DAY] [SEED]`."""
    folder, first, last = Path(argv[0]), *map(date.fromisoformat, argv[1:3])
    per_day, seed = (int(text) for text in (*argv[3:], "2000", "7")[:2])
    offers = Offers(seed, FIRST_DAY, per_day)

    def put(path: str, content: bytes) -> None:
        target = folder / path.partition("/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    for day in days(first, last):
        delivery(day, of_regulars(as_delivered(offers.impressions(day)))).land(put)
        print(f"{day}: {offers.rows(day)} impressions")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
