"""What the checks ask of the story: what each release did to the cluster, and when."""

from __future__ import annotations

import base64
from typing import Any

import company
from company import PROD, STAGING
from labs.grading.evidence import Evidence
from labs.services.kubernetes import objects
from manifests import Obj
from story import BIG, Story

LATEST_VERDICT = 300
"""Seconds after which a release whose model is wrong must have failed."""
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
                got=_told(name, got, story),
                hint="A process reads its environment once, when it starts. What makes the pods new?",
            )
        image = pod["spec"]["containers"][0]["image"]
        right = image == f"{company.REPOSITORY}@{story.digests[wanted or key]}"
        Evidence(did).require(
            right, wanted="the image of that release in every pod that serves", got="another image"
        )


def _told(name: str, got: dict[str, Any], story: Story) -> str:
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


def _verdicts(story: Story, key: str, kind: str) -> list[Obj]:
    """The first events in which Jobs of a step are Complete, or Failed."""
    found: dict[str, Obj] = {}
    for event in story.events(key, "jobs", STAGING.space):
        conditions = (event["object"].get("status") or {}).get("conditions") or []
        if event["type"] != "DELETED" and any(
            one["type"] == kind and one["status"] == "True" for one in conditions
        ):
            found.setdefault(event["object"]["metadata"]["uid"], event)
    return list(found.values())


def checks_the_model_first(story: Story) -> None:
    for key, did in (("first", FIRST), ("second", SECOND)):
        story.succeeded(key, did)
        done = [
            int(one["object"]["metadata"]["resourceVersion"]) for one in _verdicts(story, key, "Complete")
        ]
        seen = Evidence(did)
        seen.require(
            done,
            wanted="a Job that checks the model, and completes",
            got="none",
            hint="A hook is an object with an annotation that says before what it is made.",
        )
        begun = [int(one["object"]["metadata"]["resourceVersion"]) for one in story.new_servers(key)]
        seen.require(
            not begun or max(done) < min(begun),
            wanted="no new pod that serves before the model was checked",
            got="new pods before the Job was complete",
            hint="Which hooks come before the objects of the release?",
        )
        for pod in [one for one in story.events(key, "pods", STAGING.space) if _of_a_job(one)]:
            got = story.environment(pod["object"])
            for name, text in story.wanted[key].items():
                seen.require(
                    not got or got.get(name) == text,
                    wanted=f"{name} of the new release in the process of the Job",
                    got=_told(name, got, story),
                    hint="Before the upgrade, the release's own objects are still those of the old one.",
                )
            container = pod["object"]["spec"]["containers"][0]
            words = [*(container.get("command") or []), *(container.get("args") or [])]
            seen.require(
                "check-model" in words, wanted="a process with the argument check-model", got=" ".join(words)
            )
            image = container["image"]
            right = image == f"{company.REPOSITORY}@{story.digests[key]}"
            seen.require(right, wanted="a Job that runs the image of the new release", got="another image")


def _of_a_job(event: Obj) -> bool:
    owners = event["object"]["metadata"].get("ownerReferences") or [{}]
    return event["type"] == "MODIFIED" and owners[0].get("kind") == "Job"


def holds_when_the_check_fails(story: Story) -> None:
    answer, seen = story.at["third"], Evidence(THIRD)
    status = (answer.get("status") or {}).get("status")
    seen.require(
        "error" in answer and status == "failed",
        wanted="a release with the status failed",
        got=f"the status {status}",
        hint="A Job that is none of Helm's hooks is made, and nobody waits for it.",
    )
    made = len(story.new_servers("third"))
    seen.require(
        made == 0,
        wanted="no new pod",
        got=f"{made} new pods",
        hint="The check comes first, or it checks nothing.",
    )
    before, after = ({one["metadata"]["uid"] for one in story.ready(key)} for key in ("second", "third"))
    seen.require(
        before == after,
        wanted="the old pods, all of them ready",
        got=f"{len(before & after)} of {len(before)}",
    )
    for event in _verdicts(story, "third", "Failed"):
        thing = event["object"]
        ended = next(
            one["lastTransitionTime"] for one in thing["status"]["conditions"] if one["type"] == "Failed"
        )
        passed = objects.seconds(ended) - objects.seconds(thing["metadata"]["creationTimestamp"])
        seen.require(
            passed <= LATEST_VERDICT,
            wanted=f"a verdict within {LATEST_VERDICT} s",
            got="a Job that tries again for longer than that",
            hint="A signature that is wrong is wrong the second time as well. What does a Job do by default?",
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
        Evidence(did).require(
            not left,
            wanted="what was there before the first install",
            got=f"{len(left)} {kind} more",
            hint="Helm forgets the objects of hooks, unless a policy says when they go.",
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
