"""Counts inference logs in a SQLite database that lies beside the report and is gone in the end."""

import argparse
import contextlib
import os
import signal
import sqlite3
import sys
import tempfile
import zlib
from datetime import datetime
from pathlib import Path

import orjson

SCALE = {"latency_s": 1e3, "latency_ms": 1, "latency_us": 1e-3}
SCHEMA = """
    create table request(
        model text, id text, endpoint text, failed integer, ms real, primary key (model, id)
    ) without rowid;
"""


class Log:
    def __init__(self, path):
        self.path, self.lines, self.bad, self.state = path, 0, 0, "whole"

    def __iter__(self):
        """Raw lines; one that is too long comes as None."""
        rest, skipping = bytearray(), False
        try:
            for chunk in self.unpacked():
                pieces = chunk.split(b"\n")
                for i, piece in enumerate(pieces):
                    if not skipping:
                        rest += piece
                    if len(rest) > 2**20:
                        skipping = True
                        rest.clear()
                    if i < len(pieces) - 1:
                        yield None if skipping else bytes(rest)
                        rest.clear()
                        skipping = False
        except OSError:
            self.state = "unreadable"
            return
        except (EOFError, zlib.error):
            self.state = "damaged"
        if rest or skipping:
            yield None if skipping else bytes(rest)

    def unpacked(self):
        with open(self.path, "rb") as file:
            unpack, members = None, 0
            data = b""
            while data or (data := file.read(1 << 14)):
                unpack = unpack or zlib.decompressobj(wbits=31)
                yield unpack.decompress(data, 1 << 20)
                data = unpack.unconsumed_tail or unpack.unused_data
                if unpack.eof:
                    unpack, members = None, members + 1
            if unpack is not None or not members:
                raise EOFError


def understood(line):
    """(model, id, endpoint, failed, ms), moment of the request. Raises ValueError."""
    if line is None:
        raise ValueError
    match orjson.loads(line):
        case {
            "ts": str(ts),
            "model": str(model),
            "endpoint": str(endpoint),
            "request_id": str(key),
            **more,
        } if model and endpoint and key:
            pass
        case _:
            raise ValueError
    match more:
        case {"timeout": True}:
            failed = True
        case {"status": int(status)} if 100 <= status < 600 and status is not True:
            failed = status // 100 == 5
        case _:
            raise ValueError
    match [(more[unit], scale) for unit, scale in SCALE.items() if unit in more]:
        case [(int(value) | float(value), scale)] if (
            not isinstance(value, bool) and 0 <= value * scale <= 3.6e6
        ):
            pass
        case _:
            raise ValueError
    moment = datetime.fromisoformat(ts)
    if moment.tzinfo is None:
        raise ValueError
    return (model, key, endpoint, failed, value * scale), moment


def fill(db, logs, since, until):
    outside = again = 0
    for log in logs:
        for line in log:
            log.lines += 1
            try:
                row, moment = understood(line)
            except ValueError:
                log.bad += 1
                continue
            if (since and moment < since) or (until and moment >= until):
                outside += 1
            else:
                again += 1 - db.execute("insert or ignore into request values (?, ?, ?, ?, ?)", row).rowcount
    return outside, again


def at_rank(db, percent, where, values):
    (count,) = db.execute(f"select count(*) from request where {where}", values).fetchone()
    skip = (percent * count + 99) // 100 - 1
    query = f"select ms from request where {where} order by ms limit 1 offset ?"
    return db.execute(query, (*values, skip)).fetchone()[0]


def per_model(db):
    query = "select model, count(*), sum(failed) from request group by model order by model"
    for model, requests, errors in db.execute(query).fetchall():
        of = "select endpoint, count(*) from request where model = ? group by endpoint"
        both = "model = ? and endpoint = ?"
        rows = [
            {"endpoint": name, "requests": count, "p95_ms": at_rank(db, 95, both, (model, name))}
            for name, count in db.execute(of, (model,)).fetchall()
        ]
        yield (
            model,
            {
                "requests": requests,
                "errors": errors,
                "error_rate": errors / requests,
                **{f"p{p}_ms": at_rank(db, p, "model = ?", (model,)) for p in (50, 95, 99)},
                "slowest_endpoints": sorted(rows, key=lambda r: (-r["p95_ms"], r["endpoint"]))[:3],
            },
        )


def moment(text):
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("no offset")
    return value


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cli = argparse.ArgumentParser()
    cli.add_argument("--since", type=lambda text: (moment(text), text), default=(None, None))
    cli.add_argument("--until", type=lambda text: (moment(text), text), default=(None, None))
    cli.add_argument("folder", type=Path)
    cli.add_argument("report", type=Path)
    args = cli.parse_args()
    (since, since_text), (until, until_text) = args.since, args.until
    if since and until and since >= until:
        cli.error("the window ends before it begins")
    if not args.folder.is_dir():
        sys.exit(f"{args.folder}: no such folder")
    names = sorted(name for name in os.listdir(args.folder) if name.endswith(".jsonl.gz"))
    if not names:
        print("no logs", file=sys.stderr)
        return 4
    logs = [Log(args.folder / name) for name in names]
    with tempfile.TemporaryDirectory(dir=args.report.parent) as scratch:
        with contextlib.closing(sqlite3.connect(f"{scratch}/requests.db")) as db:
            db.executescript("pragma journal_mode = off; pragma synchronous = off;" + SCHEMA)
            with db:
                outside, again = fill(db, logs, since, until)
            models = dict(per_model(db))
        read, bad = sum(log.lines for log in logs), sum(log.bad for log in logs)
        body = {
            "since": since_text,
            "until": until_text,
            "lines": {
                "read": read,
                "counted": read - bad - outside - again,
                "bad": bad,
                "outside_window": outside,
                "duplicate": again,
            },
            "files": {
                log.path.name: {"lines": log.lines, "bad": log.bad, "state": log.state} for log in logs
            },
            "models": models,
        }
        new = Path(scratch, "report.json")
        new.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
        os.replace(new, args.report)
    return 0 if all(log.state == "whole" for log in logs) else 3


if __name__ == "__main__":
    sys.exit(main())
