"""The values that the API server fills in where a client left them out.

Source: pkg/apis/*/v1/defaults.go of Kubernetes, as described field by field in the API reference
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from labs.services.kubernetes import objects
from labs.services.kubernetes.objects import Obj

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def fill(kind: str, thing: Obj) -> None:
    """Fill in place the defaults of an object of this kind."""
    if kind in _BY_KIND:
        spec = thing.get("spec")
        if spec is None and kind in _SPEC:
            spec = thing["spec"] = {}
        _BY_KIND[kind](thing)


def _set(at: Obj, **values: Any) -> None:
    for key, value in values.items():
        if at.get(key) in (None, ""):
            at[key] = value


def _pod_spec(spec: Obj) -> None:
    _set(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        enableServiceLinks=True,
    )
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if spec.get("serviceAccountName") and not spec.get("serviceAccount"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount") and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        if isinstance(container, dict):
            _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)
    for toleration in spec.get("tolerations") or []:
        if not toleration.get("operator") and toleration.get("key"):
            toleration["operator"] = "Equal"


def _container(one: Obj) -> None:
    image = str(one.get("image") or "")
    tag = image.rpartition("/")[2].partition(":")[2]
    pinned = "@" in image or tag not in ("", "latest")
    _set(
        one,
        imagePullPolicy="IfNotPresent" if pinned else "Always",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    if one.get("resources") is None:
        one["resources"] = {}
    for port in one.get("ports") or []:
        _set(port, protocol="TCP")
        if port.get("hostPort") == 0:
            del port["hostPort"]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(one.get(name), dict):
            _probe(one[name])
    for hook in ("postStart", "preStop"):
        get = ((one.get("lifecycle") or {}).get(hook) or {}).get("httpGet")
        if get:
            _set(get, scheme="HTTP", path="/")
    for variable in one.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            _set(reference, apiVersion="v1")
    limits = one["resources"].get("limits") or {}
    if limits:
        requests = one["resources"].setdefault("requests", {})
        for key, value in limits.items():
            requests.setdefault(key, value)


def _probe(probe: Obj) -> None:
    for key, value in _PROBE.items():
        if not probe.get(key):
            probe[key] = value
    if probe.get("initialDelaySeconds") == 0:
        del probe["initialDelaySeconds"]
    if isinstance(probe.get("httpGet"), dict):
        _set(probe["httpGet"], scheme="HTTP", path="/")
    if isinstance(probe.get("grpc"), dict) and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _volume(volume: Obj) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            _set(volume[source], defaultMode=0o644)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")


def _pod(thing: Obj) -> None:
    _pod_spec(thing["spec"])


def _template(spec: Obj) -> None:
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        _pod_spec(template["spec"])


def _deployment(thing: Obj) -> None:
    spec = thing["spec"]
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec["strategy"] = spec.get("strategy") or {}
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        _set(rolling, maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replicaset(thing: Obj) -> None:
    spec = thing["spec"]
    _set(spec, replicas=1)
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if labels and not objects.labels(thing):
        thing["metadata"]["labels"] = dict(labels)
    _template(spec)


def _job(thing: Obj) -> None:
    spec = thing["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _set(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _set(spec, podReplacementPolicy="TerminatingOrFailed")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels and not objects.labels(thing):
        thing["metadata"]["labels"] = dict(labels)
    _template(spec)


def _service(thing: Obj) -> None:
    spec = thing["spec"]
    _set(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        _set(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or []:
        _set(port, protocol="TCP")
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
        if port.get("nodePort") == 0:
            del port["nodePort"]


def _autoscaler(thing: Obj) -> None:
    spec = thing["spec"]
    _set(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if not behavior:
        return
    ups = [
        {"type": "Percent", "value": 100, "periodSeconds": 15},
        {"type": "Pods", "value": 4, "periodSeconds": 15},
    ]
    up = behavior["scaleUp"] = behavior.get("scaleUp") or {}
    _set(up, selectPolicy="Max", stabilizationWindowSeconds=0)
    up["policies"] = up.get("policies") or ups
    down = behavior["scaleDown"] = behavior.get("scaleDown") or {}
    _set(down, selectPolicy="Max")
    down["policies"] = down.get("policies") or [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _network_policy(thing: Obj) -> None:
    spec = thing["spec"]
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            _set(port, protocol="TCP")


def _secret(thing: Obj) -> None:
    _merge_string_data(thing)
    _set(thing, type="Opaque")


def _merge_string_data(thing: Obj) -> None:
    written = thing.pop("stringData", None)
    if written:
        data = {key: base64.b64encode(str(value).encode()).decode() for key, value in written.items()}
        thing["data"] = {**(thing.get("data") or {}), **data}


def _binding(thing: Obj) -> None:
    reference = thing.get("roleRef")
    if isinstance(reference, dict):
        _set(reference, apiGroup="rbac.authorization.k8s.io")
    for subject in thing.get("subjects") or []:
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = "rbac.authorization.k8s.io"


def _namespace(thing: Obj) -> None:
    labels = thing["metadata"].get("labels") or {}
    thing["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": objects.name(thing)}
    thing["spec"].setdefault("finalizers", ["kubernetes"])


_BY_KIND: dict[str, Callable[[Obj], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replicaset,
    "Job": _job,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "Secret": _secret,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "Namespace": _namespace,
}
_SPEC = {
    "Pod",
    "Deployment",
    "ReplicaSet",
    "Job",
    "Service",
    "HorizontalPodAutoscaler",
    "NetworkPolicy",
    "Namespace",
}
