"""What may not change once an object exists.

Source: the word "immutable" in https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes.objects import Obj, copy
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.validation.report import Report

_IMMUTABLE = "field is immutable"
_FIXED = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.completionMode", "spec.podFailurePolicy"),
    "Secret": ("type",),
    "EndpointSlice": ("addressType",),
}


def at(thing: Any, path: str) -> Any:
    for piece in path.split("."):
        thing = thing.get(piece) if isinstance(thing, dict) else None
    return thing


def check(report: Report, resource: Resource, old: Obj, new: Obj) -> None:
    for path in _FIXED.get(resource.kind, ()):
        if at(old, path) != at(new, path):
            report.invalid(path, at(new, path), _IMMUTABLE)
    match resource.kind:
        case "ConfigMap" | "Secret":
            _frozen(report, old, new)
        case "RoleBinding" | "ClusterRoleBinding":
            if old["roleRef"] != new["roleRef"]:
                report.invalid("roleRef", new["roleRef"], "cannot change roleRef")
        case "Job":
            _job(report, old, new)
        case "Pod":
            _pod(report, old, new)
        case "Service":
            _service(report, old, new)


def _frozen(report: Report, old: Obj, new: Obj) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        report.forbidden("immutable", "field is immutable when `immutable` is set")
    for field in ("data", "binaryData"):
        if (old.get(field) or {}) != (new.get(field) or {}):
            report.forbidden(field, "field is immutable when `immutable` is set")


def _job(report: Report, old: Obj, new: Obj) -> None:
    if old["spec"].get("completions") != new["spec"].get("completions"):
        report.invalid("spec.completions", new["spec"].get("completions"), _IMMUTABLE)
    before, after = copy(old["spec"]["template"]), copy(new["spec"]["template"])
    if old["spec"].get("suspend") and not (old.get("status") or {}).get("startTime"):
        for template in (before, after):
            for field in ("nodeSelector", "tolerations", "affinity", "schedulingGates"):
                template["spec"].pop(field, None)
            for field in ("labels", "annotations"):
                (template.get("metadata") or {}).pop(field, None)
    if before != after:
        report.invalid("spec.template", after, _IMMUTABLE)


def _pod(report: Report, old: Obj, new: Obj) -> None:
    before, after = copy(old["spec"]), copy(new["spec"])
    for spec in (before, after):
        for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
            container.pop("image", None)
        spec.pop("activeDeadlineSeconds", None)
        spec.pop("terminationGracePeriodSeconds", None)
    known = {str(one) for one in before.pop("tolerations", None) or []}
    added = {str(one) for one in after.pop("tolerations", None) or []}
    if before != after or known - added:
        report.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)",
        )


def _service(report: Report, old: Obj, new: Obj) -> None:
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    both = "ExternalName" not in (old["spec"].get("type"), new["spec"].get("type"))
    if both and before and before != after:
        report.invalid("spec.clusterIPs[0]", after, "may not change once set")
