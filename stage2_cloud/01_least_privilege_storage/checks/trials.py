"""Bad nights for who publishes and who fetches: watched, killed, corrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from between import Between, Held
from labs.checks import Answer
from shop import SECONDS, Shop, expect_error, expect_pointer, until
from world import Model, draw_model, draw_small, draw_versions

MEBIBYTE = 1 << 20  # one file is larger than what one read() may give
REFUSALS = ("NotPublished", "Corrupted")


def publish_and_fetch(shop: Shop, rng: np.random.Generator) -> None:
    first, second, (old, new) = draw_model(rng), draw_model(rng), draw_versions(rng, 2)
    second = Model({**second.files, "trees/forest.bin": rng.bytes(MEBIBYTE + int(rng.integers(1, 200_000)))})
    for ask in (shop.latest, shop.rollback):
        expect_error(
            ask("fraud", may_raise=True), ("NotPublished",), "nothing is published", "See the contract."
        )
    shop.expect_stored(shop.publish(first, "fraud", old), "fraud", old, first)
    shop.publish(draw_small(rng), "fraud-v2", new)
    published = shop.publish(second, "fraud", new)
    shop.expect_stored(published, "fraud", new, second)
    expect_pointer(shop, published, "fraud", new, old)
    shop.expect_latest("fraud", new, hint="The pointer says so.")
    for version, model, empty in (("latest", second, False), (old, first, True)):
        shop.expect_whole("fraud", version, model, hint="Paths have folders; names have blanks.", empty=empty)
    shop.fetch("fraud", "latest")[0].expect(value=new, hint="Return the version that the pointer named.")
    shop.expect_refused("fraud", "never-published", ("NotPublished",), "there is no such version")


def look_between_requests(shop: Shop, rng: np.random.Generator) -> None:
    """A reader looks before each write of a publisher: it sees what would be left if the publisher died there."""
    name, (old, new) = "fraud", draw_versions(rng, 2)
    before, after = draw_small(rng), draw_model(rng)
    shop.publish(before, name, old)
    with Between(shop.account.url) as between:
        process = shop.begin(between, "publish", shop.folder(after), name, new)
        writes = 0
        while held := between.next(lambda: process.alive):
            if held.writes:
                writes += 1
                _see(shop, name, {old: before, new: after}, writes)
                _see_version(shop, name, new, after, writes)
            held.go()
        done = process.wait(SECONDS).expect(status=0)
    done.require(
        writes > len(after.blobs),
        wanted="a request for each blob, the manifest and the pointer",
        got=f"{writes} writes",
        hint="AWS_ENDPOINT_URL says where the API is.",
    )
    shop.expect_whole(name, "latest", after, hint="The pointer moves last.")


def _see(shop: Shop, name: str, models: Mapping[str, Model], write: int) -> None:
    answer, folder = shop.fetch(name, "latest", may_raise=True)
    version = answer.value if isinstance(answer.value, str) else ""
    wrong = str(answer.error.type) if answer.error else f"version {version}"
    if version in models:
        wrong = shop.differences(folder, models[version])
    Answer(f"fetch({name!r}, 'latest') while a publisher waits before its write number {write}").require(
        not wrong,
        wanted="the version of before or the new one, whole",
        got=wrong,
        hint="Blobs first, then the manifest, then the pointer: a reader starts from the other end.",
    )


def _see_version(shop: Shop, name: str, version: str, model: Model, write: int) -> None:
    answer, folder = shop.fetch(name, version, may_raise=True)
    names = (answer.error.type, *answer.error.bases) if answer.error else ()
    Answer(f"fetch({name!r}, {version!r}) while its publisher waits before its write number {write}").require(
        set(names) & set(REFUSALS) or (not names and not shop.differences(folder, model)),
        wanted="NotPublished or Corrupted, or the whole version",
        got=str(names[0]) if names else shop.differences(folder, model),
        hint="There is a version when its manifest is there, and not before.",
    )


def kill_and_retry(shop: Shop, rng: np.random.Generator) -> None:
    """Killed at a blob, before the manifest, before the pointer; each time somebody tries again, and it works."""
    name, versions = "offers", draw_versions(rng, 4)
    shop.publish(draw_small(rng), name, versions[0])
    for place in ("blob", "manifest", "pointer"):
        version = versions.pop()
        model = draw_model(rng) if place == "blob" else draw_small(rng)
        seen = int(rng.integers(2, len(model.blobs) + 1))
        before = str(shop.pointer(name).get("version"))
        _kill(shop, model, name, version, place, seen)
        shop.expect_latest(name, before, hint="Until the pointer moves, nothing has changed.")
        again = shop.publish(model, name, version)
        shop.expect_whole(name, "latest", model, hint="A blob that is there already is no reason to stop.")
        expect_pointer(shop, again, name, version, before)


def _kill(shop: Shop, model: Model, name: str, version: str, place: str, seen: int) -> None:
    """End a publisher by SIGKILL while one of its requests waits, which is never answered."""
    endings = {"manifest": f"/{name}/versions/{version}.json", "pointer": f"/{name}/latest.json"}
    count = 0

    def is_here(held: Held) -> bool:
        nonlocal count
        if not held.writes:
            return False
        count += 1
        return held.is_about(endings[place]) if place in endings else count == seen

    with Between(shop.account.url) as between:
        process = shop.begin(between, "publish", shop.folder(model), name, version)
        held = until(process, between, is_here)
        if held is None:
            process.wait(SECONDS).expect(status=0).fail(
                wanted=f"a write of the {place}", got="none", hint="See the table of keys in the contract."
            )
        process.signal("SIGKILL", group=True)
        between.cut()
        process.wait(SECONDS)


def publish_other_content(
    shop: Shop, rng: np.random.Generator, model: Model, version: str, other: str
) -> None:
    """Another content under the version `version`: one bit, a file more, a file less, another name; then in a race."""
    path = str(rng.choice([one for one, content in model.files.items() if content]))
    content = bytearray(model.files[path])
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    files = model.files
    for case, changed in (
        ("one bit differs", {**files, path: bytes(content)}),
        ("it has a file more", {**files, "more.txt": b""}),
        ("it has a file less", {one: files[one] for one in files if one != path}),
        (
            "a file has another name",
            {**{one: files[one] for one in files if one != path}, f"{path}x": files[path]},
        ),
    ):
        answer = shop.publish(Model(changed), "offers", version, may_raise=True)
        case = f"{version} is published, and {case}"
        expect_error(
            answer, ("AlreadyPublished",), case, hint="Compare the manifests before you write anything."
        )
        shop.expect_whole("offers", version, model, hint="A version never changes.")
    first, second = draw_small(rng), draw_small(rng)
    with Between(shop.account.url) as between:
        process = shop.begin(between, "publish", shop.folder(first), "offers", other)
        held = until(process, between, lambda held: held.writes and held.is_about(f"/versions/{other}.json"))
        shop.publish(second, "offers", other)
        if held:
            held.go()
        while held := between.next(lambda: process.alive):
            held.go()
        ended = process.wait(SECONDS)
    ended.expect(
        status=1, hint="Two wrote this manifest at the same time: `If-None-Match: *` says who was first."
    )
    shop.expect_whole("offers", "latest", second, hint="The first manifest stays.")


def corrupt(shop: Shop, rng: np.random.Generator) -> None:
    """One fault at a time, at a place drawn from the seed."""
    name, model, (version, other) = "assist", draw_model(rng), draw_versions(rng, 2)
    shop.publish(model, name, version)
    path = str(rng.choice([one for one, content in model.files.items() if len(content) > 1]))
    content, key = model.files[path], f"{name}/blobs/{model.manifest[path]['sha256']}"
    flipped = bytearray(content)
    flipped[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    manifest = f"{name}/versions/{version}.json"
    whole = shop.stored(manifest) or b""
    said = json.loads(whole)
    faults: list[tuple[str, str, bytes | None]] = [
        ("one bit of a file changed", key, bytes(flipped)),
        ("a file lost its last byte", key, content[:-1]),
        ("a file is gone", key, None),
        ("the manifest is half", manifest, whole[: len(whole) // 2]),
        ("the manifest is another version's", manifest, json.dumps({**said, "version": other}).encode()),
    ]
    faults += [
        (f"the manifest {case}", manifest, json.dumps(text).encode()) for case, text in _no_manifests(said)
    ]
    for case, place, fault in faults:
        good = shop.stored(place) or b""
        shop.plant(place, fault) if fault is not None else shop.remove(place)
        shop.expect_refused(name, version, ("Corrupted",), case)
        shop.plant(place, good)
    with shop.sealed(f"{name}/blobs/{model.manifest[max(model.files)]['sha256']}"):
        shop.expect_refused(name, version, (), "S3 refuses to give one of the files")
    _lead_outside(shop, name, version, said, rng)
    shop.plant(manifest, whole)
    shop.expect_whole(name, "latest", model, hint="This one is whole again.")
    shop.expect_untouched(name, version, rng)
    shop.plant(f"{name}/latest.json", json.dumps({"version": other, "previous": version}).encode())
    case = "the pointer names a version without a manifest"
    shop.expect_refused(name, "latest", ("NotPublished",), case)


def _no_manifests(said: Any) -> list[tuple[str, Any]]:
    """JSON that is no manifest."""
    path, about = next(iter(said["files"].items()))
    without = {key: value for key, value in about.items() if key != "sha256"}
    return [
        ("is an empty list", []),
        ("has no `files`", {key: value for key, value in said.items() if key != "files"}),
        ("has a list as `files`", {**said, "files": [path]}),
        ("has a file without `sha256`", {**said, "files": {**said["files"], path: without}}),
    ]


def _lead_outside(shop: Shop, name: str, version: str, said: Any, rng: np.random.Generator) -> None:
    """Manifests whose paths lead out of the folder. The blob is a good one, so only the path is wrong."""
    about = next(iter(said["files"].values()))
    for path in (f"../outside-{rng.bytes(3).hex()}", f"/outside-{rng.bytes(3).hex()}", "trees/../../outside"):
        manifest = {"version": version, "files": {**said["files"], path: about}}
        shop.plant(f"{name}/versions/{version}.json", json.dumps(manifest).encode())
        shop.expect_refused(name, version, ("Corrupted",), "a path leads out of the folder")
        left = [one for one in shop.work.files() if "outside" in one]
        Answer(f"fetch({name!r}, {version!r}, …), the manifest names the path {path!r}").require(
            not left,
            wanted="nothing outside of the folder",
            got="a file there",
            hint="A manifest is data from a bucket.",
        )
