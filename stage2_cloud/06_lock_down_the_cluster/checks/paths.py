"""The connections of the contract, and many that must not be; between pods and places that are drawn from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kube import SPACE, Kube
from netpol import Network, Peer
from submission import APPS, METRICS

NAME = "app.kubernetes.io/name"
OWN = "kubernetes.io/metadata.name"
DATABASE, DATABASE_PORT, BACKUPS = "10.20.30.", 5432, 128
API_SERVER, API_PORT = "172.20.0.1", 443
METADATA = "169.254.169.254"
PLACES = ("kube-system", "monitoring", "edge", "payments", "default")


@dataclass(frozen=True)
class Connection:
    source: Peer
    target: Peer
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.source.title} → {self.target.title}, {self.protocol} {self.port}"


class Town:
    """Pods and places around the learner's policies. New ones are drawn: names, labels, addresses."""

    def __init__(self, kube: Kube, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kube = kube
        self._policies = tuple(kube.items("NetworkPolicy"))
        self.spaces = {name: {OWN: name, "name": name} for name in PLACES}
        own = kube.get("Namespace", SPACE).get("metadata", {}).get("labels") or {}
        self.spaces[SPACE] = {**own, OWN: SPACE}
        self.apps = {name: self._app(name) for name in APPS}
        self.dns = self.pod("kube-system", {"k8s-app": "kube-dns"}, "kube-dns in kube-system", dns=53)
        self.prometheus = self.pod("monitoring", {NAME: "prometheus"}, "prometheus in monitoring")
        self.edge = self.pod("edge", {NAME: "proxy"}, "proxy in edge")

    def _app(self, name: str) -> Peer:
        spec = self._kube.get("Deployment", name)["spec"]["template"]
        ports = {
            str(port["name"]): (int(port["containerPort"]), str(port.get("protocol") or "TCP"))
            for one in spec["spec"]["containers"]
            for port in one.get("ports") or []
            if port.get("name")
        }
        return Peer(self.address(), SPACE, spec["metadata"].get("labels") or {}, ports, name)

    def address(self) -> str:
        return f"10.244.{self._rng.integers(1, 4)}.{self._rng.integers(2, 250)}"

    def pod(self, space: str, labels: dict[str, str], title: str, **ports: int) -> Peer:
        return Peer(self.address(), space, labels, {name: (one, "TCP") for name, one in ports.items()}, title)

    def place(self, address: str, title: str = "") -> Peer:
        return Peer(address, title=f"{title} {address}".strip())

    def network(self, blocks_cover_pods: bool) -> Network:
        return Network(self._policies, self.spaces, blocks_cover_pods)

    def word(self) -> str:
        return "".join(self._rng.choice(list("bcdfghjkmnp"), 6))

    def new_space(self, title: str, **labels: str) -> str:
        """A namespace that nobody has seen; it may carry any label but another's kubernetes.io/metadata.name."""
        name = f"{title}-{self.word()}"
        self.spaces[name] = {**labels, OWN: name}
        return name

    # What must go through

    def needed(self) -> Iterator[Connection]:
        """All of the contract's table but DNS."""
        apps, rng = self.apps, self._rng
        yield Connection(self.edge, apps["gateway"], APPS["gateway"])
        yield Connection(apps["gateway"], apps["fraud"], APPS["fraud"])
        yield Connection(apps["fraud"], apps["feature-store"], APPS["feature-store"])
        for one in apps.values():
            yield Connection(self.prometheus, one, METRICS)
        for last in (1, int(rng.integers(2, BACKUPS - 2)), BACKUPS - 2):
            yield Connection(apps["fraud"], self.place(f"{DATABASE}{last}", "the database at"), DATABASE_PORT)
        yield Connection(apps["fraud"], self.place(API_SERVER, "the API server at"), API_PORT)

    def names(self) -> Iterator[Connection]:
        unseen = self.pod(SPACE, {NAME: self.word()}, "a pod of fraud that nobody has seen")
        for one in (*self.apps.values(), unseen):
            for protocol in ("UDP", "TCP"):
                yield Connection(one, self.dns, 53, protocol)

    # What must not

    def within(self) -> Iterator[Connection]:
        """Inside the namespace: everybody to everybody, at every port, but for the contract's."""
        wanted = {(one.source.title, one.target.title, one.port) for one in self.needed()}
        unseen = self.pod(SPACE, {NAME: self.word()}, "a pod of fraud that nobody has seen")
        bare = self.pod(SPACE, {}, "a pod of fraud without labels")
        job = self.pod(SPACE, {"app.kubernetes.io/part-of": "fraud", "app": "gateway"}, "a job in fraud")
        every = (*self.apps.values(), unseen, bare, job)
        ports = (
            *APPS.values(),
            METRICS,
            22,
            int(self._rng.integers(1024, 6000)),
            int(self._rng.integers(9101, 60000)),
        )
        for source in every:
            for target in every:
                if source is target:
                    continue
                for port in ports:
                    for protocol in ("TCP", "UDP"):
                        if protocol == "UDP" or (source.title, target.title, port) not in wanted:
                            yield Connection(source, target, port, protocol)

    def between_namespaces(self) -> Iterator[Connection]:
        """From and to pods of other namespaces, also those that name themselves alike."""
        tricky = self.new_space("monitoring", name="monitoring", team="platform")
        twin = self.new_space("edge", name="edge", **{NAME: "edge"})
        alike = [
            self.pod("payments", {NAME: "prometheus"}, "a pod of payments labelled as prometheus"),
            self.pod("payments", {NAME: "proxy"}, "a pod of payments labelled as proxy"),
            self.pod("payments", {NAME: "gateway"}, "a pod of payments labelled as gateway"),
            self.pod("payments", {NAME: "fraud"}, "a pod of payments labelled as fraud"),
            self.pod(SPACE, {NAME: "prometheus"}, "a pod of fraud labelled as prometheus"),
            self.pod(SPACE, {NAME: "proxy"}, "a pod of fraud labelled as proxy"),
            self.pod("monitoring", {NAME: "grafana"}, "another pod of monitoring"),
            self.pod("monitoring", {NAME: "proxy"}, "a pod of monitoring labelled as proxy"),
            self.pod("edge", {NAME: self.word()}, "another pod of edge"),
            self.pod("edge", {NAME: "prometheus"}, "a pod of edge labelled as prometheus"),
            self.pod("default", {}, "a pod of default without labels"),
            self.pod(
                tricky, {NAME: "prometheus"}, "prometheus in a new namespace with the label name=monitoring"
            ),
            self.pod(twin, {NAME: "proxy"}, "proxy in a new namespace with the label name=edge"),
        ]
        for one in alike:
            for app in self.apps.values():
                for port in (*APPS.values(), METRICS):
                    yield Connection(one, app, port)
        for one in (self.edge, self.prometheus, self.dns):
            for name, app in self.apps.items():
                for port in (*APPS.values(), METRICS):
                    fine = (one is self.edge and name == "gateway" and port == APPS["gateway"]) or (
                        one is self.prometheus and port == METRICS
                    )
                    if not fine:
                        yield Connection(one, app, port)
        forged = self.pod(
            "payments", {"k8s-app": "kube-dns"}, "a pod of payments labelled as kube-dns", dns=53
        )
        other = self.pod("kube-system", {"k8s-app": self.word()}, "another pod of kube-system")
        for app in self.apps.values():
            for target in (*alike, forged, other):
                if target.space != SPACE:
                    for port in (53, *APPS.values()):
                        yield Connection(app, target, port)
                    yield Connection(app, target, 53, "UDP")
            yield Connection(app, self.dns, 9153)

    def away(self) -> Iterator[Connection]:
        """Out of the cluster, and in from there: metadata, the internet, neighbours of the database."""
        rng = self._rng
        unseen = self.pod(SPACE, {NAME: self.word()}, "a pod of fraud that nobody has seen")
        internet = (
            f"{rng.integers(11, 100)}.{rng.integers(0, 255)}.{rng.integers(0, 255)}.{rng.integers(1, 255)}"
        )
        places = [
            self.place(METADATA, "the cloud's metadata at"),
            self.place(internet, "the internet,"),
            self.place(f"10.20.31.{rng.integers(1, 255)}", "the network beside the database,"),
            self.place(f"{DATABASE}{rng.integers(BACKUPS, 255)}", "the backups at"),
            self.place(f"172.20.{rng.integers(1, 255)}.1", "a machine at"),
            self.place(f"192.0.2.{rng.integers(1, 4)}", "a node at"),
        ]
        for one in (*self.apps.values(), unseen):
            for place in places:
                for port in (80, 443, DATABASE_PORT, 53):
                    yield Connection(one, place, port)
                yield Connection(one, place, 53, "UDP")
            for port in (DATABASE_PORT, 443):
                there = (DATABASE_PORT, f"{DATABASE}7"), (443, API_SERVER)
                for number, address in there:
                    if one is not self.apps["fraud"] or port != number:
                        yield Connection(one, self.place(address, "the address"), port)
            yield Connection(self.place(internet, "the internet,"), one, APPS.get(one.title, 8080))
