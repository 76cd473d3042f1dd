"""Compares what came back with what the slow store says, cell by cell, and says where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from drawing import clock
from labs.checks import Answer, close
from slow_store import VIEWS, Asked

HINT = "Which row had happened by then, and was known by then?"
DIGITS = "The row is right, and the number has lost digits: keep 64 bits on the whole way."
NOBODY = "No payer is online: there is no age, and nothing is met."
FRESH = {
    "payers": "Count who has a row online, stale ones too. Deleted ones do not count.",
    "p95_age_seconds": "Ages of all who have a row online, from the event. Nearest rank: number ceil(0.95 n), sorted.",
    "stale_share": "Stale is older than the greatest age. At exactly that age a row is not stale yet.",
    "met": "The objective is met up to and including it.",
}
UNREADABLE = object()


def cells(answer: Answer, columns: Sequence[str], count: int) -> list[dict[str, Any]]:
    """The rows of a returned frame as dicts, with `None` for every null; fails unless it has the columns and rows."""
    table = answer.value
    answer.require(
        isinstance(table, pd.DataFrame),
        wanted="a DataFrame",
        got=type(table).__name__,
        hint="Return a DataFrame.",
    )
    answer.require(
        list(table.columns) == list(columns),
        wanted=f"the columns {', '.join(columns)}, in this order",
        got=", ".join(map(str, table.columns)),
        hint="Choose the columns by name: an on-demand view brings all of its inputs along, in any order.",
    )
    answer.require(
        len(table) == count,
        wanted=f"{count} rows, one for each row that was asked for",
        got=f"{len(table)} rows",
        hint="Rows without a value, and rows that are there twice, are rows as well.",
    )
    columns_of = {name: [plain(value) for value in table[name].tolist()] for name in columns}
    return [dict(zip(columns_of, row, strict=True)) for row in zip(*columns_of.values(), strict=True)]


def compare(
    answer: Answer,
    what: str,
    got: Sequence[dict[str, Any]],
    wanted: Sequence[dict[str, Any]],
    asked: Sequence[Asked],
    chosen: Callable[[int], bool] = lambda _: True,
    names: Sequence[str] = (),
    hint: str = HINT,
) -> None:
    """Fail at the first cell, of the rows that are `chosen`, which is not as wanted. `names`: these columns only."""
    for number, (mine, right, one) in enumerate(zip(got, wanted, asked, strict=True)):
        for name in (names or right) if chosen(number) else ():
            if close(mine[name], right[name], 1e-9, 0):
                continue
            if close(mine[name], right[name], 1e-5, 0):
                hint = DIGITS
            case = f": {one.case}" if one.case else ""
            Answer(f"{what} for payer {one.payer} at {clock(one.time)}{case}", output=answer.output).fail(
                wanted=f"{name} = {shown(right[name])}", got=f"{name} = {shown(mine[name])}", hint=hint
            )


def compare_freshness(answer: Answer, wanted: dict[str, Any], views: Sequence[str] = VIEWS) -> None:
    answer.expect(keys=VIEWS)
    for view in views:
        found = answer.value[view]
        for name, value in wanted[view].items():
            there = isinstance(found, dict) and name in found
            answer.require(
                there and close(plain(found[name]), value, 1e-9, 0),
                wanted=f"{name} = {shown(value)} of {view}",
                got=f"{name} = {shown(plain(found[name]))}" if there else f"no `{name}`",
                hint=FRESH[name] if wanted[view]["payers"] else NOBODY,
            )


def online_columns(features: Sequence[str]) -> list[str]:
    return [
        "payer_id",
        *features,
        *(f"{view}_{what}" for view in VIEWS for what in ("status", "age_seconds")),
    ]


def plain(value: Any) -> Any:
    """Null as None, a number as float, a time as whole microseconds in UTC, text as it is."""
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, pd.Timestamp):
        return None if value is pd.NaT else _micros(value)
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return UNREADABLE if not hasattr(value, "isoformat") else _micros(pd.Timestamp(value))
    return None if np.isnan(number) else number


def _micros(time: pd.Timestamp) -> int:
    aware = time.tz_localize("UTC") if time.tzinfo is None else time
    return int((aware - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1))


def shown(value: Any) -> str:
    if value is None:
        return "null"
    if value is UNREADABLE:
        return "something that is no number and no text"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
