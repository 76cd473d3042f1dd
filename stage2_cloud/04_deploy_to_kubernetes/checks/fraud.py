"""The fraud service in a simulated cluster: how its image behaves, what the files make of it, and who gets requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import kustomize
import strict_yaml
from cluster import Obj, Refused, Simulated
from labs.grading.evidence import Evidence
from labs.services.kubernetes import objects

REPOSITORY = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/fraud"
PORT, ALIVE, READY, FEATURES = 8080, "/healthz", "/readyz", "/healthz/features"
LABELS = {"app.kubernetes.io/name": "fraud"}
SECRET, SECRET_KEY, SECRET_VARIABLE = "fraud-feature-store", "url", "FEATURE_STORE_URL"
LONGEST_START, LATE, LONGEST_REQUEST = 90, 10, 20  # seconds
USER = 10001
HANGS_AFTER = 180  # seconds after its start, when a process falls silent
SILENT = 75  # seconds that a probe may take to act on silence
NODES = ("node-1", "node-2", "node-3")


@dataclass(frozen=True)
class Environment:
    """What the contract says of an overlay."""

    overlay: str
    least: int
    most: int
    cpu: str
    settings: Mapping[str, str]

    @property
    def space(self) -> str:
        return f"fraud-{self.overlay}"

    @property
    def each(self) -> float:
        """What a pod uses at 60 % of its CPU request, in cores."""
        return 0.6 * int(self.cpu.removesuffix("m")) / 1000

    @property
    def folder(self) -> str:
        return f"k8s/overlays/{self.overlay}"


PROD = Environment("prod", 4, 12, "500m", {"LOG_LEVEL": "info", "MODEL_BUCKET": "nukkad-models-prod"})
STAGING = Environment(
    "staging", 2, 4, "250m", {"LOG_LEVEL": "debug", "MODEL_BUCKET": "nukkad-models-staging"}
)
BOTH = (STAGING, PROD)


@dataclass(frozen=True)
class Image:
    """A release: its digest, and how it behaves (seconds)."""

    digest: str
    start_seconds: int = 60
    pull_seconds: int = 5
    stop_seconds: int = 5
    ready: bool = True
    memory: str = "900Mi"
    answers: tuple[tuple[str, int], ...] = ()
    hangs_after: int | None = None

    @property
    def name(self) -> str:
        return f"{REPOSITORY}@{self.digest}"

    def answering(self, **paths: int) -> Image:
        """The same image with other statuses: alive=, ready_=, features=."""
        names = {"alive": ALIVE, "ready_": READY, "features": FEATURES}
        return replace(self, answers=tuple((names[key], status) for key, status in paths.items()))

    def behaviour(self) -> Obj:
        routes = {ALIVE: 200, READY: 200, FEATURES: 200, "/metrics": 200, **dict(self.answers)}
        return {
            "start_seconds": self.start_seconds, "pull_seconds": self.pull_seconds, "stop_seconds": self.stop_seconds,
            "ready": self.ready, "memory": self.memory, "routes": {str(PORT): routes}, "hangs_after": self.hangs_after,
        }  # fmt: skip


def draw_image(rng: np.random.Generator, **known: Any) -> Image:
    """A release that nobody has seen."""
    drawn = {
        "start_seconds": int(rng.integers(60, LONGEST_START + 1)),
        "pull_seconds": int(rng.integers(4, 20)),
    }
    return Image(f"sha256:{rng.bytes(32).hex()}", **{**drawn, **known})


def with_image(files: Mapping[str, str], env: Environment, image: Image) -> dict[str, str]:
    """The files after `kustomize edit set image fraud=REPOSITORY@DIGEST` in an overlay."""
    path = next(one for name in kustomize.NAMES if (one := f"{env.folder}/{name}") in files)
    body = strict_yaml.document(files[path])
    others = [one for one in body.get("images") or [] if one.get("name") != "fraud"]
    body["images"] = [*others, {"name": "fraud", "newName": REPOSITORY, "digest": image.digest}]
    return {**files, path: json.dumps(body)}


@dataclass(frozen=True)
class Look:
    """The pods of the Deployment; how many endpoints get requests; how many of those answer."""

    pods: list[Obj]
    ready: int
    serving: int


class Fraud:
    """The service in one cluster, deployed from a learner's files."""

    def __init__(
        self, cluster: Simulated, files: Mapping[str, str], env: Environment, rng: np.random.Generator
    ) -> None:
        self.cluster, self.files, self.env, self.rng = cluster, files, env, rng
        self.url = f"redis://:{rng.bytes(6).hex()}@features.internal:6379/0"
        self._images: dict[str, Image] = {}

    def found(self, did: str) -> Evidence:
        """What was done in this overlay's namespace."""
        return Evidence(f"in {self.env.space}: {did}")

    def know(self, image: Image) -> Image:
        """State how an image behaves, from now on."""
        self._images[image.name] = image
        self.cluster.images(**{image.name: image.behaviour()})
        return image

    def render(self, image: Image, files: Mapping[str, str] | None = None) -> list[Obj]:
        return kustomize.build(with_image(files or self.files, self.env, image), self.env.folder)

    def apply(self, image: Image, files: Mapping[str, str] | None = None) -> None:
        self.put(self.render(image, files))

    def put(self, things: list[Obj]) -> None:
        """Apply objects that come of the learner's files."""
        try:
            self.cluster.apply(things)
        except Refused as error:
            Evidence(f"apply {self.env.folder}").fail(wanted="every object is accepted", got=error.message)

    def prepare(self, secret: bool = True) -> None:
        """What is there before the first release: the namespace's Secret, as another team puts it there."""
        things = [one for one in kustomize.build(self.files, self.env.folder) if one["kind"] == "Namespace"]
        self.put(things)
        if secret:
            self.give_secret()

    def give_secret(self) -> None:
        self.cluster.secret(self.env.space, SECRET, **{SECRET_KEY: self.url})

    def begin(self, **known: Any) -> Image:
        """A first release that is up, with all its pods."""
        self.prepare()
        image = self.know(draw_image(self.rng, **known))
        self.apply(image)
        self.settle(image, self.env.least)
        self.until(lambda: self.progressing() == "NewReplicaSetAvailable", 600)  # also after minReadySeconds
        return image

    def settle(self, image: Image, size: int, seconds: float = 600) -> None:
        """Wait until so many pods of an image serve and nothing else is left."""
        if not self.until(lambda: self.done(image, size), seconds):
            Evidence(f"apply {self.env.folder} and wait {seconds / 60:.0f} minutes").fail(
                wanted=f"{size} pods that serve",
                got=f"{self.serving()}; {self.trouble()}",
                hint="`kubectl describe` the pods: their events say what they wait for.",
            )

    def done(self, image: Image, size: int, look: Look | None = None) -> bool:
        """Whether so many pods of this image serve, and there are no others."""
        look = look or self.look()
        return (
            len(look.pods) == size == look.serving
            and all(one["spec"]["containers"][0]["image"] == image.name for one in look.pods)
            and not any(one["metadata"].get("deletionTimestamp") for one in look.pods)
        )

    def until(self, holds: Callable[[], bool], seconds: float, step: float = 15.0) -> bool:
        """Let time pass until something holds; False if it does not within so many seconds."""
        return any(holds() for _ in self.passing(seconds, step))

    def passing(self, seconds: float, step: float = 15.0) -> Iterator[float]:
        """Seconds since now, as they pass."""
        begin = self.cluster.now
        yield 0.0
        while self.cluster.now < begin + seconds:
            self.cluster.wait(step)
            yield self.cluster.now - begin

    # What one sees

    def pods(self) -> list[Obj]:
        """The pods of the Deployment, oldest first."""
        found = self.cluster.items("Pod", self.env.space)
        ours = [one for one in found if one["metadata"].get("ownerReferences")]
        return sorted(ours, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))

    def any_pod(self) -> str:
        """The name of one of them."""
        return str(self.rng.choice([one["metadata"]["name"] for one in self.pods()]))

    def endpoints(self) -> list[Obj]:
        """Who gets requests: the ready endpoints of the Service."""
        slices = self.cluster.items(
            "EndpointSlice", self.env.space, labelSelector="kubernetes.io/service-name=fraud"
        )
        return [
            {**one, "ports": each.get("ports") or []}
            for each in slices
            for one in each.get("endpoints") or []
            if one["conditions"]["ready"]
        ]

    def look(self) -> Look:
        """What one sees now."""
        pods, endpoints = self.pods(), self.endpoints()
        by_name = {one["metadata"]["name"]: one for one in pods}
        answering = [one for one in endpoints if self.serves(by_name.get(one["targetRef"]["name"]), one)]
        return Look(pods, len(endpoints), len(answering))

    def serving(self) -> int:
        """How many endpoints get requests and answer them."""
        return self.look().serving

    def serves(self, pod: Obj | None, endpoint: Obj) -> bool:
        """Whether a request to this endpoint is answered: the process listens on that port, since its start time."""
        state = ((pod or {}).get("status", {}).get("containerStatuses") or [{}])[0]
        image = self._images.get(state.get("image", ""))
        begun = (state.get("state") or {}).get("running", {}).get("startedAt")
        if image is None or begun is None or not image.ready or dict(image.answers).get(READY, 200) != 200:
            return False
        listens = any(port["port"] == PORT for port in endpoint["ports"])
        ran = self.cluster.now - objects.seconds(begun)
        return (
            listens and image.start_seconds <= ran and (image.hangs_after is None or ran < image.hangs_after)
        )

    def restarts(self) -> int:
        states = [one for pod in self.pods() for one in pod["status"].get("containerStatuses") or []]
        return sum(
            one["restartCount"] + ("waiting" in one["state"] and bool(one.get("lastState"))) for one in states
        )

    def deployment(self) -> Obj:
        return self.cluster.get("Deployment", self.env.space, "fraud")

    def size(self) -> int:
        """How many pods the Deployment is to have now: the field that its autoscaler writes."""
        return int(self.deployment()["spec"]["replicas"])

    def progressing(self) -> str:
        """The reason of the condition Progressing."""
        conditions = self.deployment()["status"].get("conditions") or []
        return next((one.get("reason", "") for one in conditions if one["type"] == "Progressing"), "")

    def trouble(self) -> str:
        """Why pods do not serve, in a few words without their names."""
        for one in self.cluster.items("ReplicaSet", self.env.space):
            for condition in one["status"].get("conditions") or []:
                if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                    return f"no pods are made: {condition.get('message', '').partition('forbidden: ')[2]}"
        pods = self.pods()
        for pod in pods:
            for condition in pod["status"].get("conditions") or []:
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    return condition["message"]
            for state in pod["status"].get("containerStatuses") or []:
                waiting = state["state"].get("waiting") or {}
                if waiting.get("reason") not in (None, "ContainerCreating", "CrashLoopBackOff"):
                    return f"{waiting['reason']}: {waiting.get('message', '')}"
        events = self.cluster.items("Event", self.env.space)
        for kind in ("Killing", "FailedMount"):
            for one in events:
                if one["reason"] == kind and "failed" in one["message"]:
                    return one["message"]
        ready = len(self.endpoints())
        return f"{len(pods)} pods, {ready} ready endpoints of the Service `fraud`"
