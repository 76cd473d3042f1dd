"""When a simulated container serves, becomes ready, is killed by a probe, or ends by itself. Pure arithmetic.

A probe first looks `initialDelaySeconds` after the start of the container, then every `periodSeconds`. It fails before
the container serves, and always at a port or path that its image does not serve. While a startup probe has not
succeeded, the others do not look. Where nobody answers, a look fails after `timeoutSeconds` and not before; the next
comes when the period is over, or at once if it is over already. A TCP connection to a silent process succeeds.

Sources: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ and, for silence, the
worker of the kubelet (pkg/kubelet/prober/worker.go): one look after the other, driven by a ticker.
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
        unready: it does not any more, because it fell silent.
        ends: it ends, with `exit_code` and `reason`; `message` says which probe killed it.
    """

    started: float
    ready: float
    ends: float
    exit_code: int = 0
    reason: str = "Completed"
    message: str = ""
    unready: float = NEVER


@dataclass(frozen=True)
class _Sight:
    """What one probe meets: moments in seconds since the start of the container.

    Attributes:
        good: it gets a good answer from here on,
        until: up to here.
        silent: from here on it gets no answer at all. What it meets at other times fails at once.
    """

    good: float = NEVER
    until: float = NEVER
    silent: float = NEVER


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
    started = 0.0
    message = ""
    startup = container.get("startupProbe")
    if startup:
        started, killed, _ = _course(startup, 0.0, _sight(container, startup, behaviour))
        if killed < ends and killed < started:
            ends, code, reason = killed, 137, "Error"
            message = f"Container {container['name']} failed startup probe, will be restarted"
    liveness = container.get("livenessProbe")
    if liveness and started < NEVER:
        fine, killed, later = _course(liveness, started, _sight(container, liveness, behaviour))
        killed = killed if killed < fine else later
        if killed < ends:
            ends, code, reason = killed, 137, "Error"
            message = f"Container {container['name']} failed liveness probe, will be restarted"
    readiness = container.get("readinessProbe")
    ready, unready = started, NEVER
    if readiness and started < NEVER:
        sight = _sight(container, readiness, behaviour)
        first, _, unready = _course(readiness, started, sight)
        more = (readiness.get("successThreshold", 1) - 1) * readiness.get("periodSeconds", 10)
        ready = first + more if first + more < sight.until else NEVER
    return Life(started, ready if ready < ends else NEVER, ends, code, reason, message, unready)


def _course(probe: Obj, begin: float, sight: _Sight) -> tuple[float, float, float]:
    """When a probe first succeeds; when it has failed often enough if it never did before; and if it did."""
    period, times = probe.get("periodSeconds") or 10, probe.get("failureThreshold") or 3
    limit = probe.get("timeoutSeconds") or 1
    first = float(probe.get("initialDelaySeconds") or 0)
    if first < begin:
        first += math.ceil((begin - first) / period) * period

    def looks_before(moment: float) -> int:
        return max(0, math.ceil((moment - first) / period))

    def failed(quick: int, slow: int) -> float:
        """After so many looks that fail at once, and then so many without an answer."""
        return first + quick * period + (slow - 1) * max(period, limit) + limit

    quick = times if sight.silent == NEVER else min(times, looks_before(sight.silent))
    never = first + (times - 1) * period if quick == times else failed(quick, times - quick)
    if sight.good == NEVER or first + looks_before(sight.good) * period >= sight.until:
        return NEVER, never, NEVER
    succeeds = first + looks_before(sight.good) * period
    return succeeds, never, NEVER if sight.until == NEVER else failed(looks_before(sight.until), times)


def _sight(container: Obj, probe: Obj, behaviour: Behaviour) -> _Sight:
    serves = behaviour.start_seconds if behaviour.ready else NEVER
    hangs = NEVER if behaviour.hangs_after is None else behaviour.hangs_after
    answers = _Sight(serves, hangs, hangs)
    kind = next((one for one in ("httpGet", "tcpSocket", "grpc") if probe.get(one) is not None), "exec")
    if behaviour.routes is None or kind == "exec":
        return _Sight(serves) if kind == "tcpSocket" else answers
    paths = behaviour.routes.get(str(port_number(container, probe[kind].get("port"))))
    if paths is None:
        return _Sight()
    if kind != "httpGet":
        return _Sight(serves) if kind == "tcpSocket" else answers
    status = paths.get((probe[kind].get("path") or "/").partition("?")[0], 404)
    if status == 0:
        return _Sight(silent=min(serves, hangs))
    return answers if 200 <= status < 400 else _Sight(silent=hangs)


def port_number(container: Obj, port: object) -> int | None:
    """A port as a number; its name is looked up in the container's ports."""
    if isinstance(port, int):
        return port
    if isinstance(port, str) and port.isdigit():
        return int(port)
    named = (one for one in container.get("ports") or [] if one.get("name") == port)
    return next((int(one["containerPort"]) for one in named), None)
