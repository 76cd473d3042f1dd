"""Runs checks of one grading side by side, so that a learner with two cores waits half as long.

A check that no other check names in `after` runs in a fork of the judge: what checks before it left in session fixtures
comes along, and nothing comes back but its result. The others run in the judge itself, so that what they leave in such
fixtures is there for all that follow.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from typing import TYPE_CHECKING, Any

from labs import kernel
from labs.checks import spec_of
from labs.grading import wire

if TYPE_CHECKING:
    import pytest

    from labs.grading.judge import Plugin


def run(plugin: Plugin, items: list[pytest.Item], lanes: int) -> None:
    """Run every check, `lanes` at a time at most; each result is told as it comes."""
    named = {name for item in items for name in _after(item)}
    running = Running(plugin)
    for item, other in zip(items, [*items[1:], items[0]], strict=True):
        running.wait_for_less_than(lanes)
        if item.name in named:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=other)
        else:
            running.begin(item, other)
    running.wait_for_less_than(1)


class Running:
    """The forks that are at work."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.forks: dict[socket.socket, int] = {}

    def begin(self, item: pytest.Item, other: pytest.Item) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _check(self.plugin, theirs, item, other)
        theirs.close()
        self.forks[ours] = pid

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
            news: dict[str, Any] = wire.receive(fork, timeout=30)
        except (OSError, wire.WireError):
            return False  # it ended; if it had not reported, the grader says so
        if "layers" in news:
            self.plugin.reached(news["layers"], news["tier"])
        else:
            self.plugin.tell(news)
        return True

    def _end(self, fork: socket.socket) -> None:
        pid = self.forks.pop(fork)
        fork.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _check(plugin: Plugin, report: socket.socket, item: pytest.Item, other: pytest.Item) -> None:
    """In the fork: one check, with `other` as the next one, so that only its own fixtures are torn down."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        plugin.conn.close()
        plugin.conn = report
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=other)
        plugin.tell({"layers": plugin.layers, "tier": plugin.tier})
    finally:
        os._exit(0)


def _after(item: Any) -> tuple[str, ...]:
    spec = spec_of(item.function)
    return spec.after if spec else ()
