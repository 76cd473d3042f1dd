"""What a new cluster has: namespaces, nodes and the roles that Kubernetes ships.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings. The rules of
view, edit and admin name only resources that this server has, and pods/log and the like, so that `can-i` answers alike.
"""

from __future__ import annotations

from labs.services.kubernetes.objects import Obj

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_GROUP = "rbac.authorization.k8s.io"
_TO = f"{_GROUP}/aggregate-to-"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]


def _rule(groups: str, resources: str, verbs: list[str]) -> Obj:
    return {
        "apiGroups": ["" if one == "core" else one for one in groups.split()],
        "resources": resources.split(),
        "verbs": verbs,
    }


def _role(name: str, rules: list[Obj], to: str = "") -> Obj:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults", **({f"{_TO}{to}": "true"} if to else {})}
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {f"{_GROUP}/autoupdate": "true"},
        },
        "rules": rules,
    }


def _gathers(name: str, to: str = "") -> Obj:
    role = _role(name, [], to)
    role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"{_TO}{name}": "true"}}]}
    return role


def cluster_roles() -> list[Obj]:
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    view = [
        _rule(
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
            "replicationcontrollers/scale serviceaccounts services services/status",
            READ,
        ),
        _rule(
            "core",
            "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
            "resourcequotas resourcequotas/status",
            READ,
        ),
        _rule("core", "namespaces", READ),
        _rule("discovery.k8s.io", "endpointslices", READ),
        _rule(
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
            "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
            READ,
        ),
        _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
        _rule("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
        _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
        _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    ]
    edit = [
        _rule("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
        _rule("core", "serviceaccounts", ["impersonate"]),
        _rule("core", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
        _rule("core", "pods/eviction", ["create"]),
        _rule(
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
            "serviceaccounts services services/proxy",
            WRITE,
        ),
        _rule("core", "serviceaccounts/token", ["create"]),
        _rule(
            "apps",
            "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
            "statefulsets/scale",
            WRITE,
        ),
        _rule("autoscaling", "horizontalpodautoscalers", WRITE),
        _rule("batch", "cronjobs jobs", WRITE),
        _rule("policy", "poddisruptionbudgets", WRITE),
        _rule("networking.k8s.io", "ingresses networkpolicies", WRITE),
        _rule("coordination.k8s.io", "leases", [*WRITE, *READ]),
    ]
    admin = [
        _rule("authorization.k8s.io", "localsubjectaccessreviews", ["create"]),
        _rule(_GROUP, "rolebindings roles", [*WRITE, *READ]),
    ]
    about = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    discovery = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *about]
    reviews = [
        _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ["create"]),
        _rule("authentication.k8s.io", "selfsubjectreviews", ["create"]),
    ]
    return [
        _role("cluster-admin", everything),
        _gathers("admin"),
        _gathers("edit", "admin"),
        _gathers("view", "edit"),
        _role("system:aggregate-to-view", view, "view"),
        _role("system:aggregate-to-edit", edit, "edit"),
        _role("system:aggregate-to-admin", admin, "admin"),
        _role("system:discovery", [{"nonResourceURLs": discovery, "verbs": ["get"]}]),
        _role("system:public-info-viewer", [{"nonResourceURLs": about, "verbs": ["get"]}]),
        _role("system:basic-user", reviews),
    ]


def cluster_role_bindings() -> list[Obj]:
    pairs = {
        "cluster-admin": "system:masters",
        "system:discovery": "system:authenticated",
        "system:public-info-viewer": "system:authenticated",
        "system:basic-user": "system:authenticated",
    }
    return [
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": _GROUP, "kind": "Group", "name": group}],
        }
        for name, group in pairs.items()
    ]


def nodes(count: int = 3) -> list[Obj]:
    """Simulated machines with 4 CPUs and 8 GiB, in three zones."""
    room = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"node-{number}",
                "labels": {
                    "kubernetes.io/hostname": f"node-{number}",
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": "amd64",
                    "topology.kubernetes.io/region": "ap-south-1",
                    "topology.kubernetes.io/zone": f"ap-south-1{'abc'[(number - 1) % 3]}",
                },
            },
            "spec": {"podCIDR": f"10.244.{number}.0/24"},
            "status": {
                "capacity": dict(room),
                "allocatable": dict(room),
                "addresses": [
                    {"type": "InternalIP", "address": f"192.0.2.{number}"},
                    {"type": "Hostname", "address": f"node-{number}"},
                ],
                "nodeInfo": {
                    "architecture": "amd64",
                    "bootID": "",
                    "containerRuntimeVersion": "simulated://1",
                    "kernelVersion": "simulated",
                    "kubeProxyVersion": "v1.32.0",
                    "kubeletVersion": "v1.32.0",
                    "machineID": "",
                    "operatingSystem": "linux",
                    "osImage": "simulated node of this embedded API server",
                    "systemUUID": "",
                },
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "KubeletReady",
                        "message": "simulated kubelet is posting ready status",
                    }
                ],
            },
        }
        for number in range(1, count + 1)
    ]
