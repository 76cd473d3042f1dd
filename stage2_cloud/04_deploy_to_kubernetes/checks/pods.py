"""Pods that the grader makes, and what it looks at in those that run."""

from __future__ import annotations

from cluster import Obj
from fraud import SECRET_VARIABLE, SILENT, USER, Fraud, Image, Look
from labs.services.kubernetes import objects
from labs.services.kubernetes.quantities import quantity
from watching import Course, Watch


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


def look_at_probes(fraud: Fraud) -> None:
    """Fail unless each probe of the pods asks over HTTP. What a command proves, nobody outside of the image knows."""
    for pod in fraud.pods():
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = pod["spec"]["containers"][0].get(kind) or {}
            fraud.found("look at the probes of the pods").require(
                not probe or "httpGet" in probe,
                wanted=f"a {kind} that asks over HTTP: `httpGet`",
                got=", ".join(sorted({"exec", "grpc", "tcpSocket"} & set(probe))),
                hint="The contract names what the image answers: three routes. It promises no command and no file.",
            )


def look_at_readiness(fraud: Fraud) -> None:
    """Fail unless the readiness probe ends requests to a pod in time.

    The simulated nodes hear of it at once, so this is reckoned from the pods, with the API server's defaults.
    """
    for pod in fraud.pods():
        probe = pod["spec"]["containers"][0].get("readinessProbe") or {}
        every, times = int(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
        wait = int(probe.get("timeoutSeconds") or 1)
        fraud.found("have /readyz answer 503 and /healthz 200, for ten minutes").require(
            every * times <= 60,
            wanted="no requests to these pods, within a minute",
            got=f"a probe every {every} s that must fail {times} times",
            hint="A process that fails right after a probe is asked again a whole period later.",
        )
        after = every + (times - 1) * max(every, wait) + wait
        fraud.found("have /readyz accept requests and never answer, while /healthz answers 200").require(
            after <= SILENT,
            wanted=f"no requests to these pods, within {SILENT} s",
            got=f"{after} s: a probe every {every} s that waits {wait} s for its answer and must fail {times} times",
            hint="For how long does a probe wait for an answer? The next one begins when it has ended.",
        )


def look_at_silence(fraud: Fraud, image: Image) -> None:
    """Fail unless the pods of an image that falls silent after a while are killed in time, once they are."""
    assert image.hangs_after is not None
    probe = fraud.pods()[0]["spec"]["containers"][0].get("livenessProbe") or {}
    period, delay = int(probe.get("periodSeconds") or 10), int(probe.get("initialDelaySeconds") or 0)
    until_asked = (delay - image.hangs_after) % period
    found = fraud.found(
        f"have the processes accept requests and never answer, from {image.hangs_after} s after their start"
    )
    ended: list[Obj] = []
    for _ in fraud.passing(image.hangs_after + 900, 5):
        states = [one for pod in fraud.pods() for one in pod["status"].get("containerStatuses") or []]
        ended = [end for one in states if (end := (one.get("lastState") or {}).get("terminated"))]
        if ended:
            break
    found.require(
        ended,
        wanted=f"a restart within {SILENT} s of the first probe without an answer",
        got="none for a quarter of an hour",
        hint="A process that neither ends nor works: who would notice? The liveness probe is for that.",
    )
    after = (
        objects.seconds(ended[0]["finishedAt"]) - objects.seconds(ended[0]["startedAt"]) - image.hangs_after
    )
    found.require(
        after <= until_asked + SILENT,
        wanted=f"a restart within {SILENT} s of the first probe without an answer",
        got=f"after {after - until_asked:.0f} s",
        hint="When does this probe first look, how long does it wait for an answer, and how often must it fail?",
    )


def look_at_pod(fraud: Fraud, pod: Obj) -> None:
    """Fail unless a pod has its user, a read-only root file system and no token of the API server."""
    found = fraud.found("look at the pods that run")
    for one in pod["spec"]["containers"]:
        own, shared = one.get("securityContext") or {}, pod["spec"].get("securityContext") or {}
        user = own.get("runAsUser", shared.get("runAsUser", USER))  # else the image says: it is this one
        found.require(
            user == USER,
            wanted=f"processes of the user {USER}, whom the image is made for",
            got=f"of the user {user}",
            hint="What may another user read in this image? Say nothing about the user, or the same as the image.",
        )
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
    for volume in pod["spec"].get("volumes") or []:
        sources = (volume.get("projected") or {}).get("sources") or []
        found.require(
            not any("serviceAccountToken" in one for one in sources),
            wanted="no token of the API server in the pod",
            got=f"the volume {volume['name']} is one",
            hint="A projected volume brings a token as well as the automatic one does.",
        )


def look_at_settings(fraud: Fraud) -> None:
    env = fraud.env
    wanted = {**env.settings, "FEATURE_TIMEOUT_MS": "40", SECRET_VARIABLE: fraud.url}
    for pod in fraud.pods():
        seen = fraud.cluster.environment(pod)
        for name, value in wanted.items():
            fraud.found("look at the environment of a process").require(
                seen.get(name) == value,
                wanted=f"{name}={'(the value in the Secret)' if name == SECRET_VARIABLE else value}",
                got="another value" if name in seen else "no such variable",
                hint="An overlay changes a generated ConfigMap with `behavior: merge`.",
            )
        asked = [(one.get("resources") or {}).get("requests") or {} for one in pod["spec"]["containers"]]
        cpu = sum(quantity(one.get("cpu", "0")) for one in asked)
        fraud.found("look at the CPU that a pod asks for").require(
            cpu == quantity(env.cpu), wanted=env.cpu, got=f"{cpu * 1000:.0f}m",
            hint="The overlay patches what the base asks for.",
        )  # fmt: skip


def look_at_restart(fraud: Fraud) -> None:
    """Fail unless the pod `alone`, whose /healthz fails, is killed after 10 to 60 seconds."""
    found = fraud.found("have /healthz of a pod that has started answer 500")
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


def look_at_memory_request(fraud: Fraud) -> None:
    for pod in fraud.pods():
        for one in pod["spec"]["containers"]:
            asked = ((one.get("resources") or {}).get("requests") or {}).get("memory", "0")
            fraud.found(f"look at the memory request of the container {one['name']}").require(
                quantity(asked) == quantity("1Gi"), wanted="1Gi", got=str(asked),
                hint="The scheduler counts requests only. Without one, a node promises its memory to too many.",
            )  # fmt: skip


def fewer_at_the_peak(seen: Watch, size: int) -> str:
    """A hint: whether the Deployment was made smaller, or its rollout took pods away."""
    if seen.smallest < size:
        return "Two write the same field: the autoscaler, and every apply that holds a number of replicas."
    return f"How many pods may be missing at {size}? A percentage of maxUnavailable is another number there."


def all_new(look: Look, before: set[str]) -> bool:
    return not before & {one["metadata"]["uid"] for one in look.pods}


def old_pods(fraud: Fraud, before: set[str]) -> str:
    old = len(before & {one["metadata"]["uid"] for one in fraud.pods()})
    return f"{old} pods of before still run, with the old value" if old else fraud.trouble()


# Traffic


def look_at_dips(fraud: Fraud, course: Course, peak: int) -> None:
    found = fraud.found(
        f"load it as much as {peak} pods can take, with two dips of 4 minutes to less than half"
    )
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


def look_at_the_end(fraud: Fraud, falling: Course, rising: Course) -> None:
    env = fraud.env
    found = fraud.found(f"let the load fall to half of what {env.least} pods can take, for half an hour")
    drop = falling.biggest_drop(60)
    found.require(
        drop <= 2,
        wanted="at most 2 pods fewer within any minute",
        got=f"{drop} fewer",
        hint="A policy of `scaleDown` says how many may go, and in which time.",
    )
    low = falling.sizes[-1][1]
    found.require(low == env.least, wanted=f"{env.least} pods after half an hour", got=str(low))
    high = rising.sizes[-1][1]
    fraud.found("then load it beyond every limit").require(
        high == env.most,
        wanted=f"{env.most} pods after 15 minutes of too much load",
        got=str(high),
        hint="The table of the contract says how many pods each overlay may have.",
    )
