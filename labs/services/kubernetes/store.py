"""Where objects live: in memory for reading, in SQLite for good.

A write is acknowledged after its transaction is committed to a write-ahead log, which a killed process does not lose.
Watches read the changes since the server started from memory; older ones are gone, as after a compaction of etcd.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from labs.errors import LabsError
from labs.services.kubernetes import objects, resources
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource

FORMAT = 1
KEPT_CHANGES = 20_000
Key = tuple[str, str]
"""(namespace, name)"""


@dataclass(frozen=True)
class Change:
    """Attributes: what is ADDED, MODIFIED or DELETED; `thing` is the object after it (before, for DELETED)."""

    what: str
    resource: Resource
    thing: Obj
    before: Obj | None
    version: int


@dataclass(frozen=True)
class Reference:
    resource: Resource
    namespace: str
    name: str


class Store:
    """Objects by kind, namespace and name. What it returns is shared: copy before changing.

    Args:
        folder: holds objects.sqlite; made if absent.

    Raises:
        LabsError: the folder is in use by another server, or its data is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        self._objects: dict[Resource, dict[Key, Obj]] = {one: {} for one in resources.STORED}
        self._keys: dict[Resource, list[Key]] = {one: [] for one in resources.STORED}
        self._owned: defaultdict[str, dict[Reference, None]] = defaultdict(dict)
        self._listeners: list[Callable[[Change], None]] = []
        self._pending: list[Change] = []
        self._depth = 0
        self.changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self.path = folder / "objects.sqlite"
        self._settings: dict[str, str] = {}
        try:
            self._open()
        except (sqlite3.DatabaseError, orjson.JSONDecodeError, KeyError, ValueError) as error:
            self._lock.close()
            raise LabsError(
                f"{self.path} is damaged: {error}",
                f"Move the folder {folder} away and start again with an empty one.",
            ) from None
        self.oldest = self.version

    def _open(self) -> None:
        self._base = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        (found,) = self._base.execute("PRAGMA user_version").fetchone()
        if found == 0:
            self._base.executescript(
                "BEGIN; CREATE TABLE objects (kind TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL,"
                " PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;"
                " CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
                f" INSERT INTO settings VALUES ('version', '1'); PRAGMA user_version={FORMAT}; COMMIT;"
            )
        elif found != FORMAT:
            raise ValueError(f"its format is {found}, and this server reads {FORMAT}")
        (verdict,) = self._base.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(str(verdict))
        self._settings = dict(self._base.execute("SELECT name, value FROM settings"))
        self.version = int(self._settings["version"])
        kinds = {one.qualified: one for one in resources.STORED}
        for kind, space, name, body in self._base.execute("SELECT kind, namespace, name, body FROM objects"):
            thing = orjson.loads(body)
            if (objects.namespace(thing), objects.name(thing)) != (space, name):
                raise ValueError(f"{kind} {space}/{name} holds another object")
            self._remember(kinds[kind], None, thing)

    def close(self) -> None:
        self._base.close()
        self._lock.close()

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Called with each change once it is committed."""
        self._listeners.append(listener)

    def setting(self, name: str) -> str | None:
        return self._settings.get(name)

    def set(self, name: str, value: str) -> None:
        """Keep a value that is not an object, such as a key or the clock."""
        with self.transaction():
            self._settings[name] = value
            self._base.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen, or none does. May be nested; only the outermost commits."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        before = self.version
        self._depth = 1
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self.version != before:
                self._base.execute("UPDATE settings SET value=? WHERE name='version'", (str(self.version),))
            self._base.execute("COMMIT")
        except BaseException:
            self._base.execute("ROLLBACK")
            for change in reversed(self._pending):
                self._remember(change.resource, change.thing, change.before)
            self.version = before
            self._pending.clear()
            raise
        finally:
            self._depth = 0
        done, self._pending = self._pending, []
        self.changes.extend(done)
        if len(self.changes) == KEPT_CHANGES:
            self.oldest = self.changes[0].version - 1
        for change in done:
            for listener in self._listeners:
                listener(change)

    def get(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        return self._objects[resource].get((namespace, name))

    def every(self, resource: Resource, namespace: str = "") -> list[Obj]:
        """All objects of a kind, of one namespace if given, in the order of namespace and name."""
        found, keys = self._objects[resource], self._keys[resource]
        if namespace:
            keys = keys[bisect_left(keys, (namespace, "")) : bisect_left(keys, (f"{namespace}\0", ""))]
        return [found[key] for key in keys]

    def owned(self, uid: str) -> list[Reference]:
        """Everything with an owner reference to this uid."""
        return list(self._owned.get(uid, ()))

    def put(self, resource: Resource, thing: Obj) -> Obj:
        """Write an object; the result carries its new resourceVersion."""
        with self.transaction():
            before = self.get(resource, objects.namespace(thing), objects.name(thing))
            self.version += 1
            thing = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
            key = objects.namespace(thing), objects.name(thing)
            self._base.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
                (resource.qualified, *key, orjson.dumps(thing)),
            )
            self._remember(resource, before, thing)
            what = "MODIFIED" if before else "ADDED"
            self._pending.append(Change(what, resource, thing, before, self.version))
        return thing

    def remove(self, resource: Resource, thing: Obj) -> Obj:
        """Take an object away; the result carries the resourceVersion of its end."""
        with self.transaction():
            self.version += 1
            last = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
            key = objects.namespace(thing), objects.name(thing)
            self._base.execute(
                "DELETE FROM objects WHERE kind=? AND namespace=? AND name=?", (resource.qualified, *key)
            )
            before = self._objects[resource].get(key)
            self._remember(resource, before, None)
            self._pending.append(Change("DELETED", resource, last, before, self.version))
        return last

    def _remember(self, resource: Resource, before: Obj | None, after: Obj | None) -> None:
        things, keys = self._objects[resource], self._keys[resource]
        if before is not None:
            self._own(resource, before, add=False)
            old = objects.namespace(before), objects.name(before)
            if after is None and things.pop(old, None) is not None:
                del keys[bisect_left(keys, old)]
        if after is not None:
            new = objects.namespace(after), objects.name(after)
            if new not in things:
                insort(keys, new)
            things[new] = after
            self._own(resource, after, add=True)

    def _own(self, resource: Resource, thing: Obj, *, add: bool) -> None:
        reference = Reference(resource, objects.namespace(thing), objects.name(thing))
        for owner in objects.meta(thing).get("ownerReferences") or []:
            if add:
                self._owned[owner["uid"]][reference] = None
            else:
                self._owned[owner["uid"]].pop(reference, None)


def _locked(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("a")
    os.set_inheritable(lock.fileno(), False)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LabsError(
            f"{folder} is in use by another Kubernetes API server",
            "Stop that server, or give this one another folder.",
        ) from None
    return lock
