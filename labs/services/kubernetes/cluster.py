"""All parts of one server put together, on one store and one clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from labs.services.kubernetes import bootstrap, objects
from labs.services.kubernetes.admission import Admission
from labs.services.kubernetes.authentication import Authentication
from labs.services.kubernetes.clock import Clock
from labs.services.kubernetes.context import Context, Identities
from labs.services.kubernetes.controllers import all_controllers
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.controllers.loop import Loop
from labs.services.kubernetes.controllers.surroundings import Surroundings
from labs.services.kubernetes.deleting import Deleter
from labs.services.kubernetes.rbac import Authorizer
from labs.services.kubernetes.reading import Reader
from labs.services.kubernetes.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    NAMESPACES,
    NODES,
    SERVICES,
)
from labs.services.kubernetes.reviews import Reviews
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.subresources import Subresources
from labs.services.kubernetes.tokens import Tokens
from labs.services.kubernetes.users import controller
from labs.services.kubernetes.writing import Writer


@dataclass(frozen=True)
class Cluster:
    store: Store
    clock: Clock
    tokens: Tokens
    authentication: Authentication
    authorizer: Authorizer
    writer: Writer
    deleter: Deleter
    reader: Reader
    subresources: Subresources
    reviews: Reviews
    surroundings: Surroundings
    loop: Loop

    def close(self) -> None:
        self.store.close()


def open_cluster(data: Path, *, speed: float | None = None, start: float | None = None) -> Cluster:
    """A cluster whose data lives in a folder; a new one gets nodes, namespaces and roles.

    Args:
        speed: seconds of its clock for each real second; 0 stands still until told. As before if not given, 1 at first.
        start: where the clock of a new cluster begins, in seconds since 1970; now if not given.

    Raises:
        LabsError: the folder is damaged or in use.
    """
    store = Store(data)
    kept = store.setting("clock")
    if speed is None:
        speed = float(store.setting("speed") or 1.0)
    if kept is not None:
        begin = max(float(kept), time.time()) if speed == 1.0 and start is None else float(kept)
    else:
        begin = time.time() if start is None else start
    clock = Clock(begin, speed)
    identities, authorizer, tokens = Identities(store), Authorizer(store), Tokens(store)
    admission = Admission(store, authorizer, identities)
    writer, deleter = Writer(store, admission, identities), Deleter(store)
    surroundings = Surroundings(store)
    hands = Hands(store, writer, deleter, identities, surroundings)
    cluster = Cluster(
        store=store,
        clock=clock,
        tokens=tokens,
        authentication=Authentication(tokens, authorizer),
        authorizer=authorizer,
        writer=writer,
        deleter=deleter,
        reader=Reader(store),
        subresources=Subresources(store, writer, deleter, tokens),
        reviews=Reviews(authorizer, tokens),
        surroundings=surroundings,
        loop=Loop(store, clock, hands, all_controllers()),
    )
    if kept is None:
        _fill(cluster)
    store.set("speed", str(speed))
    return cluster


def _fill(cluster: Cluster) -> None:
    """What every new cluster has."""
    store, writer, now = cluster.store, cluster.writer, cluster.clock.now()
    ctx = Context(controller("bootstrap"), now, own=True)
    with store.transaction():
        for space in bootstrap.NAMESPACES:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
            writer.create(NAMESPACES, "", body, ctx)
        for role in bootstrap.cluster_roles():
            writer.create(CLUSTERROLES, "", role, ctx)
        for binding in bootstrap.cluster_role_bindings():
            writer.create(CLUSTERROLEBINDINGS, "", binding, ctx)
        for node in bootstrap.nodes():
            stored = writer.create(NODES, "", node, ctx)
            conditions = [
                {
                    **one,
                    "lastTransitionTime": objects.timestamp(now),
                    "lastHeartbeatTime": objects.timestamp(now),
                }
                for one in node["status"]["conditions"]
            ]
            store.put(NODES, {**stored, "status": {**node["status"], "conditions": conditions}})
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "targetPort": 6443}],
            },
        }
        writer.create(SERVICES, "default", service, ctx)
        store.set("clock", str(now))
