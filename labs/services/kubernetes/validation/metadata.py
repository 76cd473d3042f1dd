"""Names, labels and annotations of every object.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.validation.report import Report

_ANNOTATIONS = 256 * 1024
_ANY_PATH_SEGMENT = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


def check(report: Report, resource: Resource, thing: Obj) -> None:
    meta = thing.get("metadata") or {}
    name = meta.get("name") or ""
    if not name:
        report.required("metadata.name", "name or generateName is required")
    elif resource.kind in _ANY_PATH_SEGMENT:
        if name in (".", "..") or "/" in name or "%" in name:
            report.invalid("metadata.name", name, "may not be '.', '..' or contain '/' or '%'")
    elif resource.kind == "Namespace":
        report.label_name("metadata.name", name)
    elif resource.kind == "Service":
        report.rfc1035("metadata.name", name)
    else:
        report.subdomain("metadata.name", name)
    report.labels("metadata.labels", meta.get("labels"))
    for key in meta.get("annotations") or {}:
        report.qualified("metadata.annotations", key.lower())
    if sum(len(k) + len(v or "") for k, v in (meta.get("annotations") or {}).items()) > _ANNOTATIONS:
        report.add("FieldValueTooLong", "metadata.annotations", "Too long: may not be more than 262144 bytes")
    for index, one in enumerate(meta.get("finalizers") or []):
        if "/" not in one and one not in ("foregroundDeletion", "orphan", "kubernetes"):
            report.invalid(
                f"metadata.finalizers[{index}]",
                one,
                "name is neither a standard finalizer name nor is it fully qualified",
            )
    controllers = [one for one in meta.get("ownerReferences") or [] if one.get("controller")]
    if len(controllers) > 1:
        report.invalid(
            "metadata.ownerReferences", len(controllers), "Only one reference can have Controller set to true"
        )
