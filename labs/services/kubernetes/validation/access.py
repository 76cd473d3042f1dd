"""Roles and bindings.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.validation.report import Report

GROUP = "rbac.authorization.k8s.io"


def _rules(report: Report, rules: list[Obj], *, namespaced: bool) -> None:
    for index, rule in enumerate(rules):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            report.required(f"{path}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if namespaced:
                report.invalid(
                    f"{path}.nonResourceURLs",
                    rule["nonResourceURLs"],
                    "namespaced rules cannot apply to non-resource URLs",
                )
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                report.invalid(
                    f"{path}.nonResourceURLs",
                    rule["nonResourceURLs"],
                    "rules cannot apply to both regular resources and non-resource URLs",
                )
            continue
        if not rule.get("apiGroups"):
            report.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            report.required(f"{path}.resources", "resource rules must supply at least one resource")


def role(report: Report, thing: Obj) -> None:
    _rules(report, thing.get("rules") or [], namespaced=True)


def cluster_role(report: Report, thing: Obj) -> None:
    _rules(report, thing.get("rules") or [], namespaced=False)
    for index, one in enumerate((thing.get("aggregationRule") or {}).get("clusterRoleSelectors") or []):
        report.selector(f"aggregationRule.clusterRoleSelectors[{index}]", one)


def binding(report: Report, thing: Obj) -> None:
    reference = thing["roleRef"]
    report.one_of("roleRef.apiGroup", reference.get("apiGroup"), (GROUP,))
    kinds = ("Role", "ClusterRole") if thing["kind"] == "RoleBinding" else ("ClusterRole",)
    report.one_of("roleRef.kind", reference.get("kind"), kinds)
    if not reference.get("name"):
        report.required("roleRef.name")
    for index, subject in enumerate(thing.get("subjects") or []):
        path = f"subjects[{index}]"
        if not subject.get("name"):
            report.required(f"{path}.name")
        if subject.get("kind") == "ServiceAccount":
            if subject.get("name"):
                report.subdomain(f"{path}.name", subject["name"])
            if subject.get("apiGroup"):
                report.one_of(f"{path}.apiGroup", subject["apiGroup"], ("",))
            if not subject.get("namespace"):
                report.required(f"{path}.namespace")
        elif report.one_of(f"{path}.kind", subject.get("kind"), ("ServiceAccount", "User", "Group")):
            report.one_of(f"{path}.apiGroup", subject.get("apiGroup"), (GROUP,))
