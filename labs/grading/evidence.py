"""What a check holds in its hand: an answer, a reply, a finished command, a document. Each can say what is wrong with it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from labs import advice
from labs.results import Finding

LONG = 400
UNSET: Any = object()


class Mismatch(Exception):
    """The learner's work did something else than the contract says."""

    def __init__(self, finding: Finding, output: str = "") -> None:
        super().__init__(f"{finding.did}: wanted {finding.wanted}, got {finding.got}")
        self.finding = finding
        self.output = output


class NotStarted(Exception):
    """The learner has not begun this part."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.got)
        self.finding = finding


class CouldNotCheck(Exception):
    """Something that the check needs is not on this machine."""


@dataclass
class Evidence:
    """What was done, kept for the message."""

    did: str
    output: str = field(default="", kw_only=True)

    def fail(self, *, wanted: str, got: str, hint: str = "", measured: str = "") -> NoReturn:
        raise Mismatch(Finding(self.did, wanted, got, hint, measured), self.output)

    def require(self, condition: Any, *, wanted: str, got: str, hint: str = "", measured: str = "") -> None:
        if not condition:
            self.fail(wanted=wanted, got=got, hint=hint, measured=measured)


@dataclass(frozen=True)
class Raised:
    """An exception in the learner's code. `where` is the last line of theirs that it passed, such as "drift.py:41"."""

    type: str
    message: str
    where: str
    line: str = ""
    bases: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        message = self.message.strip().splitlines()
        return f"{self.type}: {message[0]}{place}" if message else f"{self.type}{place}"


@dataclass
class Answer(Evidence):
    """The result of a call, as plain data; or the exception, when the check allowed one."""

    value: Any = None
    error: Raised | None = None

    def expect(
        self,
        *,
        value: Any = UNSET,
        approx: Any = UNSET,
        rel: float = 1e-9,
        abs: float = 0.0,
        type: type | tuple[type, ...] | None = None,
        keys: Iterable[str] | None = None,
        hint: str = "",
    ) -> Answer:
        """Fail unless the result is `value`, or is within `rel` and `abs` of `approx`, has `type`, or has `keys`."""
        if type is not None and not _is(self.value, type):
            self.fail(wanted=f"{_type_names(type)}", got=f"{_type_name(self.value)}: {show(self.value)}", hint=hint)
        if keys is not None:
            self._expect_keys(set(keys), hint)
        if value is not UNSET and not same(self.value, value):
            self.fail(wanted=show(value), got=show(self.value), hint=hint)
        if approx is not UNSET and not close(self.value, approx, rel, abs):
            slack = f"± {abs:g}" if abs else f"within {rel:g} of it"
            self.fail(wanted=f"{show(approx)} ({slack})", got=show(self.value), hint=hint)
        return self

    def _expect_keys(self, keys: set[str], hint: str) -> None:
        if not isinstance(self.value, Mapping):
            self.fail(wanted=f"a dict with {_names(keys)}", got=f"{_type_name(self.value)}: {show(self.value)}", hint=hint)
        missing = keys - set(self.value)
        if missing:
            has = _names(self.value) or "nothing"
            self.fail(wanted=f"a dict with {_names(keys)}", got=f"no {_names(missing)}; it has {has}", hint=hint)


@dataclass
class Reply(Evidence):
    """An HTTP reply. `seconds` is the time from sending the request to the last byte, as the grader measured it."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self, hint: str = "Reply with a JSON body.") -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            self.fail(wanted="a JSON body", got=self._said(), hint=hint)

    def expect(
        self,
        *,
        status: int | Iterable[int] | None = None,
        json: Mapping[str, Any] | None = None,
        keys: Iterable[str] | None = None,
        hint: str = "",
    ) -> Reply:
        """Fail unless the status is (one of) `status`, and the JSON body holds `json` as a part and has `keys`."""
        if self.status == 501:
            raise NotStarted(Finding(self.did, _statuses(status), "status 501: not started"))
        if status is not None and self.status not in _as_set(status):
            self.fail(wanted=_statuses(status), got=self._said(), hint=hint)
        if json is not None or keys is not None:
            body = self.json()
            wanted = {*(json or {}), *(keys or ())}
            if not isinstance(body, Mapping) or not wanted <= set(body):
                self.fail(wanted=f"a JSON object with {_names(wanted)}", got=show(body), hint=hint)
            for key, value in (json or {}).items():
                if not same(body[key], value):
                    self.fail(wanted=f"`{key}` = {show(value)}", got=f"`{key}` = {show(body[key])}", hint=hint)
        return self

    def _said(self) -> str:
        text = " ".join(self.text.split())
        return f"status {self.status}" + (f", {shorten(text, 160)}" if text and self.status >= 400 else "")


@dataclass
class Finished(Evidence):
    """A process that has ended. `status` is negative for a signal; `killed` says which limit ended it, if one did."""

    status: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    killed: str = ""

    def expect(self, *, status: int | Iterable[int] | None = None, hint: str = "") -> Finished:
        """Fail unless the exit status is (one of) `status`."""
        if status is not None and self.status not in _as_set(status):
            last = next((line for line in reversed(self.stderr.splitlines()) if line.strip()), "")
            said = f", {shorten(last.strip(), 160)}" if last else ""
            wanted = " or ".join(str(code) for code in sorted(_as_set(status)))
            self.fail(wanted=f"exit status {wanted}", got=f"{exit_words(self.status)}{said}", hint=hint)
        return self


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
            self.fail(wanted="text in UTF-8", got=f"`{self.path}` holds other bytes", hint="Open it with encoding='utf-8'.")

    def json(self) -> Any:
        text = self.text()
        try:
            return json.loads(text)
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


def raised(did: str, error: Raised, output: str = "", wanted: str = "a result") -> Mismatch:
    hint = advice.next_step(error.type, error.message, error.where)
    return Mismatch(Finding(did, wanted, str(error), hint), output)


def same(left: Any, right: Any) -> bool:
    """Equality of plain data; NaN equals NaN, a list equals an array of the same values, 1 is not True."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right):
        return True
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return set(left) == set(right) and all(same(left[key], right[key]) for key in right)
    if _sequence(left) and _sequence(right):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(_items(left), _items(right), strict=True))
    if type(left).__module__.startswith("pandas") or type(right).__module__.startswith("pandas"):
        return type(left) is type(right) and bool(left.equals(right))
    return bool(left == right)


def close(left: Any, right: Any, rel: float, abs: float) -> bool:
    if isinstance(right, Mapping):
        return (
            isinstance(left, Mapping)
            and set(left) == set(right)
            and all(close(left[key], right[key], rel, abs) for key in right)
        )
    if _sequence(right):
        pairs = zip(_items(left), _items(right), strict=True) if _sequence(left) and len(left) == len(right) else None
        return pairs is not None and all(close(a, b, rel, abs) for a, b in pairs)
    if isinstance(right, (int, float)) and not isinstance(right, bool):
        number = isinstance(left, (int, float)) and not isinstance(left, bool)
        both_nan = number and math.isnan(left) and math.isnan(right)
        return number and (both_nan or math.isclose(left, right, rel_tol=rel, abs_tol=abs))
    return same(left, right)


def show(value: Any, width: int = LONG) -> str:
    """A value as a learner can read it, in at most `width` characters."""
    if type(value).__module__.startswith("pandas"):
        return f"a DataFrame of {len(value)} rows with {_names(value.columns)}" if hasattr(value, "columns") else repr(value)
    if _sequence(value) and not isinstance(value, list):
        value = value.tolist()
    if isinstance(value, float):
        return f"{value:.10g}"
    try:
        return shorten(json.dumps(value, ensure_ascii=False), width)
    except (TypeError, ValueError):
        return shorten(repr(value), width)


def shorten(text: str, width: int = LONG) -> str:
    if len(text) <= width:
        return text
    return f"{text[: width * 2 // 3]} … {text[-width // 3 :]}"


def exit_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    import signal

    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def _sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (type(value).__module__ == "numpy" and getattr(value, "ndim", 0) > 0)


def _items(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _is(value: Any, wanted: type | tuple[type, ...]) -> bool:
    kinds = wanted if isinstance(wanted, tuple) else (wanted,)
    if isinstance(value, bool):
        return bool in kinds
    if float in kinds and isinstance(value, int):
        return True
    if list in kinds and _sequence(value):
        return True
    return isinstance(value, kinds)


PLAIN_NAMES = {"int": "a whole number", "float": "a number", "str": "text", "dict": "a dict", "list": "a list"}
PLAIN_NAMES |= {"bool": "True or False", "NoneType": "None", "ndarray": "an array", "DataFrame": "a DataFrame"}


def _type_name(value: Any) -> str:
    name = type(value).__name__
    return PLAIN_NAMES.get(name, f"a {name}")


def _type_names(kinds: type | tuple[type, ...]) -> str:
    names = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(PLAIN_NAMES.get(kind.__name__, f"a {kind.__name__}") for kind in names)


def _names(keys: Iterable[Any]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(map(str, keys)))


def _as_set(status: int | Iterable[int]) -> set[int]:
    return {status} if isinstance(status, int) else set(status)


def _statuses(status: int | Iterable[int] | None) -> str:
    if status is None:
        return "a reply"
    return "status " + " or ".join(str(code) for code in sorted(_as_set(status)))
