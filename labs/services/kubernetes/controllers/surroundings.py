"""What a simulated machine cannot know by itself, and graders state: how images behave, and what is measured.

An image's behaviour is found by its exact name, then by the first pattern (`*` and `?`) that matches, in the order in
which they were stated. Without one, containers start one second after their image is there, are ready at once, pass
every probe and run for ever; in pods that are not restarted they end well after five seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

import orjson

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import quantity
from labs.services.kubernetes.statuses import bad_request
from labs.services.kubernetes.store import Store


@dataclass(frozen=True)
class Behaviour:
    """How containers of an image behave. All times in seconds.

    Attributes:
        exists: whether a registry has it; if not: ErrImagePull, then ImagePullBackOff.
        pull_seconds: until it is on the node.
        start_seconds: from the start of the process until it serves; probes fail before.
        ready: whether it ever serves.
        crash_after: it ends with `exit_code` so long after its start; None: it does not.
        run_seconds: a container that is not restarted ends with 0 after this time.
        stop_seconds: it ends so long after SIGTERM; killed if the grace period is shorter.
        memory: what it needs; a lower memory limit kills it (OOMKilled).
        root: it runs as root unless the pod says otherwise; with runAsNonRoot it cannot start.
        routes: {port: {path: HTTP status}} that it serves; None: every probe succeeds once it serves. A status of 0 is
            silence: the connection is accepted, and no answer comes.
        hangs_after: it falls silent so long after its start, on every port and path; None: it does not.
    """

    exists: bool = True
    pull_seconds: float = 0.0
    start_seconds: float = 0.0
    ready: bool = True
    crash_after: float | None = None
    exit_code: int = 1
    run_seconds: float = 5.0
    stop_seconds: float = 1.0
    memory: str = ""
    root: bool = False
    routes: dict[str, dict[str, int]] | None = field(default=None, hash=False)
    hangs_after: float | None = None


_FIELDS = {one.name: one for one in fields(Behaviour)}
DEFAULT = Behaviour()


def read_behaviour(image: str, stated: Any) -> Behaviour:
    """Raises: ApiError 400, a field that there is not or a value that cannot be."""
    if not isinstance(stated, dict):
        raise bad_request(f"images[{image!r}]: an object was expected")
    for name, value in stated.items():
        if name not in _FIELDS:
            raise bad_request(f"images[{image!r}].{name}: unknown; known: {', '.join(_FIELDS)}")
        if name in ("exists", "ready", "root"):
            good = isinstance(value, bool)
        elif name == "routes":
            good = value is None or (
                isinstance(value, dict) and all(isinstance(v, dict) for v in value.values())
            )
        elif name == "memory":
            good = isinstance(value, str) and (not value or quantity(value) > 0)
        else:
            good = (value is None and name in ("crash_after", "hangs_after")) or (
                isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
            )
        if not good:
            raise bad_request(f"images[{image!r}].{name}: {value!r} cannot be")
    return Behaviour(**stated)


class Surroundings:
    """Kept in the store, so that a restarted server behaves as before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        kept = orjson.loads(store.setting("images") or "{}")
        self._images = {image: read_behaviour(image, stated) for image, stated in kept.items()}
        self._stated: dict[str, Obj] = kept
        self.metrics: list[Obj] = orjson.loads(store.setting("metrics") or "[]")

    @property
    def images(self) -> dict[str, Obj]:
        return self._stated

    def set_images(self, stated: dict[str, Obj]) -> None:
        self._images = {image: read_behaviour(image, one) for image, one in stated.items()}
        self._stated = stated
        self._store.set("images", orjson.dumps(stated).decode())

    def set_metrics(self, stated: list[Obj]) -> None:
        self.metrics = [_checked(index, one) for index, one in enumerate(stated)]
        self._store.set("metrics", orjson.dumps(stated).decode())

    def behaviour(self, image: str) -> Behaviour:
        if image in self._images:
            return self._images[image]
        return next((one for pattern, one in self._images.items() if fnmatchcase(image, pattern)), DEFAULT)


_AMOUNTS = ("perPod", "total", "value")


def _checked(index: int, one: Any) -> Obj:
    """{namespace, metric, and one of perPod, total (with a selector of pods) or value}"""
    place = f"metrics[{index}]"
    if not isinstance(one, dict) or not one.get("metric"):
        raise bad_request(
            f"{place}: an object with namespace, metric and one of {', '.join(_AMOUNTS)} was expected"
        )
    given = [key for key in _AMOUNTS if key in one]
    if len(given) != 1:
        raise bad_request(f"{place}: exactly one of {', '.join(_AMOUNTS)} was expected")
    if unknown := set(one) - {"namespace", "metric", "selector", "object", *_AMOUNTS}:
        raise bad_request(f"{place}: unknown: {', '.join(sorted(unknown))}")
    try:
        quantity(one[given[0]])
    except ValueError as error:
        raise bad_request(f"{place}.{given[0]}: {error}") from None
    if given[0] != "value" and not isinstance(one.get("selector"), dict):
        raise bad_request(f"{place}.selector: labels of pods were expected")
    return {"namespace": "default", **one}
