"""Role-based access control: which rules a user has, and whether they allow a request.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labs.services.kubernetes import objects
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from labs.services.kubernetes.selectors import matches
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.users import MASTERS, Attributes, User

_ACCOUNT = "system:serviceaccount:"


def rule_allows(rule: Obj, asked: Attributes) -> bool:
    """Whether one PolicyRule allows a request."""
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_path_matches(one, asked.path) for one in rule.get("nonResourceURLs") or [])
    names = rule.get("resourceNames") or []
    return (
        _has(rule.get("apiGroups"), asked.group)
        and _has_resource(rule.get("resources") or [], asked)
        and (not names or asked.name in names)
    )


def _has(known: Sequence[str] | None, wanted: str) -> bool:
    return known is not None and ("*" in known or wanted in known)


def _has_resource(known: Sequence[str], asked: Attributes) -> bool:
    if "*" in known or asked.full_resource in known:
        return True
    return bool(asked.subresource) and f"*/{asked.subresource}" in known


def _path_matches(pattern: str, path: str) -> bool:
    if pattern == "*" or pattern == path:
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def subject_is(subject: Obj, user: User, namespace: str) -> bool:
    """Whether a binding's subject means this user; `namespace` is the binding's own."""
    match subject.get("kind"):
        case "User":
            return subject.get("name") == user.name
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            space = subject.get("namespace") or namespace
            return bool(space) and user.name == f"{_ACCOUNT}{space}:{subject.get('name')}"
    return False


def covers(owned: Iterable[Obj], rule: Obj) -> bool:
    """Whether all that a rule allows is allowed by the rules that somebody has."""
    owned = list(owned)
    verbs = rule.get("verbs") or []
    if rule.get("nonResourceURLs"):
        return all(
            any(_has(one.get("verbs"), verb) and _covers_path(one, url) for one in owned)
            for verb in verbs
            for url in rule["nonResourceURLs"]
        )
    return all(
        any(_covers_one(one, verb, group, resource, name) for one in owned)
        for verb in verbs
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for name in rule.get("resourceNames") or [""]
    )


def _covers_path(rule: Obj, url: str) -> bool:
    return any(_path_matches(one, url) for one in rule.get("nonResourceURLs") or [])


def _covers_one(rule: Obj, verb: str, group: str, resource: str, name: str) -> bool:
    known = rule.get("resources") or []
    names = rule.get("resourceNames") or []
    base, slash, below = resource.partition("/")
    fits = "*" in known or resource in known or (bool(slash) and base != "*" and f"*/{below}" in known)
    return (
        _has(rule.get("verbs"), verb)
        and _has(rule.get("apiGroups"), group)
        and fits
        and (not names or (name != "" and name in names))
    )


@dataclass(frozen=True)
class Decision:
    """Attributes: `reason` names the binding and role that allow it."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Answers from the roles and bindings in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: User, asked: Attributes) -> Decision:
        if MASTERS in user.groups:
            return Decision(True, "")
        for rules, reason in self._grants(user, asked.namespace):
            if any(rule_allows(rule, asked) for rule in rules):
                return Decision(True, f"RBAC: allowed by {reason}")
        return Decision(False, "")

    def rules(self, user: User, namespace: str) -> list[Obj]:
        """Every rule that the user has in a namespace ("" for the whole cluster)."""
        if MASTERS in user.groups:
            every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
            return [every, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
        return [rule for rules, _ in self._grants(user, namespace) for rule in rules]

    def role_rules(self, reference: Obj, namespace: str) -> list[Obj] | None:
        """The rules of a roleRef; None if there is no such role."""
        cluster = reference.get("kind") == "ClusterRole"
        found = self._store.get(
            CLUSTERROLES if cluster else ROLES, "" if cluster else namespace, str(reference.get("name"))
        )
        return None if found is None else list(found.get("rules") or [])

    def _grants(self, user: User, namespace: str) -> Iterator[tuple[list[Obj], str]]:
        for binding in self._store.every(CLUSTERROLEBINDINGS):
            if any(subject_is(one, user, "") for one in binding.get("subjects") or []):
                yield self.role_rules(binding["roleRef"], "") or [], _reason(binding, user)
        if not namespace:
            return
        for binding in self._store.every(ROLEBINDINGS, namespace):
            if any(subject_is(one, user, namespace) for one in binding.get("subjects") or []):
                yield self.role_rules(binding["roleRef"], namespace) or [], _reason(binding, user)


def _reason(binding: Obj, user: User) -> str:
    space = objects.namespace(binding)
    full = f"{objects.name(binding)}/{space}" if space else objects.name(binding)
    role = binding["roleRef"]
    subject = next(one for one in binding["subjects"] if subject_is(one, user, space))
    return (
        f'{binding["kind"]} "{full}" of {role["kind"]} "{role["name"]}" '
        f'to {subject["kind"]} "{subject["name"]}"'
    )


def aggregated(role: Obj, every: Iterable[Obj]) -> list[Obj]:
    """The rules of a ClusterRole with an aggregationRule: those of all ClusterRoles that its selectors name."""
    chosen = role["aggregationRule"].get("clusterRoleSelectors") or []
    rules: list[Obj] = []
    for one in sorted(every, key=objects.name):
        if objects.name(one) == objects.name(role):
            continue
        if any(matches(selector, objects.labels(one)) for selector in chosen):
            rules += [rule for rule in one.get("rules") or [] if rule not in rules]
    return rules
