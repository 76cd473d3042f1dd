"""A file that a learner's work left behind, read raw: nothing in it is loaded, followed or run."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from typing import Any

from labs.grading.compare import parse_json, shorten
from labs.grading.evidence import Evidence


@dataclass
class Document(Evidence):
    """A file that the learner's work left behind, read raw: nothing in it is loaded, followed or run."""

    path: str = ""
    bytes: bytes = b""
    exists: bool = True

    def expect(self, *, exists: bool = True, hint: str = "") -> Document:
        if exists != self.exists:
            is_there, is_not = f"a file `{self.path}`", f"no file `{self.path}`"
            self.fail(wanted=is_there if exists else is_not, got=is_not if exists else is_there, hint=hint)
        return self

    def text(self) -> str:
        try:
            return self.expect().bytes.decode()
        except UnicodeDecodeError:
            self.fail(
                wanted="text in UTF-8",
                got=f"`{self.path}` holds other bytes",
                hint="Open it with encoding='utf-8'.",
            )

    def json(self) -> Any:
        text = self.text()
        try:
            return parse_json(text)
        except ValueError as error:
            self.fail(wanted=f"JSON in `{self.path}`", got=f"{error}", hint="Write it with `json.dump`.")

    def csv(self) -> Any:
        import pandas as pd

        text = self.text()
        rows = list(csv.reader(io.StringIO(text)))
        if not rows or len({len(row) for row in rows}) > 1:
            self.fail(wanted=f"a CSV table in `{self.path}`", got=shorten(text, 160) or "nothing")
        return pd.DataFrame(rows[1:], columns=rows[0])

    def parquet(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.expect()
        try:
            table = pq.read_table(pa.BufferReader(self.bytes))
            table.validate(full=True)
            return table.to_pandas(ignore_metadata=True)
        except (pa.ArrowException, ValueError, OSError):
            self.fail(wanted=f"Parquet in `{self.path}`", got=f"{len(self.bytes):,} bytes of something else")

    def sqlite(self, query: str, limit: int = 10_000) -> list[tuple[Any, ...]]:
        """Rows of one query over a private copy: read-only, untrusted schema, bounded steps, real tables only."""
        self.expect()
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "copy.db")
            with open(copy, "wb") as file:
                file.write(self.bytes)
            connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
            try:
                connection.execute("pragma trusted_schema = off")
                steps = iter(range(2_000))
                connection.set_progress_handler(lambda: int(next(steps, None) is None), 100_000)
                tables = dict(connection.execute("select name, type from sqlite_master"))
                views = [name for name, kind in tables.items() if kind in ("view", "trigger")]
                if views:
                    self.fail(wanted="plain tables", got=f"`{views[0]}` is a {tables[views[0]]}")
                return connection.execute(query).fetchmany(limit)
            except sqlite3.Error as error:
                self.fail(wanted=f"an answer of `{self.path}` to: {query}", got=f"SQLite says: {error}")
            finally:
                connection.close()
