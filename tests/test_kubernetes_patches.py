"""JSON patch, merge patch, strategic merge patch and server-side apply: tables of cases for the pure parts, then over
HTTP; and that our reading of the schemas agrees with kubernetes-validate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from test_kubernetes_cluster import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Api,
    Refused,
    deployment,
    opened,
    thing,
)

from labs.services.kubernetes import apply, decoding, patches, protobuf, schemas
from labs.services.kubernetes.apply import Manager
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.quantities import canonical
from labs.services.kubernetes.resources import CONFIGMAPS, DEPLOYMENTS, RESOURCES, STORED
from labs.services.kubernetes.statuses import ApiError
from labs.services.kubernetes.users import ADMIN

POD = schemas.shape("io.k8s.api.core.v1.Pod")
SERVICE = schemas.shape("io.k8s.api.core.v1.Service")
DEPLOYMENT = schemas.shape(DEPLOYMENTS.definition)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path) as found:
        yield found


A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")


def _pod(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


STRATEGIC_CASES: dict[str, tuple[Any, Any, Any]] = {
    "containers are merged by name": (
        _pod(A, B),
        _pod({"name": "b", "image": "b:2"}),
        _pod(A, {"name": "b", "image": "b:2"}),
    ),
    "a new one comes last": (_pod(A), _pod(B), _pod(A, B)),
    "one is deleted by a directive": (_pod(A, B), _pod({"name": "a", "$patch": "delete"}), _pod(B)),
    "a list is replaced by a directive": (_pod(A, B), _pod(C, {"$patch": "replace"}), _pod(C)),
    "the stated order holds, what only the server has keeps its place": (
        _pod(A, B, C),
        _pod(
            {"name": "c", "image": "c:2"}, **{"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
        ),
        _pod({"name": "c", "image": "c:2"}, B, A),
    ),
    "null removes a field": (_pod(A, nodeName="n"), {"spec": {"nodeName": None}}, _pod(A)),
    "a map is merged": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"b": None, "c": "3"}}},
        {"metadata": {"labels": {"a": "1", "c": "3"}}},
    ),
    "a map is replaced by a directive": (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"c": "3", "$patch": "replace"}}},
        {"metadata": {"labels": {"c": "3"}}},
    ),
    "a list without a merge key is replaced": (
        _pod({**A, "args": ["x", "y"]}),
        _pod({"name": "a", "args": ["z"]}),
        _pod({**A, "args": ["z"]}),
    ),
    "tolerations are replaced": (
        _pod(A, tolerations=[{"key": "x"}]),
        {"spec": {"tolerations": [{"key": "y"}]}},
        _pod(A, tolerations=[{"key": "y"}]),
    ),
    "a set of primitives grows": (
        {"metadata": {"finalizers": ["a/b"]}},
        {"metadata": {"finalizers": ["c/d", "a/b"]}},
        {"metadata": {"finalizers": ["a/b", "c/d"]}},
    ),
    "and shrinks by a directive": (
        {"metadata": {"finalizers": ["a/b", "c/d"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}},
        {"metadata": {"finalizers": ["c/d"]}},
    ),
    "retained keys are all that stays": (
        _pod(A, volumes=[{"name": "v", "emptyDir": {}}]),
        {
            "spec": {
                "volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]
            }
        },
        _pod(A, volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
    ),
    "environment within a container": (
        _pod({**A, "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}),
        _pod({"name": "a", "env": [{"name": "X", "$patch": "delete"}, {"name": "Z", "value": "3"}]}),
        _pod({**A, "env": [{"name": "Y", "value": "2"}, {"name": "Z", "value": "3"}]}),
    ),
}


@pytest.mark.parametrize("case", STRATEGIC_CASES)
def test_strategic_merge(case: str) -> None:
    before, patch, wanted = STRATEGIC_CASES[case]
    assert patches.strategic_merge(before, patch, POD) == wanted


def test_ports_of_a_service_are_merged_by_port() -> None:
    before = {"spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]}}
    found = patches.strategic_merge(before, {"spec": {"ports": [{"port": 443, "nodePort": 30001}]}}, SERVICE)
    assert found["spec"]["ports"] == [
        {"port": 80, "name": "http"},
        {"port": 443, "name": "https", "nodePort": 30001},
    ]


def test_a_strategic_patch_needs_the_merge_key() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        patches.strategic_merge(_pod(A), _pod({"image": "x"}), POD)


JSON_CASES: list[tuple[Any, list[dict[str, Any]], Any]] = [
    ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
    ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
    ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
    ({"a": {"b/c~d": 1}}, [{"op": "replace", "path": "/a/b~1c~0d", "value": 2}], {"a": {"b/c~d": 2}}),
    ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
    ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
    ({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}),
    ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1}),
]


@pytest.mark.parametrize(("before", "patch", "wanted"), JSON_CASES)
def test_json_patch(before: Any, patch: Any, wanted: Any) -> None:
    assert patches.json_patch(before, patch) == wanted


@pytest.mark.parametrize(
    "one",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "paint", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
    ],
)
def test_json_patches_that_do_not_apply(one: Any) -> None:
    with pytest.raises(ApiError) as refused:
        patches.json_patch({"a": 1}, [one])
    assert refused.value.code == 422


def test_merge_patch() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert patches.merge_patch(before, {"a": {"b": None}, "d": [3]}) == {"a": {"c": 2}, "d": [3]}


# Server-side apply: each step is (manager, configuration of data, force) with what is there, or who conflicts.
def _data(**data: str) -> dict[str, Any]:
    return {"metadata": {}, "data": data}


CONFIGMAP = schemas.shape(CONFIGMAPS.definition)
APPLY_CASES: dict[str, list[tuple[str, dict[str, str], bool, dict[str, str] | str]]] = {
    "one manager": [("x", {"a": "1", "b": "2"}, False, {"a": "1", "b": "2"})],
    "what a manager no longer states goes": [
        ("x", {"a": "1", "b": "2"}, False, {"a": "1", "b": "2"}),
        ("x", {"a": "1"}, False, {"a": "1"}),
    ],
    "another manager adds its own": [
        ("x", {"a": "1"}, False, {"a": "1"}),
        ("y", {"b": "2"}, False, {"a": "1", "b": "2"}),
        ("x", {}, False, {"b": "2"}),
    ],
    "another value conflicts": [
        ("x", {"a": "1"}, False, {"a": "1"}),
        ("y", {"a": "2"}, False, 'conflict with "x"'),
    ],
    "unless forced, then the first owner has lost it": [
        ("x", {"a": "1"}, False, {"a": "1"}),
        ("y", {"a": "2"}, True, {"a": "2"}),
        ("x", {"a": "1"}, False, 'conflict with "y"'),
        ("x", {}, False, {"a": "2"}),
    ],
    "the same value is shared, and stays while one owns it": [
        ("x", {"a": "1"}, False, {"a": "1"}),
        ("y", {"a": "1"}, False, {"a": "1"}),
        ("x", {}, False, {"a": "1"}),
        ("y", {}, False, {}),
    ],
}


@pytest.mark.parametrize("case", APPLY_CASES)
def test_apply(case: str) -> None:
    live: dict[str, Any] = {"metadata": {}}
    owners: dict[Manager, apply.Fields] = {}
    for name, data, force, wanted in APPLY_CASES[case]:
        manager = Manager(name, "Apply", "v1")
        if isinstance(wanted, str):
            with pytest.raises(ApiError, match=wanted) as refused:
                apply.apply(live, owners, _data(**data), manager, CONFIGMAP, force=force)
            assert refused.value.code == 409
            continue
        live, owners = apply.apply(live, owners, _data(**data), manager, CONFIGMAP, force=force)
        assert live.get("data", {}) == wanted


def test_list_items_are_owned_by_their_keys() -> None:
    first = _pod(
        {"name": "a", "image": "a:1", "ports": [{"containerPort": 80}]}, {"name": "b", "image": "b:1"}
    )
    x, y = Manager("x", "Apply", "v1"), Manager("y", "Apply", "v1")
    live, owners = apply.apply({}, {}, first, x, POD, force=False)
    assert ("f:spec", "f:containers", 'k:{"name":"a"}', "f:image") in owners[x]
    assert any('k:{"containerPort":80,"protocol":"TCP"}' in path for path in owners[x])
    added = _pod({"name": "b", "env": [{"name": "LEVEL", "value": "info"}]})
    live, owners = apply.apply(live, owners, added, y, POD, force=False)
    live, owners = apply.apply(live, owners, _pod({"name": "a", "image": "a:1"}), x, POD, force=False)
    assert [one["name"] for one in live["spec"]["containers"]] == ["a", "b"]
    assert "ports" not in live["spec"]["containers"][0] and "image" not in live["spec"]["containers"][1]
    folded = apply.write(owners, None, "now")
    again = apply.read({"metadata": {"managedFields": folded}})
    assert again == owners


def test_an_update_takes_what_it_changes() -> None:
    x, hand = Manager("x", "Apply", "v1"), Manager("kubectl-edit", "Update", "v1")
    live, owners = apply.apply({}, {}, _data(a="1", b="2"), x, CONFIGMAP, force=False)
    owners = apply.update(live, _data(a="9"), owners, hand, CONFIGMAP)
    assert owners == {hand: frozenset({("f:data", "f:a")})}


def test_apply_over_http(api: Api) -> None:
    made = api.apply(deployment(replicas=2), "ci")
    assert [one["manager"] for one in made["metadata"]["managedFields"]] == ["ci"]
    scale = api.path("Deployment", "web") + "/scale"
    api.ask("PATCH", scale, {"spec": {"replicas": 5}}, MERGE, fieldManager="hand")
    with pytest.raises(Refused) as refused:
        api.apply(deployment(replicas=2), "ci")
    assert refused.value.code == 409 and refused.value.fields == [".spec.replicas"]
    told = 'Apply failed with 1 conflict: conflict with "hand" with subresource "scale" using apps/v1: .spec.replicas'
    assert refused.value.message == told
    without = deployment(image="app:2")
    del without["spec"]["replicas"]
    found = api.apply(without, "ci")  # the field has another owner, so it stays
    assert found["spec"]["replicas"] == 5
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2"
    assert api.apply(deployment(replicas=2), "ci", force="true")["spec"]["replicas"] == 2
    version = api.get("Deployment", "web")["metadata"]["resourceVersion"]
    same = api.apply(deployment(replicas=2), "ci")
    # the controllers write the status meanwhile; applying the same again writes nothing
    assert same["metadata"]["generation"] == api.get("Deployment", "web")["metadata"]["generation"]
    assert same["metadata"]["resourceVersion"] == version


TWICE: dict[str, tuple[dict[str, Any], str]] = {
    "a variable": (
        {
            "env": [
                {"name": "LEVEL", "value": "a"},
                {"name": "KEY", "value": "b"},
                {"name": "LEVEL", "value": "c"},
            ]
        },
        r'containers\[name="app"\].env: duplicate entries for key \[name="LEVEL"\]',
    ),
    "a port whose protocol is once the default and once written": (
        {"ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]},
        r'containers\[name="app"\].ports: duplicate entries for key \[containerPort=80,protocol="TCP"\]',
    ),
}


@pytest.mark.parametrize("case", TWICE)
def test_an_item_that_comes_twice_cannot_be_applied(case: str, api: Api) -> None:
    more, wanted = TWICE[case]
    one = deployment()
    one["spec"]["template"]["spec"]["containers"][0] |= more
    begins = r"failed to create typed patch object \(default/web; apps/v1, Kind=Deployment\): \.spec\.template\.spec\."
    with pytest.raises(Refused, match=begins + wanted) as refused:
        api.apply(one, "ci")
    assert refused.value.code == 500, "as of an API server, which has no word of its own for it"
    api.create(one)  # kubectl create, or apply on the client's side, only warns


def test_the_same_port_of_two_protocols_is_no_duplicate(api: Api) -> None:
    one = deployment()
    ports = [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    one["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    assert api.apply(one, "ci")["spec"]["template"]["spec"]["containers"][0]["ports"] == ports


def test_only_an_apply_has_a_manager_and_force(api: Api) -> None:
    api.create(thing("ConfigMap", "settings"))
    for how, query in ((APPLY, {}), (MERGE, {"force": "true"})):
        with pytest.raises(Refused, match=r"fieldManager: Required|force: Forbidden") as refused:
            api.patch("ConfigMap", "settings", thing("ConfigMap", "settings"), how, **query)
        assert refused.value.code == 422


def test_an_applied_field_that_is_dropped_goes_back_to_its_default(api: Api) -> None:
    api.apply(deployment(replicas=1, minReadySeconds=7, revisionHistoryLimit=2), "ci")
    found = api.apply(deployment(replicas=1), "ci")
    assert found["spec"]["revisionHistoryLimit"] == 10 and "minReadySeconds" not in found["spec"]


def test_patches_over_http(api: Api) -> None:
    api.create(deployment())
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}}}
    found = api.patch("Deployment", "web", image, STRATEGIC)
    assert found["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] == "File"
    path = "/spec/template/spec/containers/0/image"
    found = api.patch("Deployment", "web", [{"op": "replace", "path": path, "value": "app:3"}], JSON_PATCH)
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:3"
    with pytest.raises(Refused) as refused:
        api.patch("Deployment", "web", {"spec": {"replicas": "three"}})
    assert refused.value.code == 400


def _problems(document: dict[str, Any]) -> bool:
    """Whether our walk over the schemas finds a fault."""
    resource = next(one for one in RESOURCES if one.kind == document["kind"])
    shape = schemas.shape(resource.definition)
    try:
        unknown = list(schemas.unknown_fields(document, shape))
    except schemas.WrongType:
        return True
    return bool(unknown or list(schemas.missing_fields(document, shape)))


def _variants() -> Iterator[dict[str, Any]]:
    good = deployment(
        container={"ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}
    )
    yield good
    for path, value in (
        (("spec", "replicas"), "3"),
        (("spec", "replicas"), None),
        (("spec", "selector"), None),
        (("spec", "unknown"), 1),
        (("spec", "template", "spec", "containers"), {}),
        (("spec", "template", "spec", "containers"), [{"image": "x"}]),
        (("spec", "template", "spec", "containers"), [{"name": "x", "env": [{"name": "A", "valu": "1"}]}]),
        (("spec", "template", "metadata", "labels"), {"a": 1}),
        (("spec", "template", "metadata", "labels"), ["a"]),
        (("spec", "strategy"), {"rollingUpdate": {"maxSurge": "25%"}}),
        (("spec", "strategy"), {"rollingUpdate": {"maxSurge": []}}),
        (("spec", "paused"), "no"),
    ):
        document: dict[str, Any] = deployment()
        at = document
        for piece in path[:-1]:
            at = at[piece]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        yield document
    yield thing("ConfigMap", "x", data={"a": "b"})
    yield thing("ConfigMap", "x", data={"a": 1})
    yield thing("Service", "x", spec={"ports": [{"port": 80, "targetPort": "http"}]})
    yield thing("Service", "x", spec={"ports": [{"targetPort": "http"}]})


def test_our_reading_of_the_schemas_agrees_with_kubernetes_validate() -> None:
    for document in _variants():
        try:
            kubernetes_validate.validate(document, schemas.VERSION, strict=True)
            theirs = False
        except kubernetes_validate.ValidationError:
            theirs = True
        assert _problems(document) is theirs, document


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0.5", "500m"),
        (0.25, "250m"),
        (1, "1"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("2000", "2k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("128974848", "128974848"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("0.0001", "100u"),
        ("lots", "lots"),
    ],
)
def test_quantities_have_one_form(written: Any, kept: str) -> None:
    assert canonical(written) == kept


def test_every_kind_has_its_schema_and_its_protobuf() -> None:
    for resource in STORED:
        assert schemas.shape(resource.definition).fields, resource.kind
        assert resource.message in protobuf._messages(), resource.kind


def test_protobuf_bodies_are_read_like_json() -> None:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    meta = field(1, b"db") + field(3, b"shop") + field(8, b"")  # an empty creationTimestamp
    entry = field(1, b"password") + field(2, b"\x00\xff")
    secret = field(1, meta) + field(2, entry) + field(3, b"Opaque") + bytes([5 << 3, 1])
    body = protobuf.MAGIC + field(1, field(1, b"v1") + field(2, b"Secret")) + field(2, secret)
    assert decoding.body(body, decoding.PROTOBUF) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop"},
        "data": {"password": "AP8="},
        "type": "Opaque",
        "immutable": True,
    }
    for damaged in (body[:-1], body[4:], protobuf.MAGIC + b"\xff" * 20, protobuf.MAGIC):
        with pytest.raises(ApiError) as refused:
            decoding.body(damaged, decoding.PROTOBUF)
        assert refused.value.code == 415


def test_keys_that_stand_twice_are_refused() -> None:
    ctx = Context(ADMIN, 0.0, validation="Strict")
    with pytest.raises(ApiError, match="already set in map"):
        decoding.body(b"a: 1\na: 2\n", "application/yaml")
    with pytest.raises(ApiError, match='duplicate field "a"'):
        decoding.body(b'{"a": 1, "a": 2}', "application/json", ctx)
