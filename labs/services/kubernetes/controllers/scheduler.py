"""The scheduler: which node a pod fits on, and the reason where it fits on none.

It filters by requests against what is allocatable, node selectors and affinity, taints, pod affinity and
anti-affinity, and topology spread; among the nodes left it takes the emptiest, then the first by name. It knows neither
priorities nor pre-emption.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import quantity
from labs.services.kubernetes.resources import NODES, PODS
from labs.services.kubernetes.store import Change, Key

WHO = "default-scheduler"


def requests(pod: Obj) -> dict[str, Decimal]:
    """What a pod asks for: the sum of its containers, or its largest init container if that is more."""
    total: dict[str, Decimal] = {"pods": Decimal(1)}
    for one in pod["spec"]["containers"]:
        for name, amount in ((one.get("resources") or {}).get("requests") or {}).items():
            total[name] = total.get(name, Decimal(0)) + quantity(amount)
    for one in pod["spec"].get("initContainers") or []:
        for name, amount in ((one.get("resources") or {}).get("requests") or {}).items():
            total[name] = max(total.get(name, Decimal(0)), quantity(amount))
    return total


def uses_node(pod: Obj) -> bool:
    return objects.status(pod).get("phase") not in ("Succeeded", "Failed")


def why_not(
    pod: Obj, node: Obj, there: list[Obj], everywhere: Mapping[str, list[Obj]], nodes: list[Obj]
) -> str:
    """Why a pod does not fit on a node, in the scheduler's words; "" if it does.

    Args:
        there: pods on this node.
        everywhere: pods by node name.
    """
    spec = pod["spec"]
    if objects.spec(node).get("unschedulable") and not _tolerates(
        spec, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    ):
        return "node(s) were unschedulable"
    for taint in objects.spec(node).get("taints") or []:
        if taint["effect"] in ("NoSchedule", "NoExecute") and not _tolerates(spec, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    if not _wants(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    room = (objects.status(node).get("allocatable")) or {}
    used: dict[str, Decimal] = {}
    for other in there:
        for name, amount in requests(other).items():
            used[name] = used.get(name, Decimal(0)) + amount
    for name, amount in sorted(requests(pod).items()):
        if amount and used.get(name, Decimal(0)) + amount > quantity(room.get(name, 0)):
            return "Too many pods" if name == "pods" else f"Insufficient {name}"
    if not _affine(pod, node, everywhere, nodes, "podAffinity"):
        return "node(s) didn't match pod affinity rules"
    if not _affine(pod, node, everywhere, nodes, "podAntiAffinity"):
        return "node(s) didn't match pod anti-affinity rules"
    if not _spread(pod, node, everywhere, nodes):
        return "node(s) didn't match pod topology spread constraints"
    return ""


def tolerations_of(spec: Obj, taint: Obj) -> list[Obj]:
    """A pod's tolerations that match a taint."""
    found = []
    for one in spec.get("tolerations") or []:
        effect = one.get("effect") in (None, "", taint["effect"])
        key = not one.get("key") or one["key"] == taint["key"]
        exists = one.get("operator") == "Exists" or not one.get("key")
        if effect and key and (exists or one.get("value", "") == taint.get("value", "")):
            found.append(one)
    return found


def _tolerates(spec: Obj, taint: Obj) -> bool:
    return bool(tolerations_of(spec, taint))


def _wants(spec: Obj, node: Obj) -> bool:
    labels = objects.labels(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity")) or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        selectors.matches({"matchExpressions": term.get("matchExpressions") or []}, labels)
        and selectors.matches(
            {"matchExpressions": term.get("matchFields") or []}, {"metadata.name": objects.name(node)}
        )
        for term in required["nodeSelectorTerms"]
        if term
    )


def _affine(pod: Obj, node: Obj, everywhere: Mapping[str, list[Obj]], nodes: list[Obj], kind: str) -> bool:
    wanted = ((pod["spec"].get("affinity") or {}).get(kind)) or {}
    labels = objects.labels(node)
    for term in wanted.get("requiredDuringSchedulingIgnoredDuringExecution") or []:
        key = term["topologyKey"]
        if key not in labels:
            if kind == "podAffinity":
                return False
            continue
        near = [
            other
            for one in nodes
            if objects.labels(one).get(key) == labels[key]
            for other in everywhere.get(objects.name(one), [])
        ]
        found = any(_meant(term, pod, other) for other in near)
        if kind == "podAntiAffinity" and found:
            return False
        if kind == "podAffinity" and not found:
            anywhere = any(_meant(term, pod, other) for pods in everywhere.values() for other in pods)
            if anywhere or not _meant(term, pod, pod):
                return False
    return kind == "podAffinity" or not _others_object(pod, labels, everywhere, nodes)


def _others_object(
    pod: Obj, labels: Mapping[str, str], everywhere: Mapping[str, list[Obj]], nodes: list[Obj]
) -> bool:
    """Whether pods that are there have an anti-affinity to this one."""
    for one in nodes:
        for other in everywhere.get(objects.name(one), []):
            terms = (((other["spec"].get("affinity") or {}).get("podAntiAffinity")) or {}).get(
                "requiredDuringSchedulingIgnoredDuringExecution"
            ) or []
            for term in terms:
                key = term["topologyKey"]
                same = key in labels and objects.labels(one).get(key) == labels[key]
                if same and _meant(term, other, pod):
                    return True
    return False


def _meant(term: Obj, owner: Obj, other: Obj) -> bool:
    spaces = term.get("namespaces") or [objects.namespace(owner)]
    return objects.namespace(other) in spaces and selectors.matches(
        term.get("labelSelector"), objects.labels(other)
    )


def _spread(pod: Obj, node: Obj, everywhere: Mapping[str, list[Obj]], nodes: list[Obj]) -> bool:
    for one in pod["spec"].get("topologySpreadConstraints") or []:
        if one["whenUnsatisfiable"] != "DoNotSchedule":
            continue
        key = one["topologyKey"]
        if key not in objects.labels(node):
            return False
        meant = _counted(one, objects.labels(pod))
        counts: dict[str, int] = {}
        for other in nodes:
            if key in objects.labels(other) and _wants(pod["spec"], other):
                place = objects.labels(other)[key]
                counts[place] = counts.get(place, 0) + sum(
                    1
                    for there in everywhere.get(objects.name(other), [])
                    if objects.namespace(there) == objects.namespace(pod)
                    and not objects.deleting(there)
                    and selectors.matches(meant, objects.labels(there))
                )
        own = selectors.matches(meant, objects.labels(pod))
        mine = counts.get(objects.labels(node)[key], 0) + own
        if mine - min(counts.values(), default=0) > one["maxSkew"]:
            return False
    return True


def _counted(constraint: Obj, labels: Mapping[str, str]) -> Obj | None:
    """Which pods a constraint counts: its selector, and the pod's own values of the labels in `matchLabelKeys`.

    Source: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
    """
    selector: Obj | None = constraint.get("labelSelector")
    same = {key: labels[key] for key in constraint.get("matchLabelKeys") or [] if key in labels}
    if selector is None or not same:
        return selector
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **same}}


def choose(pod: Obj, nodes: list[Obj], pods: Iterable[Obj]) -> tuple[Obj | None, str]:
    """The node for a pod; or None and the message of the FailedScheduling event."""
    everywhere: dict[str, list[Obj]] = {objects.name(one): [] for one in nodes}
    for other in pods:
        place = objects.spec(other).get("nodeName")
        if place in everywhere and uses_node(other):
            everywhere[place].append(other)
    reasons: dict[str, int] = {}
    fitting = []
    for node in nodes:
        why = why_not(pod, node, everywhere[objects.name(node)], everywhere, nodes)
        if why:
            reasons[why] = reasons.get(why, 0) + 1
        else:
            fitting.append(node)
    if not fitting:
        told = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        return None, f"0/{len(nodes)} nodes are available: {told}."
    owner = (objects.controller_of(pod) or {}).get("uid")

    def load(node: Obj) -> tuple[int, Decimal, int, str]:
        there = everywhere[objects.name(node)]
        siblings = sum(1 for one in there if owner and (objects.controller_of(one) or {}).get("uid") == owner)
        asked = sum((requests(one).get("cpu", Decimal(0)) for one in there), Decimal(0))
        return siblings, asked, len(there), objects.name(node)

    return min(fitting, key=load), ""


class Scheduler:
    name = WHO

    def __init__(self) -> None:
        self._waiting: dict[Key, None] = {}

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        if change.resource is NODES:
            return list(self._waiting)
        if change.resource is not PODS:
            return []
        key = objects.namespace(thing), objects.name(thing)
        if change.what == "DELETED":
            self._waiting.pop(key, None)
            return list(self._waiting)
        if not objects.spec(thing).get("nodeName"):
            return [key]
        return list(self._waiting) if self._waiting and not uses_node(thing) else []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        pod = hands.get(PODS, *key)
        self._waiting.pop(key, None)
        if pod is None or objects.spec(pod).get("nodeName") or objects.deleting(pod):
            return None
        if pod["spec"].get("schedulerName") != "default-scheduler":
            return None  # of another scheduler: it waits, as in a cluster without that scheduler
        claim = _claim(pod)
        nodes = hands.store.every(NODES)
        node, why = (None, claim) if claim else choose(pod, nodes, hands.store.every(PODS))
        state = dict(objects.status(pod))
        conditions = state.get("conditions") or []
        if node is None:
            self._waiting[key] = None
            state["conditions"] = with_condition(
                conditions, "PodScheduled", "False", "Unschedulable", why, hands.stamp
            )
            if state != objects.status(pod):
                hands.event(pod, "Warning", "FailedScheduling", why, WHO)
            hands.set_status(PODS, pod, state)
            return None
        state["conditions"] = with_condition(
            [one for one in conditions if one["type"] != "PodScheduled"],
            "PodScheduled",
            "True",
            "",
            "",
            hands.stamp,
        )
        name = objects.name(node)
        hands.put(PODS, {**pod, "spec": {**pod["spec"], "nodeName": name}, "status": state})
        text = f"Successfully assigned {key[0]}/{key[1]} to {name}"
        hands.event(pod, "Normal", "Scheduled", text, WHO)
        return None


def _claim(pod: Obj) -> str:
    """A volume claim cannot exist here: the pod waits for it, as for one that was never made."""
    for volume in pod["spec"].get("volumes") or []:
        if volume.get("persistentVolumeClaim"):
            name = volume["persistentVolumeClaim"]["claimName"]
            return f'0/3 nodes are available: persistentvolumeclaim "{name}" not found.'
    return ""
