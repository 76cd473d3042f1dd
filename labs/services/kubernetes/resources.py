"""Which kinds this server has, with the names, verbs and subresources that discovery tells.

Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.32/
"""

from __future__ import annotations

from dataclasses import dataclass

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ = ("get", "list", "watch")
CHANGE = ("get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Subresource:
    """Attributes: verbs; (group, version, kind) of what goes in and out."""

    name: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""
    kind: str = ""


@dataclass(frozen=True, eq=False)  # each is one of a kind: fast as a key
class Resource:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    stored: bool = True
    generation: bool = False

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """deployments.apps; pods."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def definition(self) -> str:
        """Its name in the OpenAPI definitions."""
        return f"io.k8s.api.{(self.group or 'core').split('.')[0]}.{self.version}.{self.kind}"

    @property
    def message(self) -> str:
        """Its name in the table of protobuf messages."""
        return f"{(self.group or 'core').split('.')[0]}.{self.version}.{self.kind}"

    @property
    def has_status(self) -> bool:
        return any(one.name == "status" for one in self.subresources)

    def subresource(self, name: str) -> Subresource | None:
        return next((one for one in self.subresources if one.name == name), None)


_STATUS = Subresource("status", ("get", "patch", "update"))
_SCALE = Subresource("scale", ("get", "patch", "update"), "autoscaling", "v1", "Scale")
_ALL = ("all",)

NAMESPACES = Resource(
    "",
    "v1",
    "Namespace",
    "namespaces",
    False,
    ("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(Subresource("finalize", ("update",)), _STATUS),
)
NODES = Resource("", "v1", "Node", "nodes", False, ("no",), verbs=CHANGE, subresources=(_STATUS,))
PODS = Resource(
    "",
    "v1",
    "Pod",
    "pods",
    True,
    ("po",),
    _ALL,
    subresources=(_STATUS, Subresource("eviction", ("create",), "policy", "v1", "Eviction")),
)
SERVICES = Resource("", "v1", "Service", "services", True, ("svc",), _ALL, subresources=(_STATUS,))
ENDPOINTS = Resource("", "v1", "Endpoints", "endpoints", True, ("ep",))
CONFIGMAPS = Resource("", "v1", "ConfigMap", "configmaps", True, ("cm",))
SECRETS = Resource("", "v1", "Secret", "secrets")
SERVICEACCOUNTS = Resource(
    "",
    "v1",
    "ServiceAccount",
    "serviceaccounts",
    True,
    ("sa",),
    subresources=(Subresource("token", ("create",), "authentication.k8s.io", "v1", "TokenRequest"),),
)
EVENTS = Resource("", "v1", "Event", "events", True, ("ev",))
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    True,
    ("deploy",),
    _ALL,
    subresources=(_SCALE, _STATUS),
    generation=True,
)
REPLICASETS = Resource(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    True,
    ("rs",),
    _ALL,
    subresources=(_SCALE, _STATUS),
    generation=True,
)
JOBS = Resource("batch", "v1", "Job", "jobs", True, (), _ALL, subresources=(_STATUS,), generation=True)
AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    True,
    ("hpa",),
    _ALL,
    subresources=(_STATUS,),
)
BUDGETS = Resource(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    True,
    ("pdb",),
    subresources=(_STATUS,),
    generation=True,
)
NETWORKPOLICIES = Resource(
    "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", True, ("netpol",), generation=True
)
INGRESSES = Resource(
    "networking.k8s.io",
    "v1",
    "Ingress",
    "ingresses",
    True,
    ("ing",),
    subresources=(_STATUS,),
    generation=True,
)
SLICES = Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", True, (), generation=True)
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(_RBAC, "v1", "Role", "roles")
ROLEBINDINGS = Resource(_RBAC, "v1", "RoleBinding", "rolebindings")
CLUSTERROLES = Resource(_RBAC, "v1", "ClusterRole", "clusterroles", False)
CLUSTERROLEBINDINGS = Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False)

_AUTHZ = "authorization.k8s.io"
SELF_ACCESS = Resource(
    _AUTHZ,
    "v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    False,
    verbs=("create",),
    stored=False,
)
SELF_RULES = Resource(
    _AUTHZ, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", False, verbs=("create",), stored=False
)
ACCESS = Resource(
    _AUTHZ, "v1", "SubjectAccessReview", "subjectaccessreviews", False, verbs=("create",), stored=False
)
LOCAL_ACCESS = Resource(
    _AUTHZ, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=("create",), stored=False
)
SELF = Resource(
    "authentication.k8s.io",
    "v1",
    "SelfSubjectReview",
    "selfsubjectreviews",
    False,
    verbs=("create",),
    stored=False,
)
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "TokenReview", "tokenreviews", False, verbs=("create",), stored=False
)

RESOURCES = (
    CONFIGMAPS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    DEPLOYMENTS,
    REPLICASETS,
    SELF,
    TOKEN_REVIEWS,
    LOCAL_ACCESS,
    SELF_ACCESS,
    SELF_RULES,
    ACCESS,
    AUTOSCALERS,
    JOBS,
    LEASES,
    SLICES,
    INGRESSES,
    NETWORKPOLICIES,
    BUDGETS,
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    ROLEBINDINGS,
    ROLES,
)
STORED = tuple(one for one in RESOURCES if one.stored)
_BY_PATH = {(one.group, one.version, one.plural): one for one in RESOURCES}
_BY_KIND = {(one.api_version, one.kind): one for one in RESOURCES}
_BY_NAME = {(one.group, one.plural): one for one in RESOURCES}


def by_path(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PATH.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Resource | None:
    return _BY_KIND.get((api_version, kind))


def by_name(group: str, plural: str) -> Resource | None:
    return _BY_NAME.get((group, plural))


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version), the core group as ("", "v1"), in the order of discovery."""
    return list(dict.fromkeys((one.group, one.version) for one in RESOURCES))
