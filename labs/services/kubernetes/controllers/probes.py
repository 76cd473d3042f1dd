"""When a simulated container serves, becomes ready, is killed by a probe, or ends by itself. Pure arithmetic.

A probe first looks `initialDelaySeconds` after the start of the container, then every `periodSeconds`. It fails before
the container serves, and always at a port or path that its image does not serve. While a startup probe has not
succeeded, the others do not look.

Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labs.services.kubernetes.controllers.surroundings import Behaviour
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import quantity

NEVER = math.inf


@dataclass(frozen=True)
class Life:
    """One run of a container: moments in seconds since its start, infinite for what does not happen.

    Attributes:
        started: the startup probe has succeeded.
        ready: it counts as ready.
        ends: it ends, with `exit_code` and `reason`; `message` says which probe killed it.
    """

    started: float
    ready: float
    ends: float
    exit_code: int = 0
    reason: str = "Completed"
    message: str = ""


def life(container: Obj, behaviour: Behaviour, *, runs_to_end: bool) -> Life:
    """The course of one run.

    Args:
        runs_to_end: whether the container is expected to end (init containers, and pods that are not restarted).
    """
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    if behaviour.memory and limit and quantity(behaviour.memory) > quantity(limit):
        return Life(NEVER, NEVER, 1.0, 137, "OOMKilled")
    ends, code, reason = NEVER, 0, "Completed"
    if behaviour.crash_after is not None:
        ends, code = behaviour.crash_after, behaviour.exit_code
        reason = "Error" if code else "Completed"
    elif runs_to_end:
        ends = behaviour.run_seconds
    serves = behaviour.start_seconds if behaviour.ready else NEVER
    started = 0.0
    message = ""
    startup = container.get("startupProbe")
    if startup:
        started, killed = _first_success(startup, 0.0, _answers_from(container, startup, behaviour, serves))
        if killed < ends and killed < started:
            ends, code, reason = killed, 137, "Error"
            message = f"Container {container['name']} failed startup probe, will be restarted"
    liveness = container.get("livenessProbe")
    if liveness and started < NEVER:
        fine, killed = _first_success(
            liveness, started, _answers_from(container, liveness, behaviour, serves)
        )
        if killed < ends and killed < fine:
            ends, code, reason = killed, 137, "Error"
            message = f"Container {container['name']} failed liveness probe, will be restarted"
    readiness = container.get("readinessProbe")
    ready = started
    if readiness and started < NEVER:
        first, _ = _first_success(readiness, started, _answers_from(container, readiness, behaviour, serves))
        more = (readiness.get("successThreshold", 1) - 1) * readiness.get("periodSeconds", 10)
        ready = first + more
    return Life(started, ready if ready < ends else NEVER, ends, code, reason, message)


def _first_success(probe: Obj, begin: float, answers: float) -> tuple[float, float]:
    """When a probe first succeeds, and when it would have failed often enough for a kill."""
    period = probe.get("periodSeconds") or 10
    first = float(probe.get("initialDelaySeconds") or 0)
    if first < begin:
        first += math.ceil((begin - first) / period) * period
    killed = first + ((probe.get("failureThreshold") or 3) - 1) * period
    if answers == NEVER:
        return NEVER, killed
    looks = max(0, math.ceil((answers - first) / period))
    return first + looks * period, killed


def _answers_from(container: Obj, probe: Obj, behaviour: Behaviour, serves: float) -> float:
    """From when on a probe is answered well."""
    if behaviour.routes is None or probe.get("exec") is not None:
        return serves
    for kind in ("httpGet", "tcpSocket", "grpc"):
        if probe.get(kind) is None:
            continue
        paths = behaviour.routes.get(str(port_number(container, probe[kind].get("port"))))
        if paths is None:
            return NEVER
        if kind != "httpGet":
            return serves
        path = (probe[kind].get("path") or "/").partition("?")[0]
        return serves if 200 <= paths.get(path, 404) < 400 else NEVER
    return serves


def port_number(container: Obj, port: object) -> int | None:
    """A port as a number; its name is looked up in the container's ports."""
    if isinstance(port, int):
        return port
    if isinstance(port, str) and port.isdigit():
        return int(port)
    named = (one for one in container.get("ports") or [] if one.get("name") == port)
    return next((int(one["containerPort"]) for one in named), None)
