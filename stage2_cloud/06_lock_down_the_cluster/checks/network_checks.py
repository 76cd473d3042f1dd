"""Which connections go through, and which do not."""

from __future__ import annotations

import suspicions
from kube import SPACE
from labs.grading.evidence import Evidence
from paths import Connection, Town


def expect_closed(town: Town, every, hint):
    """Fail at the first connection that a policy lets through."""
    network = town.network(blocks_cover_pods=True)
    for one in every:
        if network.lets(one.source, one.target, one.port, one.protocol):
            Evidence(f"connect {one}").fail(wanted="blocked", got="it goes through", hint=hint)


def expect_open(town: Town, every, hint):
    network = town.network(blocks_cover_pods=False)
    for one in every:
        out = network.side("Egress", one.source, one.target, one.target, one.port, one.protocol)
        into = network.side("Ingress", one.target, one.source, one.target, one.port, one.protocol)
        Evidence(f"connect {one}").require(
            out and into,
            wanted="it goes through",
            got=f"blocked {'on its way in' if out else 'on its way out'}",
            hint=hint,
        )


def lets_the_needed_through(town):
    """lets every connection of the contract through, at both ends"""
    expect_open(
        town, town.needed(), "Both ends must allow it: egress where it begins, ingress where it ends."
    )


def resolves_names(town):
    """lets every pod ask kube-dns, by UDP and by TCP"""
    expect_open(town, town.names(), "Answers that are too long for a datagram come by TCP, at the same port.")


def closes_everything_within(kube, town):
    """blocks everything else inside the namespace, both ways, also for pods that nobody has seen"""
    unseen = town.pod(SPACE, {"app.kubernetes.io/name": town.word()}, "a pod of fraud that nobody has seen")
    expect_closed(
        town,
        [*town.within(), *suspicions.connections(kube, town, SPACE), Connection(unseen, town.apps["fraud"], 8080)],
        "A pod that no policy selects is open. So one policy selects every pod, and allows nothing.",
    )  # fmt: skip
    network = town.network(blocks_cover_pods=True)
    for kind in ("Egress", "Ingress"):
        Evidence(f"look at {kind.lower()} alone, of a pod that nobody has seen").require(
            not network.side(kind, unseen, town.apps["fraud"], unseen, 8080, "TCP"),
            wanted="blocked",
            got="open: only the other end blocks it",
            hint="policyTypes says which directions a policy is about.",
        )


def tells_namespaces_apart(kube, town):
    """blocks pods of other namespaces, also those whose labels look right"""
    expect_closed(
        town, [*town.between_namespaces(), *suspicions.connections(kube, town, None)],
        "Two selectors in one item of `from` must both fit; in two items one is enough. Which label can nobody forge?",
    )  # fmt: skip


def reaches_no_metadata_and_no_internet(kube, town):
    """blocks the cloud's metadata address, the internet, and what lies beside the database"""
    expect_closed(
        town,
        [*town.away(), *suspicions.connections(kube, town, "")],
        "Whoever reads 169.254.169.254 has the rights of the machine. Name what is needed.",
    )
