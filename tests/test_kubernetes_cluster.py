"""The embedded Kubernetes API server over HTTP, in this process, on a clock that stands still until told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from labs.services.kubernetes.app import create_app
from labs.services.kubernetes.cluster import Cluster

START = 1_800_000_000.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
PLACES = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
SPACED = {
    "Pod": "/api/v1/{}/pods",
    "Service": "/api/v1/{}/services",
    "ConfigMap": "/api/v1/{}/configmaps",
    "Secret": "/api/v1/{}/secrets",
    "ServiceAccount": "/api/v1/{}/serviceaccounts",
    "Endpoints": "/api/v1/{}/endpoints",
    "Event": "/api/v1/{}/events",
    "Deployment": "/apis/apps/v1/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/{}/replicasets",
    "Job": "/apis/batch/v1/{}/jobs",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "Ingress": "/apis/networking.k8s.io/v1/{}/ingresses",
    "Role": "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    "Lease": "/apis/coordination.k8s.io/v1/{}/leases",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/{}/endpointslices",
}
VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "Lease": "coordination.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    **dict.fromkeys(("NetworkPolicy", "Ingress"), "networking.k8s.io/v1"),
    **dict.fromkeys(
        ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), "rbac.authorization.k8s.io/v1"
    ),
}


class Refused(Exception):
    """Attributes: code, reason and message of a Status; the fields that its causes name."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body.get("message"))
        self.code, self.reason, self.message = body["code"], body.get("reason"), body.get("message", "")
        self.causes = (body.get("details") or {}).get("causes") or []
        self.fields = [one.get("field") for one in self.causes]


class Api:
    """Speaks to the server as one user."""

    def __init__(self, client: TestClient, cluster: Cluster, token: str, headers: Any = None) -> None:
        self.client, self.cluster, self.token = client, cluster, token
        self._headers = {"Authorization": f"Bearer {token}", **(headers or {})}

    def as_user(self, name: str, *groups: str) -> Api:
        headers = [("Impersonate-User", name), *(("Impersonate-Group", one) for one in groups)]
        return Api(self.client, self.cluster, self.token, dict(headers))

    def with_token(self, token: str) -> Api:
        return Api(self.client, self.cluster, token)

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: Any
    ) -> Any:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        reply = self.client.request(
            method,
            path,
            content=content,
            headers={**self._headers, "Content-Type": kind},
            params=query or None,
        )
        self.warnings = reply.headers.get_list("warning")
        found = reply.json()
        if reply.status_code >= 400:
            raise Refused(found)
        return found

    @staticmethod
    def path(kind: str, name: str = "", space: str = "default") -> str:
        base = PLACES.get(kind) or SPACED[kind].format(f"namespaces/{space}")
        return f"{base}/{name}" if name else base

    def create(self, thing: dict[str, Any], **query: Any) -> Any:
        space = thing["metadata"].get("namespace", "default")
        return self.ask("POST", self.path(thing["kind"], space=space), thing, **query)

    def get(self, kind: str, name: str, space: str = "default") -> Any:
        return self.ask("GET", self.path(kind, name, space))

    def items(self, kind: str, space: str = "default", **query: Any) -> list[Any]:
        found: list[Any] = self.ask("GET", self.path(kind, space=space), **query)["items"]
        return found

    def patch(
        self, kind: str, name: str, body: Any, how: str = MERGE, space: str = "default", **query: Any
    ) -> Any:
        return self.ask("PATCH", self.path(kind, name, space), body, how, **query)

    def apply(self, thing: dict[str, Any], manager: str = "tester", **query: Any) -> Any:
        meta = thing["metadata"]
        path = self.path(thing["kind"], meta["name"], meta.get("namespace", "default"))
        return self.ask("PATCH", path, thing, APPLY, fieldManager=manager, **query)

    def put(self, thing: dict[str, Any], **query: Any) -> Any:
        meta = thing["metadata"]
        path = self.path(thing["kind"], meta["name"], meta.get("namespace", "default"))
        return self.ask("PUT", path, thing, **query)

    def delete(self, kind: str, name: str, space: str = "default", **options: Any) -> Any:
        return self.ask("DELETE", self.path(kind, name, space), options or None)

    def wait(self, seconds: float) -> None:
        """Let the server's clock go on."""
        self.ask("POST", "/labs/v1/clock", {"advance": seconds})

    def images(self, **stated: Any) -> None:
        self.ask("PUT", "/labs/v1/images", {"images": stated})


@contextmanager
def opened(folder: Path) -> Iterator[Api]:
    app = create_app(folder, speed=0.0, start=START)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, app.state.cluster, app.state.cluster.tokens.admin)
        assert app.state.cluster.loop.faults == []


def thing(kind: str, name: str, space: str = "default", **more: Any) -> dict[str, Any]:
    meta = {"name": name} if kind in PLACES else {"name": name, "namespace": space}
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta, **more}


def pod_spec(image: str = "app:1", **container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", "image": image, **container}]}


def deployment(name: str = "web", replicas: int = 3, image: str = "app:1", **spec: Any) -> dict[str, Any]:
    container = spec.pop("container", {})
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(image, **container)}
    return thing(
        "Deployment",
        name,
        spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    )


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path) as found:
        yield found


def test_a_new_cluster_has_nodes_namespaces_and_a_service_account_in_each(api: Api) -> None:
    assert [one["metadata"]["name"] for one in api.ask("GET", "/api/v1/nodes")["items"]] == [
        "node-1",
        "node-2",
        "node-3",
    ]
    spaces = [one["metadata"]["name"] for one in api.ask("GET", "/api/v1/namespaces")["items"]]
    assert spaces == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert [one["metadata"]["name"] for one in api.items("ServiceAccount", "kube-public")] == ["default"]


def test_health_is_told_to_anybody_and_nothing_else_is(api: Api) -> None:
    for path in ("/readyz", "/livez", "/healthz"):
        assert api.client.get(path).text == "ok"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
        reply = api.client.get("/api/v1/pods", headers=headers)
        assert reply.status_code == 401 and reply.json()["reason"] == "Unauthorized"


def test_the_server_fills_in_what_it_owns(api: Api) -> None:
    made = api.create(deployment())
    meta, spec = made["metadata"], made["spec"]
    assert meta["uid"] and meta["resourceVersion"] and meta["generation"] == 1
    assert meta["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert spec["progressDeadlineSeconds"] == 600 and spec["revisionHistoryLimit"] == 10
    container = spec["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


def test_the_generation_moves_with_the_spec_only(api: Api) -> None:
    api.create(deployment())
    assert api.patch("Deployment", "web", {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert api.patch("Deployment", "web", {"spec": {"replicas": 4}})["metadata"]["generation"] == 2
    before = api.get("Deployment", "web")["metadata"]["resourceVersion"]
    assert api.patch("Deployment", "web", {"spec": {"replicas": 4}})["metadata"]["resourceVersion"] == before


def test_an_old_version_is_a_conflict(api: Api) -> None:
    old = api.create(thing("ConfigMap", "settings", data={"a": "1"}))
    api.put({**old, "data": {"a": "2"}})
    with pytest.raises(Refused) as refused:
        api.put({**old, "data": {"a": "3"}})
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    del old["metadata"]["resourceVersion"]
    assert api.put({**old, "data": {"a": "4"}})["data"] == {"a": "4"}


def test_refusals_have_the_reasons_of_the_real_server(api: Api) -> None:
    api.create(thing("ConfigMap", "settings"))
    cases = [
        (409, "AlreadyExists", lambda: api.create(thing("ConfigMap", "settings"))),
        (404, "NotFound", lambda: api.get("ConfigMap", "other")),
        (404, "NotFound", lambda: api.create(thing("ConfigMap", "x", "nowhere"))),
        (404, "NotFound", lambda: api.ask("GET", "/apis/apps/v1/namespaces/default/statefulsets")),
        (404, "NotFound", lambda: api.ask("GET", "/apis/example.com/v1/things")),
        (405, "MethodNotAllowed", lambda: api.ask("DELETE", "/api/v1/nodes/node-1")),
        (501, "NotImplemented", lambda: api.ask("GET", "/api/v1/namespaces/default/pods/x/log")),
        (501, "NotImplemented", lambda: api.ask("POST", "/api/v1/nodes", {"kind": "Node"})),
        (415, "UnsupportedMediaType", lambda: api.patch("ConfigMap", "settings", {}, "application/json")),
        (400, "BadRequest", lambda: api.ask("POST", api.path("ConfigMap"), b"{nonsense")),
        (400, "BadRequest", lambda: api.ask("POST", api.path("ConfigMap"), thing("Secret", "x"))),
        (400, "BadRequest", lambda: api.items("Pod", labelSelector="a in")),
        (400, "BadRequest", lambda: api.items("Pod", fieldSelector="spec.hostname=x")),
        (400, "BadRequest", lambda: api.items("ConfigMap", **{"continue": "nonsense"})),
        (504, "Timeout", lambda: api.items("ConfigMap", resourceVersion="999999")),
    ]
    for code, reason, act in cases:
        with pytest.raises(Refused) as refused:
            act()
        assert (refused.value.code, refused.value.reason) == (code, reason), refused.value.message


@pytest.mark.parametrize("mode", ["Strict", "Warn", "Ignore"])
def test_unknown_fields(api: Api, mode: str) -> None:
    wrong = deployment(container={"imagePullpolicy": "Always"}, replica=3)
    paths = ["spec.replica", "spec.template.spec.containers[0].imagePullpolicy"]
    if mode == "Strict":
        with pytest.raises(Refused, match="strict decoding error") as refused:
            api.create(wrong, fieldValidation=mode)
        assert refused.value.code == 400
        assert all(f'unknown field "{path}"' in refused.value.message for path in paths)
        return
    made = api.create(wrong, fieldValidation=mode)
    assert "replica" not in made["spec"]
    told = [f'299 - "unknown field \\"{path}\\""' for path in paths]
    assert sorted(api.warnings) == (sorted(told) if mode == "Warn" else [])


def test_a_dry_run_leaves_nothing(api: Api) -> None:
    assert api.create(deployment(), dryRun="All")["spec"]["strategy"]["type"] == "RollingUpdate"
    assert api.items("Deployment") == []
    api.create(thing("ConfigMap", "settings", data={"a": "1"}))
    api.patch("ConfigMap", "settings", {"data": {"a": "2"}}, dryRun="All")
    api.ask("DELETE", api.path("ConfigMap", "settings"), dryRun="All")
    assert api.get("ConfigMap", "settings")["data"] == {"a": "1"}


def test_lists_come_in_pages_of_one_moment(api: Api) -> None:
    for number in range(7):
        api.create(thing("ConfigMap", f"c{number}", data={}))
    first = api.ask("GET", api.path("ConfigMap"), limit=3)
    api.create(thing("ConfigMap", "c00"))
    names, more = [one["metadata"]["name"] for one in first["items"]], first["metadata"]["continue"]
    assert first["metadata"]["remainingItemCount"] == 5  # with kube-root-ca.crt
    while more:
        page = api.ask("GET", api.path("ConfigMap"), limit=3, **{"continue": more})
        names += [one["metadata"]["name"] for one in page["items"]]
        more = page["metadata"].get("continue")
    assert names == [*(f"c{number}" for number in range(7)), "kube-root-ca.crt"]


def test_selectors(api: Api) -> None:
    for name, labels in (("a", {"tier": "web"}), ("b", {"tier": "db"}), ("c", {})):
        made = thing("ConfigMap", name)
        made["metadata"]["labels"] = labels
        api.create(made)
    cases = {
        "tier=web": "a",
        "tier==db": "b",
        "tier!=web": "b c kube-root-ca.crt",
        "tier in (web, db)": "a b",
        "tier notin (web)": "b c kube-root-ca.crt",
        "tier": "a b",
        "!tier": "c kube-root-ca.crt",
        "tier,tier!=db": "a",
    }
    for selector, wanted in cases.items():
        found = api.items("ConfigMap", labelSelector=selector)
        assert " ".join(one["metadata"]["name"] for one in found) == wanted, selector
    assert [one["metadata"]["name"] for one in api.items("ConfigMap", fieldSelector="metadata.name=b")] == [
        "b"
    ]


def _watch(api: Api, path: str, **query: Any) -> list[tuple[str, str]]:
    reply = api.client.get(
        path,
        params={"watch": "1", "timeoutSeconds": "1", **query},
        headers={"Authorization": f"Bearer {api.token}"},
    )
    events = [json.loads(line) for line in reply.text.splitlines()]
    return [(one["type"], one["object"].get("metadata", {}).get("name", "")) for one in events]


def test_watches_tell_what_happened_since_a_version(api: Api) -> None:
    path = api.path("ConfigMap")
    version = api.ask("GET", path)["metadata"]["resourceVersion"]
    for name, labels in (("a", {"x": "1"}), ("b", {})):
        made = thing("ConfigMap", name)
        made["metadata"]["labels"] = labels
        api.create(made)
    api.patch("ConfigMap", "a", {"metadata": {"labels": {"x": "2"}}})
    api.delete("ConfigMap", "b")
    assert _watch(api, path, resourceVersion=version) == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("MODIFIED", "a"),
        ("DELETED", "b"),
    ]
    # for a watch with a selector, an object appears and goes with its labels
    assert _watch(api, path, resourceVersion=version, labelSelector="x=1") == [
        ("ADDED", "a"),
        ("DELETED", "a"),
    ]
    assert _watch(api, path) == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]
    streamed = _watch(api, path, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
    assert streamed == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt"), ("BOOKMARK", "")]


def test_names_are_generated_and_checked(api: Api) -> None:
    made = thing("ConfigMap", "")
    made["metadata"]["generateName"] = "settings-"
    names = {api.create(made)["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20 and all(name.startswith("settings-") and len(name) == 14 for name in names)
    for kind, bad in (("ConfigMap", "Settings"), ("Namespace", "a.b"), ("Service", "1st"), ("Secret", "a_b")):
        with pytest.raises(Refused) as refused:
            api.create(thing(kind, bad, **({"spec": {"ports": [{"port": 80}]}} if kind == "Service" else {})))
        assert refused.value.code == 422 and "metadata.name" in refused.value.fields


def test_a_secret_in_clear_text_is_kept_encoded(api: Api) -> None:
    made = api.create(thing("Secret", "db", stringData={"password": "guess"}, data={"user": "YQ=="}))
    assert made["data"] == {"password": "Z3Vlc3M=", "user": "YQ=="} and "stringData" not in made


def test_a_namespace_takes_all_that_is_in_it(api: Api) -> None:
    api.create(thing("Namespace", "shop"))
    made = deployment()
    made["metadata"]["namespace"] = "shop"
    api.create(made)
    api.create(thing("ConfigMap", "settings", "shop"))
    api.wait(5)
    assert len(api.items("Pod", "shop")) == 3
    left = api.ask("DELETE", "/api/v1/namespaces/shop")
    assert left["status"]["phase"] == "Terminating"
    with pytest.raises(Refused, match="because it is being terminated"):
        api.create(thing("ConfigMap", "late", "shop"))
    api.wait(40)
    with pytest.raises(Refused):
        api.get("Namespace", "shop")
    assert api.items("Pod", "shop") == [] and api.items("ConfigMap", "shop") == []


def test_finalizers_hold_an_object_back(api: Api) -> None:
    made = thing("ConfigMap", "held")
    made["metadata"]["finalizers"] = ["example.com/hold"]
    api.create(made)
    api.delete("ConfigMap", "held")
    assert api.get("ConfigMap", "held")["metadata"]["deletionTimestamp"]
    api.patch("ConfigMap", "held", {"metadata": {"finalizers": None}})
    with pytest.raises(Refused):
        api.get("ConfigMap", "held")


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_what_becomes_of_dependents(api: Api, policy: str) -> None:
    api.create(deployment(replicas=2))
    api.wait(5)
    api.delete("Deployment", "web", propagationPolicy=policy)
    if policy == "Foreground":
        assert api.get("Deployment", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.wait(40)
    assert api.items("Deployment") == []
    left = len(api.items("ReplicaSet")), len(api.items("Pod"))
    assert left == ((1, 2) if policy == "Orphan" else (0, 0))


def test_preconditions_of_a_deletion(api: Api) -> None:
    made = api.create(thing("ConfigMap", "settings"))
    with pytest.raises(Refused, match="Precondition failed"):
        api.delete("ConfigMap", "settings", preconditions={"uid": "another"})
    api.delete("ConfigMap", "settings", preconditions={"uid": made["metadata"]["uid"]})


def test_scale_and_status_change_nothing_else(api: Api) -> None:
    api.create(deployment())
    scale = api.path("Deployment", "web") + "/scale"
    assert api.ask("GET", scale)["spec"] == {"replicas": 3}
    api.ask("PATCH", scale, {"spec": {"replicas": 5}}, MERGE)
    assert api.get("Deployment", "web")["spec"]["replicas"] == 5
    with pytest.raises(Refused) as refused:
        api.ask("PATCH", scale, {"spec": {"replicas": -1}}, MERGE)
    assert refused.value.code == 422
    api.patch("Deployment", "web", {"status": {"replicas": 77}})
    assert api.get("Deployment", "web")["status"].get("replicas") != 77


def test_tables_for_kubectl(api: Api) -> None:
    api.create(deployment(replicas=1))
    api.wait(5)
    headers = {
        "Authorization": f"Bearer {api.token}",
        "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    }
    found = api.client.get(api.path("Pod"), headers=headers).json()
    titles = [one["name"] for one in found["columnDefinitions"] if one["priority"] == 0]
    assert found["kind"] == "Table" and titles == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert found["rows"][0]["cells"][1:5] == ["1/1", "Running", "0", "5s"]


def test_discovery_in_both_forms(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    plain = api.client.get("/apis", headers=headers).json()
    assert {one["name"] for one in plain["groups"]} >= {
        "apps",
        "batch",
        "policy",
        "rbac.authorization.k8s.io",
    }
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    whole = api.client.get("/apis", headers={**headers, "Accept": accept})
    assert whole.json()["kind"] == "APIGroupDiscoveryList"
    assert "apidiscovery.k8s.io;v=v2" in whole.headers["content-type"]
    for path in api.client.get("/openapi/v3", headers=headers).json()["paths"].values():
        document = api.client.get(path["serverRelativeURL"], headers=headers).json()
        assert document["components"]["schemas"]


def test_the_store_is_what_memory_says(api: Api) -> None:
    """No controller changes a stored object in place: what is in memory is what was written."""
    api.images(**{"bad:*": {"ready": False}, "crash:1": {"crash_after": 3}})
    api.create(deployment(container={"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 2}}))
    api.create(deployment("crashing", image="crash:1"))
    api.wait(60)
    api.patch("Deployment", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}}, STRATEGIC)
    api.wait(100)
    store = api.cluster.store
    rows = store._base.execute("SELECT kind, namespace, name, body FROM objects").fetchall()
    memory = {
        (resource.qualified, *key): one
        for resource, found in store._objects.items()
        for key, one in found.items()
    }
    assert {(kind, space, name): json.loads(body) for kind, space, name, body in rows} == memory
