"""A month of releases in a cluster of its own, played once by the real Helm. The checks read what happened in it.

The order of things is told by resource versions: they rise with each write to the cluster, whatever was written.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any

import numpy as np

import company
import helm_runs
import manifests
from company import PROD, REPOSITORY, STAGING, Environment, layers
from labs.checks import Work
from labs.grading.evidence import Evidence
from manifests import Obj

BIG, MOST_RELEASE = 9, 4_000_000
WRONG = {"crash_after": 2, "exit_code": 1}
ABSENT = {"exists": False}
HELD = {"pod-security.kubernetes.io/enforce": "restricted"}


class Story:
    """One seed's releases. `at[KEY]` is what a step answered; `wanted[KEY]` the variables that its values ask for."""

    def __init__(self, work: Work, rng: np.random.Generator) -> None:
        self.name = f"{company.word(rng)}-fraud"
        self.beside = f"{self.name}-two"
        self.secret = f"redis://:{rng.bytes(9).hex()}@features.internal:6379/0"
        self.good, self.bad = company.digest(rng), company.digest(rng)
        self.absent = company.digest(rng)
        self.digests: dict[str, str] = {}
        self.wanted: dict[str, dict[str, str]] = {}
        self._rng = rng
        steps = dict(self._steps())
        answers = helm_runs.run(work, list(steps.values()), seconds=240, rendered=True)
        self.at = dict(zip(steps, answers, strict=False))
        self.seen: list[Obj] = self.at.get("history", {}).get("seen", [])
        whole = any(one["object"]["metadata"]["name"] == "the-end" for one in self.seen)
        assert whole or "error" in self.at["first"], "the watches did not hear of everything"

    def _values(
        self, env: Environment, key: str, digest: str, before: Obj | None = None, *, new: str = ""
    ) -> list[Any]:
        """Values of a release, drawn. With `before`: the same as there, but for what is `new`."""
        drawn = {
            "settings": {
                "FEATURE_TIMEOUT_MS": int(self._rng.integers(20, 400)),
                "NOTE": company.word(self._rng),
            },
            "model": {"version": f"fraud-{self._rng.integers(10, 10**6)}"},
            "logLevel": "error",
        }
        if before is None:
            drawn.pop("logLevel")
        values = drawn if before is None else {**before, new: drawn[new]}
        self.wanted[key] = company.in_the_environment(env, values)
        self.digests[key] = digest
        noted = {"podAnnotations": {"nukkad.example/owner": "fraud"}} if env is PROD else {}
        return layers(env, digest, noted, values)

    def _steps(self) -> list[tuple[str, Obj]]:
        behaviours = {
            "*": {"start_seconds": 10, "run_seconds": 20},
            f"{REPOSITORY}@{self.bad}": WRONG,
            f"{REPOSITORY}@{self.absent}": ABSENT,
        }
        data = {company.SECRET_KEY: base64.b64encode(self.secret.encode()).decode()}
        steps: list[tuple[str, Obj]] = [
            ("begin", {"do": "begin"}),
            (
                "images",
                {"do": "ask", "method": "PATCH", "path": "/labs/v1/images", "body": {"images": behaviours}},
            ),
        ]
        for env in company.BOTH:
            space = {"metadata": {"name": env.space, "labels": HELD}}
            steps.append(
                (
                    f"make {env.name}",
                    {"do": "ask", "method": "POST", "path": "/api/v1/namespaces", "body": space},
                )
            )
            body = {"metadata": {"name": "fraud-feature-store"}, "data": data}
            path = f"/api/v1/namespaces/{env.space}/secrets"
            steps.append((f"secret {env.name}", {"do": "ask", "method": "POST", "path": path, "body": body}))
        first = self._values(STAGING, "first", self.good)
        second = self._values(STAGING, "second", self.good, first[-1], new="settings")
        third = self._values(STAGING, "third", self.bad)
        absent = layers(STAGING, self.absent, second[-1])
        fourth = self._values(STAGING, "fourth", self.good, second[-1], new="model")
        prod = self._values(PROD, "prod", self.good)
        busy = self._values(PROD, "busy", self.good, prod[-1], new="logLevel")
        s, p, name = STAGING.space, PROD.space, self.name
        version = {"version": "1.4.0+ci.77", "app_version": "2026.10"}
        again = {"do": "render", "layers": first, "name": name, "space": s}
        return [
            *steps,
            ("before", {"do": "look", "space": s}),
            ("render early", again),
            ("first", _release("install", s, name, first, vital=True)),
            ("same", _release("upgrade", s, name, first)),
            ("second", _release("upgrade", s, name, second)),
            ("beside", _release("install", s, self.beside, first)),
            ("version", _release("upgrade", s, self.beside, first, **version)),
            ("third", _release("upgrade", s, name, third)),
            ("absent", _release("upgrade", s, name, absent, seconds=10)),
            ("fourth", _release("upgrade", s, name, fourth)),
            ("back", _release("rollback", s, name, [], revision=3)),
            ("remove beside", _release("uninstall", s, self.beside, [])),
            ("remove", _release("uninstall", s, name, [])),
            ("prod", _release("install", p, name, prod)),
            ("scale", {"do": "scale", "space": p, "size": BIG}),
            ("render live", {"do": "live", "layers": busy, "name": name, "space": p}),
            ("busy", _release("upgrade", p, name, busy)),
            ("history", {"do": "history"}),
            ("render late", again),
        ]

    # What one sees

    def succeeded(self, key: str, did: str) -> Obj:
        """The answer of a release that has to go well."""
        answer = self.at[key]
        Evidence(did).require(
            "error" not in answer,
            wanted="a release that Helm reports as deployed",
            got=self.plain(helm_runs.first_line(answer)),
            hint="Read Helm's message: it names the object.",
        )
        return answer

    def plain(self, text: str) -> str:
        """A message without what is drawn, and without the objects that some of them print."""
        text = text.replace(self.beside, "OTHER").replace(self.name, "RELEASE")
        return text.partition(": Invalid value: {")[0]

    def servers(self, key: str, name: str = "") -> list[Obj]:
        """The pods of a release's Deployment after a step, without those that are going."""
        left = self.at[key]["left"]
        sets = {one["metadata"]["uid"] for one in left["replicasets"] if _instance(one, name or self.name)}
        return [
            one
            for one in left["pods"]
            if any(owner["uid"] in sets for owner in one["metadata"].get("ownerReferences") or [])
        ]

    def ready(self, key: str, name: str = "") -> list[Obj]:
        return [one for one in self.servers(key, name) if _is_ready(one)]

    def events(self, key: str, kind: str, space: str) -> list[Obj]:
        """What was written to objects of a kind between a step's begin and its end."""
        begin, end = self.at[key]["from"], self.at[key]["settled"]
        return [
            one
            for one in self.seen
            if one["kind"] == kind
            and one["object"]["metadata"]["namespace"] == space
            and begin < _version(one) <= end
        ]

    def new_servers(self, key: str, space: str = STAGING.space) -> list[Obj]:
        """The pods of Deployments that a step made, as they were when they were made."""
        return [
            one
            for one in self.events(key, "pods", space)
            if one["type"] == "ADDED" and _owner(one) == "ReplicaSet"
        ]

    def environment(self, pod: Obj) -> dict[str, Any]:
        """What the process of a pod found when it started: ConfigMaps as they were at that moment."""
        uid = pod["metadata"]["uid"]
        begun = [
            one for one in self.seen if one["object"]["metadata"].get("uid") == uid and _runs(one["object"])
        ]
        moment = min(map(_version, begun)) if begun else 0
        maps: dict[str, Obj] = {}
        for event in sorted((one for one in self.seen if one["kind"] == "configmaps"), key=_version):
            meta = event["object"]["metadata"]
            if meta["namespace"] == pod["metadata"]["namespace"] and _version(event) <= moment:
                if event["type"] == "DELETED":
                    maps.pop(meta["name"], None)
                else:
                    maps[meta["name"]] = event["object"].get("data") or {}
        return manifests.environment(pod["spec"], maps) if begun else {}

    def stored(self, key: str) -> str:
        """Everything that Helm stored of releases, the notes and the ConfigMaps, as text."""
        left, texts = self.at[key]["left"], []
        for one in left["secrets"]:
            if one.get("type") == "helm.sh/release.v1":
                packed = base64.b64decode(base64.b64decode(one["data"]["release"]))
                texts.append(
                    gzip.GzipFile(fileobj=io.BytesIO(packed)).read(MOST_RELEASE).decode(errors="replace")
                )
        return json.dumps(texts) + json.dumps(left["configmaps"]) + json.dumps(self.at[key].get("status"))


def _release(how: str, space: str, name: str, values: list[Any], **more: Any) -> Obj:
    return {"do": "release", "how": how, "space": space, "name": name, "layers": values, **more}


def _version(event: Obj) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


def _owner(event: Obj) -> str:
    owners = event["object"]["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("kind", ""))


def _instance(thing: Obj, name: str) -> bool:
    return manifests.labels(thing).get("app.kubernetes.io/instance") == name


def _is_ready(pod: Obj) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _runs(thing: Obj) -> bool:
    states = (thing.get("status") or {}).get("containerStatuses") or []
    return any(
        "running" in (one.get("state") or {}) or "terminated" in (one.get("state") or {}) for one in states
    )
