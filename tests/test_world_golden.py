"""The same seed gives the same world on every Python and NumPy in the lock.

Whole numbers and decisions (ids, times, amounts, who is a fraud, the incident plan) are compared exactly, by
hash; floats are sampled and compared to 1e-9. `python benchmarks/world.py golden` rewrites the file; only a
deliberate change of the world may do that, because it changes every lab's data.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labs.world import World, plan_incidents

GOLDEN = Path(__file__).parent / "data" / "world_golden.json"
FIRST, DAYS = date(2026, 10, 26), (0, 2, 5, 8, 12, 13, 17)  # the days up to Diwali 2026, and after


def sampled() -> dict[str, Any]:
    """What the golden file holds: for three worlds, hashes of what is exact and samples of what is not."""
    worlds = {}
    for seed, rows in ((7, 20_000), (8, 3_000), (123_456_789, 700)):
        incidents = plan_incidents(seed, FIRST, 21)
        world = World(seed=seed, first_day=FIRST, transactions_per_day=rows, incidents=incidents)
        days = {str(day): _sampled_day(world, day) for day in DAYS}
        worlds[str(seed)] = {"incidents": [_plain(incident) for incident in incidents], "days": days}
    return worlds


def _plain(incident: Any) -> list[Any]:
    times = [incident.start.isoformat(), incident.end.isoformat()]
    return [str(incident.kind), *times, incident.severity, incident.cause, incident.feature]


def _sampled_day(world: World, day: int) -> dict[str, Any]:
    tables = {
        "served": world.served(day),
        "labels": world.labels(day),
        "truth": world.truth(day),
        "telemetry": world.telemetry(day),
    }
    sampled_tables: dict[str, Any] = {}
    for name, table in tables.items():
        exact = {str(column): _hash(table[column]) for column in table if table[column].dtype.kind != "f"}
        floats = {str(column): _some(table[column]) for column in table if table[column].dtype.kind == "f"}
        sampled_tables[name] = {"rows": len(table), "exact": exact, "floats": floats}
    return sampled_tables


def _hash(column: pd.Series[Any]) -> str:
    values = column.astype(str) if column.dtype == "category" else column.astype("int64")
    return hashlib.sha256("\n".join(map(str, values.tolist())).encode()).hexdigest()[:16]


def _some(column: pd.Series[Any]) -> list[float | None]:
    every = max(1, len(column) // 7)
    values = [float(value) for value in column.iloc[::every]]
    mean = float(column.mean())
    return [None if value != value else value for value in [mean, *values]]


def test_the_world_is_the_same_on_every_python() -> None:
    golden, found = json.loads(GOLDEN.read_text()), sampled()
    assert found.keys() == golden.keys()
    for seed, world in golden.items():
        assert found[seed]["incidents"] == world["incidents"]
        for day, tables in world["days"].items():
            for name, table in tables.items():
                got = found[seed]["days"][day][name]
                where = f"seed {seed}, day {day}, {name}"
                assert (got["rows"], got["exact"]) == (table["rows"], table["exact"]), where
                assert got["floats"].keys() == table["floats"].keys(), where
                for column, values in table["floats"].items():
                    assert [v is None for v in got["floats"][column]] == [v is None for v in values], (
                        where,
                        column,
                    )
                    numbers = [v for v in got["floats"][column] if v is not None]
                    wanted = [v for v in values if v is not None]
                    assert numbers == pytest.approx(wanted, rel=1e-9, abs=1e-9), (where, column)
