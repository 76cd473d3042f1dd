"""What the checks do to a running service for some of its time: release, drain, load; and what they see meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cluster import Obj
from fraud import LABELS, NODES, Fraud, Image, Look

JSON_PATCH = "application/json-patch+json"


@dataclass
class Watch:
    """What was seen while something went on.

    Attributes:
        fewest: endpoints that answered, at the worst moment.
        smallest: the size that the Deployment was to have, at the worst moment.
        silent: whether a ready endpoint ever belonged to a pod that did not answer.
        gave_up: whether the Deployment said that it does not progress, and after how many seconds.
        seconds: until it was over; None if it was not within the time.
    """

    fewest: int
    smallest: int
    silent: bool = False
    gave_up: float | None = None
    seconds: float | None = None


def watch(fraud: Fraud, over: Callable[[Look], bool], seconds: float, step: float = 15.0) -> Watch:
    """Look at the service every `step` seconds until something is over."""
    seen = Watch(fewest=fraud.serving(), smallest=fraud.size())
    for passed in fraud.passing(seconds, step):
        look = fraud.look()
        seen.fewest = min(seen.fewest, look.serving)
        seen.smallest = min(seen.smallest, fraud.size())
        seen.silent = seen.silent or look.ready > look.serving
        if seen.gave_up is None and fraud.progressing() == "ProgressDeadlineExceeded":
            seen.gave_up = passed
        if over(look):
            seen.seconds = passed
            break
    return seen


def never_fewer(fraud: Fraud, seen: Watch, did: str, least: int) -> None:
    """Fail if requests met too few pods, or pods that did not answer."""
    fraud.found(did).require(
        seen.fewest >= least,
        wanted=f"at least {least} endpoints that answer, at every moment",
        got=f"{seen.fewest} at the worst moment",
        hint="New pods first, then old ones away: maxSurge and maxUnavailable decide which.",
    )
    fraud.found(did).require(
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


def fullest_node(fraud: Fraud, rng: np.random.Generator) -> str:
    """A node with most of the pods: there a drain asks the budget for more than one."""
    there = [one["spec"].get("nodeName") for one in fraud.pods()]
    most = max(there.count(node) for node in NODES)
    return str(rng.choice([node for node in NODES if there.count(node) == most]))


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
    """Load the service until its autoscaler has made it so large. Returns how many pods serve.

    Within 10 % of its target an autoscaler does nothing, so 10 pods are the most that a load asks for exactly; for the
    largest size the load is more than that size can take.
    """
    over = 1.2 if size == fraud.env.most else 1.0
    fraud.cluster.load(fraud.env.space, LABELS, fraud.env.each * size * over)
    fraud.until(lambda: len((look := fraud.look()).pods) == look.serving >= size, 900, 15)
    now = fraud.serving()
    more = ", and more" if over > 1 else ""
    fraud.found(f"load it as much as {size} pods can take at 60 % of their CPU requests{more}").require(
        now >= size,
        wanted=f"{size} pods within 15 minutes",
        got=f"{now}{_scaling(fraud)}",
        hint="`kubectl describe hpa` says what the autoscaler measures, and what it cannot.",
    )
    fraud.found("load it beyond every limit").require(
        now <= fraud.env.most,
        wanted=f"{fraud.env.most} pods at most",
        got=str(now),
        hint="The table of the contract says how many pods each overlay may have.",
    )
    return now


def widen(fraud: Fraud, size: int) -> int:
    """Raise the least size of the autoscaler, as people do before a festival. Returns how many pods serve then."""
    for one in fraud.cluster.items("HorizontalPodAutoscaler", fraud.env.space):
        body = {"spec": {"minReplicas": size}}
        fraud.cluster.patch("HorizontalPodAutoscaler", fraud.env.space, one["metadata"]["name"], body)
    fraud.found(f"set minReplicas of the autoscaler to {size}").require(
        fraud.until(lambda: len((look := fraud.look()).pods) == look.serving == size, 900),
        wanted=f"{size} pods that serve",
        got=f"{fraud.serving()}; {fraud.trouble()}",
        hint="`kubectl describe hpa` says which Deployment it scales, and what hinders it.",
    )
    return size


def look_at_the_target(fraud: Fraud) -> None:
    """Fail unless the autoscaler leaves a load alone that is 9 % above its target, and answers one of 12 %.

    Its tolerance is 10 %, so it aims at 60 % and not, say, at 65 %. Source:
    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
    """
    least = fraud.env.least

    def load(percent: float) -> str:
        fraud.cluster.load(fraud.env.space, LABELS, fraud.env.each * least * percent / 60)
        return f"have {least} pods use {percent:g} % of their CPU requests"

    did = load(65.4)
    fraud.cluster.wait(120)
    fraud.found(did).require(
        fraud.size() == least,
        wanted=f"{least} pods: that is 60 %, within the tolerance of 10 %",
        got=str(fraud.size()),
        hint="Which share of the CPU request does the autoscaler aim at?",
    )
    did = load(67.2)
    fraud.until(lambda: fraud.size() > least, 900)
    fraud.found(did).require(
        fraud.size() > least,
        wanted=f"more than {least} pods within 15 minutes: that is above 60 %, and its tolerance of 10 %",
        got=f"{fraud.size()}{_scaling(fraud)}",
        hint="Which share of the CPU request does the autoscaler aim at, in each overlay?",
    )


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

    def biggest_drop(self, seconds: float) -> int:
        """The most pods that went within so many seconds: those between one moment and another."""
        return max(
            max((size - other for when, other in self.sizes if at <= when <= at + seconds), default=0)
            for at, size in self.sizes
        )


def day(fraud: Fraud, loads: list[tuple[float, float]], step: float = 15.0) -> Course:
    """Play a day: (minutes, pods that it needs at 60 % of their requests), one after the other.

    Args:
        step: between two looks, in seconds; the autoscaler looks every 15 s.
    """
    begin, sizes = fraud.cluster.now, list[tuple[float, int]]()
    for minutes, pods in loads:
        fraud.cluster.load(fraud.env.space, LABELS, fraud.env.each * pods)
        for _ in fraud.passing(minutes * 60 - step, step):
            sizes.append((fraud.cluster.now - begin, fraud.size()))
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
    """Make two zones of the three nodes, so that who only fills empty nodes fails. Returns zones by node."""
    alone = str(rng.choice(NODES[1:] if fraud.env.least >= len(NODES) else NODES[fraud.env.least :]))
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
