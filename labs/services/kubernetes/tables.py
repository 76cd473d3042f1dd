"""The columns of `kubectl get`, which the server prints.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from labs.services.kubernetes import cells, objects
from labs.services.kubernetes.cells import Cell, age
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.subresources import selector_text

_NAME: Cell = lambda thing, now: objects.name(thing)  # noqa: E731
_COLUMNS: dict[str, list[tuple[str, Cell]]] = {
    "Pod": [
        ("Ready", cells.pod_ready),
        ("Status", cells.pod_status),
        ("Restarts", cells.restarts),
        ("Age", age),
        ("-IP", cells.at("status", "podIP", empty=cells.NONE)),
        ("-Node", cells.at("spec", "nodeName", empty=cells.NONE)),
        ("-Nominated Node", lambda thing, now: cells.NONE),
        ("-Readiness Gates", lambda thing, now: cells.NONE),
    ],
    "Deployment": [
        ("Ready", cells.ratio("readyReplicas", "replicas")),
        ("Up-to-date", cells.at("status", "updatedReplicas", empty=0)),
        ("Available", cells.at("status", "availableReplicas", empty=0)),
        ("Age", age),
        ("-Containers", cells.images("name")),
        ("-Images", cells.images("image")),
        ("-Selector", cells.selector),
    ],
    "ReplicaSet": [
        ("Desired", cells.at("spec", "replicas", empty=0)),
        ("Current", cells.at("status", "replicas", empty=0)),
        ("Ready", cells.at("status", "readyReplicas", empty=0)),
        ("Age", age),
        ("-Containers", cells.images("name")),
        ("-Images", cells.images("image")),
        ("-Selector", cells.selector),
    ],
    "Job": [
        ("Status", cells.job_status),
        ("Completions", cells.ratio("succeeded", "completions")),
        ("Duration", cells.duration),
        ("Age", age),
        ("-Containers", cells.images("name")),
        ("-Images", cells.images("image")),
        ("-Selector", cells.selector),
    ],
    "Service": [
        ("Type", cells.at("spec", "type")),
        ("Cluster-IP", cells.at("spec", "clusterIP", empty=cells.NONE)),
        ("External-IP", cells.external),
        ("Port(s)", cells.ports),
        ("Age", age),
        ("-Selector", cells.pairs("spec", "selector")),
    ],
    "Endpoints": [("Endpoints", cells.endpoints), ("Age", age)],
    "Namespace": [("Status", cells.at("status", "phase")), ("Age", age)],
    "Node": [
        ("Status", cells.node_status),
        ("Roles", cells.roles),
        ("Age", age),
        ("Version", cells.at("status", "nodeInfo", "kubeletVersion")),
    ],
    "ConfigMap": [("Data", cells.size("data", "binaryData")), ("Age", age)],
    "Secret": [("Type", cells.at("type")), ("Data", cells.size("data")), ("Age", age)],
    "ServiceAccount": [("Secrets", lambda thing, now: len(thing.get("secrets") or [])), ("Age", age)],
    "HorizontalPodAutoscaler": [
        ("Reference", cells.reference),
        ("Targets", cells.targets),
        ("MinPods", cells.at("spec", "minReplicas")),
        ("MaxPods", cells.at("spec", "maxReplicas")),
        ("Replicas", cells.at("status", "currentReplicas", empty=0)),
        ("Age", age),
    ],
    "PodDisruptionBudget": [
        ("Min Available", cells.rule_count("minAvailable")),
        ("Max Unavailable", cells.rule_count("maxUnavailable")),
        ("Allowed Disruptions", cells.at("status", "disruptionsAllowed", empty=0)),
        ("Age", age),
    ],
    "NetworkPolicy": [
        ("Pod-Selector", lambda t, now: selector_text(objects.spec(t).get("podSelector")) or cells.NONE),
        ("Age", age),
    ],
    "Ingress": [
        ("Class", cells.at("spec", "ingressClassName", empty=cells.NONE)),
        ("Hosts", cells.hosts),
        ("Address", lambda thing, now: ""),
        ("Ports", lambda thing, now: "80, 443" if objects.spec(thing).get("tls") else "80"),
        ("Age", age),
    ],
    "Role": [("Created At", cells.at("metadata", "creationTimestamp"))],
    "ClusterRole": [("Created At", cells.at("metadata", "creationTimestamp"))],
    "Lease": [("Holder", cells.at("spec", "holderIdentity")), ("Age", age)],
    **{
        kind: [
            ("Role", cells.role_reference),
            ("Age", age),
            ("-Users", cells.subjects("User")),
            ("-Groups", cells.subjects("Group")),
            ("-ServiceAccounts", cells.subjects("ServiceAccount")),
        ]
        for kind in ("RoleBinding", "ClusterRoleBinding")
    },
}
_EVENT: list[tuple[str, Cell]] = [
    ("Last Seen", cells.seen),
    ("Type", cells.at("type")),
    ("Reason", cells.at("reason")),
    ("Object", cells.involved),
    ("Message", cells.at("message")),
]


def table(resource: Resource, items: list[Obj], now: float, meta: Obj, include: str = "Metadata") -> Obj:
    """Objects as a Table; columns that begin with "-" are shown by `-o wide` only."""
    named: list[tuple[str, Cell]] = [("Name", _NAME)]
    columns = _EVENT if resource.kind == "Event" else named + _COLUMNS.get(resource.kind, [("Age", age)])
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [
            {
                "name": title.lstrip("-"),
                "type": "string",
                "format": "name" if title == "Name" else "",
                "description": "",
                "priority": 1 if title.startswith("-") else 0,
            }
            for title, _ in columns
        ],
        "rows": [_row(columns, one, now, include) for one in items],
    }


def _row(columns: list[tuple[str, Cell]], thing: Obj, now: float, include: str) -> Obj:
    row: Obj = {"cells": [cell(thing, now) for _, cell in columns]}
    if include == "Object":
        row["object"] = thing
    elif include != "None":
        meta = thing["metadata"]
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return row
