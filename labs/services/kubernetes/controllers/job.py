"""Jobs: pods until enough of them ended well, with back-off, a deadline and a time to live.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.controllers.replicaset import is_ready
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import JOBS, PODS
from labs.services.kubernetes.statuses import ApiError
from labs.services.kubernetes.store import Change, Key

WHO = "job-controller"
_FIRST_DELAY, _LONGEST_DELAY = 10.0, 600.0
_RETRY = 10.0


@dataclass(frozen=True)
class Plan:
    """What a Job needs next.

    Attributes:
        create: pods to start now.
        stop: end the pods that still run.
        result: "", Complete, Failed or Suspended, with `reason` and `message`.
        again: when to look again.
    """

    create: int = 0
    stop: bool = False
    result: str = ""
    reason: str = ""
    message: str = ""
    again: float | None = None


def plan(job: Obj, active: int, succeeded: int, failures: list[float], restarts: int, now: float) -> Plan:
    """Decide from numbers alone.

    Args:
        active: pods that are not finished.
        failures: when pods failed, oldest first.
        restarts: of containers in active pods; they count against backoffLimit with restartPolicy OnFailure.
    """
    spec, state = job["spec"], objects.status(job)
    completions, parallelism = spec.get("completions"), spec["parallelism"]
    started = objects.seconds(state["startTime"]) if state.get("startTime") else now
    deadline = spec.get("activeDeadlineSeconds")
    if spec.get("suspend"):
        return Plan(stop=active > 0, result="Suspended", reason="JobSuspended", message="Job suspended")
    done = succeeded >= completions if completions is not None else succeeded > 0 and active == 0
    if done:
        return Plan(
            stop=active > 0,
            result="Complete",
            reason="CompletionsReached",
            message="Reached expected number of succeeded pods",
        )
    limit = spec["backoffLimit"]
    template = spec["template"]["spec"]
    failed = len(failures) + (restarts if template["restartPolicy"] == "OnFailure" else 0)
    if failed > limit:
        return Plan(
            stop=True,
            result="Failed",
            reason="BackoffLimitExceeded",
            message="Job has reached the specified backoff limit",
        )
    if deadline is not None and now >= started + deadline:
        return Plan(
            stop=True,
            result="Failed",
            reason="DeadlineExceeded",
            message="Job was active longer than specified deadline",
        )
    end = started + deadline if deadline is not None else None
    wanted = parallelism
    if completions is not None:
        wanted = min(parallelism, completions - succeeded)
    elif succeeded:
        wanted = active
    missing = max(0, wanted - active)
    if missing and failures:
        delay = min(_FIRST_DELAY * 2 ** (len(failures) - 1), _LONGEST_DELAY)
        ready = failures[-1] + delay
        if now < ready:
            return Plan(again=min(one for one in (ready, end) if one is not None))
    return Plan(create=missing, again=end)


class JobController:
    name = WHO

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        space = objects.namespace(change.thing)
        if change.resource is JOBS:
            return [(space, objects.name(change.thing))]
        owner = objects.controller_of(change.thing)
        if change.resource is PODS and owner and owner["kind"] == "Job":
            return [(space, owner["name"])]
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        job = hands.get(JOBS, *key)
        if job is None or objects.deleting(job):
            return None
        ended = next(
            (one for one in ("Complete", "Failed") if _holds(job, one)),
            "",
        )
        if ended:
            return self._expire(job, hands)
        state = dict(objects.status(job))
        if not state.get("startTime") and not job["spec"].get("suspend"):
            state["startTime"] = hands.stamp
            job = hands.set_status(JOBS, job, state)
        pods = hands.owned(PODS, job)
        active = [one for one in pods if _phase(one) in ("Pending", "Running") and not objects.deleting(one)]
        good = [one for one in pods if _phase(one) == "Succeeded"]
        failures = sorted(_finished(one) for one in pods if _phase(one) == "Failed")
        restarts = sum(
            one.get("restartCount", 0)
            for pod in active
            for one in objects.status(pod).get("containerStatuses") or []
        )
        found = plan(job, len(active), len(good), failures, restarts, hands.now)
        again = found.again
        for _ in range(found.create):
            try:
                active.append(self._create(job, hands))
            except ApiError as error:
                hands.event(job, "Warning", "FailedCreate", f"Error creating: {error.message}", WHO)
                again = hands.now + _RETRY
                break
        stopped = len(active) if found.stop else 0
        if found.stop:
            for pod in active:
                hands.delete(PODS, pod, WHO)
                hands.event(job, "Normal", "SuccessfulDelete", f"Deleted pod: {objects.name(pod)}", WHO)
            active = []
        counted = len(failures) + (stopped if found.result == "Failed" else 0)
        self._report(job, found, active, len(good), counted, hands)
        if found.result in ("Complete", "Failed") and job["spec"].get("ttlSecondsAfterFinished") is not None:
            return hands.now + float(job["spec"]["ttlSecondsAfterFinished"])
        return again

    @staticmethod
    def _report(job: Obj, found: Plan, active: list[Obj], good: int, failed: int, hands: Hands) -> None:
        current = hands.get(JOBS, objects.namespace(job), objects.name(job))
        if current is None:
            return
        before = objects.status(current)
        state: Obj = {
            "startTime": before.get("startTime"),
            "active": len(active),
            "ready": sum(1 for one in active if is_ready(one)),
            "terminating": 0,
            "succeeded": good,
            "failed": failed,
            "uncountedTerminatedPods": {},
        }
        state = {key: value for key, value in state.items() if value or key in ("ready", "terminating")}
        conditions = list(before.get("conditions") or [])
        if found.result:
            kinds = {
                "Complete": ("SuccessCriteriaMet", "Complete"),
                "Failed": ("FailureTarget", "Failed"),
                "Suspended": ("Suspended",),
            }[found.result]
            for kind in kinds:
                conditions = with_condition(
                    conditions,
                    kind,
                    "True",
                    found.reason,
                    found.message,
                    hands.stamp,
                    lastProbeTime=hands.stamp,
                )
        elif any(one["type"] == "Suspended" for one in conditions):
            conditions = with_condition(
                conditions, "Suspended", "False", "JobResumed", "Job resumed", hands.stamp
            )
            state["startTime"] = before.get("startTime") or hands.stamp
        if conditions:
            same = {one["type"]: one for one in before.get("conditions") or []}
            state["conditions"] = [
                {**one, "lastProbeTime": same[one["type"]].get("lastProbeTime", hands.stamp)}
                if one["type"] in same and same[one["type"]]["status"] == one["status"]
                else one
                for one in conditions
            ]
        if found.result == "Suspended":
            state.pop("startTime", None)
        if found.result == "Complete":
            state["completionTime"] = hands.stamp
            hands.event(job, "Normal", "Completed", "Job completed", WHO)
        elif found.result == "Failed":
            hands.event(job, "Warning", found.reason, found.message, WHO)
        hands.set_status(JOBS, current, state)

    @staticmethod
    def _expire(job: Obj, hands: Hands) -> float | None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        ended = next(
            one for one in objects.status(job)["conditions"] if one["type"] in ("Complete", "Failed")
        )
        moment = objects.seconds(ended["lastTransitionTime"]) + float(ttl)
        if hands.now < moment:
            return moment
        hands.delete(JOBS, job, WHO, propagationPolicy="Foreground")
        return None

    @staticmethod
    def _create(job: Obj, hands: Hands) -> Obj:
        template = objects.copy(job["spec"]["template"])
        meta = template.get("metadata") or {}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{objects.name(job)}-",
                "labels": meta.get("labels") or {},
                **({"annotations": meta["annotations"]} if meta.get("annotations") else {}),
                "ownerReferences": [objects.owner_reference(job)],
            },
            "spec": template["spec"],
        }
        pod = hands.create(PODS, objects.namespace(job), body, WHO)
        hands.event(job, "Normal", "SuccessfulCreate", f"Created pod: {objects.name(pod)}", WHO)
        return pod


def _phase(pod: Obj) -> str:
    return objects.status(pod).get("phase") or "Pending"


def _holds(job: Obj, kind: str) -> bool:
    found = objects.condition(job, kind)
    return found is not None and found["status"] == "True"


def _finished(pod: Obj) -> float:
    ends = [
        objects.seconds(((one.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for one in objects.status(pod).get("containerStatuses") or []
    ]
    return max(ends, default=0.0) or objects.seconds(pod["metadata"]["creationTimestamp"])
