"""What runs: pods as the API server has made them, what their processes see, and which files they find."""

from __future__ import annotations

import base64
import json
import posixpath
from dataclasses import dataclass

from kube import Kube, Obj, Refused
from labs.services.kubernetes.quantities import quantity
from submission import USER

NAME = "app.kubernetes.io/name"
USUAL_MODE = 0o644


def pods_of(kube: Kube, app: str) -> list[Obj]:
    """The pods of a Deployment, those that are about to end left out."""
    found = []
    for pod in kube.items("Pod"):
        owners = pod["metadata"].get("ownerReferences") or []
        mine = any(str(one["name"]).rpartition("-")[0] == app for one in owners)
        if mine and not pod["metadata"].get("deletionTimestamp"):
            found.append(pod)
    return found


def containers(pod: Obj) -> list[Obj]:
    spec = pod["spec"]
    return [*(spec.get("initContainers") or []), *spec["containers"]]


def tokens(pod: Obj) -> bool:
    """Whether any container finds a token of the API server."""
    sources = [
        source
        for volume in pod["spec"].get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
    ]
    return any("serviceAccountToken" in one for one in sources)


def trouble(kube: Kube, app: str) -> str:
    """Why a Deployment has not the pods that it wants, as the cluster says it."""
    events = [one for one in kube.items("Event") if one.get("type") == "Warning"]
    about = [
        str(one.get("message", "")) for one in events if str(one["involvedObject"]["name"]).startswith(app)
    ]
    if not about:
        return "nothing says why"
    _, _, reason = about[-1].partition("is forbidden: ")
    return reason or about[-1].partition(" in Pod ")[0]


def user_of(pod: Obj, container: Obj) -> object:
    own = (container.get("securityContext") or {}).get("runAsUser")
    return own if own is not None else (pod["spec"].get("securityContext") or {}).get("runAsUser")


def lacks(pod: Obj, image: str) -> str:
    """What a container lacks of the contract, beyond what `restricted` demands; empty if nothing."""
    for one in containers(pod):
        if one["image"].partition("@")[0] != image:
            return f"the container {one['name']} has the image {one['image']}, not {image}"
        context = one.get("securityContext") or {}
        if context.get("readOnlyRootFilesystem") is not True:
            return f"the container {one['name']} may write its root file system"
        if user_of(pod, one) != USER:
            return f"the container {one['name']} does not run as the user {USER}"
        limit = ((one.get("resources") or {}).get("limits") or {}).get("memory")
        if not limit or not 0 < quantity(limit) <= quantity("512Mi"):
            return f"the container {one['name']} may take all memory of its node"
    return ""


def looks_for_readiness(pod: Obj, port: int) -> bool:
    """Whether a readiness probe asks for `/readyz` at this port, or tries to connect to it."""
    for one in pod["spec"]["containers"]:
        probe = one.get("readinessProbe") or {}
        way = probe.get("httpGet") or probe.get("tcpSocket") or {}
        named = {each.get("name"): each["containerPort"] for each in one.get("ports") or []}
        at_port = named.get(way.get("port"), way.get("port")) == port and not way.get("host")
        if at_port and ("tcpSocket" in probe or way.get("path") == "/readyz"):
            return True
    return False


def can_read(pod: Obj, container: Obj, mode: int) -> bool:
    """Whether a process that is not root reads a file of a Secret with this mode, which is root's without `fsGroup`."""
    of_pod, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    if of_pod.get("fsGroup") is not None:  # the kubelet gives the files to that group, which may read them
        return True
    groups = {own.get("runAsGroup", of_pod.get("runAsGroup", 0)), *(of_pod.get("supplementalGroups") or [])}
    return 0 in groups and bool(mode & 0o040)


# Secrets


def environment(kube: Kube, pod: Obj) -> dict[str, str]:
    """The variables that processes find, as a kubelet puts them together."""
    found: dict[str, str] = {}
    for one in containers(pod):
        for source in one.get("envFrom") or []:
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if key in source:
                    prefix = str(source.get("prefix") or "")
                    found.update({prefix + k: v for k, v in _data(kube, kind, source[key]["name"]).items()})
        for variable in one.get("env") or []:
            value = str(variable.get("value") or "")
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                meant = (variable.get("valueFrom") or {}).get(key)
                if meant:
                    value = _data(kube, kind, meant["name"]).get(meant["key"], "")
            found[str(variable["name"])] = value
    return found


def _data(kube: Kube, kind: str, name: str) -> dict[str, str]:
    try:
        data = kube.get(kind, name).get("data") or {}
    except Refused:
        return {}
    if kind == "ConfigMap":
        return {key: str(value) for key, value in data.items()}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


@dataclass(frozen=True)
class Mounted:
    """A file that a container finds. `mode` as the volume says; `key` of the Secret `secret`."""

    path: str
    secret: str
    key: str
    mode: int


def secret_files(pod: Obj, container: Obj) -> list[Mounted]:
    """Files that come from Secrets. With items only those; without, all keys of the contract's Secret."""
    found = []
    volumes = {one["name"]: one for one in pod["spec"].get("volumes") or []}
    for mount in container.get("volumeMounts") or []:
        for name, key, path, mode in _entries(volumes.get(mount["name"]) or {}):
            sub = str(mount.get("subPath") or "").strip("/")
            if sub and sub != path and not path.startswith(f"{sub}/"):
                continue
            below = path if not sub else posixpath.relpath(path, sub) if path != sub else ""
            whole = posixpath.normpath(posixpath.join(mount["mountPath"], below))
            found.append(Mounted(whole, name, key, mode))
    return found


def _entries(volume: Obj) -> list[tuple[str, str, str, int]]:
    """(secret, key, path, mode) of a volume."""
    if "secret" in volume:
        pairs = [(volume["secret"], volume["secret"].get("secretName", ""))]
        usual = volume["secret"].get("defaultMode", USUAL_MODE)
    elif "projected" in volume:
        sources = [one["secret"] for one in volume["projected"].get("sources") or [] if "secret" in one]
        pairs = [(one, one.get("name", "")) for one in sources]
        usual = volume["projected"].get("defaultMode", USUAL_MODE)
    else:
        return []
    keys = [{"key": key, "path": key} for key in ("username", "password", "id")]
    return [
        (name, item["key"], str(item["path"]), int(item.get("mode") or usual))
        for source, name in pairs
        for item in source.get("items") or keys
    ]


def shown(kube: Kube, value: str) -> str:
    """Where a secret value can be seen without reading a Secret; empty if nowhere."""
    forms = (value, base64.b64encode(value.encode()).decode())
    for pod in kube.items("Pod"):
        app = (pod["metadata"].get("labels") or {}).get(NAME, "another pod")
        for name, found in environment(kube, pod).items():
            if any(form in found for form in forms):
                return f"in the variable {name} of {app}, for every process in the container and every dump"
        if any(form in json.dumps(pod) for form in forms):
            return f"in the pod {app}"
    for kind in ("ConfigMap", "Deployment", "ServiceAccount"):
        for thing in kube.items(kind):
            if any(form in json.dumps(thing) for form in forms):
                return f"in {kind} {thing['metadata']['name']}"
    return ""
