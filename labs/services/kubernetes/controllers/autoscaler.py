"""HorizontalPodAutoscalers, every 15 seconds, from the metrics that were stated for the cluster.

Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/, also
…#container-resource-metrics
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from labs.services.kubernetes import objects, selectors
from labs.services.kubernetes.controllers import scaling
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.controllers.replicaset import is_ready
from labs.services.kubernetes.controllers.scaling import Past
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import quantity, shown_cpu
from labs.services.kubernetes.resources import AUTOSCALERS, DEPLOYMENTS, PODS, REPLICASETS
from labs.services.kubernetes.store import Change, Key

WHO = "horizontal-pod-autoscaler"
PERIOD = 15.0
_TARGETS = {("apps/v1", "Deployment"): DEPLOYMENTS, ("apps/v1", "ReplicaSet"): REPLICASETS}


_HELD = {
    "": ("ReadyForNewScale", "recommended size matches current size"),
    "ScaleDownStabilized": (
        "ScaleDownStabilized",
        "recent recommendations were higher than current one, applying the highest recent recommendation",
    ),
    "ScaleUpStabilized": (
        "ScaleUpStabilized",
        "recent recommendations were lower than current one, applying the lowest recent recommendation",
    ),
}


class NoMetric(Exception):
    """Attributes: reason of the ScalingActive condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Reading:
    replicas: int
    current: Obj


def _shown(name: str, amount: Decimal) -> str:
    if name == "cpu" or amount != int(amount):
        return shown_cpu(amount)
    return str(int(amount))


class Autoscaler:
    name = WHO

    def __init__(self) -> None:
        self._past: dict[str, Past] = {}

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        if change.resource is not AUTOSCALERS:
            return []
        before = change.before
        same = before is not None and objects.spec(before) == objects.spec(change.thing)
        return [] if same else [(objects.namespace(change.thing), objects.name(change.thing))]

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        scaler = hands.get(AUTOSCALERS, *key)
        if scaler is None:
            return None
        self._look(scaler, hands)
        return hands.now + PERIOD

    def _look(self, scaler: Obj, hands: Hands) -> None:
        spec, state = objects.spec(scaler), dict(objects.status(scaler))
        conditions = list(state.get("conditions") or [])

        def tell(kind: str, status: str, reason: str, message: str) -> None:
            nonlocal conditions
            conditions = with_condition(conditions, kind, status, reason, message, hands.stamp)

        reference = spec["scaleTargetRef"]
        resource = _TARGETS.get((reference.get("apiVersion") or "", reference["kind"]))
        target = hands.get(resource, objects.namespace(scaler), reference["name"]) if resource else None
        if resource is None or target is None:
            why = (
                f"the HPA controller was unable to get the target's current scale: "
                f'{reference["kind"]} "{reference["name"]}" not found'
            )
            tell("AbleToScale", "False", "FailedGetScale", why)
            hands.event(scaler, "Warning", "FailedGetScale", why, WHO)
            hands.set_status(AUTOSCALERS, scaler, {**state, "conditions": conditions})
            return
        tell(
            "AbleToScale",
            "True",
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        )
        current = objects.spec(target).get("replicas", 0)
        state["currentReplicas"] = objects.status(target).get("replicas", 0)
        desired, limits = current, ("", "")
        if current == 0:
            tell(
                "ScalingActive",
                "False",
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            )
        elif not spec.get("minReplicas", 1) <= current <= spec["maxReplicas"]:
            desired = max(min(current, spec["maxReplicas"]), spec.get("minReplicas", 1))
        else:
            readings, problem = self._readings(scaler, target, current, hands)
            state["currentMetrics"] = [one.current for one in readings]
            if problem is not None and (not readings or max(one.replicas for one in readings) < current):
                tell("ScalingActive", "False", problem.reason, str(problem))
                hands.event(scaler, "Warning", problem.reason, str(problem), WHO)
            else:
                proposal = max(one.replicas for one in readings)
                tell(
                    "ScalingActive",
                    "True",
                    "ValidMetricFound",
                    "the HPA was able to successfully calculate a replica count from the metrics",
                )
                past = self._past.get(objects.uid(scaler), Past())
                past = Past((*past.advice, (hands.now, proposal)), past.scaled)
                advice = scaling.decide(spec, current, proposal, past, hands.now)
                desired, limits = advice.replicas, (advice.reason, advice.message)
                tell("ScalingLimited", "True" if advice.limited else "False", *limits)
                tell("AbleToScale", "True", *_HELD[advice.stabilised])
                if desired != current:
                    past = Past(past.advice, (*past.scaled, (hands.now, desired - current)))
                self._past[objects.uid(scaler)] = scaling.remember(past, hands.now, spec)
        if desired != current:
            hands.scale(resource, target, desired, WHO)
            text = f"New size: {desired}; reason: {_why(desired, current, spec)}"
            hands.event(scaler, "Normal", "SuccessfulRescale", text, WHO)
            tell(
                "AbleToScale",
                "True",
                "SucceededRescale",
                f"the HPA controller was able to update the target scale to {desired}",
            )
            state["lastScaleTime"] = hands.stamp
        state.update(desiredReplicas=desired, conditions=conditions)
        hands.set_status(AUTOSCALERS, scaler, state)

    def _readings(
        self, scaler: Obj, target: Obj, current: int, hands: Hands
    ) -> tuple[list[Reading], NoMetric | None]:
        pods = [
            pod
            for pod in hands.store.every(PODS, objects.namespace(scaler))
            if selectors.matches(objects.spec(target).get("selector"), objects.labels(pod))
            and objects.status(pod).get("phase") not in ("Succeeded", "Failed")
            and not objects.deleting(pod)
        ]
        found, problem = list[Reading](), None
        for metric in objects.spec(scaler)["metrics"]:
            try:
                found.append(_read(metric, objects.namespace(scaler), pods, current, hands))
            except NoMetric as error:
                problem = problem or error
        return found, problem


def _why(desired: int, current: int, spec: Obj) -> str:
    if current > spec["maxReplicas"]:
        return "Current number of replicas above Spec.MaxReplicas"
    if current < spec.get("minReplicas", 1):
        return "Current number of replicas below Spec.MinReplicas"
    return "metric above target" if desired > current else "All metrics below target"


def measured(
    pods: list[Obj], space: str, metric: str, hands: Hands, container: str | None = None
) -> dict[str, Decimal]:
    """The stated measure of each ready pod. A `total` is shared among the ready pods that its selector names.

    Args:
        container: its share is meant. What is stated is of whole pods, so it is known where it is the pod's only one.
    """
    found: dict[str, Decimal] = {}
    if container is not None:
        pods = [pod for pod in pods if [one["name"] for one in pod["spec"]["containers"]] == [container]]
    for one in hands.surroundings.metrics:
        if one["namespace"] != space or one["metric"] != metric or "selector" not in one:
            continue
        chosen = [
            pod for pod in pods if is_ready(pod) and one["selector"].items() <= objects.labels(pod).items()
        ]
        for pod in chosen:
            share = quantity(one["total"]) / len(chosen) if "total" in one else quantity(one["perPod"])
            found[objects.name(pod)] = share
    return found


def _read(metric: Obj, space: str, pods: list[Obj], current: int, hands: Hands) -> Reading:
    kind = metric["type"][0].lower() + metric["type"][1:]
    source = metric[kind]
    name = source["name"] if kind in ("resource", "containerResource") else source["metric"]["name"]
    if kind in ("resource", "containerResource", "pods"):
        return _of_pods(kind, source, name, space, pods, current, hands)
    return _of_one(kind, source, name, space, pods, current, hands)


def _of_pods(
    kind: str, source: Obj, name: str, space: str, pods: list[Obj], current: int, hands: Hands
) -> Reading:
    container = source.get("container")
    values = measured(pods, space, name, hands, container)
    reason = f"FailedGet{kind[0].upper()}{kind[1:]}Metric"
    if not values:
        of = f"the container {container} of pods" if container else "pods"
        raise NoMetric(reason, f"failed to get {name}: no metrics known for {of} in namespace {space}")
    ready = [pod for pod in pods if is_ready(pod)]
    unready, missing = len(pods) - len(ready), sum(1 for pod in ready if objects.name(pod) not in values)
    target, amounts = source["target"], list(values.values())
    if target["type"] == "Utilization":
        asked = [_request(pod, name, container) for pod in pods]
        for pod, request in zip(pods, asked, strict=True):
            if request is None:
                text = (
                    f"failed to get {name} utilization: missing request for {name} in Pod {objects.name(pod)}"
                )
                raise NoMetric(reason, text)
        each = sum((one for one in asked if one), Decimal(0)) / len(pods)
        goal = each * target["averageUtilization"] / 100
    else:
        each, goal = Decimal(0), quantity(target["averageValue"])
    size, average = scaling.wanted_by_pods(amounts, unready, missing, goal, current, cpu=name == "cpu")
    seen: Obj = {"averageValue": _shown(name, average)}
    if target["type"] == "Utilization":
        seen["averageUtilization"] = int(average * 100 / each)
    head: Obj = {"metric": source["metric"]} if kind == "pods" else {"name": name}
    if container:
        head["container"] = container
    return Reading(size, {"type": f"{kind[0].upper()}{kind[1:]}", kind: {**head, "current": seen}})


def _request(pod: Obj, name: str, container: str | None = None) -> Decimal | None:
    """What a pod's containers ask for, or one of them; None if one that is meant does not say."""
    total = Decimal(0)
    for one in pod["spec"]["containers"]:
        if container not in (None, one["name"]):
            continue
        asked = ((one.get("resources") or {}).get("requests") or {}).get(name)
        if asked is None:
            return None
        total += quantity(asked)
    return total


def _of_one(
    kind: str, source: Obj, name: str, space: str, pods: list[Obj], current: int, hands: Hands
) -> Reading:
    about = source.get("describedObject") or {}
    values = [
        quantity(one["value"])
        for one in hands.surroundings.metrics
        if "value" in one
        and one["namespace"] == space
        and one["metric"] == name
        and (kind == "external" or (one.get("object") or {}).get("name") == about.get("name"))
    ]
    if not values:
        reason = "FailedGetExternalMetric" if kind == "external" else "FailedGetObjectMetric"
        raise NoMetric(reason, f"unable to get {kind} metric {space}/{name}: no metrics known")
    value, target = sum(values, Decimal(0)), source["target"]
    ready = sum(1 for pod in pods if is_ready(pod))
    if target["type"] == "Value":
        ratio = value / quantity(target["value"])
        size = current if abs(ratio - 1) <= scaling.TOLERANCE else scaling.wanted(ready, ratio)
        seen = {"value": _shown(name, value)}
    else:
        goal = quantity(target["averageValue"])
        near = abs(value / (goal * current) - 1) <= scaling.TOLERANCE
        size = current if near else -int(-value // goal)
        seen = {"averageValue": _shown(name, value / current)}
    head: Obj = {"metric": source["metric"], **({"describedObject": about} if about else {})}
    return Reading(size, {"type": kind.capitalize(), kind: {**head, "current": seen}})
