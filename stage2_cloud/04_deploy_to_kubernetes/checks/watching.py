"""What the checks do to a running service for some of its time: release, drain, load; and what they see meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cluster import Obj
from fraud import LABELS, NODES, Fraud, Image, Look
from labs.grading.evidence import Evidence

JSON_PATCH = "application/json-patch+json"


@dataclass
class Watch:
    """What was seen while something went on.

    Attributes:
        fewest: endpoints that answered, at the worst moment.
        silent: whether a ready endpoint ever belonged to a pod that did not answer.
        gave_up: whether the Deployment said that it does not progress, and after how many seconds.
        seconds: until it was over; None if it was not within the time.
    """

    fewest: int
    silent: bool = False
    gave_up: float | None = None
    seconds: float | None = None


def watch(fraud: Fraud, over: Callable[[Look], bool], seconds: float, step: float = 15.0) -> Watch:
    """Look at the service every `step` seconds until something is over."""
    seen = Watch(fewest=fraud.serving())
    for passed in fraud.passing(seconds, step):
        look = fraud.look()
        seen.fewest = min(seen.fewest, look.serving)
        seen.silent = seen.silent or look.ready > look.serving
        if seen.gave_up is None and fraud.progressing() == "ProgressDeadlineExceeded":
            seen.gave_up = passed
        if over(look):
            seen.seconds = passed
            break
    return seen


def never_fewer(seen: Watch, did: str, least: int) -> None:
    """Fail if requests met too few pods, or pods that did not answer."""
    Evidence(did).require(
        seen.fewest >= least,
        wanted=f"at least {least} endpoints that answer, at every moment",
        got=f"{seen.fewest} at the worst moment",
        hint="New pods first, then old ones away: maxSurge and maxUnavailable decide which.",
    )
    Evidence(did).require(
        not seen.silent,
        wanted="requests only to pods that listen",
        got="a ready endpoint of a pod that does not listen yet",
        hint="A pod without a readiness probe is ready as soon as its container runs.",
    )


def undo(fraud: Fraud) -> bool:
    """`kubectl rollout undo deployment/fraud`; False if there is nothing to go back to."""
    note = "deployment.kubernetes.io/revision"
    sets = [
        one
        for one in fraud.cluster.items("ReplicaSet", fraud.env.space)
        if any(owner["name"] == "fraud" for owner in one["metadata"].get("ownerReferences") or [])
    ]
    sets.sort(key=lambda one: int(one["metadata"]["annotations"][note]))
    if len(sets) < 2:
        return False
    template = sets[-2]["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash", None)
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    fraud.cluster.patch("Deployment", fraud.env.space, "fraud", patch, JSON_PATCH)
    return True


def drain(fraud: Fraud, node: str, seconds: float = 1200) -> tuple[Watch, int]:
    """`kubectl drain NODE`: cordon, and evict again and again. Returns what was seen, and how many pods stayed."""
    fraud.cluster.patch("Node", "", node, {"spec": {"unschedulable": True}})

    def there(look: Look) -> list[Obj]:
        return [one for one in look.pods if one["spec"].get("nodeName") == node]

    def emptied(look: Look) -> bool:
        for pod in there(look):
            if not pod["metadata"].get("deletionTimestamp"):
                fraud.cluster.evict(pod)
        return not there(look)

    seen = watch(fraud, emptied, seconds, 10)
    return seen, len(there(fraud.look()))


def uncordon(fraud: Fraud, node: str) -> None:
    fraud.cluster.patch("Node", "", node, {"spec": {"unschedulable": None}})


def grow(fraud: Fraud, size: int) -> int:
    """Load the service until its autoscaler has made it about so large. Returns how many pods serve."""
    each = 0.6 * int(fraud.env.cpu.removesuffix("m")) / 1000
    fraud.cluster.load(fraud.env.space, LABELS, each * size)
    fraud.until(lambda: len((look := fraud.look()).pods) == look.serving >= size, 900, 15)
    now = fraud.serving()
    Evidence(
        f"load {fraud.env.overlay} as much as {size} pods can take at 60 % of their CPU requests"
    ).require(
        now >= size - 1,
        wanted=f"about {size} pods within 15 minutes",
        got=f"{now}{_scaling(fraud)}",
        hint="`kubectl describe hpa` says what the autoscaler measures, and what it cannot.",
    )
    return now


def _scaling(fraud: Fraud) -> str:
    """Why the autoscaler does not scale, if it says so."""
    for scaler in fraud.cluster.items("HorizontalPodAutoscaler", fraud.env.space):
        for one in scaler["status"].get("conditions") or []:
            if one["type"] in ("ScalingActive", "AbleToScale") and one["status"] == "False":
                return f"; the autoscaler says: {one['message'].partition(' in Pod ')[0]}"
    return ""


@dataclass
class Course:
    """How many pods there were during a day of traffic: (seconds since its beginning, size)."""

    sizes: list[tuple[float, int]]

    def between(self, begin: float, end: float) -> list[int]:
        return [size for at, size in self.sizes if begin <= at <= end]

    def biggest_drop(self, seconds: float) -> int:
        """The most pods that went within so many seconds."""
        return max(
            max((size - other for when, other in self.sizes if at <= when < at + seconds), default=0)
            for at, size in self.sizes
        )


def day(fraud: Fraud, loads: list[tuple[float, float]], step: float = 30.0) -> Course:
    """Play a day: (minutes, pods that it needs at 60 % of their requests), one after the other."""
    each = 0.6 * int(fraud.env.cpu.removesuffix("m")) / 1000
    begin, sizes = fraud.cluster.now, list[tuple[float, int]]()
    for minutes, pods in loads:
        fraud.cluster.load(fraud.env.space, LABELS, each * pods)
        for _ in fraud.passing(minutes * 60 - step, step):
            sizes.append((fraud.cluster.now - begin, int(fraud.deployment()["spec"]["replicas"])))
        fraud.cluster.wait(step)
    return Course(sizes)


def strict_spread(things: list[Obj]) -> list[Obj]:
    """The same objects, with every wish about where pods go made a condition."""
    for thing in things:
        if thing["kind"] != "Deployment":
            continue
        spec = thing["spec"]["template"]["spec"]
        wanted = {one["topologyKey"]: one for one in spec.get("topologySpreadConstraints") or []}
        for one in wanted.values():
            one["whenUnsatisfiable"] = "DoNotSchedule"
        spec["topologySpreadConstraints"] = list(wanted.values())
        apart = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
        wishes = apart.pop("preferredDuringSchedulingIgnoredDuringExecution", None) or []
        if wishes:
            apart.setdefault("requiredDuringSchedulingIgnoredDuringExecution", []).extend(
                one["podAffinityTerm"] for one in wishes
            )
    return things


def two_zones(fraud: Fraud, rng: np.random.Generator) -> dict[str, str]:
    """Make two zones of the three nodes, the first node not alone in its own. Returns zones by node."""
    alone = str(rng.choice(NODES[1:]))
    zones = {node: "ap-south-1b" if node == alone else "ap-south-1a" for node in NODES}
    for node, zone in zones.items():
        fraud.cluster.patch("Node", "", node, {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}})
    return zones


def alone(fraud: Fraud, image: Image) -> Obj:
    """A pod of the Deployment's template with nothing but its liveness probe to kill it."""
    spec = fraud.deployment()["spec"]["template"]["spec"]
    for one in spec["containers"]:
        one.pop("startupProbe", None)
        (one.get("livenessProbe") or {}).pop("initialDelaySeconds", None)
        one["image"] = image.name
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": fraud.env.space},
        "spec": spec,
    }
