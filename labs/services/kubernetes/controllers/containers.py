"""The state of a pod's containers as time passes: waiting, running, ended, restarted. Pure: (pod, now) → status.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers.phases import ended_well, set_conditions, set_phase
from labs.services.kubernetes.controllers.probes import NEVER, life
from labs.services.kubernetes.controllers.surroundings import Behaviour
from labs.services.kubernetes.objects import Obj

_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 300.0
_FORGIVEN_AFTER = 600.0


@dataclass(frozen=True)
class Facts:
    """What the kubelet knows besides the pod.

    Attributes:
        behaviour: of an image.
        missing: (reason, message) that keeps a container from being made, if any.
        mounts: why the volumes cannot be mounted, "" if they can.
    """

    behaviour: Callable[[str], Behaviour]
    missing: Callable[[Obj], tuple[str, str] | None]
    mounts: str = ""


@dataclass
class Step:
    """The next status, when to look again, and (type, reason, message) of events."""

    status: Obj
    again: float = NEVER
    events: list[tuple[str, str, str]] = field(default_factory=list)

    def wake(self, moment: float) -> None:
        self.again = min(self.again, moment)


def step(pod: Obj, now: float, facts: Facts) -> Step:
    """Bring a pod's status up to a moment. Each call makes one move; the caller comes back at `again`."""
    spec, before = pod["spec"], objects.status(pod)
    found = Step({**before})
    if before.get("phase") in ("Succeeded", "Failed"):
        return found
    deadline = spec.get("activeDeadlineSeconds")
    started = objects.seconds(before.get("startTime")) or now
    if deadline is not None:
        if now >= started + deadline:
            return _failed(
                found,
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
                now,
            )
        found.wake(started + deadline)
    inits = spec.get("initContainers") or []
    known = {one["name"]: one for one in before.get("initContainerStatuses") or []}
    waiting = False
    statuses = []
    for one in inits:
        state = known.get(one["name"]) or _waiting(one, "PodInitializing")
        if not waiting:
            state = _move(pod, one, state, now, facts, found, init=True)
        statuses.append(state)
        waiting = waiting or not ended_well(state)
    if inits:
        found.status["initContainerStatuses"] = statuses
    known = {one["name"]: one for one in before.get("containerStatuses") or []}
    mains = []
    for one in spec["containers"]:
        reason = "PodInitializing" if inits else "ContainerCreating"
        state = known.get(one["name"]) or _waiting(one, reason)
        mains.append(state if waiting else _move(pod, one, state, now, facts, found, init=False))
    found.status["containerStatuses"] = mains
    if facts.mounts:
        found.events.append(("Warning", "FailedMount", facts.mounts))
    set_phase(found.status, statuses, mains, initialised=not waiting)
    set_conditions(found.status, objects.timestamp(now), initialised=not waiting)
    return found


def _waiting(container: Obj, reason: str, message: str = "", before: Obj | None = None) -> Obj:
    detail = {"reason": reason, **({"message": message} if message else {})}
    old = before or {}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": old.get("imageID", ""),
        "ready": False,
        "started": False,
        "restartCount": old.get("restartCount", 0),
        "state": {"waiting": detail},
        "lastState": old.get("lastState") or {},
    }


def _move(pod: Obj, container: Obj, state: Obj, now: float, facts: Facts, found: Step, *, init: bool) -> Obj:
    behaviour = facts.behaviour(container["image"])
    if "running" in state["state"]:
        return _running(pod, container, state, behaviour, now, found, init=init)
    if "terminated" in state["state"]:
        return state
    reason = state["state"]["waiting"]["reason"]
    if reason == "CrashLoopBackOff":
        moment = _restart_at(state)
        if now < moment:
            found.wake(moment)
            return state
        return _started(pod, container, state, behaviour, now, found, init=init)
    if facts.mounts:
        return state
    if not behaviour.exists:
        return _no_image(container, state, found, now)
    if container.get("imagePullPolicy") != "Never":
        scheduled = objects.condition(pod, "PodScheduled") or {}
        there = objects.seconds(scheduled.get("lastTransitionTime")) + behaviour.pull_seconds
        if now < there:
            found.wake(there)
            return (
                state
                if reason in ("ContainerCreating", "PodInitializing")
                else _waiting(container, "ContainerCreating")
            )
    if problem := facts.missing(container) or _user_problem(pod, container, behaviour):
        if reason != problem[0]:
            found.events.append(("Warning", "Failed", f"Error: {problem[1]}"))
        return _waiting(container, problem[0], problem[1], state)
    return _started(pod, container, state, behaviour, now, found, init=init)


def _no_image(container: Obj, state: Obj, found: Step, now: float) -> Obj:
    image = container["image"]
    if container.get("imagePullPolicy") == "Never":
        text = f'Container image "{image}" is not present with pull policy of Never'
        return _waiting(container, "ErrImageNeverPull", text, state)
    if state["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff"):
        text = f'Back-off pulling image "{image}"'
        return _waiting(container, "ImagePullBackOff", text, state)
    text = f'failed to pull and unpack image "{image}": not found'
    found.events.append(("Normal", "Pulling", f'Pulling image "{image}"'))
    found.events.append(("Warning", "Failed", f'Failed to pull image "{image}": {text}'))
    found.wake(now + 1)
    return _waiting(container, "ErrImagePull", text, state)


def _user_problem(pod: Obj, container: Obj, behaviour: Behaviour) -> tuple[str, str] | None:
    own, shared = container.get("securityContext") or {}, pod["spec"].get("securityContext") or {}

    def says(field: str) -> object:
        return own.get(field) if own.get(field) is not None else shared.get(field)

    if says("runAsNonRoot") is not True:
        return None
    if says("runAsUser") == 0:
        return "CreateContainerConfigError", "container's runAsUser breaks non-root policy"
    if says("runAsUser") is None and behaviour.root:
        return "CreateContainerConfigError", "container has runAsNonRoot and image will run as root"
    return None


def _started(
    pod: Obj, container: Obj, state: Obj, behaviour: Behaviour, now: float, found: Step, *, init: bool
) -> Obj:
    found.events.append(("Normal", "Started", f"Started container {container['name']}"))
    again = "lastState" in state and bool(state["lastState"])
    running = {
        **state,
        "image": container["image"],
        "imageID": f"simulated://{container['image']}",
        "containerID": f"simulated://{objects.uid(pod)}/{container['name']}",
        "restartCount": state["restartCount"] + again,
        "started": False,
        "ready": False,
        "state": {"running": {"startedAt": objects.timestamp(now)}},
    }
    return _running(pod, container, running, behaviour, now, found, init=init)


def _running(
    pod: Obj, container: Obj, state: Obj, behaviour: Behaviour, now: float, found: Step, *, init: bool
) -> Obj:
    policy = pod["spec"]["restartPolicy"]
    course = life(container, behaviour, runs_to_end=init or policy != "Always")
    begun = objects.seconds(state["state"]["running"]["startedAt"])
    if now >= begun + course.ends:
        return _ended(
            container, state, course.exit_code, course.reason, course.message, policy, now, found, init
        )
    for moment in (course.started, course.ready, course.unready, course.ends):
        if now < begun + moment:
            found.wake(begun + moment)
    started, ready = now >= begun + course.started, course.ready <= now - begun < course.unready
    if state["ready"] and not ready:
        found.events.append(("Warning", "Unhealthy", "Readiness probe failed"))
    return {**state, "started": started, "ready": ready}


def _ended(
    container: Obj,
    state: Obj,
    code: int,
    reason: str,
    message: str,
    policy: str,
    now: float,
    found: Step,
    init: bool,
) -> Obj:
    if message:
        found.events.append(("Normal", "Killing", message))
    ended = {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": state["state"]["running"]["startedAt"],
            "finishedAt": objects.timestamp(now),
            "containerID": state.get("containerID", ""),
        }
    }
    over = {**state, "ready": False, "started": False}
    restart = policy == "Always" or (policy == "OnFailure" and code != 0)
    if (init and code == 0) or not restart:
        return {**over, "state": ended}
    over["lastState"] = ended
    wait = {
        "reason": "CrashLoopBackOff",
        "message": f"back-off restarting failed container {container['name']}",
    }
    over["state"] = {"waiting": wait}
    found.events.append(
        ("Warning", "BackOff", f"Back-off restarting failed container {container['name']} in pod")
    )
    found.wake(max(_restart_at(over), now + 0.001))
    return over


def _restart_at(state: Obj) -> float:
    """At once the first time, then after 10 s, 20 s, 40 s … at most 5 minutes; a long run is forgiven."""
    last = state["lastState"]["terminated"]
    finished = objects.seconds(last["finishedAt"])
    count: int = state["restartCount"]
    if count == 0 or finished - objects.seconds(last["startedAt"]) >= _FORGIVEN_AFTER:
        return finished
    return finished + min(_FIRST_BACKOFF * 2.0 ** min(count - 1, 10), _LONGEST_BACKOFF)


def _failed(found: Step, reason: str, message: str, now: float) -> Step:
    found.status.update(phase="Failed", reason=reason, message=message)
    found.status["containerStatuses"] = [
        {**one, "ready": False} for one in found.status.get("containerStatuses") or []
    ]
    found.events.append(("Normal", reason, message))
    set_conditions(found.status, objects.timestamp(now), initialised=True)
    return found
