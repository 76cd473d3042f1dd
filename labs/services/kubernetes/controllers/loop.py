"""Runs the controllers: after a change those whom it concerns, and at the moments at which they want to come back.

Time passes from one such moment to the next, so an hour of rollouts takes milliseconds, and takes them in the same
order every time.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterable
from typing import Protocol

from labs.services.kubernetes.clock import Clock
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.resources import STORED
from labs.services.kubernetes.store import Change, Key, Store

_MOST_STEPS = 50_000
"""At one moment."""
_AFTER_FAULT = 60.0
_LOG = logging.getLogger("labs.services.kubernetes")


class Controller(Protocol):
    name: str

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        """(namespace, name) of the objects to look at because of a change."""
        ...

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        """Bring one object nearer to what is wanted; the moment to look again, if any."""
        ...


class Loop:
    def __init__(self, store: Store, clock: Clock, hands: Hands, controllers: list[Controller]) -> None:
        self._store, self._clock, self._hands = store, clock, hands
        self._controllers = controllers
        self._queues: list[dict[Key, None]] = [{} for _ in controllers]
        self._wakes: list[tuple[float, int, Key]] = []
        self._wanted: dict[tuple[int, Key], float] = {}
        self._saved = clock.now()
        self.faults: list[str] = []
        store.listen(self.observe)
        self.look_at_everything()

    def look_at_everything(self) -> None:
        """As after a start, or after the surroundings changed."""
        for resource in STORED:
            for thing in self._store.every(resource):
                self.observe(Change("ADDED", resource, thing, None, 0))

    def observe(self, change: Change) -> None:
        for queue, controller in zip(self._queues, self._controllers, strict=True):
            for key in controller.concerns(change, self._hands):
                queue[key] = None

    @property
    def busy(self) -> bool:
        return any(self._queues)

    @property
    def next_moment(self) -> float | None:
        """When something will happen by itself."""
        self._drop_stale()
        return self._wakes[0][0] if self._wakes else None

    def _drop_stale(self) -> None:
        while self._wakes:
            moment, index, key = self._wakes[0]
            if self._wanted.get((index, key)) == moment:
                return
            heapq.heappop(self._wakes)

    def run(self) -> None:
        """Do all that is to be done by now, each thing at its own moment."""
        self._run(self._clock.now())

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.run()
        target = self._clock.now() + seconds
        self._run(target)
        self._clock.jump(target)

    def _run(self, target: float) -> None:
        if self.busy:  # reactions to what clients just wrote
            self._hands.now = max(self._hands.now, min(target, self._clock.now()))
        steps = 0
        while True:
            moment = self.next_moment
            if not self.busy and (moment is None or moment > target):
                return
            with self._store.transaction():
                if not self.busy and moment is not None:
                    self._wake(moment)
                    steps = 0
                steps += self._drain()
                if abs(self._hands.now - self._saved) >= 1.0:  # a restarted clock goes on from here
                    self._saved = self._hands.now
                    self._store.set("clock", str(self._saved))
            if steps > _MOST_STEPS:
                raise RuntimeError("the controllers do not come to rest")

    def _wake(self, moment: float) -> None:
        self._hands.now = max(self._hands.now, moment)
        while self._wakes and self._wakes[0][0] <= moment:
            at, index, key = heapq.heappop(self._wakes)
            if self._wanted.get((index, key)) == at:
                del self._wanted[index, key]
                self._queues[index][key] = None

    def _drain(self) -> int:
        """Work off the queues; changes become known between two transactions."""
        steps = 0
        for index, queue in enumerate(self._queues):
            while queue:
                key = next(iter(queue))
                del queue[key]
                self._step(index, key)
                steps += 1
        return steps

    def _step(self, index: int, key: Key) -> None:
        try:
            again = self._controllers[index].reconcile(key, self._hands)
        except Exception as error:  # a fault of ours in one place must not stop the whole cluster
            _LOG.exception("%s of %s", self._controllers[index].name, key)
            self.faults.append(f"{self._controllers[index].name} {key}: {error!r}")
            again = self._hands.now + _AFTER_FAULT
        self._wanted.pop((index, key), None)
        if again is not None:
            self._wanted[index, key] = again
            heapq.heappush(self._wakes, (again, index, key))
