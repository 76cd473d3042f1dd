"""get, list with selectors and pages, and watch.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks and
…#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import orjson

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import bad_request, expired
from labs.services.kubernetes.store import Change, Store

_KEPT_LISTS = 64
_BOOKMARK_SECONDS = 30.0


@dataclass(frozen=True)
class Selection:
    """Which objects a list or watch is about."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    labels: str = ""
    fields: str = ""

    def test(self) -> Callable[[Obj], bool]:
        by_label = selectors.label_test(self.labels) if self.labels else None
        by_field = selectors.field_test(self.resource, self.fields) if self.fields else None

        def chosen(thing: Obj) -> bool:
            return (
                (not self.namespace or objects.namespace(thing) == self.namespace)
                and (not self.name or objects.name(thing) == self.name)
                and (by_label is None or by_label(objects.labels(thing)))
                and (by_field is None or by_field(thing))
            )

        return chosen


@dataclass(frozen=True)
class Page:
    """Attributes: `more` is the token of the next page, "" after the last; `remaining` what it will bring."""

    items: list[Obj]
    version: int
    more: str = ""
    remaining: int = 0


class Reader:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._lists: OrderedDict[str, tuple[list[Obj], int]] = OrderedDict()
        self._ended = asyncio.Event()
        self._waiting: set[asyncio.Event] = set()
        store.listen(self._wake)

    def _wake(self, change: Change) -> None:
        for one in self._waiting:
            one.set()

    def end(self) -> None:
        """Let all watches finish: the server stops."""
        self._ended.set()
        for one in self._waiting:
            one.set()

    def page(self, wanted: Selection, limit: int = 0, more: str = "") -> Page:
        """Objects that a selection names; all pages of one list show the same moment.

        Raises:
            ApiError: 400, a bad selector or token; 410, the token is too old.
        """
        if more:
            items, version, start = self._kept(more)
        else:
            test = wanted.test()
            items = [one for one in self._store.every(wanted.resource, wanted.namespace) if test(one)]
            version, start = self._store.version, 0
        if not limit or start + limit >= len(items):
            return Page(items[start:], version)
        name = more.partition(".")[0] if more else f"{version}-{len(self._lists)}-{id(items)}"
        self._lists[name] = items, version
        while len(self._lists) > _KEPT_LISTS:
            self._lists.popitem(last=False)
        token = base64.urlsafe_b64encode(f"{name} {start + limit}".encode()).decode()
        return Page(items[start : start + limit], version, token, len(items) - start - limit)

    def _kept(self, more: str) -> tuple[list[Obj], int, int]:
        try:
            name, start = base64.urlsafe_b64decode(more).decode().split()
            place = int(start)
        except (binascii.Error, ValueError):
            raise bad_request("continue key is not valid") from None
        if name not in self._lists:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
            )
        items, version = self._lists[name]
        return items, version, place

    async def watch(
        self,
        wanted: Selection,
        since: str,
        shown: Callable[[Obj], Obj],
        *,
        bookmarks: bool,
        initial: bool | None,
        seconds: float,
    ) -> AsyncIterator[bytes]:
        """Lines of JSON, one for each event.

        Args:
            since: a resourceVersion; "" or "0" begins with what is there.
            shown: how an object is written (as itself, or as a table).
            initial: `sendInitialEvents` of a streaming list; None if not asked for.
        """
        test = wanted.test()
        start = self._store.version
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            if (since in ("", "0") and initial is not False) or initial:
                for thing in self._store.every(wanted.resource, wanted.namespace):
                    if test(thing):
                        yield _line("ADDED", shown(thing))
                if initial:
                    yield _bookmark(wanted.resource, start, {"k8s.io/initial-events-end": "true"})
            else:
                start = int(since) if since.isdigit() and since != "0" else start
                if start < self._store.oldest:
                    gone = expired(f"too old resource version: {start} ({self._store.oldest})")
                    yield _line("ERROR", gone.body)
                    return
            loop = asyncio.get_running_loop()
            end = loop.time() + seconds
            while not self._ended.is_set():
                fresh = self._since(start)
                if fresh is None:
                    gone = expired(f"too old resource version: {start} ({self._store.oldest})")
                    yield _line("ERROR", gone.body)
                    return
                for change in fresh:
                    start = change.version
                    if change.resource is wanted.resource and (event := _event(change, test)):
                        yield _line(event[0], shown(event[1]))
                left = end - loop.time()
                if left <= 0:
                    break
                woken.clear()
                if self._store.version > start and self._since(start):
                    continue
                try:
                    await asyncio.wait_for(woken.wait(), min(left, _BOOKMARK_SECONDS))
                except TimeoutError:
                    if bookmarks and left > _BOOKMARK_SECONDS:
                        yield _bookmark(wanted.resource, max(start, self._store.version), {})
        finally:
            self._waiting.discard(woken)

    def _since(self, version: int) -> list[Change] | None:
        """Changes behind a version; None if some of them are no longer known."""
        if version < self._store.oldest:
            return None
        found: list[Change] = []
        for change in reversed(self._store.changes):
            if change.version <= version:
                break
            found.append(change)
        return found[::-1]


def _event(change: Change, test: Callable[[Obj], bool]) -> tuple[str, Obj] | None:
    """What a change means to a watch: an object may begin or cease to be selected."""
    now = change.what != "DELETED" and test(change.thing)
    before = change.before is not None and test(change.before)
    if now:
        return ("MODIFIED" if before else "ADDED"), change.thing
    if before or (change.what == "DELETED" and change.before is None and test(change.thing)):
        version = objects.meta(change.thing)["resourceVersion"]
        last = change.thing if change.what == "DELETED" else change.before or change.thing
        return "DELETED", {**last, "metadata": {**last["metadata"], "resourceVersion": version}}
    return None


def _line(kind: str, thing: Mapping[str, object]) -> bytes:
    return orjson.dumps({"type": kind, "object": thing}) + b"\n"


def _bookmark(resource: Resource, version: int, notes: dict[str, str]) -> bytes:
    meta: Obj = {"resourceVersion": str(version), "creationTimestamp": None}
    if notes:
        meta["annotations"] = notes
    return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta})
