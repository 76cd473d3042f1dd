"""Pods that the grader makes, and what it looks at in those that run."""

from __future__ import annotations

from cluster import Obj
from fraud import SECRET_VARIABLE, Environment, Fraud, Look
from labs.grading.evidence import Evidence
from labs.services.kubernetes import objects
from labs.services.kubernetes.quantities import quantity
from watching import Course


def root_pod(space: str) -> Obj:
    return _pod("root", space, {}, {})


def other_pod(space: str) -> Obj:
    """A pod of another workload in the same namespace, with the labels that the company's pods have."""
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    shared = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = _pod("fraud-report", space, shared, own)
    pod["metadata"]["labels"] = {
        "app.kubernetes.io/name": "fraud-report",
        "app.kubernetes.io/part-of": "nukkad-pay",
        "app": "fraud-report",
        "team": "risk",
    }
    pod["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    return pod


def _pod(name: str, space: str, shared: Obj, own: Obj) -> Obj:
    container = {"name": "main", "image": f"registry.example/{name}:1", "securityContext": own}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space},
        "spec": {"containers": [container], "securityContext": shared},
    }


def heard_after(fraud: Fraud) -> tuple[int, int]:
    """How often the readiness probe of the pods asks (seconds), and how often it must fail: the slowest of them.

    The simulated nodes hear of it at once, so this is read from the pods, with the API server's defaults.
    """
    probes = [one.get("readinessProbe") or {} for pod in fraud.pods() for one in pod["spec"]["containers"]]
    pairs = [
        (int(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)) for probe in probes
    ]
    return max(pairs, key=lambda pair: pair[0] * pair[1])


def look_at_pod(fraud: Fraud, pod: Obj) -> None:
    """Fail unless a pod has a read-only root file system and no token of the API server."""
    found = Evidence("look at the pods that run")
    for one in pod["spec"]["containers"]:
        found.require(
            (one.get("securityContext") or {}).get("readOnlyRootFilesystem") is True,
            wanted="a read-only root file system",
            got=f"one that the container {one['name']} can write",
            hint="Nothing that breaks in can leave a program there.",
        )
    mounts = pod["spec"].get("automountServiceAccountToken")
    if mounts is None:
        name = pod["spec"].get("serviceAccountName", "default")
        mounts = fraud.cluster.get("ServiceAccount", fraud.env.space, name).get(
            "automountServiceAccountToken"
        )
    found.require(
        mounts is False,
        wanted="no token of the API server in the pod",
        got="a token is mounted",
        hint="The service never asks the API server. `kubectl explain pod.spec` has a field for it.",
    )


def look_at_settings(fraud: Fraud) -> None:
    env = fraud.env
    wanted = {**env.settings, "FEATURE_TIMEOUT_MS": "40", SECRET_VARIABLE: fraud.url}
    for pod in fraud.pods():
        seen = fraud.cluster.environment(pod)
        for name, value in wanted.items():
            Evidence(f"look at the environment of a process in {env.space}").require(
                seen.get(name) == value,
                wanted=f"{name}={'(the value in the Secret)' if name == SECRET_VARIABLE else value}",
                got="another value" if name in seen else "no such variable",
                hint="An overlay changes a generated ConfigMap with `behavior: merge`.",
            )
        asked = [(one.get("resources") or {}).get("requests") or {} for one in pod["spec"]["containers"]]
        cpu = sum(quantity(one.get("cpu", "0")) for one in asked)
        Evidence(f"look at the CPU that a pod in {env.space} asks for").require(
            cpu == quantity(env.cpu), wanted=env.cpu, got=f"{cpu * 1000:.0f}m",
            hint="The overlay patches what the base asks for.",
        )  # fmt: skip


def look_at_restart(fraud: Fraud) -> None:
    """Fail unless the pod `alone`, whose /healthz fails, is killed after 10 to 60 seconds."""
    found = Evidence("have /healthz of a pod that has started answer 500")
    ended: Obj = {}
    for _ in fraud.passing(300, 5):
        status = fraud.cluster.get("Pod", fraud.env.space, "alone")["status"]
        ended = ((status.get("containerStatuses") or [{}])[0].get("lastState") or {}).get("terminated") or {}
        if ended:
            break
    found.require(
        ended,
        wanted="a restart within a minute",
        got="it hangs for ever",
        hint="A process that neither ends nor works: who would notice? The liveness probe is for that.",
    )
    ran = objects.seconds(ended["finishedAt"]) - objects.seconds(ended["startedAt"])
    found.require(
        10 <= ran <= 60,
        wanted="a restart after 10 to 60 s",
        got=f"after {ran:.0f} s",
        hint="One slow answer is no death. periodSeconds × (failureThreshold − 1) is the time it takes.",
    )


def seconds_to_the_end(fraud: Fraud, name: str) -> float:
    """Delete a pod; how long until it is gone, to the second."""
    begin = fraud.cluster.now
    fraud.cluster.delete("Pod", fraud.env.space, name)
    while fraud.cluster.now < begin + 600:
        fraud.cluster.step(15)
        if not any(one["metadata"]["name"] == name for one in fraud.pods()):
            break
    return fraud.cluster.now - begin


def all_new(look: Look, before: set[str]) -> bool:
    return not before & {one["metadata"]["uid"] for one in look.pods}


def old_pods(fraud: Fraud, before: set[str]) -> str:
    old = len(before & {one["metadata"]["uid"] for one in fraud.pods()})
    return f"{old} pods of before still run, with the old value" if old else fraud.trouble()


# Traffic


def look_at_dips(course: Course, peak: int) -> None:
    found = Evidence(f"load it as much as {peak} pods can take, with two dips of 4 minutes to less than half")
    least = min(size for _, size in course.sizes)
    first = course.sizes[0][1]
    found.require(
        least >= first,
        wanted=f"{first} pods all the time",
        got=f"{least} at one moment",
        hint="A dip is no trend. The autoscaler can look back before it shrinks.",
    )
    most = max(size for _, size in course.sizes)
    found.require(most <= first + 2, wanted=f"{first} pods, or one or two more", got=f"{most}")


def look_at_the_end(course: Course, env: Environment) -> None:
    found = Evidence(
        "let the load fall to what 2 pods can take, for half an hour, then grow beyond every limit"
    )
    drop = course.biggest_drop(60)
    found.require(
        drop <= 2,
        wanted="at most 2 pods fewer within a minute",
        got=f"{drop} fewer",
        hint="A policy of `scaleDown` says how many may go, and in which time.",
    )
    low = course.between(1680, 1800)[-1]
    found.require(low == env.least, wanted=f"{env.least} pods after half an hour", got=str(low))
    high = course.sizes[-1][1]
    found.require(
        high == env.most, wanted=f"{env.most} pods after six minutes of too much load", got=str(high)
    )
