"""Rollouts, autoscaling, jobs, budgets, probes and scheduling: the pure arithmetic as tables, and whole runs on a clock
that only moves when told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from test_kubernetes_cluster import MERGE, START, Api, Refused, deployment, opened, pod_spec, thing

from labs.services.kubernetes import objects
from labs.services.kubernetes.controllers import disruption, hooks, probes, rollout, scaling, scheduler
from labs.services.kubernetes.controllers.probes import NEVER
from labs.services.kubernetes.controllers.rollout import Limits, Size
from labs.services.kubernetes.controllers.scaling import Past
from labs.services.kubernetes.controllers.surroundings import Behaviour


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path) as found:
        yield found


# Rolling updates


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "wanted"),
    [
        (10, "25%", "25%", Limits(10, 3, 2)),  # surge up, unavailable down
        (3, "25%", "25%", Limits(3, 1, 0)),
        (1, "25%", "25%", Limits(1, 1, 0)),
        (4, 0, 0, Limits(4, 0, 1)),
        (4, "1%", "1%", Limits(4, 1, 0)),
        (2, 5, 5, Limits(2, 5, 2)),
        (0, "25%", "25%", Limits(0, 0, 0)),
    ],
)
def test_limits(replicas: int, surge: Any, unavailable: Any, wanted: Limits) -> None:
    assert rollout.limits(replicas, surge, unavailable) == wanted


def test_a_rollout_never_leaves_its_limits_and_always_ends() -> None:
    """Pods become available in any order; after each move the limits hold."""
    draws = random.Random(7)
    for _ in range(400):
        replicas = draws.randint(0, 12)
        surge = draws.choice([0, 1, 3, "10%", "25%", "100%"])
        unavailable = draws.choice([0, 1, 2, "25%", "100%"])
        bounds = rollout.limits(replicas, surge, unavailable)
        wanted = {"old": replicas, "older": 0, "new": 0}
        available = dict(wanted)
        for _ in range(200):
            sizes = {
                name: Size(name, wanted[name], available[name], float(at)) for at, name in enumerate(wanted)
            }
            moves = rollout.step(bounds, sizes["new"], [sizes["old"], sizes["older"]])
            wanted |= moves
            available = {name: min(available[name], wanted[name]) for name in wanted}
            assert sum(wanted.values()) <= max(bounds.most, replicas)
            assert sum(available.values()) >= bounds.least, (bounds, wanted, available)
            if not moves:
                waiting = [name for name in wanted if available[name] < wanted[name]]
                if not waiting:
                    break
                available[draws.choice(waiting)] += 1
        assert wanted == {"old": 0, "older": 0, "new": replicas}


def test_sick_old_pods_go_first() -> None:
    old = [Size("a", 3, 0, 1.0), Size("b", 5, 5, 2.0)]
    found = rollout.step(Limits(8, 2, 2), Size("new", 2, 0, 3.0), old)
    assert found == {"a": 1}  # two more missing pods are allowed, and these are missing already


@pytest.mark.parametrize(
    ("replicas", "sizes", "wanted"),
    [
        (15, {"old": (8, 13), "new": (5, 13)}, {"old": 11, "new": 7}),  # the example of the documentation
        (5, {"old": (8, 13), "new": (5, 13)}, {"old": 5, "new": 3}),
        (0, {"old": (8, 13), "new": (5, 13)}, {"old": 0, "new": 0}),
    ],
)
def test_scaling_within_a_rollout_is_shared(
    replicas: int, sizes: dict[str, tuple[int, int]], wanted: dict[str, int]
) -> None:
    sets = [Size(name, size, 0, float(at), most) for at, (name, (size, most)) in enumerate(sizes.items())]
    bounds = Limits(replicas, 3, 2)
    found = {name: size for name, (size, _) in sizes.items()} | rollout.proportional(
        bounds, sets, newest="new"
    )
    assert sum(found.values()) == (bounds.most if replicas else 0)
    assert found == wanted


def _ready(api: Api, name: str = "web") -> int:
    return sum(
        1
        for pod in api.items("Pod", labelSelector=f"app={name}")
        if (objects.condition(pod, "Ready") or {}).get("status") == "True" and not objects.deleting(pod)
    )


def _condition(api: Api, name: str, kind: str) -> tuple[str, str]:
    found = objects.condition(api.get("Deployment", name), kind) or {}
    return found.get("status", ""), found.get("reason", "")


READINESS = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}}


def test_a_rolling_update_keeps_enough_pods_serving_at_every_second(api: Api) -> None:
    api.images(**{"app:*": {"start_seconds": 12}})
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    api.create(deployment(replicas=4, strategy=strategy, container=READINESS))
    api.create(
        thing(
            "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        )
    )
    api.wait(60)
    assert _ready(api) == 4
    api.apply(deployment(replicas=4, image="app:2", strategy=strategy, container=READINESS), force="true")
    seconds = 0
    while True:
        api.wait(1)
        seconds += 1
        slices = api.items("EndpointSlice")
        serving = [one for one in slices[0]["endpoints"] if one["conditions"]["ready"]]
        assert len(serving) >= 4 and _ready(api) >= 4
        assert len([pod for pod in api.items("Pod") if not objects.deleting(pod)]) <= 5
        state = api.get("Deployment", "web")["status"]
        if state.get("updatedReplicas") == 4 == state.get("availableReplicas") == state["replicas"]:
            break
        assert seconds < 120
    assert (
        4 * 15 <= seconds <= 4 * 15 + 8
    )  # ready at the first look after 12 s: 15 s, one pod after the other
    assert _condition(api, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_rollout_that_cannot_become_ready_stops_and_is_rolled_back(api: Api) -> None:
    api.images(**{"app:2": {"ready": False}})
    api.create(deployment(progressDeadlineSeconds=60, container=READINESS))
    api.wait(10)
    new = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2", **READINESS}]}}}}
    api.patch("Deployment", "web", new, MERGE)
    api.wait(59)
    assert _condition(api, "web", "Progressing") == ("True", "ReplicaSetUpdated")
    api.wait(2)
    assert _condition(api, "web", "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert _ready(api) == 3 and _condition(api, "web", "Available")[0] == "True"
    sets = {
        one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: one
        for one in api.items("ReplicaSet")
    }
    assert [sets[key]["spec"]["replicas"] for key in ("1", "2")] == [3, 1]
    old = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:1", **READINESS}]}}}}
    api.patch("Deployment", "web", old, MERGE)  # what `kubectl rollout undo` does
    api.wait(40)
    note = "deployment.kubernetes.io/revision"
    numbers = {objects.name(one): objects.notes(one)[note] for one in api.items("ReplicaSet")}
    assert sorted(numbers.values()) == ["2", "3"] and numbers[sets["1"]["metadata"]["name"]] == "3"
    assert _condition(api, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_recreate_ends_all_before_it_begins(api: Api) -> None:
    api.create(deployment(strategy={"type": "Recreate"}))
    api.wait(5)
    api.patch("Deployment", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    seen = []
    for _ in range(6):
        images = {one["metadata"]["labels"].get("v", "1") for one in api.items("Pod")}
        seen.append("".join(sorted(images)))
        api.wait(1)
    assert "12" not in seen and seen[0] == "1" and seen[-1] == "2"


def test_a_paused_deployment_waits(api: Api) -> None:
    api.create(deployment(replicas=2))
    api.wait(5)
    api.patch("Deployment", "web", {"spec": {"paused": True}})
    api.patch("Deployment", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    api.wait(30)
    assert len(api.items("ReplicaSet")) == 1
    assert _condition(api, "web", "Progressing") == ("Unknown", "DeploymentPaused")
    api.patch("Deployment", "web", {"spec": {"replicas": 3}})
    api.wait(5)
    assert _ready(api) == 3
    api.patch("Deployment", "web", {"spec": {"paused": False}})
    api.wait(30)
    assert len(api.items("ReplicaSet")) == 2
    assert _condition(api, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_pods_count_as_available_after_min_ready_seconds(api: Api) -> None:
    api.create(deployment(replicas=1, minReadySeconds=20))
    api.wait(19)
    assert "availableReplicas" not in api.get("Deployment", "web")["status"]
    api.wait(2)
    assert api.get("Deployment", "web")["status"]["availableReplicas"] == 1


def test_the_history_has_a_limit(api: Api) -> None:
    api.create(deployment(replicas=1, revisionHistoryLimit=2))
    for number in range(5):
        api.wait(10)
        api.patch("Deployment", "web", {"spec": {"template": {"metadata": {"labels": {"v": str(number)}}}}})
    api.wait(10)
    assert len(api.items("ReplicaSet")) == 3


def test_a_deleted_pod_is_replaced_and_an_orphan_adopted(api: Api) -> None:
    api.create(deployment(replicas=2))
    api.wait(5)
    name = api.items("Pod")[0]["metadata"]["name"]
    api.delete("Pod", name)
    assert api.get("Pod", name)["metadata"]["deletionGracePeriodSeconds"] == 30
    api.wait(5)
    assert name not in [one["metadata"]["name"] for one in api.items("Pod")] and _ready(api) == 2


# Probes


def _course(behaviour: Behaviour, runs_to_end: bool = False, **container: Any) -> tuple[float, float, float]:
    found = probes.life({"name": "app", **container}, behaviour, runs_to_end=runs_to_end)
    return found.started, found.ready, found.ends


HTTP = {"httpGet": {"path": "/ok", "port": 8080}}
PROBES: dict[str, tuple[Behaviour, dict[str, Any], tuple[float, float, float]]] = {
    "no probe: ready when it starts, whether it serves or not": (
        Behaviour(start_seconds=30),
        {},
        (0, 0, NEVER),
    ),
    "readiness waits for the first good look": (
        Behaviour(start_seconds=12),
        {"readinessProbe": {**HTTP, "periodSeconds": 5}},
        (0, 15, NEVER),
    ),
    "an initial delay shifts the looks": (
        Behaviour(start_seconds=12),
        {"readinessProbe": {**HTTP, "periodSeconds": 5, "initialDelaySeconds": 3}},
        (0, 13, NEVER),
    ),
    "successThreshold asks for more looks": (
        Behaviour(),
        {"readinessProbe": {**HTTP, "periodSeconds": 5, "successThreshold": 3}},
        (0, 10, NEVER),
    ),
    "liveness kills a slow start": (
        Behaviour(start_seconds=60),
        {"livenessProbe": {**HTTP, "initialDelaySeconds": 10, "periodSeconds": 5, "failureThreshold": 3}},
        (0, 0, 20),
    ),
    "with delay enough it does not": (
        Behaviour(start_seconds=60),
        {"livenessProbe": {**HTTP, "initialDelaySeconds": 55, "periodSeconds": 5, "failureThreshold": 3}},
        (0, 0, NEVER),
    ),
    "a startup probe holds the others back": (
        Behaviour(start_seconds=60),
        {
            "startupProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 30},
            "livenessProbe": {**HTTP, "periodSeconds": 5, "failureThreshold": 1},
            "readinessProbe": {**HTTP, "periodSeconds": 7},
        },
        (60, 63, NEVER),
    ),
    "a startup probe that gives up kills": (
        Behaviour(start_seconds=60),
        {"startupProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 3}},
        (60, NEVER, 20),
    ),
    "a probe at a path that is not served": (
        Behaviour(routes={"8080": {"/healthz": 200}}),
        {"readinessProbe": {**HTTP, "periodSeconds": 1}},
        (0, NEVER, NEVER),
    ),
    "at the path that is": (
        Behaviour(routes={"8080": {"/ok": 204}}),
        {"readinessProbe": {**HTTP, "periodSeconds": 1}},
        (0, 0, NEVER),
    ),
    "at another port": (
        Behaviour(routes={"9000": {"/ok": 200}}),
        {"readinessProbe": {**HTTP, "periodSeconds": 1}},
        (0, NEVER, NEVER),
    ),
    "at a port by its name": (
        Behaviour(routes={"8080": {"/ok": 200}}),
        {
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ok?x=1", "port": "http"}, "periodSeconds": 1},
        },
        (0, 0, NEVER),
    ),
    "silence lasts as long as the probe waits": (
        Behaviour(routes={"8080": {"/ok": 0}}),
        {"livenessProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 4}},
        (0, 0, 24),
    ),
    "a probe that waits longer than its period": (
        Behaviour(routes={"8080": {"/ok": 0}}),
        {"livenessProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 60}},
        (0, 0, 180),
    ),
    "before it listens nobody is silent: it refuses": (
        Behaviour(start_seconds=15, routes={"8080": {"/ok": 0}}),
        {"livenessProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 4}},
        (0, 0, 24),
    ),
    "a process that hangs": (
        Behaviour(start_seconds=3, hangs_after=101),
        {
            "startupProbe": {**HTTP, "periodSeconds": 5},
            "livenessProbe": {**HTTP, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 2},
            "readinessProbe": {**HTTP, "periodSeconds": 5},
        },
        (5, 5, 132),
    ),
    "a liveness probe that begins after it hung": (
        Behaviour(hangs_after=100),
        {"livenessProbe": {**HTTP, "initialDelaySeconds": 600, "periodSeconds": 10}},
        (0, 0, 621),
    ),
    "a TCP connection to a process that hangs": (
        Behaviour(hangs_after=100),
        {"livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 10}},
        (0, 0, NEVER),
    ),
    "too little memory": (
        Behaviour(memory="300Mi"),
        {"resources": {"limits": {"memory": "256Mi"}}},
        (NEVER, NEVER, 1),
    ),
    "a crash": (Behaviour(crash_after=4), {}, (0, 0, 4)),
}


@pytest.mark.parametrize("case", PROBES)
def test_probes(case: str) -> None:
    behaviour, container, wanted = PROBES[case]
    assert _course(behaviour, **container) == wanted


def _pod(api: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get("Pod", name)
    return found


def _waiting(api: Api, name: str) -> str:
    state = _pod(api, name)["status"]["containerStatuses"][0]["state"]
    return str((state.get("waiting") or {}).get("reason", next(iter(state))))


def test_a_crashing_container_backs_off(api: Api) -> None:
    api.images(**{"app:1": {"crash_after": 2, "exit_code": 3}})
    api.create(thing("Pod", "crash", spec=pod_spec()))
    restarts = []
    for _ in range(100):
        api.wait(1)
        restarts.append(_pod(api, "crash")["status"]["containerStatuses"][0]["restartCount"])
    # runs 2 s; restarted at once, then after 10, 20 and 40 s
    moments = [restarts.index(count) + 1 for count in (1, 2, 3, 4)]
    assert moments == [2, 14, 36, 78]
    last = _pod(api, "crash")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 3 and last["reason"] == "Error"
    assert _waiting(api, "crash") == "CrashLoopBackOff"


@pytest.mark.parametrize(
    ("behaviour", "spec", "reason"),
    [
        ({"exists": False}, pod_spec(), "ImagePullBackOff"),
        ({"exists": False}, pod_spec(imagePullPolicy="Never"), "ErrImageNeverPull"),
        ({}, pod_spec(envFrom=[{"configMapRef": {"name": "none"}}]), "CreateContainerConfigError"),
        (
            {},
            pod_spec(env=[{"name": "P", "valueFrom": {"secretKeyRef": {"name": "none", "key": "p"}}}]),
            "CreateContainerConfigError",
        ),
        (
            {},
            {**pod_spec(), "volumes": [{"name": "v", "secret": {"secretName": "none"}}]},
            "ContainerCreating",
        ),
        ({"root": True}, pod_spec(securityContext={"runAsNonRoot": True}), "CreateContainerConfigError"),
        ({"root": True}, pod_spec(securityContext={"runAsNonRoot": True, "runAsUser": 10001}), "running"),
        ({"pull_seconds": 60}, pod_spec(), "ContainerCreating"),
    ],
)
def test_what_keeps_a_container_from_starting(
    api: Api, behaviour: dict[str, Any], spec: dict[str, Any], reason: str
) -> None:
    api.images(**{"app:1": behaviour})
    api.create(thing("Pod", "one", spec=spec))
    api.wait(30)
    assert _waiting(api, "one") == reason


def test_a_missing_secret_that_comes_starts_the_pod(api: Api) -> None:
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}]
    api.create(thing("Pod", "one", spec=pod_spec(env=env)))
    api.wait(5)
    api.create(thing("Secret", "db", stringData={"p": "x"}))
    api.wait(1)
    assert _waiting(api, "one") == "running"


def test_ending_takes_pre_stop_and_the_process_own_time(api: Api) -> None:
    api.images(**{"app:1": {"stop_seconds": 3}, "stuck:1": {"stop_seconds": 1000}})
    hook = {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "sleep 5"]}}}}
    api.create(thing("Pod", "polite", spec=pod_spec(**hook)))
    api.create(thing("Pod", "stuck", spec={**pod_spec("stuck:1"), "terminationGracePeriodSeconds": 20}))
    api.wait(2)
    for name in ("polite", "stuck"):
        api.delete("Pod", name)
    gone = {}
    for second in range(1, 25):
        api.wait(1)
        for name in {"polite", "stuck"} - {one["metadata"]["name"] for one in api.items("Pod")}:
            gone.setdefault(name, second)
    assert gone == {"polite": 8, "stuck": 20}


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["sleep", "15"], 15),
        (["/bin/sleep", "1m"], 60),
        (["sh", "-c", "sleep 15 &"], 0),
        (["sh", "-c", "(sleep 15) &"], 0),
        (["sh", "-c", "{ sleep 15; } &"], 0),
        (["sh", "-c", "sleep 3; sleep 15 & sleep 1; wait"], 18),
        (["/bin/sh", "-ec", "nginx -s quit; sleep 10 # the rest\nsleep 2"], 12),
        (["bash", "-c", "curl -s localhost/leave >/dev/null 2>&1 && sleep 10 || true"], 10),
        (["sh", "-c", "{ sleep 4; (sleep 5); }"], 9),
        (["sh", "-c", "exec sleep 7; sleep 1"], 7),
        (["sh", "-c", "sleep", "12"], 0),  # the shell takes 12 for $0
        (["sh", "-c", "echo sleep 15"], 0),
        (["sh", "-c", "sleep '15"], 0),
        (["sh", "-c", "(" * 5000], 0),
        ([], 0),
    ],
)
def test_how_long_a_hook_takes(command: list[str], wanted: float) -> None:
    container = {"lifecycle": {"preStop": {"exec": {"command": command}}}}
    assert hooks.pre_stop_seconds(container) == wanted


def test_a_process_that_hangs_leaves_the_service_and_is_restarted(api: Api) -> None:
    api.images(**{"app:1": {"hangs_after": 60}})
    probe = {"tcpSocket": {"port": 8080}}
    look = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5, "timeoutSeconds": 2}
    spec = pod_spec(readinessProbe=look, livenessProbe={**look, "periodSeconds": 10}, startupProbe=probe)
    api.create(thing("Pod", "one", spec=spec))
    seen = []
    for _ in range(10):
        api.wait(10)
        state = _pod(api, "one")["status"]["containerStatuses"][0]
        seen.append((state["ready"], state["restartCount"]))
    assert seen == [(True, 0)] * 7 + [(False, 0)] + [(True, 1)] * 2


def test_init_containers_come_first(api: Api) -> None:
    spec = {**pod_spec(), "initContainers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}]}
    api.images(**{"i:1": {"run_seconds": 4}})
    api.create(thing("Pod", "one", spec=spec))
    phases = []
    for _ in range(10):
        api.wait(1)
        phases.append(_pod(api, "one")["status"]["phase"])
    assert phases == ["Pending"] * 7 + ["Running"] * 3


# Scheduling


def _node(name: str, **more: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, **more.pop("labels", {})}
    room = {"cpu": "2", "memory": "4Gi", "pods": "5"}
    return {"metadata": {"name": name, "labels": labels}, "spec": more, "status": {"allocatable": room}}


def _placed(node: str, labels: dict[str, str] | None = None, **requests: str) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": requests}}
    return {
        "metadata": {"name": "p", "namespace": "default", "labels": labels or {}},
        "spec": {"nodeName": node, "containers": [container]},
        "status": {},
    }


A, B = _node("a", labels={"zone": "1"}), _node("b", labels={"zone": "2"})
TAINTED = _node("t", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
WEB = {"app": "web"}
NEW = {**WEB, "pod-template-hash": "new"}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": WEB},
}
_NO_OTHER = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": WEB}}
APART = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_NO_OTHER]}}
SCHEDULING: dict[str, tuple[dict[str, Any], list[Any], list[Any], str]] = {
    "the emptiest": ({}, [A, B], [_placed("a", cpu="1")], "b"),
    "the first by name": ({}, [B, A], [], "a"),
    "what fits": (
        {"requests": {"cpu": "1500m"}},
        [A, B],
        [_placed("a", cpu="1"), _placed("b", cpu="100m")],
        "b",
    ),
    "nothing fits": ({"requests": {"cpu": "3"}}, [A, B], [], "0/2 nodes are available: 2 Insufficient cpu."),
    "memory": ({"requests": {"memory": "5Gi"}}, [A], [], "0/1 nodes are available: 1 Insufficient memory."),
    "too many pods": ({}, [A], [_placed("a")] * 5, "0/1 nodes are available: 1 Too many pods."),
    "a selector": ({"nodeSelector": {"zone": "2"}}, [A, B], [], "b"),
    "a taint": ({}, [TAINTED], [], "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}."),
    "tolerated": ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, [TAINTED], [], "t"),
    "cordoned": (
        {},
        [_node("c", unschedulable=True)],
        [],
        "0/1 nodes are available: 1 node(s) were unschedulable.",
    ),
    "apart": ({"affinity": APART}, [A, B], [_placed("a", WEB)], "b"),
    "spread": (
        {"topologySpreadConstraints": [SPREAD]},
        [A, B],
        [_placed("b", WEB), _placed("a", cpu="1")],
        "a",
    ),
    "spread among its own revision": (
        {"topologySpreadConstraints": [{**SPREAD, "matchLabelKeys": ["pod-template-hash"]}]},
        [A, B],
        [*[_placed("a", {**WEB, "pod-template-hash": "old"}, cpu="100m")] * 2, _placed("b", NEW, cpu="10m")],
        "a",
    ),
}


@pytest.mark.parametrize("case", SCHEDULING)
def test_scheduling(case: str) -> None:
    spec, nodes, pods, wanted = SCHEDULING[case]
    requests = spec.get("requests", {})
    pod = _placed("", NEW, **requests)
    pod["spec"] = {
        **{k: v for k, v in spec.items() if k != "requests"},
        "containers": pod["spec"]["containers"],
    }
    node, why = scheduler.choose(pod, nodes, pods)
    assert (objects.name(node) if node else why) == wanted


def test_a_pod_that_fits_nowhere_waits_for_room(api: Api) -> None:
    big = {"resources": {"requests": {"cpu": "3"}}}
    api.create(deployment("full", replicas=3, container=big))
    api.create(thing("Pod", "late", spec=pod_spec(**big)))
    api.wait(5)
    found = _pod(api, "late")
    condition = objects.condition(found, "PodScheduled") or {}
    assert found["status"]["phase"] == "Pending" and condition["reason"] == "Unschedulable"
    events = api.items("Event", fieldSelector="involvedObject.name=late")
    assert [one["reason"] for one in events] == ["FailedScheduling"]
    api.patch("Deployment", "full", {"spec": {"replicas": 2}})
    api.wait(5)
    assert _pod(api, "late")["status"]["phase"] == "Running"


# Disruption


@pytest.mark.parametrize(
    ("spec", "expected", "wanted"),
    [
        ({"minAvailable": 2}, 5, 2),
        ({"minAvailable": "50%"}, 5, 3),
        ({"minAvailable": "100%"}, 3, 3),
        ({"maxUnavailable": 1}, 5, 4),
        ({"maxUnavailable": "30%"}, 5, 3),
        ({"maxUnavailable": 0}, 5, 5),
        ({"maxUnavailable": 9}, 5, 0),
    ],
)
def test_how_many_must_stay(spec: dict[str, Any], expected: int, wanted: int) -> None:
    assert disruption.needed(spec, expected) == wanted


def _evict(api: Api, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    api.ask("POST", api.path("Pod", name) + "/eviction", body)


def test_eviction_keeps_the_budget(api: Api) -> None:
    api.images(**{"app:1": {"start_seconds": 10}})
    api.create(deployment(replicas=3, container=READINESS))
    api.create(
        thing("PodDisruptionBudget", "web", spec={"minAvailable": 2, "selector": {"matchLabels": WEB}})
    )
    api.wait(30)
    names = [one["metadata"]["name"] for one in api.items("Pod")]
    _evict(api, names[0])
    with pytest.raises(Refused) as refused:
        _evict(api, names[1])
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert "needs 2 healthy pods and has 2 currently" in refused.value.causes[0]["message"]
    api.wait(30)  # the replacement is ready
    _evict(api, names[1])
    api.wait(30)
    assert _ready(api) == 3
    state = api.get("PodDisruptionBudget", "web")["status"]
    assert (state["currentHealthy"], state["desiredHealthy"], state["disruptionsAllowed"]) == (3, 2, 1)


def test_a_budget_that_allows_nothing_stops_every_eviction(api: Api) -> None:
    api.create(deployment(replicas=1))
    api.create(
        thing("PodDisruptionBudget", "web", spec={"minAvailable": 1, "selector": {"matchLabels": WEB}})
    )
    api.wait(10)
    with pytest.raises(Refused, match="violate the pod's disruption budget"):
        _evict(api, api.items("Pod")[0]["metadata"]["name"])


# Autoscaling


@pytest.mark.parametrize(
    ("replicas", "ratio", "wanted"),
    [(4, "2", 8), (4, "1.1", 4), (4, "1.11", 5), (4, "0.9", 4), (4, "0.89", 4), (4, "0.5", 2), (3, "0.1", 1)],
)
def test_the_ratio(replicas: int, ratio: str, wanted: int) -> None:
    assert scaling.wanted(replicas, Decimal(ratio)) == wanted


@pytest.mark.parametrize(
    ("ready", "unready", "missing", "replicas", "wanted"),
    [
        (["200", "200"], 0, 0, 2, 4),
        (["105", "100"], 0, 0, 2, 2),
        (["50", "50"], 0, 0, 2, 1),
        (["200", "200"], 2, 0, 4, 4),  # pods that start count as idle: nothing more yet
        (["300", "300"], 2, 0, 4, 6),
        (["300", "300"], 0, 1, 3, 6),
        (["10", "10"], 0, 2, 4, 3),  # those without a measure count as on target when scaling down
    ],
)
def test_averages_over_pods(ready: list[str], unready: int, missing: int, replicas: int, wanted: int) -> None:
    values = [Decimal(one) for one in ready]
    found, _ = scaling.wanted_by_pods(values, unready, missing, Decimal(100), replicas, cpu=True)
    assert found == wanted


NOTHING = Past()


def test_windows_and_policies() -> None:
    spec = {"minReplicas": 2, "maxReplicas": 50}
    now = 1000.0

    def decide(current: int, proposal: int, past: Past = NOTHING, **behaviour: Any) -> tuple[int, str]:
        found = scaling.decide({**spec, "behavior": behaviour}, current, proposal, past, now)
        return found.replicas, found.stabilised or found.reason

    assert decide(2, 40) == (6, "ScaleUpLimit")  # the greater of 4 pods and 100 % each 15 s
    assert decide(20, 99) == (40, "ScaleUpLimit")
    assert decide(30, 99) == (50, "TooManyReplicas")
    assert decide(10, 1) == (2, "TooFewReplicas")
    held = Past(advice=((now - 299, 8), (now, 3)))
    assert decide(10, 3, held) == (8, "ScaleDownStabilized")
    late = Past(advice=((now - 301, 8), (now, 3)))
    assert decide(10, 3, late) == (3, "DesiredWithinRange")
    slow = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    assert decide(10, 3, scaleDown=slow) == (9, "ScaleDownLimit")
    assert decide(9, 3, Past(scaled=((now - 30, -1),)), scaleDown=slow) == (9, "ScaleDownLimit")
    assert decide(9, 3, Past(scaled=((now - 61, -1),)), scaleDown=slow) == (8, "ScaleDownLimit")
    assert decide(9, 3, scaleDown={"selectPolicy": "Disabled"})[0] == 9
    wait = {"stabilizationWindowSeconds": 60}
    assert decide(2, 6, Past(advice=((now - 30, 2), (now, 6))), scaleUp=wait)[0] == 2


def _scaler(**spec: Any) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 50}
    return thing(
        "HorizontalPodAutoscaler",
        "web",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            **spec,
        },
    )


def _load(api: Api, **amount: str) -> None:
    one = {"namespace": "default", "metric": "cpu", "selector": WEB, **amount}
    api.ask("PUT", "/labs/v1/metrics", {"metrics": [one]})


def test_an_autoscaler_follows_the_load(api: Api) -> None:
    api.create(deployment(replicas=2, container={"resources": {"requests": {"cpu": "200m"}}}))
    api.create(_scaler())
    _load(api, total="200m")
    api.wait(60)
    state = api.get("HorizontalPodAutoscaler", "web")["status"]
    assert state["currentMetrics"][0]["resource"]["current"] == {
        "averageValue": "100m",
        "averageUtilization": 50,
    }
    assert state["desiredReplicas"] == 2
    _load(api, total="800m")
    api.wait(60)
    assert api.get("Deployment", "web")["spec"]["replicas"] == 8
    managers = [one["manager"] for one in api.get("Deployment", "web")["metadata"]["managedFields"]]
    assert "kube-controller-manager" in managers
    _load(api, total="200m")
    api.wait(280)
    assert api.get("Deployment", "web")["spec"]["replicas"] == 8  # held for five minutes
    api.wait(60)
    assert api.get("Deployment", "web")["spec"]["replicas"] == 2


def test_an_autoscaler_follows_one_container(api: Api) -> None:
    api.create(deployment(replicas=2, container={"resources": {"requests": {"cpu": "200m"}}}))
    name = api.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["name"]
    target = {"type": "Utilization", "averageUtilization": 50}

    def follow(container: str) -> None:
        source = {"name": "cpu", "container": container, "target": target}
        api.apply(_scaler(metrics=[{"type": "ContainerResource", "containerResource": source}]))

    follow(name)
    _load(api, total="800m")
    api.wait(60)
    state = api.get("HorizontalPodAutoscaler", "web")["status"]
    assert state["desiredReplicas"] == 8 and state["currentMetrics"] == [
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "container": name,
                "current": {"averageValue": "100m", "averageUtilization": 50},
            },
        }
    ]
    follow("another")
    api.wait(20)
    found = objects.condition(api.get("HorizontalPodAutoscaler", "web"), "ScalingActive") or {}
    assert found["reason"] == "FailedGetContainerResourceMetric" and "another" in found["message"]


def test_an_autoscaler_without_requests_or_metrics_says_so(api: Api) -> None:
    api.create(deployment(replicas=2))
    api.create(_scaler())
    api.wait(20)

    def active() -> tuple[str, str]:
        found = objects.condition(api.get("HorizontalPodAutoscaler", "web"), "ScalingActive") or {}
        return found["status"], found["message"]

    assert active()[0] == "False" and "no metrics known" in active()[1]
    _load(api, total="5")
    api.wait(20)
    assert active()[0] == "False" and "missing request for cpu" in active()[1]
    assert api.get("Deployment", "web")["spec"]["replicas"] == 2
    api.patch("Deployment", "web", {"spec": {"replicas": 1}})
    api.wait(20)
    assert api.get("Deployment", "web")["spec"]["replicas"] == 2  # its bounds hold without metrics


def test_a_taint_that_executes_drives_pods_away(api: Api) -> None:
    api.create(deployment(replicas=3))
    tolerant = {**pod_spec(), "tolerations": [{"key": "sick", "operator": "Exists", "tolerationSeconds": 30}]}
    api.create(thing("Pod", "patient", spec={**tolerant, "nodeName": "node-1"}))
    api.wait(5)
    api.patch("Node", "node-1", {"spec": {"taints": [{"key": "sick", "effect": "NoExecute"}]}})
    api.wait(5)
    places = {one["metadata"]["name"]: one["spec"]["nodeName"] for one in api.items("Pod")}
    assert [name for name, node in places.items() if node == "node-1"] == ["patient"] and len(places) == 4
    api.wait(30)
    assert "patient" not in [one["metadata"]["name"] for one in api.items("Pod")]


# Jobs


def _job(name: str = "job", **spec: Any) -> dict[str, Any]:
    policy = spec.pop("policy", "Never")
    template = {"spec": {**pod_spec("work:1"), "restartPolicy": policy}}
    return thing("Job", name, spec={"template": template, **spec})


def _result(api: Api) -> list[tuple[str, str]]:
    conditions = api.get("Job", "job")["status"].get("conditions") or []
    return [(one["type"], one["reason"]) for one in conditions if one["status"] == "True"]


def test_a_job_completes(api: Api) -> None:
    api.images(**{"work:1": {"run_seconds": 10}})
    api.create(_job(completions=5, parallelism=2))
    running = []
    for _ in range(32):
        api.wait(1)
        running.append(api.get("Job", "job")["status"].get("active", 0))
    state = api.get("Job", "job")["status"]
    assert max(running) == 2 and running.index(0) == 29
    assert state["succeeded"] == 5 and state["completionTime"] == "2027-01-15T08:00:30Z"
    assert _result(api) == [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_job_gives_up(api: Api, policy: str) -> None:
    api.images(**{"work:1": {"crash_after": 1}})
    api.create(_job(backoffLimit=2, policy=policy))
    api.wait(300)
    assert _result(api)[-1] == ("Failed", "BackoffLimitExceeded")
    assert api.get("Job", "job")["status"]["failed"] == (3 if policy == "Never" else 1)


def test_a_job_has_a_deadline_and_a_time_to_live(api: Api) -> None:
    api.images(**{"work:1": {"run_seconds": 1000}})
    api.create(_job(activeDeadlineSeconds=30, ttlSecondsAfterFinished=60))
    api.wait(35)
    assert _result(api)[-1] == ("Failed", "DeadlineExceeded")
    api.wait(120)
    assert api.items("Job") == [] and api.items("Pod") == []


def test_a_suspended_job_waits(api: Api) -> None:
    api.create(_job(suspend=True))
    api.wait(20)
    assert api.items("Pod") == [] and ("Suspended", "JobSuspended") in _result(api)
    api.patch("Job", "job", {"spec": {"suspend": False}})
    api.wait(20)
    assert ("Complete", "CompletionsReached") in _result(api)


def test_two_runs_of_the_same_story_are_the_same(tmp_path: Path) -> None:
    seen = []
    for number in (1, 2):
        with opened(tmp_path / str(number)) as api:
            api.images(**{"app:2": {"start_seconds": 7}})
            api.create(deployment(replicas=4, container=READINESS))
            api.wait(20)
            api.apply(deployment(replicas=4, image="app:2", container=READINESS), force="true")
            api.wait(33)
            seen.append([api.items(kind) for kind in ("Pod", "ReplicaSet", "Deployment", "Event")])
    assert seen[0] == seen[1]


def test_the_clock_is_checked(api: Api) -> None:
    assert api.ask("GET", "/labs/v1/clock")["seconds"] == START
    for body in ({"advance": -1}, {"advance": "1"}, {"advance": 10**9}, {"forward": 1}, {"speed": True}):
        with pytest.raises(Refused) as refused:
            api.ask("POST", "/labs/v1/clock", body)
        assert refused.value.code == 400
    for images in ({"x": {"readyy": True}}, {"x": {"ready": 1}}, {"x": []}, {"x": {"crash_after": -1}}):
        with pytest.raises(Refused):
            api.images(**images)
    with pytest.raises(Refused) as refused:
        api.as_user("jane").wait(1)
    assert refused.value.code == 403
