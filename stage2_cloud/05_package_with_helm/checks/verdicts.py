"""What the checks ask of the model check: when its Job runs, what it finds, and how a release fails with it."""

from __future__ import annotations

import company
from company import STAGING
from labs.grading.evidence import Evidence
from labs.services.kubernetes import objects
from manifests import Obj
from releases import FIRST, SECOND, THIRD, told
from story import Story

LATEST_VERDICT = 300
"""Seconds after which a release whose model is wrong must have failed."""
ABSENT = "helm upgrade to an image that is not in the registry"


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
            hint="A hook is an object with an annotation that says before what it is made. An install is no upgrade.",
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
                    got=told(name, got, story),
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
        seen.require(
            _seconds(event["object"]) <= LATEST_VERDICT,
            wanted=f"a verdict within {LATEST_VERDICT} s",
            got="a Job that tries again for longer than that",
            hint="A signature that is wrong is wrong the second time as well. What does a Job do by default?",
        )
    gives_up(story, "absent", ABSENT)


def gives_up(story: Story, key: str, did: str) -> None:
    """A check that comes to no end by itself is ended in time, and the old pods go on."""
    status, seen = (story.at[key].get("status") or {}).get("status"), Evidence(did)
    seen.require(status == "failed", wanted="a release with the status failed", got=f"the status {status}")
    made = len(story.new_servers(key))
    seen.require(made == 0, wanted="no new pod", got=f"{made} new pods")
    begun = {
        one["object"]["metadata"]["uid"]
        for one in story.events(key, "jobs", STAGING.space)
        if one["type"] == "ADDED"
    }
    over = {
        one["object"]["metadata"]["uid"]: _seconds(one["object"]) for one in _verdicts(story, key, "Failed")
    }
    late = [one for one in begun if over.get(one, LATEST_VERDICT + 1) > LATEST_VERDICT]
    seen.require(
        not late,
        wanted=f"a Job that is over within {LATEST_VERDICT} s",
        got="a Job that was still active then",
        hint="Nothing fails here that could be counted. What else can end a Job?",
    )


def _seconds(job: Obj) -> float:
    """Seconds of the cluster from the making of a Job until it had failed."""
    ended = next(one["lastTransitionTime"] for one in job["status"]["conditions"] if one["type"] == "Failed")
    return objects.seconds(ended) - objects.seconds(job["metadata"]["creationTimestamp"])
