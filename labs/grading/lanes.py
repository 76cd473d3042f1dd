"""Runs checks of one grading side by side, so that a learner with two cores waits half as long.

A check that no other check names in `after` runs in a fork of the judge: what checks before it left in session fixtures
comes along, and nothing comes back but its result. The others run in the judge itself, so that what they leave in such
fixtures is there for all that follow. A check begins when those that it names have a result.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
from typing import TYPE_CHECKING, Any

from labs import kernel
from labs.checks import Spec, spec_of
from labs.grading import wire
from labs.results import State

if TYPE_CHECKING:
    import pytest

    from labs.grading.judge import Plugin


def run(plugin: Plugin, items: list[pytest.Item], lanes: int) -> None:
    """Run every check, `lanes` at a time at most; each result is told as it comes.

    Those for which the longest rows of others wait come first. While a check runs in the judge no fork can begin; so
    forks are begun before it, in all lanes but one.
    """
    named = {name for item in items for name in _spec(item).after}
    rows = _rows(items)
    running, waiting = Running(plugin), sorted(items, key=lambda item: -rows[item.name])
    while waiting:
        undecided = {*(item.name for item in waiting), *running.names()}
        ready = [item for item in waiting if not undecided & {*_spec(item).when, *_spec(item).after}]
        inside = [item for item in ready if item.name in named]
        beside = [item for item in ready if item.name not in named]
        if beside and (not inside or len(running.names()) < lanes - 1):
            running.wait_for_less_than(lanes)
            running.begin(beside[0], _other(items, beside[0]))
            waiting.remove(beside[0])
        elif inside or not running.names():
            running.wait_for_less_than(lanes)
            item = (
                inside[0] if inside else waiting[0]
            )  # this one names one that comes later: the judge says so
            waiting.remove(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=_other(items, item))
        else:
            running.wait_for_less_than(len(running.names()))
    running.wait_for_less_than(1)


def _rows(items: list[pytest.Item]) -> dict[str, int]:
    """For each check, how many others follow it one after the other, by `after` and `when`."""
    rows = {item.name: 0 for item in items}
    for _ in items:  # as often as the longest row could be
        for item in items:
            for name in (*_spec(item).after, *_spec(item).when):
                if name in rows:
                    rows[name] = min(max(rows[name], rows[item.name] + 1), len(items))
    return rows


def _other(items: list[pytest.Item], item: pytest.Item) -> pytest.Item:
    """Any other check, as the next one: so that only what is this check's own ends with it."""
    return items[0] if item is items[-1] else items[-1]


class Running:
    """The forks that are at work."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.forks: dict[socket.socket, tuple[int, str]] = {}  # process, name of the check

    def names(self) -> set[str]:
        return {name for _, name in self.forks.values()}

    def begin(self, item: pytest.Item, other: pytest.Item) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _check(self.plugin, theirs, item, other)
        theirs.close()
        self.forks[ours] = pid, item.name

    def wait_for_less_than(self, count: int) -> None:
        """Pass on what the forks tell until fewer than `count` are left."""
        with selectors.DefaultSelector() as selector:
            for fork in self.forks:
                selector.register(fork, selectors.EVENT_READ)
            while len(self.forks) >= count:
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    if not self._pass_on(key.fileobj):
                        selector.unregister(key.fileobj)
                        self._end(key.fileobj)

    def _pass_on(self, fork: socket.socket) -> bool:
        """One message of a fork's; False when there will be no more."""
        try:
            news: dict[str, Any] = wire.receive(fork, timeout=wire.PATIENCE)
        except (OSError, wire.WireError):
            return False  # it ended; if it had not reported, the grader says so
        if "layers" in news:
            self.plugin.reached(news["layers"], news["tier"], news["waited"])
        else:
            if finished := news.get("finished"):
                self.plugin.decided(finished["name"], State(finished["state"]), finished["lacks"])
            self.plugin.tell(news)
        return True

    def _end(self, fork: socket.socket) -> None:
        pid, _ = self.forks.pop(fork)
        fork.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _check(plugin: Plugin, report: socket.socket, item: pytest.Item, other: pytest.Item) -> None:
    """In the fork: one check, with `other` as the next one, so that only its own fixtures are torn down."""
    try:
        gc.freeze()  # what the judge left behind may wait, as it ends, for threads that no fork has
        kernel.die_with_parent(signal.SIGKILL)
        plugin.conn.close()
        plugin.conn, before = report, plugin.waited
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=other)
        plugin.tell({"layers": plugin.layers, "tier": plugin.tier, "waited": plugin.waited - before})
    finally:
        os._exit(0)


def _spec(item: Any) -> Spec:
    spec = spec_of(item.function)
    assert spec is not None, f"{item.name} is no check"
    return spec
