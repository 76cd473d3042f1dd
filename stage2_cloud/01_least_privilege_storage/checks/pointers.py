"""What becomes of `latest.json`: in a race, rolled back and forth, and a year later."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

import lifecycle
from between import Between, Held
from labs.checks import Answer, Finished
from shop import SECONDS, Evidence, Shop, expect_error, expect_pointer, until
from world import Model, draw_small, draw_versions

KEPT_DAYS = 400
Moment = Callable[[Held], bool]  # whether a request of the slow publisher is to wait


def race(shop: Shop, rng: np.random.Generator) -> None:
    """One publisher waits at its pointer while others publish: the first pointer of all, and a later one.

    In the first round it is disturbed before its first write, and again when it has read the pointer anew. In the
    second one between its first two requests about the pointer, whatever these are.
    """
    name, versions = "fraud", draw_versions(rng, 6)
    for round_, moments in (
        ("the first pointer of all", (_first_write(name), _second_request(name))),
        ("a pointer that is there", (_second_request(name),)),
    ):
        slow, quick = versions.pop(), [versions.pop() for _ in moments]
        quick = _publish_while(shop, rng, name, slow, dict(zip(quick, moments, strict=True)))
        did = Answer(f"publish {slow} and {' and '.join(quick)} at the same time, {round_}")
        _expect_both(shop, did, name, slow, quick)
    _roll_while(shop, rng, name, versions.pop())


def _first_write(name: str) -> Moment:
    return lambda held: held.writes and held.is_about(f"/{name}/latest.json")


def _second_request(name: str) -> Moment:
    """Between two reads of the pointer, or between a read and a write: what is known of it is old by now."""
    seen = 0

    def is_here(held: Held) -> bool:
        nonlocal seen
        seen += held.is_about(f"/{name}/latest.json")
        return seen == 2

    return is_here


def _expect_both(shop: Shop, did: Evidence, name: str, slow: str, quick: list[str]) -> None:
    got = shop.pointer(name)
    did.require(
        (got.get("version"), got.get("previous")) == (slow, quick[-1]),
        wanted=f"the pointer names {slow}, which came last, and before it {quick[-1]}",
        got=f"it names {got.get('version')}, and before it {got.get('previous')}",
        hint="The later write must not wipe out the earlier one: `If-Match`, or `If-None-Match: *` where nothing is.",
    )


def _publish_while(
    shop: Shop, rng: np.random.Generator, name: str, slow: str, quick: Mapping[str, Moment]
) -> list[str]:
    """Publish `slow`, and at each of the moments another version, until it has ended; returns these."""
    published: list[str] = []
    with Between(shop.account.url) as between:
        process = shop.begin(between, "publish", shop.folder(draw_small(rng)), name, slow)
        held: Held | None = None
        for version, moment in quick.items():
            if held:
                held.go()
            held = until(process, between, moment)
            if published and not held:
                break
            shop.publish(draw_small(rng), name, version)
            published.append(version)
        while held:
            held.go()
            held = between.next(lambda: process.alive)
        process.wait(SECONDS).expect(
            status=0, hint="Who loses the race reads the pointer again, and tries again."
        )
    return published


def _roll_while(shop: Shop, rng: np.random.Generator, name: str, version: str) -> None:
    """A rollback waits before its pointer while somebody publishes. It may try again or refuse."""
    with Between(shop.account.url) as between:
        process = shop.begin(between, "rollback", name)
        held = until(process, between, lambda held: held.writes and held.is_about(f"/{name}/latest.json"))
        shop.publish(draw_small(rng), name, version)
        while held:
            held.go()
            held = between.next(lambda: process.alive)
        ended = process.wait(SECONDS)
    got = shop.pointer(name)
    ended.require(
        version in (got.get("version"), got.get("previous")),
        wanted=f"{version}, which was published meanwhile, named by the pointer",
        got=f"it names {got.get('version')}, and before it {got.get('previous')}",
        hint="A rollback changes the pointer too: under the same condition.",
    )


def roll(shop: Shop, rng: np.random.Generator) -> None:
    name, (one, two, three) = "limits", draw_versions(rng, 3)
    models = {version: draw_small(rng) for version in (one, two, three)}
    shop.publish(models[one], name, one)
    only = shop.rollback(name, may_raise=True)
    expect_error(
        only, ("NotPublished",), "there is only one version", hint="Nothing to go back to is an error."
    )
    for version in (two, three):
        shop.publish(models[version], name, version)
    for wanted in (two, three, two):
        back = shop.rollback(name).expect(value=wanted, hint="Return the version that is in use now.")
        expect_pointer(shop, back, name, wanted, three if wanted == two else two)
        shop.expect_whole(name, "latest", models[wanted], hint="The version before is still all there.")
    published = shop.publish(models[one], name, one)
    expect_pointer(shop, published, name, one, two)
    again = shop.publish(models[one], name, one)
    expect_pointer(shop, again, name, one, two)
    shop.rollback(name).expect(value=two, hint="To publish again what is in use changes nothing.")


def a_year_with_roles(
    shop: Shop,
    name: str,
    env: Mapping[str, Mapping[str, str]],
    rules: lifecycle.Rules,
    rng: np.random.Generator,
) -> None:
    """The programs with the keys of their roles; then 400 days pass."""
    models = dict(zip(draw_versions(rng, 2), (draw_small(rng), draw_small(rng)), strict=True))
    old, new = models
    for version, model in models.items():
        published = shop.run("publish", shop.folder(model), name, version, env=env["trainer"])
        _ended_well(published, hint="What does your code ask for that the trainer may not?")
    _prints(shop.run("latest", name, env=env["server"]), new, "the server")
    _fetch_as(shop, name, new, models, env["server"], "today")
    _prints(shop.run("rollback", name, env=env["ci"]), old, "CI")
    _fetch_as(shop, name, old, models, env["server"], "rolled back")
    lifecycle.pass_days(shop.account.client("s3"), shop.bucket, f"{name}/", rules, KEPT_DAYS)
    _fetch_as(shop, name, old, models, env["server"], f"{KEPT_DAYS} days later")
    _prints(shop.run("rollback", name, env=env["ci"]), new, "CI")
    _fetch_as(shop, name, new, models, env["server"], f"{KEPT_DAYS} days later, rolled forth")


def _ended_well(finished: Finished, hint: str) -> None:
    """What AWS's libraries print changes with their versions, so it is only shown beside."""
    said = finished.stderr.strip().splitlines()[-1:]
    got = finished.killed or f"exit status {finished.status}"
    finished.require(
        finished.status == 0, wanted="exit status 0", got=got, hint=hint, measured="".join(said)[:300]
    )


def _prints(finished: Finished, version: str, who: str) -> None:
    _ended_well(finished, hint=f"What does your code ask for that {who} may not?")
    finished.require(
        finished.stdout.split() == [version],
        wanted=f"{version} on standard output",
        got=finished.stdout.strip()[:80],
        hint="Print the version, and nothing else.",
    )


def _fetch_as(
    shop: Shop, name: str, version: str, models: Mapping[str, Model], env: Mapping[str, str], when: str
) -> None:
    folder = f"served {when}".replace(" ", "-").replace(",", "")
    fetched = shop.run("fetch", name, "latest", folder, env=env)
    fetched.did += f"  ({when})"
    _ended_well(fetched, hint="What does your code ask for that the server may not?")
    wrong = shop.differences(folder, models[version])
    fetched.require(
        not wrong, wanted=f"the files of {version}", got=wrong, hint="Which version does the pointer name?"
    )
