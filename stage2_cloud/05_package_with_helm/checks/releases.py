"""What the checks ask of the story: what each release did to the cluster, and when."""

from __future__ import annotations

import base64
from typing import Any

import company
from company import PROD, STAGING
from labs.grading.evidence import Evidence
from manifests import Obj
from story import BIG, Story

POLICY = "helm.sh/resource-policy"
INSTALL = "helm install in {0}, with environments/{1}.yaml and a digest"
FIRST, PRODS = INSTALL.format(STAGING.space, "staging"), INSTALL.format(PROD.space, "prod")
SECOND = "helm upgrade with other settings"
THIRD = "helm upgrade to an image whose model check fails"


def installs(story: Story) -> None:
    for key, env, did in (("first", STAGING, FIRST), ("prod", PROD, PRODS)):
        story.succeeded(key, did)
        ready = len(story.ready(key))
        told = "; ".join([str(ready), *_trouble(story.at[key]["left"])])
        Evidence(f"{did}, and wait ten minutes").require(
            ready == env.least,
            wanted=f"{env.least} pods that are ready",
            got=told,
            hint="`kubectl describe` the ReplicaSet, then a pod.",
        )
        wants(story, key, did)
        reachable(story, key, env.least, did)
        leak(story, key, did)


def wants(story: Story, key: str, did: str, wanted: str = "") -> None:
    """Every pod that serves has the settings of a release, and its image."""
    values = story.wanted[wanted or key]
    for pod in story.servers(key):
        got = story.environment(pod)
        for name, text in values.items():
            Evidence(did).require(
                got.get(name) == text,
                wanted=f"{name} of that release in every pod that serves",
                got=told(name, got, story),
                hint="A process reads its environment once, when it starts. What makes the pods new?",
            )
        image = pod["spec"]["containers"][0]["image"]
        right = image == f"{company.REPOSITORY}@{story.digests[wanted or key]}"
        Evidence(did).require(
            right, wanted="the image of that release in every pod that serves", got="another image"
        )


def told(name: str, got: dict[str, Any], story: Story) -> str:
    if name not in got:
        return f"no {name}"
    of = [key for key, values in story.wanted.items() if values.get(name) == got[name]]
    return f"{name} of another release" if of else f"{name} with another value"


def reachable(story: Story, key: str, least: int, did: str) -> None:
    """The Service leads to all pods, at the port on which the process listens."""
    found = [
        (len(part.get("addresses") or []), port.get("port"))
        for one in story.at[key]["left"]["endpoints"]
        for part in one.get("subsets") or []
        for port in part.get("ports") or []
    ]
    Evidence(did).require(
        found == [(least, 8080)],
        wanted=f"a Service that leads to {least} pods at port 8080",
        got="; ".join(f"{count} pods at port {port}" for count, port in found) or "nothing behind it",
        hint="`targetPort` is a port of the container. `kubectl get endpoints` shows who is behind a Service.",
    )


def leak(story: Story, key: str, did: str) -> None:
    Evidence(f"{did}, and read the stored release, its notes and its ConfigMaps").require(
        not any(one in story.stored(key) for one in _forms(story.secret)),
        wanted="no value of the Secret",
        got="the value of the Secret",
        hint="`lookup` reads what is in the cluster, and what a template prints is stored with the release.",
    )


def _forms(text: str) -> list[str]:
    return [text, base64.b64encode(text.encode()).decode()]


def upgrades_again(story: Story) -> None:
    did = "helm upgrade with the same chart and the same values"
    story.succeeded("same", did)
    made = story.new_servers("same")
    Evidence(did).require(
        not made,
        wanted="no new pod",
        got=f"{len(made)} new pods",
        hint="Something in the pod template is another one at every rendering.",
    )
    early, late = (story.at[key].get("text") for key in ("render early", "render late"))
    Evidence("helm template twice, with seconds in between").require(
        early is not None and early == late,
        wanted="the same bytes",
        got="other bytes",
        hint="Values decide what a chart becomes: no clock, no dice, nothing that is looked up.",
    )
    live = story.at["render live"]
    Evidence(
        "render the chart with a connection to the cluster, where its release has 9 pods, and without"
    ).require(
        "error" not in live and live.get("alike"),
        wanted="the same bytes",
        got="other bytes: a template looks at the cluster",
        hint="What renders on your machine is what a review sees. Which of your templates asks the cluster?",
    )


def rolls(story: Story) -> None:
    story.succeeded("second", SECOND)
    made = len(story.new_servers("second"))
    Evidence(SECOND).require(
        made > 0,
        wanted="new pods",
        got="the old ones, with the old settings",
        hint="A Deployment replaces its pods when their template changes, and only then.",
    )
    wants(story, "second", SECOND)
    for key, what in (("fourth", "another model.version"), ("busy", "another logLevel")):
        did = f"helm upgrade with {what}, and nothing else that is new"
        if "error" not in story.at[key]:
            wants(story, key, did)


def takes_a_new_version(story: Story) -> None:
    story.succeeded("beside", "helm install a second time in fraud-staging, under another name")
    story.succeeded("version", "helm upgrade to the chart in version 1.4.0+ci.77, appVersion 2026.10")
    left = len(story.ready("version", story.beside))
    Evidence("and wait ten minutes").require(left >= 1, wanted="pods that serve", got=str(left))


def keeps_the_size(story: Story) -> None:
    did = f"have the autoscaler set {BIG} pods in fraud-prod, then helm upgrade with another logLevel"
    story.succeeded("busy", did)
    sizes = [
        one["object"]["spec"].get("replicas", 1) for one in story.events("busy", "deployments", PROD.space)
    ]
    least = min(sizes, default=BIG)
    Evidence(did).require(
        least >= BIG,
        wanted=f"{BIG} pods at every moment",
        got=f"{least} at the worst moment",
        hint="Two write one field. Which of them should not mention it?",
    )


def goes_on_afterwards(story: Story) -> None:
    did = f"{THIRD}, and then one with another model.version whose check goes well"
    story.succeeded("fourth", did)
    wants(story, "fourth", did)


def rolls_back(story: Story) -> None:
    did = "helm rollback to the release before the last that went well"
    story.succeeded("back", did)
    wants(story, "back", did, "second")


def leaves_nothing(story: Story) -> None:
    did = "helm uninstall both releases in fraud-staging"
    for key in ("remove beside", "remove"):
        story.succeeded(key, did)
    before, after = story.at["before"]["left"], story.at["remove"]["left"]
    for kind, items in after.items():
        there = {one["metadata"]["name"] for one in before[kind]}
        left = [one for one in items if one["metadata"]["name"] not in there]
        kept = any(POLICY in (one["metadata"].get("annotations") or {}) for one in left)
        hint = "Helm forgets the objects of hooks, unless a policy says when they go."
        Evidence(did).require(
            not left,
            wanted="what was there before the first install",
            got=f"{len(left)} {kind} more",
            hint=f"`{POLICY}` asks Helm to leave an object. Who takes it away then?" if kept else hint,
        )


def _trouble(left: Obj) -> list[str]:
    """Why pods do not come or do not start, without their names."""
    found = []
    for one in left["replicasets"]:
        for condition in one["status"].get("conditions") or []:
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                found.append(condition.get("message", "").partition("forbidden: ")[2][:200])
    for pod in left["pods"]:
        for state in pod["status"].get("containerStatuses") or []:
            waiting = state["state"].get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "CrashLoopBackOff"):
                found.append(f"{waiting['reason']}: {waiting.get('message', '')}"[:200])
    return found[:1]
