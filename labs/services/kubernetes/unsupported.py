"""Fields of served kinds whose effect this server does not have. They are refused, never stored in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import not_done

_VOLUMES = {
    "configMap",
    "downwardAPI",
    "emptyDir",
    "hostPath",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def check(resource: Resource, thing: Obj) -> None:
    """Raises: ApiError 501, naming the first such field."""
    for what in _found(resource.kind, thing):
        raise not_done(what)


def _found(kind: str, thing: Obj) -> Iterator[str]:
    spec = thing.get("spec") or {}
    match kind:
        case "Pod":
            yield from _pod(spec, "spec")
        case "Deployment" | "ReplicaSet" | "Job":
            yield from _pod((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")
        case "Service":
            if spec.get("ipFamilyPolicy") == "RequireDualStack" or "IPv6" in (spec.get("ipFamilies") or []):
                yield "have IPv6 addresses (spec.ipFamilies, spec.ipFamilyPolicy)"
        case "Secret":
            if thing.get("type") == "kubernetes.io/service-account-token":
                yield "fill in Secrets with tokens of ServiceAccounts; use `kubectl create token` (type)"
    if kind == "Job":
        yield from _job(spec)


def _job(spec: Obj) -> Iterator[str]:
    if spec.get("completionMode") == "Indexed":
        yield "run indexed Jobs (spec.completionMode: Indexed)"
    if spec.get("podReplacementPolicy") == "Failed":
        yield "wait for failed pods before replacing them (spec.podReplacementPolicy: Failed)"
    for field in (
        "podFailurePolicy",
        "successPolicy",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
        "managedBy",
    ):
        if spec.get(field) is not None:
            yield f"act on spec.{field} of Jobs"


def _pod(spec: Obj, path: str) -> Iterator[str]:
    for index, one in enumerate(spec.get("initContainers") or []):
        if one.get("restartPolicy") == "Always":
            yield f"run sidecars ({path}.initContainers[{index}].restartPolicy: Always)"
    for field in ("resourceClaims", "schedulingGates", "readinessGates", "resources", "overhead"):
        if spec.get(field):
            yield f"act on {path}.{field}"
    for field, what in (("priorityClassName", "pod priority"), ("runtimeClassName", "runtime classes")):
        if spec.get(field):
            yield f"have {what} ({path}.{field}: {spec[field]})"
    for index, volume in enumerate(spec.get("volumes") or []):
        for source in set(volume) - {"name"} - _VOLUMES:
            yield f"mount volumes of the kind {source} ({path}.volumes[{index}])"
    affinity: Any = spec.get("affinity") or {}
    for field in ("podAffinity", "podAntiAffinity"):
        for term in (affinity.get(field) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []:
            for part in ("namespaceSelector", "matchLabelKeys", "mismatchLabelKeys"):
                if term.get(part):
                    yield f"act on {path}.affinity.{field} with {part}"
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or []):
        for part in ("minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(part):
                yield f"act on {path}.topologySpreadConstraints[{index}].{part}"
