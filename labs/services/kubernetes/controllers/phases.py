"""A pod's phase and conditions, from the states of its containers.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
"""

from __future__ import annotations

from labs.services.kubernetes.controllers.hands import with_condition
from labs.services.kubernetes.objects import Obj


def ended_well(state: Obj) -> bool:
    ended = state["state"].get("terminated")
    return bool(ended) and ended["exitCode"] == 0


def set_phase(status: Obj, inits: list[Obj], mains: list[Obj], *, initialised: bool) -> None:
    if any("terminated" in one["state"] and not ended_well(one) for one in inits):
        status["phase"] = "Failed"
    elif not initialised or any("waiting" in one["state"] and not one.get("lastState") for one in mains):
        begun = status.get("phase") == "Running" and initialised
        status["phase"] = "Running" if begun else "Pending"
    elif all("terminated" in one["state"] for one in mains):
        status["phase"] = "Succeeded" if all(ended_well(one) for one in mains) else "Failed"
    else:
        status["phase"] = "Running"


def set_conditions(status: Obj, stamp: str, *, initialised: bool) -> None:
    mains = status.get("containerStatuses") or []
    phase = status["phase"]
    ready = bool(mains) and phase == "Running" and all(one["ready"] for one in mains)
    bad = [one["name"] for one in mains if not one["ready"]]
    why = "" if ready else "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
    text = "" if ready or phase == "Succeeded" else f"containers with unready status: [{' '.join(bad)}]"
    conditions = status.get("conditions") or []
    conditions = with_condition(conditions, "PodReadyToStartContainers", "True", "", "", stamp)
    conditions = with_condition(
        conditions,
        "Initialized",
        "True" if initialised else "False",
        "" if initialised else "ContainersNotInitialized",
        "",
        stamp,
    )
    for kind in ("Ready", "ContainersReady"):
        conditions = with_condition(conditions, kind, "True" if ready else "False", why, text, stamp)
    status["conditions"] = conditions
