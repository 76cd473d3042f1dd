"""Autoscalers, disruption budgets and leases.

Source: https://kubernetes.io/docs/tasks/run-application/
"""

from __future__ import annotations

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.validation.report import Report

_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def autoscaler(report: Report, thing: Obj) -> None:
    spec = thing["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas")
    if low is not None and low < 1:
        report.invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if (high or 0) < 1:
        report.invalid("spec.maxReplicas", high, "must be greater than 0")
    elif low is not None and high < low:
        report.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        if not target.get(field):
            report.required(f"spec.scaleTargetRef.{field}")
    for index, metric in enumerate(spec.get("metrics") or []):
        _metric(report, metric, f"spec.metrics[{index}]")
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules:
            _rules(report, rules, f"spec.behavior.{direction}")


def _metric(report: Report, metric: Obj, path: str) -> None:
    kind = metric.get("type")
    if not report.one_of(f"{path}.type", kind, sorted(_SOURCES)):
        return
    source = metric.get(_SOURCES[kind or ""])
    if source is None:
        report.required(
            f"{path}.{_SOURCES[kind or '']}", "must populate information for the given metric source"
        )
        return
    if kind == "ContainerResource":
        for field in ("container", "name"):
            if not source.get(field):
                report.required(f"{path}.containerResource.{field}")
    target = source.get("target") or {}
    place = f"{path}.{_SOURCES[kind or '']}.target"
    if not report.one_of(f"{place}.type", target.get("type"), ("AverageValue", "Utilization", "Value")):
        return
    utilization, value, average = (target.get(k) for k in ("averageUtilization", "value", "averageValue"))
    if target["type"] == "Utilization" and (utilization or 0) < 1:
        report.required(f"{place}.averageUtilization", "must be greater than 0")
    if target["type"] == "Value" and value is None:
        report.required(f"{place}.value", "must set a target value")
    if target["type"] == "AverageValue" and average is None:
        report.required(f"{place}.averageValue", "must set a target average value")
    if kind == "Pods" and average is None:
        report.required(f"{place}.averageValue", "must specify a positive target averageValue")
    for field, amount in (("value", value), ("averageValue", average)):
        if amount is not None:
            report.amount(f"{place}.{field}", amount)


def _rules(report: Report, rules: Obj, path: str) -> None:
    report.between(f"{path}.stabilizationWindowSeconds", rules.get("stabilizationWindowSeconds"), 0, 3600)
    report.one_of(f"{path}.selectPolicy", rules.get("selectPolicy"), ("Disabled", "Max", "Min"))
    for index, one in enumerate(rules.get("policies") or []):
        place = f"{path}.policies[{index}]"
        report.one_of(f"{place}.type", one.get("type"), ("Percent", "Pods"))
        if (one.get("value") or 0) < 1:
            report.invalid(f"{place}.value", one.get("value"), "must be greater than zero")
        report.between(f"{place}.periodSeconds", one.get("periodSeconds"), 1, 1800)


def budget(report: Report, thing: Obj) -> None:
    spec = thing.get("spec") or {}
    both = [spec.get("minAvailable"), spec.get("maxUnavailable")]
    if all(one is not None for one in both):
        report.invalid("spec", both, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            report.count_or_percent(f"spec.{field}", spec[field], at_most_100=True)
    report.selector("spec.selector", spec.get("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None:
        report.one_of("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def lease(report: Report, thing: Obj) -> None:
    spec = thing.get("spec") or {}
    for field, low in (("leaseDurationSeconds", 1), ("leaseTransitions", 0)):
        value = spec.get(field)
        if value is not None and value < low:
            report.invalid(f"spec.{field}", value, f"must be greater than or equal to {low}")
