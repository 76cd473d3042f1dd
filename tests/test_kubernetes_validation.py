"""What the real server refuses with 422, kind by kind and field by field; and what this one does not do at all: 501."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_kubernetes_cluster import APPLY, MERGE, Api, Refused, deployment, opened, pod_spec, thing


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def _container(**more: Any) -> dict[str, Any]:
    return thing("Pod", "x", spec=pod_spec(**more))


def _pod(**spec: Any) -> dict[str, Any]:
    return thing("Pod", "x", spec={**pod_spec(), **spec})


def _service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return thing("Service", "x", spec={"selector": {"a": "b"}, "ports": list(ports), **spec})


def _scaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    return thing("HorizontalPodAutoscaler", "x", spec={"scaleTargetRef": target, "maxReplicas": 3, **spec})


def _budget(**spec: Any) -> dict[str, Any]:
    return thing("PodDisruptionBudget", "x", spec={"selector": {"matchLabels": {"a": "b"}}, **spec})


def _policy(**spec: Any) -> dict[str, Any]:
    return thing("NetworkPolicy", "x", spec={"podSelector": {}, **spec})


def _job(**spec: Any) -> dict[str, Any]:
    return thing("Job", "x", spec={"template": {"spec": {**pod_spec(), "restartPolicy": "Never"}}, **spec})


def _labelled(key: str, value: str) -> dict[str, Any]:
    made = thing("ConfigMap", "x")
    made["metadata"]["labels"] = {key: value}
    return made


GET = {"httpGet": {"path": "/", "port": 80}}
INVALID: list[tuple[dict[str, Any], str]] = [
    (_labelled("a b", "c"), "metadata.labels"),
    (_labelled("a", "c d"), "metadata.labels"),
    (_labelled("a", "x" * 64), "metadata.labels"),
    (_pod(containers=[]), "spec.containers"),
    (thing("Pod", "x", spec={"containers": [{"name": "a"}]}), "spec.containers[0].image"),
    (thing("Pod", "x", spec={"containers": [{"image": "a"}]}), "spec.containers[0].name"),
    (_pod(containers=[{"name": "A", "image": "a"}]), "spec.containers[0].name"),
    (_pod(containers=[{"name": "a", "image": "a"}] * 2), "spec.containers[1].name"),
    (_pod(initContainers=[{"name": "app", "image": "a"}]), "spec.initContainers[0].name"),
    (_pod(restartPolicy="Sometimes"), "spec.restartPolicy"),
    (_container(imagePullPolicy="Maybe"), "spec.containers[0].imagePullPolicy"),
    (_container(ports=[{"containerPort": 70000}]), "spec.containers[0].ports[0].containerPort"),
    (_container(ports=[{"containerPort": 80, "name": "not_good"}]), "spec.containers[0].ports[0].name"),
    (_container(ports=[{"containerPort": 80, "name": "a" * 16}]), "spec.containers[0].ports[0].name"),
    (_container(ports=[{"containerPort": 80, "protocol": "HTTP"}]), "spec.containers[0].ports[0].protocol"),
    (_container(env=[{"name": "1A", "value": "x"}]), "spec.containers[0].env[0].name"),
    (_container(env=[{"name": "A", "valueFrom": {}}]), "spec.containers[0].env[0].valueFrom"),
    (_container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "spec.containers[0].resources.requests"),
    (_container(resources={"requests": {"cpu": "lots"}}), "spec.containers[0].resources.requests[cpu]"),
    (_container(resources={"limits": {"memory": "-1Gi"}}), "spec.containers[0].resources.limits[memory]"),
    (_container(resources={"limits": {"ram": "1Gi"}}), "spec.containers[0].resources.limits[ram]"),
    (_container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), "spec.containers[0].volumeMounts[0].name"),
    (_container(livenessProbe={}), "spec.containers[0].livenessProbe"),
    (_container(livenessProbe={**GET, "exec": {"command": ["a"]}}), "spec.containers[0].livenessProbe.httpGet"),
    (_container(livenessProbe={**GET, "successThreshold": 2}), "spec.containers[0].livenessProbe.successThreshold"),
    (_container(readinessProbe={**GET, "periodSeconds": -1}), "spec.containers[0].readinessProbe.periodSeconds"),
    (_container(readinessProbe={"httpGet": {"port": 0}}), "spec.containers[0].readinessProbe.httpGet.port"),
    (_container(lifecycle={"preStop": {}}), "spec.containers[0].lifecycle.preStop"),
    (_pod(volumes=[{"name": "v", "emptyDir": {}}] * 2), "spec.volumes[1].name"),
    (_pod(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath"),
    (_pod(tolerations=[{"operator": "Equal", "value": "x"}]), "spec.tolerations[0].operator"),
    (_pod(terminationGracePeriodSeconds=-1), "spec.terminationGracePeriodSeconds"),
    (deployment(selector={"matchLabels": {"app": "other"}}), "spec.template.metadata.labels"),
    (deployment(selector={}), "spec.selector"),
    (deployment(replicas=-1), "spec.replicas"),
    (deployment(strategy={"type": "Careful"}), "spec.strategy.type"),
    (deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}), "spec.strategy.rollingUpdate"),
    (
        deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
        "spec.strategy.rollingUpdate.maxUnavailable",
    ),
    (deployment(strategy={"rollingUpdate": {"maxSurge": "some"}}), "spec.strategy.rollingUpdate.maxSurge"),
    (deployment(minReadySeconds=60, progressDeadlineSeconds=60), "spec.progressDeadlineSeconds"),
    (thing("Deployment", "x", spec={"selector": {"matchLabels": {"a": "b"}}}), "spec.template"),
    (_job(template={"spec": pod_spec()}), "spec.template.spec.restartPolicy"),
    (_job(backoffLimit=-1), "spec.backoffLimit"),
    (_service(), "spec.ports"),
    (_service({"port": 0}), "spec.ports[0].port"),
    (_service({"port": 80}, {"port": 81}), "spec.ports[0].name"),
    (_service({"port": 80, "name": "a"}, {"port": 80, "name": "b"}), "spec.ports[1]"),
    (_service({"port": 80, "targetPort": "Not Good"}), "spec.ports[0].targetPort"),
    (_service({"port": 80, "nodePort": 30000}), "spec.ports[0].nodePort"),
    (_service({"port": 80, "nodePort": 80}, type="NodePort"), "spec.ports[0].nodePort"),
    (_service({"port": 80}, type="Balanced"), "spec.type"),
    (_service({"port": 80}, clusterIP="10.1.2.3"), "spec.clusterIPs"),
    (_scaler(maxReplicas=0), "spec.maxReplicas"),
    (_scaler(minReplicas=5), "spec.maxReplicas"),
    (_scaler(minReplicas=0), "spec.minReplicas"),
    (_scaler(metrics=[{"type": "Resource"}]), "spec.metrics[0].resource"),
    (
        _scaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 9999}}),
        "spec.behavior.scaleDown.stabilizationWindowSeconds",
    ),
    (_budget(minAvailable=1, maxUnavailable=1), "spec"),
    (_budget(minAvailable="all"), "spec.minAvailable"),
    (_budget(maxUnavailable="101%"), "spec.maxUnavailable"),
    (_policy(policyTypes=["Inbound"]), "spec.policyTypes[0]"),
    (_policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0"}}, {}]}]), "spec.ingress[0].from[1]"),
    (_policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]), "spec.ingress[0].from[0].ipBlock.cidr"),
    (_policy(egress=[{"ports": [{"port": "Not Good"}]}]), "spec.egress[0].ports[0].port"),
    (thing("Ingress", "x", spec={}), "spec"),
    (thing("ConfigMap", "x", data={"a b": "c"}), "data[a b]"),
    (thing("Secret", "x", data={"a": "%%"}), "data[a]"),
    (thing("Secret", "x", type="kubernetes.io/tls"), "data[tls.crt]"),
    (thing("Role", "x", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": []}]), "rules[0].verbs"),
    (thing("Role", "x", rules=[{"nonResourceURLs": ["/x"], "verbs": ["get"]}]), "rules[0].nonResourceURLs"),
    (
        thing("RoleBinding", "x", roleRef={"kind": "Group", "name": "a", "apiGroup": ""}),
        "roleRef.kind",
    ),
    (
        thing(
            "RoleBinding",
            "x",
            roleRef={"kind": "Role", "name": "a"},
            subjects=[{"kind": "ServiceAccount", "name": "a"}],
        ),
        "subjects[0].namespace",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "field"), INVALID, ids=[f"{a['kind']}-{b}" for a, b in INVALID])
def test_invalid(api: Api, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        api.create(wrong, dryRun="All")
    assert (refused.value.code, refused.value.reason) == (422, "Invalid"), refused.value.message
    assert field in refused.value.fields, refused.value.message


NOT_DONE: list[tuple[dict[str, Any], str]] = [
    (_job(completionMode="Indexed", completions=2), "indexed Jobs"),
    (_job(podFailurePolicy={"rules": []}), "podFailurePolicy"),
    (_pod(initContainers=[{"name": "s", "image": "s:1", "restartPolicy": "Always"}]), "sidecars"),
    (_pod(priorityClassName="high"), "pod priority"),
    (_pod(runtimeClassName="gvisor"), "runtime classes"),
    (_pod(schedulingGates=[{"name": "example.com/gate"}]), "schedulingGates"),
    (_pod(volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}]), "volumes of the kind nfs"),
    (_service({"port": 80}, ipFamilyPolicy="RequireDualStack"), "IPv6"),
    (thing("Secret", "x", type="kubernetes.io/service-account-token"), "create token"),
]


@pytest.mark.parametrize(("wish", "words"), NOT_DONE, ids=[words for _, words in NOT_DONE])
def test_what_has_no_effect_here_is_refused(api: Api, wish: dict[str, Any], words: str) -> None:
    if wish["kind"] == "Secret":
        wish["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    with pytest.raises(Refused, match="this embedded API server does not") as refused:
        api.create(wish)
    assert refused.value.code == 501 and words in refused.value.message
    assert refused.value.message.endswith("; docs/services.md")


@pytest.fixture(scope="module")
def filled(api: Api) -> Api:
    api.create(deployment("fixed"))
    api.create(thing("Service", "fixed", spec={"ports": [{"port": 80}]}))
    api.create(thing("ConfigMap", "fixed", data={"a": "1"}, immutable=True))
    api.create(thing("Secret", "fixed", data={"a": "MQ=="}))
    job = _job()
    job["metadata"]["name"] = "fixed"
    api.create(job)
    api.create(thing("Pod", "fixed", spec=pod_spec()))
    return api


AB = {"a": "b"}
IMMUTABLE: list[tuple[str, Any, str]] = [
    (
        "Deployment",
        {"spec": {"selector": {"matchLabels": AB}, "template": {"metadata": {"labels": AB}}}},
        "spec.selector",
    ),
    ("Service", {"spec": {"clusterIP": "10.96.9.9"}}, "spec.clusterIPs[0]"),
    ("ConfigMap", {"data": {"a": "2"}}, "data"),
    ("ConfigMap", {"immutable": False}, "immutable"),
    ("Secret", {"type": "example.com/other"}, "type"),
    ("Job", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}, "spec.template"),
    ("Job", {"spec": {"completions": 4}}, "spec.completions"),
    ("Pod", {"spec": {"hostname": "other"}}, "spec"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "patch", "field"), IMMUTABLE)
def test_what_may_not_change(filled: Api, kind: str, patch: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        filled.patch(kind, "fixed", patch, MERGE)
    assert refused.value.code == 422 and field in refused.value.fields, refused.value.message


def test_what_may_change(filled: Api) -> None:
    filled.patch("Job", "fixed", {"spec": {"parallelism": 2, "suspend": True}})
    filled.patch("Secret", "fixed", {"data": {"a": "Mg=="}})
    filled.patch("Service", "fixed", {"spec": {"ports": [{"port": 81}], "type": "NodePort"}})
    assert filled.get("Service", "fixed")["spec"]["ports"][0]["nodePort"] == 30000


def test_malformed_requests_are_never_our_fault(api: Api) -> None:
    """Anything may arrive; the answer is a refusal of the client's, not a failure of the server's."""
    odd: list[Any] = [None, [], "x", 5, {}, {"metadata": None}, {"metadata": []}, {"metadata": {"name": 5}}]
    odd += [
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": spec}
        for spec in (None, [], "x", {"containers": None}, {"containers": [None]}, {"containers": ["x"]})
    ]
    base = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": pod_spec()}
    odd += [
        {**base, "metadata": {"name": "x", "labels": {"a": None}}},
        {**base, "metadata": {"name": "x", "ownerReferences": [{}]}},
        {**base, "spec": pod_spec(env=[{"name": "A", "valueFrom": None}])},
        {**base, "spec": pod_spec(resources={"limits": None})},
        {**base, "spec": {**pod_spec(), "affinity": {"nodeAffinity": {}}}},
        {**base, "metadata": {"name": "x", "annotations": {"a": "\ud800"}}},
        {**base, "spec": {**pod_spec(), "terminationGracePeriodSeconds": 10**30}},
        {**base, "spec": pod_spec(ports=[{"containerPort": 2**40}])},
        {**base, "spec": pod_spec(resources={"limits": {"cpu": 10**40, "memory": "1" * 400}})},
        {"spec": {"replicas": 2**31, "ports": [{"port": 80, "targetPort": 2**70}]}},
        {"status": {"x": 10**30}},
    ]
    places = [
        api.path("Pod"),
        api.path("Deployment"),
        api.path("Service"),
        api.path("Job"),
        api.path("RoleBinding"),
    ]
    for place in places:
        for body in odd:
            for method, path, kind in (
                ("POST", f"{place}?dryRun=All", "application/json"),
                ("PATCH", f"{place}/x?dryRun=All&fieldManager=t", APPLY),
                ("PUT", f"{place}/fixed?dryRun=All", "application/json"),
                ("DELETE", f"{place}/nothing", "application/json"),
            ):
                if isinstance(body, dict) and place != places[0]:
                    body = {key: value for key, value in body.items() if key not in ("kind", "apiVersion")}
                try:
                    api.ask(method, path, body, kind)
                except Refused as refused:
                    assert refused.code < 500, (method, path, body, refused.message)
    for path in (
        "/",
        "/api/v1/namespaces/a/b/c/d/e",
        "/apis/apps/v1/deployments/x/y/z",
        "/api/v1/%ff",
        "/labs/v1/x",
    ):
        with pytest.raises(Refused) as caught:
            api.ask("GET", path)
        assert caught.value.code in (400, 404, 405)


def test_quantities_are_written_as_text(api: Api, tmp_path: Path) -> None:
    made = api.create(_container(resources={"limits": {"cpu": 1, "memory": "1Gi"}}), dryRun="All")
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "1", "memory": "1Gi"},
    }
    assert made["status"]["qosClass"] == "Guaranteed"
