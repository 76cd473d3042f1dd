"""Helm, in the sandbox with the learner's chart: `python3 helm_inside.py PLAN.json ANSWERS.json`.

A plan is a list of steps, each with a `do`: the name of one of the functions below. The answers are a list of the same
length. A step that fails says so in its answer (`error`, `kind`) and the next one goes on. This program decides
nothing: the checks do, outside.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm

from helm_cluster import KINDS, Cluster

Obj = dict[str, Any]
MOST_SECONDS = 30
"""Of real time, for one command of Helm. Meanwhile the cluster's time moves on, as long as a Job runs there."""
RELEASE = re.compile(r"[a-z](?:[-a-z0-9]{0,51}[a-z0-9])?")
"""Names of releases that the contract allows."""
MOST_NEIGHBOURS = 12
SPLIT = re.compile(r"(?:^|\s*\n)---\s*")
"""Where Helm cuts a rendered file into documents (Helm, pkg/release/v1/util/manifest.go)."""


def merged(one: Obj, other: Obj) -> Obj:
    """Values laid over values, as `helm -f one -f other` does: maps are merged, all else is replaced."""
    found = dict(one)
    for key, value in other.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def values_of(layers: list[Any]) -> Obj:
    """Each layer is the path of a values file, or a map."""
    found: Obj = {}
    for layer in layers:
        if isinstance(layer, str):
            layer = helm.values_from_yaml(Path(layer).read_text(encoding="utf-8"))
        found = merged(found, layer)
    return found


class Charts:
    """The learner's chart: loaded once, and again in other versions."""

    def __init__(self) -> None:
        self._loaded: dict[str, helm.Chart] = {}

    def get(self, step: Obj) -> helm.Chart:
        version, app = step.get("version"), step.get("app_version")
        key = f"{version} {app}"
        if key not in self._loaded:
            path = "chart"
            if version or app:
                Path("packages").mkdir(exist_ok=True)
                path = helm.package("chart", destination="packages", version=version, app_version=app)
            self._loaded[key] = helm.Chart.load(path)
        return self._loaded[key]


CHARTS = Charts()


def metadata(step: Obj) -> Obj:
    with helm.Chart.load("chart") as chart:
        return {"metadata": chart.metadata}


def lint(step: Obj) -> Obj:
    return helm.lint("chart", values_of(step["layers"]), strict=True, namespace="fraud-prod")


def package(step: Obj) -> Obj:
    """Files in the packaged chart, after files of the step were planted; they are taken away again."""
    shutil.copytree("chart", "planted/chart", dirs_exist_ok=True)
    for name in step["plant"]:
        path = Path("planted/chart") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("planted\n", encoding="utf-8")
    with tarfile.open(helm.package("planted/chart", destination="planted")) as archive:
        names = [one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()]
    shutil.rmtree("planted")
    return {"files": sorted(names)}


def render(step: Obj) -> Obj:
    """What the chart becomes, and the bytes of it."""
    files = CHARTS.get(step).render(
        values_of(step["layers"]),
        name=step.get("name", "fraud"),
        namespace=step.get("space", "fraud-prod"),
    )
    objects, notes = [], ""
    for path, text in sorted(files.items()):
        if path.endswith(".txt"):
            notes += text
        elif not Path(path).name.startswith("_"):
            for part in SPLIT.split(text):
                found = helm.values_from_yaml(part) if part.strip() else None
                if found:
                    objects.append(found)
    return {"objects": objects, "notes": notes, "text": json.dumps(files, sort_keys=True)}


def neighbours(step: Obj) -> Obj:
    """The release of the step, and then the releases that are called as its objects are: by name, what each becomes."""
    names = {str((one.get("metadata") or {}).get("name")) for one in render(step)["objects"]}
    right = sorted(one for one in names - {step["name"]} if RELEASE.fullmatch(one))
    return {"neighbours": {one: render({**step, "name": one}) for one in right[:MOST_NEIGHBOURS]}}


class Story:
    """One cluster for all steps."""

    cluster: Cluster
    over = False
    """Whether a step failed without which the others mean nothing."""

    @classmethod
    def begin(cls, step: Obj) -> Obj:
        cls.cluster = Cluster()
        cls.cluster.watch()
        return {}

    @classmethod
    def ask(cls, step: Obj) -> Obj:
        return {"reply": cls.cluster.ask(step["method"], step["path"], step.get("body"))}

    @classmethod
    def release(cls, step: Obj) -> Obj:
        """install, upgrade, rollback or uninstall; with everything that is in the namespace afterwards."""
        at, name, how = cls.cluster.helm(step["space"]), step["name"], step["how"]
        patience = step.get("seconds", MOST_SECONDS)
        cls.cluster.ask("POST", "/labs/v1/clock", {"advance": 30})  # releases do not come within a second
        answer: Obj = {"from": cls.cluster.version()}
        try:
            if how == "install":
                at.install(CHARTS.get(step), name, values_of(step["layers"]), timeout=patience)
            elif how == "upgrade":
                at.upgrade(CHARTS.get(step), name, values_of(step["layers"]), timeout=patience)
            elif how == "rollback":
                at.rollback(name, version=step["revision"], timeout=patience)
            else:
                at.uninstall(name, timeout=patience)
        except helm.HelmError as error:
            answer |= {"error": str(error)[:2000], "kind": type(error).__name__}
        answer["until"] = cls.cluster.version()
        cls.cluster.ask("POST", "/labs/v1/clock", {"advance": 120 if how == "uninstall" else 45})
        cls._settle(step["space"], 600)
        answer["settled"] = cls.cluster.version()
        answer["left"] = cls._look(step["space"])
        if how != "uninstall":
            try:
                status = at.status(name)
                answer["status"] = {
                    key: status.get(key) for key in ("status", "revision", "manifest", "notes")
                }
            except helm.HelmError as error:
                answer["status"] = {"status": str(error)[:300]}
        if step.get("vital") and "error" in answer:
            cls.over = True
        return answer

    @classmethod
    def live(cls, step: Obj) -> Obj:
        """Whether a chart becomes the same with a connection to the cluster: only `lookup` has one."""
        chart, values = CHARTS.get(step), values_of(step["layers"])
        how = {"name": step["name"], "namespace": step["space"], "is_upgrade": True, "is_install": False}
        there = cls.cluster.helm(step["space"]).render(chart, values, **how)
        return {"alike": there == chart.render(values, **how)}

    @classmethod
    def look(cls, step: Obj) -> Obj:
        return {"left": cls._look(step["space"])}

    @classmethod
    def scale(cls, step: Obj) -> Obj:
        """Set the size of each Deployment of a namespace, as an autoscaler does."""
        root = f"/apis/apps/v1/namespaces/{step['space']}/deployments"
        for one in cls.cluster.ask("GET", root)["items"]:
            path = f"{root}/{one['metadata']['name']}/scale?fieldManager=kube-controller-manager"
            cls.cluster.ask(
                "PATCH", path, {"spec": {"replicas": step["size"]}}, "application/merge-patch+json"
            )
        cls._settle(step["space"], 600)
        return {}

    @classmethod
    def _settle(cls, space: str, seconds: float) -> None:
        """Let the cluster's time pass until all Deployments are as they should be, and no pod is on its way out."""
        for _ in range(int(seconds / 15)):
            deployments = cls.cluster.ask("GET", f"/apis/apps/v1/namespaces/{space}/deployments")["items"]
            pods = cls.cluster.ask("GET", f"/api/v1/namespaces/{space}/pods")["items"]
            going = any(one["metadata"].get("deletionTimestamp") for one in pods)
            if not going and all(_done(one) for one in deployments):
                return
            cls.cluster.ask("POST", "/labs/v1/clock", {"advance": 15})

    @classmethod
    def _look(cls, space: str) -> Obj:
        found = {}
        for kind, root in KINDS.items():
            items = cls.cluster.ask("GET", f"{root}/namespaces/{space}/{kind}")["items"]
            for one in items:
                one["metadata"].pop("managedFields", None)
            found[kind] = items
        return found

    @classmethod
    def history(cls, step: Obj) -> Obj:
        marker = {"metadata": {"name": "the-end"}}
        cls.cluster.ask("POST", "/api/v1/namespaces/default/configmaps", marker)
        until, count = time.monotonic() + 20, -1
        while time.monotonic() < until:  # what was written last is on its way to the watches
            there = any(one["object"]["metadata"]["name"] == "the-end" for one in cls.cluster.seen)
            if there and count == len(cls.cluster.seen):
                break
            count = len(cls.cluster.seen)
            time.sleep(0.3)
        return {"seen": cls.cluster.seen}


def _done(deployment: Obj) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    same = status.get("observedGeneration") == deployment["metadata"].get("generation")
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return same and counts == [wanted] * 3


STEPS: dict[str, Callable[[Obj], Obj]] = {
    "metadata": metadata, "lint": lint, "package": package, "render": render,
    "begin": Story.begin, "ask": Story.ask, "release": Story.release, "history": Story.history,
    "look": Story.look, "scale": Story.scale, "live": Story.live, "neighbours": neighbours,
}  # fmt: skip


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = []
    for step in plan:
        if Story.over:
            break
        try:
            answers.append(STEPS[step["do"]](step))
        except Exception as error:  # whatever a chart can make Helm say is an answer
            answers.append({"error": str(error)[:2000], "kind": type(error).__name__})
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")
    os._exit(0)  # the watches still wait


if __name__ == "__main__":
    main()
