"""The rules that a schema cannot state, and that the real server enforces, kind by kind. Pure functions.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ (each kind's page) and pkg/apis/*/validation of Kubernetes
"""

from __future__ import annotations

from collections.abc import Callable

from labs.services.kubernetes import schemas
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import Cause
from labs.services.kubernetes.validation import (
    access,
    config,
    metadata,
    networking,
    policy,
    updates,
    workloads,
)
from labs.services.kubernetes.validation.report import Report

_RULES: dict[str, Callable[[Report, Obj], None]] = {
    "Pod": workloads.pod,
    "Deployment": workloads.deployment,
    "ReplicaSet": workloads.replicaset,
    "Job": workloads.job,
    "Service": networking.service,
    "Ingress": networking.ingress,
    "NetworkPolicy": networking.network_policy,
    "HorizontalPodAutoscaler": policy.autoscaler,
    "PodDisruptionBudget": policy.budget,
    "ConfigMap": config.configmap,
    "Secret": config.secret,
    "Role": access.role,
    "ClusterRole": access.cluster_role,
    "RoleBinding": access.binding,
    "ClusterRoleBinding": access.binding,
    "Lease": policy.lease,
}


def causes(resource: Resource, thing: Obj, before: Obj | None) -> list[Cause]:
    """Why an object (after defaulting) is invalid; empty if it is fine.

    Args:
        before: the object that it replaces, if it is an update.
    """
    report = Report()
    metadata.check(report, resource, thing)
    bare = {key: value for key, value in thing.items() if key != "status"}
    for path in schemas.missing_fields(bare, schemas.shape(resource.definition)):
        report.required(path)
    if not report.causes and resource.kind in _RULES:
        _RULES[resource.kind](report, thing)
    if before is not None and not report.causes:
        updates.check(report, resource, before, thing)
    return list(dict.fromkeys(report.causes))
