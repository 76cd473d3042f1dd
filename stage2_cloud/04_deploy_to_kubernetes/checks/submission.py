"""What a learner hands in: its files, what they render, and what the pods look like that come of them."""

from __future__ import annotations

import json
import posixpath
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

import kustomize
import strict_yaml
from cluster import Obj
from fraud import BOTH, PROD, Environment
from labs.checks import CouldNotCheck, Finished, Work
from labs.grading.evidence import Evidence, NotStarted
from labs.machine import EMBEDDED
from labs.results import Finding

ENV_FILE = "k8s/base/fraud.env"
FILES = ("k8s/base/kustomization.yaml", *(f"{env.folder}/kustomization.yaml" for env in BOTH))
MOST_OBJECTS = 40
_SIZES = ("spec/replicas", "spec/maxReplicas")
_YAML = (".yaml", ".yml")
_KUBECTL_SECONDS = 60
_MOST_FILES, _MOST_BYTES = 100, 100_000


# Files


def read(work: Work) -> dict[str, str]:
    """The text of all files below k8s/.

    Raises: NotStarted, a file of the contract is missing or no object is there.
    """
    paths = [one for one in work.files() if one.startswith("k8s/")][:_MOST_FILES]
    missing = [one for one in FILES if one not in paths]
    if missing:
        raise NotStarted(
            Finding("look for the files of the contract", f"a file `{missing[0]}`", "no such file")
        )
    files = {}
    for path in paths:
        try:
            files[path] = work.read(path).bytes[:_MOST_BYTES].decode()
        except UnicodeDecodeError:
            Evidence(f"read {path}").fail(wanted="a text file in UTF-8", got="something else")
    if not any(path.endswith(_YAML) and not _is_kustomization(path) for path in paths):
        raise NotStarted(
            Finding("look for manifests below k8s/", "a Deployment, and more", "no manifest yet")
        )
    return files


def _is_kustomization(path: str) -> bool:
    return posixpath.basename(path) in kustomize.NAMES


def with_setting(files: Mapping[str, str], name: str, value: str) -> dict[str, str]:
    """The files with another value in one line of fraud.env."""
    lines = files.get(ENV_FILE, "").splitlines()
    if not any(line.startswith(f"{name}=") for line in lines):
        Evidence(f"look for {name} in {ENV_FILE}").fail(
            wanted=f"a line {name}=40",
            got="no such line",
            hint="The settings stand in that file, for people to change.",
        )
    changed = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
    return {**files, ENV_FILE: "\n".join(changed) + "\n"}


# What they render


def rendered(files: Mapping[str, str], env: Environment) -> list[Obj]:
    try:
        return kustomize.build(files, env.folder)
    except kustomize.CannotBuild as error:
        Evidence(f"kubectl kustomize {env.folder}").fail(
            wanted="objects",
            got=str(error),
            hint="The contract names the subset of kustomize. `practice.py render` shows the same.",
        )


def look_at(things: list[Obj], env: Environment) -> None:
    """Fail unless the objects of the contract are there, in the overlay's namespace."""
    found = Evidence(f"kubectl kustomize {env.folder}")
    names = {(one["kind"], one["metadata"]["name"]) for one in things}
    kinds = [kind for kind, _ in names]
    for wanted in (("Namespace", env.space), ("Deployment", "fraud"), ("Service", "fraud")):
        found.require(wanted in names, wanted=" ".join(wanted), got="no such object")
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        found.require(kinds.count(kind) == 1, wanted=f"one {kind}", got=str(kinds.count(kind)))
    found.require(
        "NetworkPolicy" not in kinds,
        wanted="no NetworkPolicy: this contract does not say who asks fraud",
        got=f"{kinds.count('NetworkPolicy')} of them",
        hint="Who may speak to whom is the work of the lab `lock_down_the_cluster`.",
    )
    for thing in things:
        count = sum(1 for _ in kustomize.places.containers(thing))
        found.require(
            thing["kind"] != "Deployment" or count == 1,
            wanted="one container in a pod, and no init container",
            got=f"{count} containers",
        )
    found.require(len(things) <= MOST_OBJECTS, wanted=f"at most {MOST_OBJECTS} objects", got=str(len(things)))
    for thing in things:
        for path in _SIZES:
            for holder, key in kustomize.places.holders(thing, path):
                size = holder.get(key)
                found.require(
                    not isinstance(size, int) or size <= PROD.most,
                    wanted=f"a {key} of at most {PROD.most}",
                    got=str(size),
                )
        space = thing["metadata"].get("namespace", "default")
        found.require(
            thing["kind"] == "Namespace" or space == env.space,
            wanted=f"{thing['kind']} {thing['metadata']['name']} in {env.space}",
            got=f"it is in {space}",
            hint="A field of the overlay's kustomization.yaml puts everything into one namespace.",
        )


class Kubectl:
    """The real kubectl at the local tier. Elsewhere nothing happens: the feedback is the same on every machine."""

    def __init__(self, services: Any, work: Work) -> None:
        self._services, self._work = services, work
        self._there = services._tier != EMBEDDED and shutil.which("kubectl") is not None

    def renders_the_same(self, env: Environment, things: list[Obj]) -> None:
        """The files build with the real kustomize as well, and to the same objects."""
        if self._there:
            done = self._run("kustomize", env.folder)
            real = strict_yaml.documents(done.stdout)
            assert normal(real) == normal(things), f"our kustomize differs from kubectl's in {env.folder}"

    def applies(self, environments: Iterable[Environment]) -> None:
        """kubectl applies each overlay to an embedded cluster, over the network."""
        if self._there:
            self._services.up("kubernetes", "for kubectl").give_to(self._work)
            for env in environments:
                self._run("apply", "--server-side", "--validate=strict", "-k", env.folder)

    def _run(self, *words: str) -> Finished:
        """Raises: CouldNotCheck, kubectl did not end in a minute. That is this machine's fault, not the files'."""
        done = self._work.run("kubectl", *words, timeout=_KUBECTL_SECONDS)
        if done.killed == "time":
            raise CouldNotCheck(
                f"`kubectl {words[0]}` did not end within {_KUBECTL_SECONDS} s on this machine"
            )
        done.expect(status=0)
        return done


def normal(things: list[Obj]) -> Any:
    """Objects without the order of objects, keys and lists of maps."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            return sorted(map(plain, value), key=lambda one: json.dumps(one, sort_keys=True))
        return value

    return plain(list(things))
