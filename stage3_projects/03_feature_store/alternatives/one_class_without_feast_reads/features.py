"""The feature store as one class: a DuckDB file for the past, Redis or SQLite for the present, Feast as the catalogue.

Feast keeps the registry that other teams read. Both sides of the data are ours: SQL joins for training, and rows that
carry their own rank (event time, creation time) online, so that a store can refuse an older row by itself.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import duckdb
import feast
import pandas as pd
import redis
from feast.infra.registry.registry import Registry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Float64, Int64

DATA = Path("data")
MICRO = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_AGE = {"payer_nightly": timedelta(days=2), "payer_stream": timedelta(minutes=60)}
OBJECTIVE = {"payer_nightly": timedelta(hours=26), "payer_stream": timedelta(minutes=15)}
STORED = {
    "payer_nightly": ("payer_account_age_days", "payer_mean_amount_30d_paise", "payer_merchants_30d"),
    "payer_stream": ("payer_txn_count_24h",),
}
DERIVED = {
    "payer_mean_amount_30d_rupees": lambda row: _over(row["payer_mean_amount_30d_paise"], 100),
    "amount_to_mean_30d": lambda row: _over(row["amount_paise"], row["payer_mean_amount_30d_paise"]),
}
SERVICES = {
    "fraud_v1": [
        "payer_account_age_days",
        "payer_mean_amount_30d_paise",
        "payer_txn_count_24h",
        "amount_to_mean_30d",
    ],
    "fraud_v2": [
        "payer_account_age_days",
        "payer_mean_amount_30d_rupees",
        "payer_merchants_30d",
        "payer_txn_count_24h",
        "amount_to_mean_30d",
    ],
}
SWAP = """
local mine = cjson.decode(ARGV[1])
local there = redis.call('HGET', KEYS[1], ARGV[2])
if there then
  local old = cjson.decode(there)
  if old[1] > mine[1] or (old[1] == mine[1] and old[2] >= mine[2]) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1])
return 1
"""
Stored = list[Any]  # event (seconds), created (microseconds), deleted, values


def _over(upper: float | None, lower: float | None) -> float | None:
    return None if upper is None or not lower else upper / lower


def _micros(time: datetime) -> int:
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC) - EPOCH) // MICRO


def _column(times: pd.Series) -> list[int]:
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return [_micros(pd.Timestamp(one).to_pydatetime()) for one in times]


class Present(Protocol):
    """What is online: one row per view and payer, and only ever a newer one."""

    def put(self, view: str, rows: Iterable[tuple[int, Stored]]) -> None: ...
    def get(self, view: str, payers: Sequence[int]) -> list[Stored | None]: ...


class InRedis:
    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.swap = self.client.register_script(SWAP)

    def put(self, view: str, rows: Iterable[tuple[int, Stored]]) -> None:
        with self.client.pipeline(transaction=False) as pipe:
            for payer, stored in rows:
                self.swap(keys=[f"nukkad:{payer}"], args=[json.dumps(stored), view], client=pipe)
            pipe.execute()

    def get(self, view: str, payers: Sequence[int]) -> list[Stored | None]:
        with self.client.pipeline(transaction=False) as pipe:
            for payer in payers:
                pipe.hget(f"nukkad:{payer}", view)
            return [None if one is None else json.loads(one) for one in pipe.execute()]


class InSqlite:
    def __init__(self) -> None:
        self.db = sqlite3.connect(DATA / "online.db")
        self.db.execute(
            "create table if not exists present (view text, payer integer, event integer, created integer, "
            "stored text, primary key (view, payer))"
        )

    def put(self, view: str, rows: Iterable[tuple[int, Stored]]) -> None:
        with self.db:
            self.db.executemany(
                "insert into present values (?, ?, ?, ?, ?) on conflict (view, payer) do update set "
                "event = excluded.event, created = excluded.created, stored = excluded.stored "
                "where (excluded.event, excluded.created) > (event, created)",
                ((view, payer, one[0], one[1], json.dumps(one)) for payer, one in rows),
            )

    def get(self, view: str, payers: Sequence[int]) -> list[Stored | None]:
        select = "select stored from present where view = ? and payer = ?"
        found = (self.db.execute(select, (view, payer)).fetchone() for payer in payers)
        return [None if one is None else json.loads(one[0]) for one in found]


class Past:
    """Everything that ever came, in one DuckDB table per view. Times are whole microseconds."""

    def __init__(self) -> None:
        self.db = duckdb.connect(str(DATA / "past.duckdb"))
        for view, names in STORED.items():
            columns = ", ".join(f"{name} double" for name in names)
            self.db.execute(
                f"create table if not exists {view} "
                f"(payer bigint, event bigint, created bigint, deleted boolean, {columns})"
            )

    def add(self, view: str, rows: pd.DataFrame) -> None:
        frame = pd.DataFrame(
            {
                "payer": rows["payer_id"].astype("int64"),
                "event": _column(rows["event_timestamp"]),
                "created": _column(rows["created_timestamp"]),
                "deleted": rows["is_deleted"].astype(bool),
                **{
                    name: rows.get(name, pd.Series(float("nan"), rows.index)).astype(float)
                    for name in STORED[view]
                },
            }
        )
        values = ", ".join(f"case when isnan({name}) then null else {name} end" for name in STORED[view])
        self.db.register("incoming", frame)
        self.db.execute(f"insert into {view} select payer, event, created, deleted, {values} from incoming")
        self.db.unregister("incoming")

    def as_of(self, view: str, end: int) -> list[tuple[int, Stored]]:
        rows = self.db.execute(
            f"select * from {view} where event <= $end and created <= $end "
            "qualify row_number() over (partition by payer order by event desc, created desc) = 1",
            {"end": end},
        ).fetchall()
        return [(row[0], [row[1], row[2], row[3], list(row[4:])]) for row in rows]

    def at(self, view: str, asked: pd.DataFrame) -> list[Stored | None]:
        """For each row of `asked` (row, payer, time) what counted then."""
        self.db.register("asked", asked)
        rows = self.db.execute(
            f"select row, {view}.* from asked join {view} on {view}.payer = asked.payer and event <= time "
            "and created <= time qualify row_number() over (partition by row order by event desc, created desc) = 1"
        ).fetchall()
        self.db.unregister("asked")
        found: list[Stored | None] = [None] * len(asked)
        for row in rows:
            found[row[0]] = [row[2], row[3], row[4], list(row[5:])]
        return found

    def payers(self) -> list[int]:
        both = " union ".join(f"select payer from {view}" for view in STORED)
        return [row[0] for row in self.db.execute(both).fetchall()]


class FeatureShop:
    def __init__(self) -> None:
        DATA.mkdir(exist_ok=True)
        url = os.environ.get("REDIS_URL")
        self.present: Present = InRedis(url) if url else InSqlite()
        self._past: Past | None = None

    @property
    def past(self) -> Past:
        """Opened late: DuckDB lets one process in, and a server that only reads online needs none of it."""
        self._past = self._past or Past()
        return self._past

    def push(self, view: str, rows: pd.DataFrame) -> None:
        self.past.add(view, rows)
        events, created = _column(rows["event_timestamp"]), _column(rows["created_timestamp"])
        values = (
            rows[list(STORED[view])]
            .astype(float)
            .astype(object)
            .where(~rows["is_deleted"], None)
            .to_numpy()
            .tolist()
        )
        self.present.put(
            view,
            [
                (int(payer), [event, known, bool(gone), mine])
                for payer, event, known, gone, mine in zip(
                    rows["payer_id"], events, created, rows["is_deleted"], values, strict=True
                )
            ],
        )

    def materialize(self, end: int) -> None:
        for view in STORED:
            self.present.put(view, self.past.as_of(view, end))

    def answers(
        self, stored: dict[str, list[Stored | None]], times: list[int], amounts: list[int], service: str
    ):
        for number, (time, amount) in enumerate(zip(times, amounts, strict=True)):
            row: dict[str, Any] = {"amount_paise": amount}
            for view, names in STORED.items():
                one = stored[view][number]
                status, age = self.state(view, one, time)
                row[f"{view}_status"], row[f"{view}_age_seconds"] = status, age
                row.update(zip(names, one[3] if one and status == "ok" else [None] * len(names), strict=True))
            row.update({name: derive(row) for name, derive in DERIVED.items()})
            yield row

    @staticmethod
    def state(view: str, stored: Stored | None, now: int) -> tuple[str, float | None]:
        if stored is None:
            return "missing", None
        age = now - stored[0]
        if stored[2]:
            return "deleted", age / 1_000_000
        return ("ok" if age * MICRO <= MAX_AGE[view] else "stale"), age / 1_000_000


class Catalogue:
    """What other teams read: Feast's registry. Every change is made in a copy, which then takes the file's place."""

    FILE = DATA / "registry.db"

    def change(self, change: Callable[[Registry], None]) -> None:
        DATA.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=DATA) as folder:
            copy = Path(folder) / "registry.db"
            if self.FILE.exists():
                shutil.copyfile(self.FILE, copy)
            change(Registry("nukkad", RegistryConfig(path=str(copy.resolve())), None))
            os.replace(copy, self.FILE)

    def publish(self, service: str) -> None:
        payer = feast.Entity(name="payer", join_keys=["payer_id"], value_type=feast.ValueType.INT64)
        suffix = "" if service == "fraud_v1" else "_v2"
        names = [
            name for name in SERVICES[service] if name not in ("payer_txn_count_24h", "amount_to_mean_30d")
        ]
        nightly = self._view(payer, "payer_nightly", f"payer_nightly{suffix}", names)
        stream = self._view(payer, "payer_stream", "payer_stream", ["payer_txn_count_24h"])
        udf = amount_to_mean_of_rupees if suffix else amount_to_mean
        ratio = OnDemandFeatureView(
            name=f"ratio{suffix}",
            sources=[
                feast.RequestSource(name="payment", schema=[feast.Field(name="amount_paise", dtype=Int64)]),
                nightly,
            ],
            schema=[feast.Field(name="amount_to_mean_30d", dtype=Float64)],
            feature_transformation=PythonTransformation(udf=udf, udf_string=inspect.getsource(udf)),
            mode="python",
            singleton=True,
        )

        def add(registry: Registry) -> None:
            registry.apply_entity(payer, "nukkad")
            for view in (nightly, stream, ratio):
                registry.apply_feature_view(view, "nukkad")
            registry.apply_feature_service(
                feast.FeatureService(name=service, features=[nightly, stream, ratio]), "nukkad"
            )

        self.change(add)

    def withdraw(self, service: str) -> None:
        def take_away(registry: Registry) -> None:
            registry.delete_feature_service(service, "nukkad")
            for view in ("ratio_v2", "payer_nightly_v2"):
                registry.delete_feature_view(view, "nukkad")

        self.change(take_away)

    def check(self, service: str) -> None:
        found = RegistryProto.FromString(self.FILE.read_bytes())
        if service not in {one.spec.name for one in found.feature_services}:
            raise KeyError(service)

    @staticmethod
    def _view(payer: feast.Entity, upstream: str, name: str, features: list[str]) -> feast.FeatureView:
        source = feast.FileSource(
            name=f"{upstream}_past", path=f"data/{upstream}.parquet", timestamp_field="event_timestamp"
        )
        fields = [feast.Field(name=one, dtype=Float64) for one in features]
        return feast.FeatureView(
            name=name, entities=[payer], ttl=MAX_AGE[upstream], schema=fields, source=source
        )


def amount_to_mean(inputs: dict[str, Any]) -> dict[str, Any]:
    mean = inputs["payer_mean_amount_30d_paise"]
    return {"amount_to_mean_30d": inputs["amount_paise"] / mean if mean else None}


def amount_to_mean_of_rupees(inputs: dict[str, Any]) -> dict[str, Any]:
    mean = inputs["payer_mean_amount_30d_rupees"]
    return {"amount_to_mean_30d": inputs["amount_paise"] / (100 * mean) if mean else None}


_made: dict[type, Any] = {}


def _the(kind: type) -> Any:
    if kind not in _made:
        _made[kind] = kind()
    return _made[kind]


def apply() -> None:
    _the(Catalogue).publish("fraud_v1")


def ingest(view: str, rows: pd.DataFrame) -> None:
    _the(FeatureShop).past.add(view, rows)


def push(rows: pd.DataFrame) -> None:
    _the(FeatureShop).push("payer_stream", rows)


def materialize(end: datetime) -> None:
    _the(FeatureShop).materialize(_micros(end))


def training_set(entities: pd.DataFrame, service: str = "fraud_v1") -> pd.DataFrame:
    _the(Catalogue).check(service)
    shop, times = _the(FeatureShop), _column(entities["event_timestamp"])
    asked = pd.DataFrame({"row": range(len(times)), "payer": entities["payer_id"].to_numpy(), "time": times})
    stored = {view: shop.past.at(view, asked) for view in STORED}
    rows = shop.answers(stored, times, entities["amount_paise"].tolist(), service)
    features = pd.DataFrame(list(rows), columns=SERVICES[service])
    return pd.concat([entities.reset_index(drop=True), features], axis=1)


def online(
    payer_ids: Sequence[int], amounts_paise: Sequence[int], now: datetime, service: str = "fraud_v1"
) -> pd.DataFrame:
    _the(Catalogue).check(service)
    shop, times = _the(FeatureShop), [_micros(now)] * len(payer_ids)
    stored = {view: shop.present.get(view, payer_ids) for view in STORED}
    said = [f"{view}_{what}" for view in STORED for what in ("status", "age_seconds")]
    rows = list(shop.answers(stored, times, list(amounts_paise), service))
    answer = pd.DataFrame(rows, columns=[*SERVICES[service], *said])
    answer.insert(0, "payer_id", list(payer_ids))
    return answer


def freshness(now: datetime) -> dict[str, dict[str, Any]]:
    shop, time = _the(FeatureShop), _micros(now)
    payers, report = shop.past.payers(), {}
    for view in STORED:
        states = [shop.state(view, one, time) for one in shop.present.get(view, payers)]
        ages = sorted(age for status, age in states if age is not None and status != "deleted")
        p95 = ages[-(-len(ages) * 95 // 100) - 1] if ages else None
        stale = sum(status == "stale" for status, _ in states)
        report[view] = {
            "payers": len(ages),
            "p95_age_seconds": p95,
            "stale_share": stale / len(ages) if ages else None,
            "met": p95 is not None and p95 <= OBJECTIVE[view].total_seconds(),
        }
    return report


def rollout(end: datetime) -> None:
    """Every stored row already holds what version 2 needs."""
    materialize(end)
    _the(Catalogue).publish("fraud_v2")


def rollback() -> None:
    _the(Catalogue).withdraw("fraud_v2")
