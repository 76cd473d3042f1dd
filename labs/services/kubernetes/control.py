"""The control API of graders and demonstrations: the clock, the behaviour of images, and metrics. Not of Kubernetes.

GET  /labs/v1/clock    {"now", "seconds", "speed", "next"}
POST /labs/v1/clock    {"advance": seconds} and/or {"speed": seconds per real second, 0 stands still}
GET, PUT, PATCH /labs/v1/images     {"images": {name or pattern: behaviour}}; PUT replaces all, PATCH adds
GET, PUT        /labs/v1/metrics    {"metrics": [{"namespace", "metric", "selector", "perPod" or "total"}, …]}

Only members of system:masters may use it.
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes import objects
from labs.services.kubernetes.cluster import Cluster
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.statuses import bad_request, method_not_allowed, no_such_path

PREFIX = "/labs/v1/"
_MOST_SECONDS = 30 * 86400


def answer(cluster: Cluster, method: str, path: str, body: Any) -> Obj:
    """Raises: ApiError 400, 404 or 405."""
    part = path.removeprefix(PREFIX).strip("/")
    if method not in ("GET", "POST", "PUT", "PATCH"):
        raise method_not_allowed(f"{method} {path}")
    if method != "GET" and not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    match part:
        case "clock":
            if method != "GET":
                _clock(cluster, body)
            return _shown_clock(cluster)
        case "images":
            if method != "GET":
                stated = body.get("images")
                if not isinstance(stated, dict):
                    raise bad_request('{"images": {name: behaviour}} was expected')
                kept = cluster.surroundings.images if method == "PATCH" else {}
                cluster.surroundings.set_images({**kept, **stated})
                cluster.loop.look_at_everything()
                cluster.loop.run()
            return {"images": cluster.surroundings.images}
        case "metrics":
            if method != "GET":
                if not isinstance(body.get("metrics"), list):
                    raise bad_request('{"metrics": [...]} was expected')
                cluster.surroundings.set_metrics(body["metrics"])
            return {"metrics": cluster.surroundings.metrics}
    raise no_such_path(path)


def _number(body: Obj, name: str, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise bad_request(f"{name}: a number from 0 to {most:g} was expected")
    return float(value)


def _clock(cluster: Cluster, body: Obj) -> None:
    if unknown := set(body) - {"advance", "speed"}:
        raise bad_request(f"unknown: {', '.join(sorted(unknown))}; known: advance, speed")
    speed, seconds = _number(body, "speed", 100_000), _number(body, "advance", _MOST_SECONDS)
    if speed is not None:
        cluster.clock.set_speed(speed)
        cluster.store.set("speed", str(speed))
    if seconds is not None:
        cluster.loop.advance(seconds)
    cluster.store.set("clock", str(cluster.clock.now()))


def _shown_clock(cluster: Cluster) -> Obj:
    now, coming = cluster.clock.now(), cluster.loop.next_moment
    return {
        "now": objects.timestamp(now),
        "seconds": now,
        "speed": cluster.clock.speed,
        "next": None if coming is None else objects.timestamp(coming),
    }
