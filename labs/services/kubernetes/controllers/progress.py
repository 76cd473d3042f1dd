"""The status of a Deployment, and whether its rollout gets on. Pure.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers import rollout
from labs.services.kubernetes.controllers.hands import with_condition
from labs.services.kubernetes.objects import Obj

_NO_DEADLINE = 2**31 - 1


def status_of(deployment: Obj, new: Obj | None, sets: list[Obj], now: float) -> tuple[Obj, float | None]:
    """The status, and the moment at which the progress deadline is over (None if nothing is waited for)."""
    spec, before = deployment["spec"], objects.status(deployment)
    wanted = spec["replicas"]

    def total(field: str) -> int:
        return sum(objects.status(one).get(field, 0) for one in sets)

    available, size = total("availableReplicas"), total("replicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": size,
        "updatedReplicas": objects.status(new).get("replicas", 0) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(one["spec"]["replicas"] for one in sets) - available),
    }
    state = {key: value for key, value in counts.items() if value or key == "observedGeneration"}
    stamp = objects.timestamp(now)
    conditions = list(before.get("conditions") or [])
    rolling = spec["strategy"].get("rollingUpdate") or {}
    bounds = rollout.limits(wanted, rolling.get("maxSurge", 0), rolling.get("maxUnavailable", "100%"))
    enough = available >= (bounds.least if rolling else wanted)
    conditions = with_condition(
        conditions,
        "Available",
        "True" if enough else "False",
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        stamp,
        lastUpdateTime=_updated(before, "Available", "True" if enough else "False", stamp),
    )
    done = counts["updatedReplicas"] == wanted and size == wanted and available == wanted and new is not None
    conditions, again = _progressing(deployment, new, conditions, before, counts, done, now)
    failure = next(
        (one for one in (objects.condition(rs, "ReplicaFailure") for rs in reversed(sets)) if one), None
    )
    conditions = [one for one in conditions if one["type"] != "ReplicaFailure"]
    if failure is not None:
        conditions.append({**failure, "lastUpdateTime": failure["lastTransitionTime"]})
    state["conditions"] = conditions
    return state, again


def _updated(before: Obj, kind: str, status: str, stamp: str) -> str:
    old = next((one for one in before.get("conditions") or [] if one["type"] == kind), None)
    return (
        str(old["lastUpdateTime"]) if old and old["status"] == status and old.get("lastUpdateTime") else stamp
    )


def _progressing(
    deployment: Obj,
    new: Obj | None,
    conditions: list[Obj],
    before: Obj,
    counts: dict[str, int],
    done: bool,
    now: float,
) -> tuple[list[Obj], float | None]:
    spec, stamp = deployment["spec"], objects.timestamp(now)
    deadline = spec.get("progressDeadlineSeconds", _NO_DEADLINE)
    old = next((one for one in conditions if one["type"] == "Progressing"), None)
    name = objects.name(new) if new else ""
    about = f'ReplicaSet "{name}"' if new else f'Deployment "{objects.name(deployment)}"'

    def told(status: str, reason: str, message: str) -> list[Obj]:
        return with_condition(conditions, "Progressing", status, reason, message, stamp, lastUpdateTime=stamp)

    if spec.get("paused"):
        if old is None or old["reason"] != "DeploymentPaused":
            conditions = told("Unknown", "DeploymentPaused", "Deployment is paused")
        return conditions, None
    if old is not None and old["reason"] == "DeploymentPaused":
        conditions = told("Unknown", "DeploymentResumed", "Deployment is resumed")
        old = next(one for one in conditions if one["type"] == "Progressing")
    complete = old is not None and old["reason"] == "NewReplicaSetAvailable"
    if done:
        if not complete or (old and name not in old.get("message", "")):
            conditions = told("True", "NewReplicaSetAvailable", f"{about} has successfully progressed.")
        return conditions, None
    if (
        complete
        and old
        and name
        and name in old.get("message", "")
        and counts["updatedReplicas"] == counts["replicas"]
    ):
        return conditions, None  # a finished rollout that lost a pod or was scaled is not a new one
    if old is None or complete or _got_on(before, counts):
        return told("True", "ReplicaSetUpdated", f"{about} is progressing."), now + deadline
    if old["reason"] == "ProgressDeadlineExceeded":
        return conditions, None
    end = objects.seconds(old["lastUpdateTime"]) + deadline
    if now >= end:
        return told("False", "ProgressDeadlineExceeded", f"{about} has timed out progressing."), None
    return conditions, end


def _got_on(before: Obj, counts: dict[str, int]) -> bool:
    """Whether more pods are new, fewer are old, or more are ready or available than before."""

    def old(pods: dict[str, int]) -> int:
        return pods.get("replicas", 0) - pods.get("updatedReplicas", 0)

    return (
        counts["updatedReplicas"] > before.get("updatedReplicas", 0)
        or old(counts) < old(before)
        or counts["readyReplicas"] > before.get("readyReplicas", 0)
        or counts["availableReplicas"] > before.get("availableReplicas", 0)
    )
