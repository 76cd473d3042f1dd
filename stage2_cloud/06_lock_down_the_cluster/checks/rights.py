"""Who may do what, by the contract; and every question that can be asked of the API server about it.

The contract's table stands here as RBAC rules. A request is expected to be allowed exactly when one of the rules of
whoever asks allows it; the server's own matching of one rule (`rbac.rule_allows`) reads the table, and
the server is asked.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kube import SPACE, Kube, Obj, Who, account
from labs.services.kubernetes import bootstrap
from labs.services.kubernetes.rbac import rule_allows
from labs.services.kubernetes.users import Attributes, User

READ = ["get", "list", "watch"]
OTHER_SPACES = ("payments", "kube-system", "default")
_RBAC = "rbac.authorization.k8s.io"


def _rule(group: str, resources: str, verbs: str, names: str = "") -> Obj:
    return {
        "apiGroups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
        **({"resourceNames": names.split()} if names else {}),
    }


def _view() -> list[Obj]:
    shipped = next(
        one for one in bootstrap.cluster_roles() if one["metadata"]["name"] == "system:aggregate-to-view"
    )
    return list(shipped["rules"])


@dataclass(frozen=True)
class Subject:
    """Somebody of the contract. `rules` hold in the namespace fraud, `everywhere` for what lies in no namespace."""

    title: str
    who: Who
    rules: tuple[Obj, ...] = ()
    everywhere: tuple[Obj, ...] = ()

    @property
    def user(self) -> User:
        return User(self.who.user, self.who.groups)

    def may(self, asked: Attributes) -> bool:
        """By the contract."""
        if asked.path or not asked.namespace:
            return any(rule_allows(one, asked) for one in self.everywhere)
        return asked.namespace == SPACE and any(rule_allows(one, asked) for one in self.rules)


def _person(name: str, *groups: str) -> Who:
    return Who(name, (*groups, "system:authenticated"))


def _account(name: str, *rules: Obj, space: str = SPACE, everywhere: tuple[Obj, ...] = ()) -> Subject:
    return Subject(f"ServiceAccount {space}/{name}", account(space, name), rules, everywhere)


def subjects(person: str) -> list[Subject]:
    """All of the contract, and those who must get nothing. `person` is the name of a user nobody has heard of."""
    return [
        _account("fraud", _rule("", "configmaps", "get", "fraud-settings")),
        _account("gateway"),
        _account("feature-store"),
        _account(
            "rotator",
            _rule("", "secrets", "get update patch", "fraud-db"),
            _rule("apps", "deployments", "get patch", "fraud"),
            _rule("", "pods", "get list"),
        ),
        _account(
            "deployer",
            _rule("apps", "deployments", "get patch", "gateway fraud feature-store"),
            _rule("apps", "deployments replicasets", "list watch"),
            _rule("", "pods", "get list watch"),
        ),
        _account(
            "prometheus",
            _rule("", "pods", "get list watch"),
            space="monitoring",
            everywhere=({"nonResourceURLs": ["/metrics"], "verbs": ["get"]},),
        ),
        Subject(
            "the group fraud-oncall",
            _person(person, "fraud-oncall"),
            (
                *_view(),
                _rule("apps", "deployments/scale", "get update patch", "gateway fraud"),
                _rule("", "pods", "delete"),
            ),
        ),
        Subject(
            "the group fraud-auditors",
            _person(person, "fraud-auditors"),
            (
                _rule(_RBAC, "roles rolebindings", "get list watch"),
                _rule("", "serviceaccounts", "get list watch"),
                _rule("networking.k8s.io", "networkpolicies", "get list watch"),
            ),
        ),
    ]


def strangers(person: str) -> list[Subject]:
    """Whom the contract gives nothing."""
    return [
        _account("default"),
        _account("drawn-" + person),
        _account("rotator", space="payments"),
        _account("deployer", space="payments"),
        _account("default", space="monitoring"),
        Subject("a user who has only logged in", _person(person)),
        Subject("a user named fraud-oncall", _person("fraud-oncall")),
        Subject(
            "nobody in particular (system:anonymous)", Who("system:anonymous", ("system:unauthenticated",))
        ),
    ]


# Questions

_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_RESOURCES = {
    "": "pods services endpoints configmaps secrets serviceaccounts events persistentvolumeclaims "
        "replicationcontrollers resourcequotas limitranges pods/status services/proxy",
    "apps": "deployments replicasets statefulsets daemonsets deployments/scale deployments/status replicasets/scale",
    "batch": "jobs cronjobs",
    "autoscaling": "horizontalpodautoscalers",
    "policy": "poddisruptionbudgets",
    "networking.k8s.io": "networkpolicies ingresses",
    "discovery.k8s.io": "endpointslices",
    "coordination.k8s.io": "leases",
    _RBAC: "roles rolebindings",
    "nukkad.example": "payments",
}  # fmt: skip
_CLUSTER = {
    "": "nodes namespaces persistentvolumes nodes/proxy",
    _RBAC: "clusterroles clusterrolebindings",
    "admissionregistration.k8s.io": "validatingwebhookconfigurations",
    "certificates.k8s.io": "certificatesigningrequests",
}
_NAMES = {
    "secrets": ("fraud-db", "other"), "configmaps": ("fraud-settings", "other"),
    "deployments": ("gateway", "fraud", "feature-store", "other"),
}  # fmt: skip
_WAYS_UP = [
    ("create", "", "pods", ""), ("update", "", "pods", ""), ("patch", "", "pods", ""),
    ("create", "apps", "deployments", ""), ("create", "apps", "replicasets", ""), ("create", "apps", "daemonsets", ""),
    ("create", "apps", "statefulsets", ""), ("create", "batch", "jobs", ""), ("create", "batch", "cronjobs", ""),
    ("patch", "apps", "replicasets", ""), ("create", "", "replicationcontrollers", ""),
    ("create", "", "pods", "exec"), ("get", "", "pods", "exec"), ("create", "", "pods", "attach"),
    ("get", "", "pods", "attach"), ("create", "", "pods", "portforward"), ("get", "", "pods", "portforward"),
    ("get", "", "pods", "proxy"), ("patch", "", "pods", "ephemeralcontainers"),
    ("update", "", "pods", "ephemeralcontainers"),
    ("create", "", "serviceaccounts", "token"), ("create", "", "serviceaccounts", ""),
    ("impersonate", "", "serviceaccounts", ""),
    ("bind", _RBAC, "roles", ""), ("escalate", _RBAC, "roles", ""), ("create", _RBAC, "roles", ""),
    ("update", _RBAC, "roles", ""), ("patch", _RBAC, "roles", ""), ("create", _RBAC, "rolebindings", ""),
    ("update", _RBAC, "rolebindings", ""), ("patch", _RBAC, "rolebindings", ""),
]  # fmt: skip
_WAYS_UP_OF_THE_CLUSTER = [
    ("impersonate", "", "users", ""), ("impersonate", "", "groups", ""), ("bind", _RBAC, "clusterroles", ""),
    ("escalate", _RBAC, "clusterroles", ""), ("create", _RBAC, "clusterrolebindings", ""),
    ("patch", _RBAC, "clusterrolebindings", ""), ("patch", _RBAC, "clusterroles", ""), ("get", "", "nodes", "proxy"),
    ("create", "", "nodes", "proxy"), ("patch", "", "namespaces", ""), ("update", "", "namespaces", ""),
    ("approve", "certificates.k8s.io", "signers", ""),
]  # fmt: skip
PATHS = ("/metrics", "/metrics/cadvisor", "/logs", "/debug/pprof/profile", "/configz", "/labs/v1/clock")


def about_secrets(space: str = SPACE) -> Iterator[Attributes]:
    """Every verb on Secrets: all of them, and by name."""
    for verb in _VERBS:
        for name in ("", *_NAMES["secrets"]):
            if (verb in ("create", "deletecollection") and name) or (
                verb in ("get", "update", "patch", "delete") and not name
            ):
                continue
            yield Attributes(verb, "", "secrets", "", space, name)


def ways_up(space: str = SPACE) -> Iterator[Attributes]:
    """What makes more rights out of some: other accounts' tokens and pods, bindings, other people's names."""
    for verb, group, resource, sub in _WAYS_UP:
        for name in _names(verb, resource):
            yield Attributes(verb, group, resource, sub, space, name)
    for verb, group, resource, sub in _WAYS_UP_OF_THE_CLUSTER:
        yield Attributes(
            verb, group, resource, sub, "", "cluster-admin" if verb in ("bind", "escalate") else "some"
        )


def _names(verb: str, resource: str) -> tuple[str, ...]:
    if verb in ("create", "deletecollection", "list", "watch") and "/" not in resource:
        return ("",)
    return _NAMES.get(resource.partition("/")[0], ("some",))


def everything_else(space: str = SPACE) -> Iterator[Attributes]:
    """Verbs on resources of a namespace, but for Secrets."""
    for group, resources in _RESOURCES.items():
        for full in resources.split():
            if full == "secrets":
                continue
            resource, _, sub = full.partition("/")
            for verb in _VERBS:
                for name in _names(verb, full):
                    yield Attributes(verb, group, resource, sub, space, name)
    for sub in ("log", "eviction"):
        for verb in ("get", "create"):
            yield Attributes(verb, "", "pods", sub, space, "some")


def outside() -> Iterator[Attributes]:
    """Other namespaces, the whole cluster, and addresses that are no resource."""
    for space in OTHER_SPACES:
        yield from about_secrets(space)
        yield from everything_else(space)
    for group, resources in {**_RESOURCES, **_CLUSTER}.items():
        for full in resources.split():
            resource, _, sub = full.partition("/")
            for verb in _VERBS:
                name = "some" if verb in ("get", "update", "patch", "delete") else ""
                if group in _CLUSTER and full in _CLUSTER[group].split():
                    yield Attributes(verb, group, resource, sub, "", name)
                elif not name:
                    yield Attributes(verb, group, resource, sub, "", "")
    for one in PATHS:
        for verb in ("get", "post"):
            yield Attributes(verb, path=one)


def allowed(kube: Kube, subject: Subject, asked: Attributes) -> bool:
    """What the server's authorizer says: the answer of a SubjectAccessReview."""
    return bool(kube.inner.authorizer.decide(subject.user, asked).allowed)


def told(asked: Attributes) -> str:
    """A request in words: `get secrets "fraud-db" in fraud`."""
    if asked.path:
        return f"{asked.verb} {asked.path}"
    group = f".{asked.group}" if asked.group else ""
    name = f' "{asked.name}"' if asked.name else ""
    where = f" in {asked.namespace}" if asked.namespace else " in the whole cluster"
    sub = f"/{asked.subresource}" if asked.subresource else ""
    return f"{asked.verb} {asked.resource}{group}{sub}{name}{where}"
