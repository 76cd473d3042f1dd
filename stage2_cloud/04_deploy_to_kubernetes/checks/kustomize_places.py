"""Where in objects the names, selectors and images stand that kustomize changes.

A place is a path: `a/b[]/c` means the field c of each item of the list b of a. Source: the default configuration of
kustomize, api/internal/konfig/builtinpluginconsts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Obj = dict[str, Any]

DEFINITIONS = {
    "Namespace": "io.k8s.api.core.v1.Namespace",
    "ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "Secret": "io.k8s.api.core.v1.Secret",
    "Service": "io.k8s.api.core.v1.Service",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "Ingress": "io.k8s.api.networking.v1.Ingress",
}
"""The kinds of the subset."""

_POD_SPEC = {"Deployment": "spec/template/spec"}
_TEMPLATES = {"Deployment": "spec/template"}
_SELECTORS = {  # kind: (place, whether it is made where it is not there)
    "Service": (("spec/selector", True),),
    "Deployment": (("spec/selector/matchLabels", True),),
    "PodDisruptionBudget": (("spec/selector/matchLabels", False),),
    "NetworkPolicy": (("spec/podSelector/matchLabels", False),),
}
_IN_PODS = (
    "topologySpreadConstraints[]/labelSelector/matchLabels",
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution[]/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution[]/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution[]/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution[]/labelSelector/matchLabels",
)
_CONTAINERS = ("containers[]", "initContainers[]")
_REFERENCES = {  # the kind that is meant: places in a pod's spec
    "ConfigMap": (
        *(f"{one}/envFrom[]/configMapRef/name" for one in _CONTAINERS),
        *(f"{one}/env[]/valueFrom/configMapKeyRef/name" for one in _CONTAINERS),
        "volumes[]/configMap/name",
        "volumes[]/projected/sources[]/configMap/name",
    ),
    "Secret": (
        *(f"{one}/envFrom[]/secretRef/name" for one in _CONTAINERS),
        *(f"{one}/env[]/valueFrom/secretKeyRef/name" for one in _CONTAINERS),
        "volumes[]/secret/secretName",
        "volumes[]/projected/sources[]/secret/name",
        "imagePullSecrets[]/name",
    ),
    "ServiceAccount": ("serviceAccountName",),
}


def holders(thing: Any, place: str, make: bool = False) -> Iterator[tuple[Obj, str]]:
    """(dict, key) of each such place in a thing; with `make`, dicts on the way are made."""
    head, _, rest = place.partition("/")
    if not isinstance(thing, dict):
        return
    if not rest:
        yield thing, head
    elif head.endswith("[]"):
        items = thing.get(head[:-2])
        for one in items if isinstance(items, list) else ():
            yield from holders(one, rest)
    else:
        if make and thing.get(head) is None:
            thing[head] = {}
        yield from holders(thing.get(head), rest, make)


def selectors(thing: Obj) -> Iterator[Obj]:
    """Each dict of labels by which this object selects pods; made where kustomize makes it."""
    kind = thing["kind"]
    places = [*_SELECTORS.get(kind, ())]
    if kind in _TEMPLATES:
        places += [(f"{_POD_SPEC[kind]}/{one}", False) for one in _IN_PODS]
    for place, make in places:
        for holder, key in holders(thing, place, make):
            if make and holder.get(key) is None:
                holder[key] = {}
            if isinstance(holder.get(key), dict):
                yield holder[key]


def template_labels(thing: Obj) -> Iterator[Obj]:
    """The labels of the pods that an object makes."""
    if thing["kind"] in _TEMPLATES:
        for holder, key in holders(thing, f"{_TEMPLATES[thing['kind']]}/metadata/labels", make=True):
            holder[key] = holder.get(key) or {}
            yield holder[key]


def containers(thing: Obj) -> Iterator[Obj]:
    """All containers of an object's pods."""
    for group in ("initContainers", "containers"):
        for holder, key in holders(thing, f"{_POD_SPEC.get(thing['kind'], '-')}/{group}"):
            items = holder.get(key)
            yield from (one for one in (items if isinstance(items, list) else ()) if isinstance(one, dict))


def references(thing: Obj) -> Iterator[tuple[str, Obj, str]]:
    """(kind that is meant, dict, key) of each name by which this object refers to another."""
    kind = thing["kind"]
    if kind in _POD_SPEC:
        for meant, places in _REFERENCES.items():
            for place in places:
                for holder, key in holders(thing, f"{_POD_SPEC[kind]}/{place}"):
                    yield meant, holder, key
    if kind == "HorizontalPodAutoscaler":
        for holder, key in holders(thing, "spec/scaleTargetRef/name"):
            yield str(holder.get("kind")), holder, key
    if kind == "Ingress":
        for place in ("spec/rules[]/http/paths[]/backend/service/name", "spec/defaultBackend/service/name"):
            for holder, key in holders(thing, place):
                yield "Service", holder, key


def split_image(image: str) -> tuple[str, str]:
    """The name of an image, and its tag and digest with their signs."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    return name, image[len(name) :]
