"""What is published in a lake, read as a reader would: the manifest first, then the files that it names."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labs.checks import Document, Work

LAKE = "lake-of-the-check"  # a learner's own practice may lie in `lake`
MANIFEST = "published/offers/manifest.json"
COLUMNS = {"payer_id": "int64", "rank": "int32", "merchant_id": "int64", "score": "double"}
ATOMIC = "Write new files beside the old ones, then replace the manifest in one step: os.replace."


@dataclass(frozen=True)
class Published:
    """A manifest and the files that it names, all proven whole."""

    document: Document
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def table(self, day: Any) -> pd.DataFrame:
        """The ranking of one date, parts in the manifest's order."""
        tables = [pq.read_table(io.BytesIO(self.files[part["path"]])) for part in self.entry(day)["parts"]]
        for table, part in zip(tables, self.entry(day)["parts"], strict=True):
            self.document.require(
                table.num_rows == part["rows"],
                wanted=f"a part with {part['rows']} rows, as the manifest says",
                got=f"{table.num_rows} rows",
            )
            found = {field.name: str(field.type) for field in table.schema}
            self.document.require(
                found == COLUMNS, wanted=f"parts with the columns {COLUMNS}", got=str(found)
            )
        return pa.concat_tables(tables).to_pandas()

    def entry(self, day: Any) -> dict[str, Any]:
        found = self.manifest["dates"].get(str(day))
        self.document.require(
            isinstance(found, dict),
            wanted=f"an entry for {day}",
            got=f"dates {sorted(self.manifest['dates'])}",
        )
        return found


def read(work: Work, lake: str = LAKE) -> Published | None:
    """What a reader sees now; None if nothing is published yet. Fails the check on anything that is not whole."""
    document = work.read(f"{lake}/{MANIFEST}")
    if not document.exists:
        return None
    try:
        manifest = json.loads(document.bytes)
    except ValueError:
        document.fail(wanted="a whole manifest", got="half of one, or no JSON", hint=ATOMIC)
    try:
        entries = [manifest["dates"][day] for day in manifest["dates"]]
        named = [file for entry in entries for file in (*entry["parts"], entry["model"])]
        named = [(str(file["path"]), str(file["sha256"])) for file in named]
        fine = all(isinstance(entry["metrics"]["auc"], float) for entry in entries) and "latest" in manifest
    except (TypeError, KeyError, AttributeError):
        fine = False
    document.require(
        fine, wanted="a manifest as the contract describes it", got="keys missing, or of other types"
    )
    files = {}
    for path, digest in named:
        content = work.read(f"{lake}/{path}")
        whole = content.exists and hashlib.sha256(content.bytes).hexdigest() == digest
        document.require(
            whole,
            wanted="every file that the manifest names, with the bytes that it promises",
            got="a file that is missing or has other bytes",
            hint=ATOMIC,
            measured=path,
        )
        files[path] = content.bytes
    return Published(document, manifest, files)


def must_read(work: Work, lake: str = LAKE) -> Published:
    found = read(work, lake)
    if found is None:
        work.read(f"{lake}/{MANIFEST}").expect(exists=True, hint="Publish under the lake's folder.")
    assert found is not None
    return found


def same(found: Published, wanted: Published) -> bool:
    """Whether two readers saw the same, to the byte."""
    return found.document.bytes == wanted.document.bytes and found.files == wanted.files


def snapshot(work: Work, lake: str = LAKE) -> dict[str, bytes]:
    """Every file of the lake, to put into another check's sandbox."""
    return {path: work.read(path).bytes for path in work.files() if path.startswith(f"{lake}/")}


def restore(work: Work, files: dict[str, bytes], lake: str = LAKE) -> None:
    for path, content in files.items():
        work.put(f"{lake}/{path.partition('/')[2]}", content)


def proper_ranking(found: Published, day: Any, shown: pd.DataFrame, most: int) -> None:
    """Fail unless the ranking of `day` has each payer's `most` best merchants among those in `shown`."""
    table, document = found.table(day), found.document
    parts = len(found.entry(day)["parts"])
    document.require(parts == 3, wanted="3 parts, as pipeline.toml says", got=f"{parts} parts")
    pairs = shown.drop_duplicates(["payer_id", "merchant_id"])
    counts = pairs.groupby("payer_id").size().clip(upper=most)
    table = table.sort_values(["payer_id", "rank"], ignore_index=True)
    have = table.groupby("payer_id").size()
    document.require(
        counts.equals(have.reindex(counts.index, fill_value=0)) and len(have) == len(counts),
        wanted=f"min({most}, merchants shown) rows for every payer of the date, and no other payer",
        got="another number of rows for some payer",
        measured=f"{len(table)} rows, {counts.sum()} wanted",
    )
    ranks = table.groupby("payer_id").cumcount() + 1
    falls = np.diff(table["score"]) <= 0
    one_payer = np.diff(table["payer_id"]) == 0
    document.require(
        np.array_equal(ranks, table["rank"]) and falls[one_payer].all(),
        wanted="for each payer ranks 1, 2, … with scores that do not rise",
        got="another order",
    )
    document.require(
        len(table.merge(pairs[["payer_id", "merchant_id"]])) == len(table)
        and not table.duplicated(["payer_id", "merchant_id"]).any(),
        wanted="merchants whose offers this payer was shown, each once",
        got="a merchant that was not shown to the payer, or one twice",
    )
