"""The quality-of-service class of a pod.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from __future__ import annotations

from labs.services.kubernetes.objects import Obj


def quality(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, from a pod's spec."""
    guaranteed, anything = True, False
    for one in [*spec["containers"], *(spec.get("initContainers") or [])]:
        limits = one["resources"].get("limits") or {}
        requests = one["resources"].get("requests") or {}
        anything = anything or bool({"cpu", "memory"} & {*limits, *requests})
        for kind in ("cpu", "memory"):
            guaranteed = guaranteed and kind in limits and requests.get(kind, limits[kind]) == limits[kind]
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
