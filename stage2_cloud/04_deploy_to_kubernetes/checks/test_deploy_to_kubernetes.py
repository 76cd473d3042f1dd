"""The grader of deploy_to_kubernetes: it renders the overlays, applies them to a cluster of its own, and watches."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import kustomize
import leaks
import likeness
import pods
import submission
from cluster import Refused, Simulated
from connections import Inside
from fraud import (
    BOTH,
    HANGS_AFTER,
    LATE,
    LONGEST_REQUEST,
    LONGEST_START,
    PROD,
    REPOSITORY,
    STAGING,
    Fraud,
    draw_image,
)
from labs.checks import check
from labs.grading.evidence import Evidence
from watching import (
    alone,
    day,
    drain,
    fullest_node,
    grow,
    look_at_the_target,
    never_fewer,
    strict_spread,
    two_zones,
    uncordon,
    undo,
    watch,
    widen,
)

DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")


@pytest.fixture(scope="session")
def kept():
    """The files, as the check that others wait for has read them."""
    return {}


@pytest.fixture
def cluster(tmp_path):
    """A cluster of this check's own: three nodes, and nothing applied yet."""
    inside = Inside(tmp_path / "cluster")
    yield Simulated(inside)
    inside.close()


@pytest.fixture
def both(tmp_path, kept, rng):
    """The service in prod, then in staging, each to be deployed into a new cluster: the other is gone then."""

    def each():
        for env in (PROD, STAGING):
            inside = Inside(tmp_path / env.overlay)
            try:
                yield Fraud(Simulated(inside), kept["files"], env, rng)
            finally:
                inside.close()

    found = each()
    yield found
    found.close()


@pytest.fixture
def kubectl(services, work):
    """kubectl, at the local tier and where it is found."""
    return submission.Kubectl(services, work)


# The files


@check(points=2)
def keeps_secrets_out(work):
    """holds no secret value in its files"""
    for did, kind in leaks.secrets_in(submission.read(work)):
        Evidence(did).fail(
            wanted="no secret value, encoded or not",
            got=kind,
            hint="base64 hides nothing, and git forgets nothing. Refer to the Secret by name; another team makes it.",
        )


@check(points=2)
def renders_both_overlays(work, kept, kubectl):
    """renders the objects of the contract from both overlays, each in its own namespace"""
    files = submission.read(work)
    for env in BOTH:
        things = submission.rendered(files, env)
        submission.look_at(things, env)
        kubectl.renders_the_same(env, things)
    kept["files"] = files


@check(points=2, after=renders_both_overlays)
def is_accepted_by_the_server(kept, cluster, kubectl, real_cluster):
    """is accepted by the API server, strictly: kinds, versions and every field"""
    for env in BOTH:
        things = kustomize.build(kept["files"], env.folder)
        try:
            cluster.apply(things)
        except Refused as error:
            Evidence(f"kubectl apply --server-side -k {env.folder}").fail(
                wanted="every object is accepted",
                got=error.message,
                hint="`kubectl explain` shows every field of a kind, and `kubectl api-resources` the versions.",
            )
    kubectl.applies(BOTH)
    for env in BOTH:
        real_cluster.must_take(f"kubectl apply -k {env.folder}", kustomize.build(kept["files"], env.folder))


@check(points=1, after=renders_both_overlays)
def pins_its_image(kept):
    """names its image by repository and digest"""
    for env in BOTH:
        for thing in kustomize.build(kept["files"], env.folder):
            for container in kustomize.places.containers(thing):
                image = str(container.get("image"))
                found = Evidence(f"render {env.folder}")
                found.require(
                    DIGEST.fullmatch(image),
                    wanted="an image by digest: REPOSITORY@sha256:…",
                    got=image,
                    hint="A tag can move. Then a pod that is replaced at night runs other code than its neighbours.",
                )
                found.require(
                    image.partition("@")[0] == REPOSITORY,
                    wanted=f"an image of {REPOSITORY}",
                    got=f"one of {image.partition('@')[0]}",
                    hint="What staging has tried is what prod runs: the same repository in both.",
                )


@check(points=2, after=renders_both_overlays, when=is_accepted_by_the_server)
def keeps_the_environments_alike(kept):
    """differs between staging and prod only where the contract says so"""
    staging, prod = (likeness.reduced(kustomize.build(kept["files"], env.folder), env) for env in BOTH)
    where = likeness.difference(staging, prod)
    Evidence("compare what staging and prod render").require(
        where is None,
        wanted="the same, but for what the contract names",
        got=f"a difference at {where}",
        hint="What is true everywhere belongs into the base. What staging lacks, staging cannot test.",
    )


# In the cluster


@check(
    points=3, after=renders_both_overlays, when=(keeps_secrets_out, is_accepted_by_the_server, pins_its_image)
)
def serves_on_every_pod(both, rng):
    """has all its pods in the Service, and no other, also after the slowest start"""
    for fraud in both:
        env = fraud.env
        fraud.prepare()
        fraud.cluster.create(pods.other_pod(env.space))
        image = fraud.know(draw_image(rng, start_seconds=LONGEST_START))
        fraud.apply(image)
        fraud.settle(image, env.least)
        found = Evidence(f"apply {env.folder}, with a process that listens {LONGEST_START} s after its start")
        ports = fraud.cluster.get("Service", env.space, "fraud")["spec"]["ports"]
        found.require(
            80 in [one["port"] for one in ports], wanted="port 80 of the Service", got="no such port"
        )
        found.require(
            len(fraud.endpoints()) == env.least,
            wanted=f"{env.least} endpoints, the pods of the Deployment",
            got=f"{len(fraud.endpoints())}: another pod of the namespace is among them",
            hint="What else has the labels of the Service's selector?",
        )
        found.require(
            fraud.restarts() == 0,
            wanted="no restart",
            got=f"{fraud.restarts()} restarts: {fraud.trouble()}",
            hint="A startup probe holds the liveness probe back until the process listens.",
        )
        fraud.cluster.delete("Pod", env.space, fraud.any_pod())
        fraud.settle(image, env.least)


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def enforces_pod_security(both):
    """refuses pods in its namespaces that do not keep the restricted standard, and keeps more than it demands"""
    for fraud in both:
        fraud.begin()
        try:
            fraud.cluster.create(pods.root_pod(fraud.env.space))
        except Refused as error:
            refused = error.code == 403
        else:
            refused = False
        Evidence(f"create a pod without a securityContext in {fraud.env.space}").require(
            refused,
            wanted="it is refused",
            got="it is accepted, and runs as whom its image says: root",
            hint="A label of the namespace says which standard is enforced there.",
        )
        for pod in fraud.pods():
            pods.look_at_pod(fraud, pod)


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def gives_the_process_its_settings(both, rng):
    """gives the process its settings and its secret, and does not start without them"""
    for fraud in both:
        fraud.prepare(secret=False)
        image = fraud.know(draw_image(rng))
        fraud.apply(image)
        fraud.cluster.wait(180)
        Evidence(f"apply {fraud.env.folder} before the Secret is there").require(
            not fraud.endpoints() and not any(pod["status"]["phase"] == "Running" for pod in fraud.pods()),
            wanted="pods that wait for their Secret",
            got="pods that run without it",
            hint="Refer to the key of the Secret, and do not make it optional.",
        )
        fraud.give_secret()
        fraud.settle(image, fraud.env.least)
        pods.look_at_settings(fraud)


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def survives_a_slow_dependency(both):
    """keeps every pod serving while the feature store does not answer"""
    hint = "Which route asks the feature store? No probe may. What all pods share must not decide about each of them."
    for fraud in both:
        least = fraud.env.least
        image = fraud.begin()
        fraud.know(image.answering(features=503))
        did = "have the feature store fail for ten minutes"
        for _ in fraud.passing(600, 60):
            found = fraud.found(did)
            found.require(fraud.restarts() == 0, wanted="no restart", got="containers are killed", hint=hint)
            found.require(
                fraud.serving() == least,
                wanted=f"{least} endpoints: the service has rules for payments without features",
                got=f"{fraud.serving()} endpoints",
                hint=hint,
            )
        fraud.cluster.delete("Pod", fraud.env.space, fraud.any_pod())
        fraud.found(f"{did}, and lose a pod").require(
            fraud.until(lambda: fraud.done(image, least), 600, 15),  # noqa: B023
            wanted="a new pod that serves",
            got=fraud.trouble(),
            hint=hint,
        )


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def tells_ready_from_alive(both):
    """takes a pod that is not ready out of the Service without a restart"""
    for fraud in both:
        image = fraud.begin()
        pods.look_at_probes(fraud)
        fraud.know(image.answering(ready_=503))
        found = fraud.found("have /readyz answer 503 and /healthz 200, for ten minutes")
        found.require(
            fraud.until(lambda: not fraud.endpoints(), 60),  # noqa: B023
            wanted="no requests to these pods, within a minute",
            got=f"{len(fraud.endpoints())} ready endpoints",
            hint="The readiness probe asks for what its name says.",
        )
        pods.look_at_readiness(fraud)
        fraud.cluster.wait(600)
        found.require(
            fraud.restarts() == 0,
            wanted="no restart: the processes live",
            got="containers are killed",
            hint="A restart does not help a process that waits. Which probe kills, and what does it ask?",
        )


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def restarts_a_process_that_hangs(both, rng):
    """restarts a process whose /healthz fails or does not answer, in time and not at once"""
    for fraud in both:
        image = fraud.begin(hangs_after=HANGS_AFTER)
        pods.look_at_silence(fraud, image)
        hanging = fraud.know(replace(draw_image(rng, start_seconds=0)).answering(alive=500))
        fraud.put([alone(fraud, hanging)])
        pods.look_at_restart(fraud)


# Change


@check(points=4, after=renders_both_overlays, when=serves_on_every_pod)
def releases_without_downtime(both, rng):
    """never has fewer endpoints that answer during a release than before it"""
    for fraud in both:
        least = fraud.env.least
        fraud.begin()
        image = fraud.know(draw_image(rng, start_seconds=LONGEST_START, pull_seconds=60))
        fraud.apply(image)
        seen = watch(fraud, lambda look: fraud.done(image, least, look), 1800)  # noqa: B023
        did = f"release an image that is pulled in 60 s and listens {LONGEST_START} s after its start"
        never_fewer(fraud, seen, did, least)
        fraud.found(did).require(
            seen.gave_up is None,
            wanted="a rollout that goes on",
            got="ProgressDeadlineExceeded, although it went well",
            hint="Pull and start take two and a half minutes, for each pod.",
        )
        fraud.found(did).require(seen.seconds, wanted="its end within 30 minutes", got=fraud.trouble())


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def lets_pods_finish(both):
    """sends SIGTERM only when nobody sends requests any more, and SIGKILL to nobody who still works"""
    for fraud in both:
        image = fraud.begin(stop_seconds=1)
        before = pods.seconds_to_the_end(fraud, fraud.any_pod()) - 1
        fraud.found("delete a pod, and watch when its process gets SIGTERM").require(
            before >= LATE,
            wanted=f"SIGTERM at least {LATE} s after the pod began to leave",
            got=f"SIGTERM after {before:.0f} s",
            hint="Load balancers hear of it late. A preStop hook that sleeps gives them the time.",
        )
        fraud.settle(image, fraud.env.least)
        fraud.know(replace(image, stop_seconds=LONGEST_REQUEST))
        last = pods.seconds_to_the_end(fraud, fraud.any_pod())
        fraud.found(
            f"delete a pod whose process needs {LONGEST_REQUEST} s after SIGTERM for its last requests"
        ).require(
            last >= before + LONGEST_REQUEST - 1,  # the measurement is good to a second
            wanted=f"{LONGEST_REQUEST} s after SIGTERM",
            got=f"killed after {last - before:.0f} s",
            hint="terminationGracePeriodSeconds begins with the preStop hook, not after it.",
        )


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def survives_a_broken_release(both, rng):
    """keeps serving when a release never becomes ready, and says so in time"""
    for fraud in both:
        fraud.begin()
        fraud.apply(fraud.know(draw_image(rng, ready=False)))
        seen = watch(fraud, lambda look: False, 900, 30)
        did = "release an image that never becomes ready, and wait 15 minutes"
        never_fewer(fraud, seen, did, fraud.env.least)
        fraud.found(did).require(
            seen.gave_up is not None and seen.gave_up <= 720,
            wanted="ProgressDeadlineExceeded within 12 minutes",
            got="a rollout that waits and says nothing",
            hint="The Deployment has a deadline for progress.",
        )


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def goes_back_with_one_command(both, rng):
    """goes back to the release before with one command, without downtime"""
    for fraud in both:
        least = fraud.env.least
        good = fraud.begin()
        wrong = fraud.know(draw_image(rng))
        fraud.apply(wrong)
        fraud.settle(wrong, least, 1800)
        did = f"kubectl -n {fraud.env.space} rollout undo deployment/fraud"
        Evidence(did).require(
            undo(fraud),
            wanted="the release before it",
            got="no rollout history: there is nothing to go back to",
            hint="The Deployment keeps old ReplicaSets, as many as it is told to.",
        )
        seen = watch(fraud, lambda look: fraud.done(good, least, look), 1800)  # noqa: B023
        never_fewer(fraud, seen, did, least)
        Evidence(did).require(
            seen.seconds, wanted="the old release alone, within 30 minutes", got=fraud.trouble()
        )


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def rolls_when_its_settings_change(both, rng):
    """replaces its pods, without downtime, when a line of fraud.env changes"""
    value = str(int(rng.integers(41, 400)))
    did = f"set FEATURE_TIMEOUT_MS={value} in k8s/base/fraud.env, and apply"
    for fraud in both:
        least = fraud.env.least
        image = fraud.begin()
        before = {one["metadata"]["uid"] for one in fraud.pods()}
        fraud.apply(image, submission.with_setting(fraud.files, "FEATURE_TIMEOUT_MS", value))
        seen = watch(
            fraud,
            lambda look: fraud.done(image, least, look) and pods.all_new(look, before),  # noqa: B023
            1800,
        )
        never_fewer(fraud, seen, did, least)
        fraud.found(did).require(
            seen.seconds,
            wanted="new pods with the new value, all of them, within 30 minutes",
            got=pods.old_pods(fraud, before),
            hint="A process reads its environment once. The pod template must change when the settings do.",
        )
        values = {fraud.cluster.environment(one).get("FEATURE_TIMEOUT_MS") for one in fraud.pods()}
        fraud.found(did).require(
            values == {value}, wanted=value, got=", ".join(map(str, sorted(values, key=str)))
        )


@check(points=4, after=renders_both_overlays, when=serves_on_every_pod)
def lets_a_node_drain(both, rng):
    """lets every node drain, at any size, and loses one pod at a time at most"""
    for fraud in both:
        size = fraud.env.least
        fraud.begin()
        for _ in range(2):
            node = fullest_node(fraud, rng)
            seen, stay = drain(fraud, node)
            did = f"kubectl drain, while {size} pods serve"
            fraud.found(did).require(
                seen.fewest >= size - 1,
                wanted=f"at least {size - 1} endpoints that answer, at every moment",
                got=f"{seen.fewest} at the worst moment",
                hint=f"Evictions ask the disruption budget. Which pods does it count? Is it right at {size} pods?",
            )
            fraud.found(did).require(
                not stay,
                wanted="an empty node within 20 minutes",
                got=f"{stay} pods that may not be evicted",
                hint="A budget that allows no disruption stops every upgrade of the cluster.",
            )
            fraud.found(did).require(
                fraud.until(lambda: fraud.serving() >= size, 600, 15),  # noqa: B023
                wanted="as many pods as before, on the other nodes",
                got=fraud.trouble(),
                hint="A wish where pods go may be broken while a node is away. A condition may not.",
            )
            uncordon(fraud, node)
            if size == fraud.env.least:
                size = widen(fraud, 2 * size)


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def spreads_over_the_zones(both, rng):
    """wants its pods in different zones"""
    for fraud in both:
        zones = two_zones(fraud, rng)
        fraud.prepare()
        image = fraud.know(draw_image(rng))
        fraud.put(strict_spread(fraud.render(image)))
        fraud.until(lambda: fraud.done(image, fraud.env.least), 300, 15)  # noqa: B023
        counts = dict.fromkeys(sorted(set(zones.values())), 0)
        for pod in fraud.pods():
            if pod["spec"].get("nodeName"):
                counts[zones[pod["spec"]["nodeName"]]] += 1
        told = ", ".join(f"{count} in {zone}" for zone, count in counts.items())
        did = "give two of the three nodes one zone, and take every wish about places for a condition"
        fraud.found(did).require(
            min(counts.values()) >= 1 and max(counts.values()) - min(counts.values()) <= 1,
            wanted="at most one pod more in one zone than in the other",
            got=told,
            hint="A constraint counts the pods that its own labelSelector selects, for each value of its topologyKey.",
        )


# Load


@check(points=4, after=renders_both_overlays, when=serves_on_every_pod)
def follows_the_traffic(both, rng):
    """aims at 60 %, grows within minutes, does not flap, and shrinks late and slowly"""
    for fraud in both:
        env = fraud.env
        fraud.begin()
        look_at_the_target(fraud)
        peak = int(rng.integers(8, 11)) if env is PROD else env.most
        grow(fraud, peak)
        dip = float(rng.uniform(0.3, 0.5)) * peak
        course = day(fraud, [(2, peak), (4, dip), (3, peak), (4, dip), (3, peak)], 30)
        pods.look_at_dips(fraud, course, peak)
        pods.look_at_the_end(fraud, day(fraud, [(30, env.least / 2)]), day(fraud, [(15, 40)], 60))


@check(points=3, after=renders_both_overlays, when=serves_on_every_pod)
def keeps_its_size_through_a_release(both, rng):
    """keeps, through a release at the peak, the size that the autoscaler chose"""
    for fraud in both:
        fraud.begin()
        size = grow(fraud, fraud.env.most)
        image = fraud.know(draw_image(rng))
        fraud.apply(image)
        seen = watch(
            fraud,
            lambda look: look.serving >= size and fraud.done(image, len(look.pods), look),  # noqa: B023
            3600,
        )
        did = f"release while the load needs {size} pods"
        fraud.found(did).require(
            seen.fewest >= size,
            wanted=f"{size} endpoints that answer, at every moment",
            got=f"{seen.fewest} at the worst moment",
            hint=pods.fewer_at_the_peak(seen, size),
        )
        fraud.found(did).require(seen.seconds, wanted="its end within an hour", got=fraud.trouble())


@check(points=2, after=renders_both_overlays, when=serves_on_every_pod)
def bounds_its_memory(both):
    """has the memory that it needs, promised, and is killed alone when it takes more"""
    for fraud in both:
        image = fraud.begin()
        pods.look_at_memory_request(fraud)
        fraud.know(replace(image, memory="1200Mi"))
        fraud.cluster.wait(60)
        states = [one for pod in fraud.pods() for one in pod["status"]["containerStatuses"]]
        ended = [(one.get("lastState") or {}).get("terminated", {}).get("reason") for one in states]
        fraud.found("have the process take 1200 MiB").require(
            ended and all(reason == "OOMKilled" for reason in ended),
            wanted="OOMKilled: the container alone",
            got="it goes on, and the node runs out of memory",
            hint="Without a limit the kernel chooses whom it kills on this node. It may be somebody else.",
        )
