"""One date's impressions inside the lake: typed, each impression once, with what the gates need to know of them.

A copy is named after the manifest that it was made from. So late data, which comes with a new manifest, makes a new
copy, and a run that was killed finds either a whole copy or none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deliveries import Delivery
from impressions import COLUMNS, KNOWN_WHEN_SHOWN, LABEL, SCHEMA, bounds
from settings import DataGate, Settings

BATCH_ROWS = 1 << 15


@dataclass(frozen=True)
class Facts:
    """What was counted while a day was copied: rows, nulls by column, rows out of range by column, missing columns."""

    rows: int
    nulls: dict[str, int]
    out_of_range: dict[str, int]
    unfit_columns: list[str]


@dataclass(frozen=True)
class Day:
    """A day's copy in the lake."""

    day: date
    digest: str
    folder: Path
    facts: Facts

    def batches(self) -> Iterator[tuple[pd.DataFrame, npt.NDArray[np.int8]]]:
        """(what was known when shown, redeemed) of at most `BATCH_ROWS` impressions at a time."""
        for batch in pq.ParquetFile(self.folder / "rows.parquet").iter_batches(BATCH_ROWS):
            frame = pa.table(batch).select(KNOWN_WHEN_SHOWN).to_pandas()
            yield frame, batch.column(LABEL).to_numpy(zero_copy_only=False)


def copy_in(delivery: Delivery, lake: Path) -> Day:
    """Copy a delivery into the lake, unless this very delivery is there. The rename at the end makes it visible."""
    folder = lake / "days" / f"dt={delivery.day}" / delivery.digest[:16]
    if not (folder / "facts.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        facts = _copy_rows(delivery, folder / "rows.parquet")
        unfinished = folder / "facts.json.unfinished"
        unfinished.write_text(json.dumps(asdict(facts), sort_keys=True), encoding="utf-8")
        os.replace(unfinished, folder / "facts.json")  # written last: without it the copy does not count
    facts = Facts(**json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    return Day(delivery.day, delivery.digest, folder, facts)


def _copy_rows(delivery: Delivery, target: Path) -> Facts:
    if unfit := _unfit_columns(delivery):
        return Facts(0, {}, {}, unfit)
    rows, nulls, strays = 0, dict.fromkeys(COLUMNS, 0), dict.fromkeys(COLUMNS, 0)
    repeated = _repeated(delivery)
    start = 0
    with pq.ParquetWriter(target, SCHEMA, compression="zstd", compression_level=1) as writer:
        for part in delivery.parts:
            for batch in pq.ParquetFile(part).iter_batches(BATCH_ROWS, columns=list(COLUMNS)):
                drop = repeated[np.searchsorted(repeated, start) :] - start
                keep = np.ones(batch.num_rows, dtype=bool)
                keep[drop[drop < batch.num_rows]] = False
                start += batch.num_rows
                table = pa.table(batch).select(list(COLUMNS)).cast(SCHEMA).filter(pa.array(keep))
                writer.write_table(table)
                rows += table.num_rows
                for name in COLUMNS:
                    nulls[name] += table[name].null_count
                    strays[name] += _out_of_range(table[name], name, delivery.day)
    return Facts(rows, nulls, strays, [])


def _unfit_columns(delivery: Delivery) -> list[str]:
    """Columns that a part lacks, or has with another type (text instead of a number, say)."""
    unfit = set()
    for part in delivery.parts:
        found = pq.read_schema(part)
        for name, column in COLUMNS.items():
            if name not in found.names or not _fits(found.field(name).type, column.type):
                unfit.add(name)
    return sorted(unfit)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp, _is_text)
    return any(kind(found) and kind(wanted) for kind in kinds)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _repeated(delivery: Delivery) -> npt.NDArray[np.int64]:
    """Places, over all parts, of rows whose impression came before: one number per row is all that is held."""
    ids = np.concatenate(
        [
            batch.column(0).fill_null(-1).to_numpy(zero_copy_only=False)
            for part in delivery.parts
            for batch in pq.ParquetFile(part).iter_batches(BATCH_ROWS, columns=["impression_id"])
        ]
        or [np.empty(0, dtype=np.int64)]
    )
    order = np.argsort(ids, kind="stable")  # stable: the first of equals stays first
    ids = ids[order]
    again = np.flatnonzero(ids[1:] == ids[:-1]) + 1
    return np.sort(order[again])


def _out_of_range(values: pa.ChunkedArray, name: str, day: date) -> int:
    column = COLUMNS[name]
    if name == "shown_at":
        start, end = (pa.scalar(moment, pa.timestamp("us")) for moment in bounds(day))
        outside = pc.or_(pc.less(values, start), pc.greater_equal(values, end))
    elif column.choices:
        outside = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, pa.array(column.choices))))
    elif column.least is None:
        return 0
    elif column.most is None:
        outside = pc.less(values, column.least)
    else:
        outside = pc.or_(pc.less(values, column.least), pc.greater(values, column.most))
    return pc.sum(outside).as_py() or 0


def fit_for_use(day: Day, settings: Settings) -> None:
    """The data gate's rules that need no other day.

    Raises:
        DataGate: a column is unfit, has too many nulls, or has a value out of range.
    """
    facts = day.facts
    if facts.unfit_columns:
        raise DataGate(
            f"data gate: column {facts.unfit_columns[0]} of {day.day} is missing or has another type"
        )
    if facts.rows == 0:
        raise DataGate(f"data gate: rows: {day.day} has none")
    for name, column in COLUMNS.items():
        share = facts.nulls[name] / facts.rows
        if share > (settings.max_null_share if column.nullable else 0):
            raise DataGate(f"data gate: nulls in {name} of {day.day}: {share:.4f} of the rows")
        if facts.out_of_range[name]:
            raise DataGate(
                f"data gate: range of {name} of {day.day}: {facts.out_of_range[name]} rows outside"
            )


def in_proportion(day: Day, others: list[Day], settings: Settings) -> None:
    """The data gate's rule about the number of rows, against the days before.

    Raises:
        DataGate: far fewer or far more rows than usual.
    """
    usual = float(np.median([other.facts.rows for other in others]))
    if not settings.min_rows_ratio <= day.facts.rows / usual <= settings.max_rows_ratio:
        raise DataGate(f"data gate: rows: {day.day} has {day.facts.rows}, the days before {usual:g}")
