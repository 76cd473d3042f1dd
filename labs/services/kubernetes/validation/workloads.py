"""Pods, ReplicaSets, Deployments and Jobs.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from __future__ import annotations

from labs.services.kubernetes import selectors
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import is_percent
from labs.services.kubernetes.validation import pods
from labs.services.kubernetes.validation.report import Report


def pod(report: Report, thing: Obj) -> None:
    pods.check_spec(report, thing["spec"], "spec")


def _template(report: Report, spec: Obj, policies: tuple[str, ...]) -> None:
    template = spec.get("template") or {}
    if not template.get("spec"):
        report.required("spec.template.spec.containers")
        return
    report.labels("spec.template.labels", (template.get("metadata") or {}).get("labels"))
    pods.check_spec(report, template["spec"], "spec.template.spec")
    policy = template["spec"].get("restartPolicy")
    report.one_of("spec.template.spec.restartPolicy", policy, policies)
    if policies == ("Always",) and template["spec"].get("activeDeadlineSeconds") is not None:
        report.forbidden(
            "spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"
        )


def _selector(report: Report, spec: Obj) -> None:
    selector = spec.get("selector") or {}
    report.selector("spec.selector", selector)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        report.invalid("spec.selector", selector, "empty selector is invalid for deployment")
    elif not report.causes and not selectors.matches(selector, labels):
        report.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def replicaset(report: Report, thing: Obj) -> None:
    spec = thing["spec"]
    report.between("spec.replicas", spec.get("replicas"), 0)
    report.between("spec.minReadySeconds", spec.get("minReadySeconds"), 0)
    _selector(report, spec)
    _template(report, spec, ("Always",))


def deployment(report: Report, thing: Obj) -> None:
    spec = thing["spec"]
    replicaset(report, thing)
    report.between("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"), 0)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        report.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    strategy = spec.get("strategy") or {}
    if not report.one_of("spec.strategy.type", strategy.get("type"), ("Recreate", "RollingUpdate")):
        return
    rolling: Obj | None = strategy.get("rollingUpdate")
    if strategy["type"] == "Recreate":
        if rolling is not None:
            report.forbidden(
                "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"
            )
        return
    rolling = rolling or {}
    path = "spec.strategy.rollingUpdate"
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    report.count_or_percent(f"{path}.maxUnavailable", unavailable, at_most_100=True)
    report.count_or_percent(f"{path}.maxSurge", surge)
    if _zero(unavailable) and _zero(surge):
        report.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")


def _zero(value: object) -> bool:
    return value == 0 or (is_percent(value) and int(str(value)[:-1]) == 0)


def job(report: Report, thing: Obj) -> None:
    spec = thing["spec"]
    for field in (
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ):
        report.between(f"spec.{field}", spec.get(field), 0)
    _template(report, spec, ("OnFailure", "Never"))
    if spec.get("selector"):
        report.selector("spec.selector", spec["selector"])
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        if not selectors.matches(spec["selector"], labels):
            report.invalid(
                "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
            )
