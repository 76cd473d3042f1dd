"""Images that were built as people build them in a hurry: copied, used, removed in a later layer."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from image_places import Again, Layout, Saved, special, tar, zipped
from planted import Hidden, Place, base64_of, begins, exactly, looks_like

DEEP = "/".join(f"{number:020}" for number in range(12))  # longer than a name in the oldest tar


def config(env: list[str], history: list[str], **more: Any) -> dict[str, Any]:
    """An image's config (OCI image specification, config.md)."""
    return {
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"User": "10001", "Env": ["PATH=/usr/bin", *env], "Cmd": ["python", "app.py"], **more},
        "history": [{"created": "2026-11-20T10:00:00Z", "created_by": line} for line in history],
    }  # fmt: skip


def saved(hidden: Hidden) -> Place:
    """Two images in one archive of `docker save`, layers as they are."""
    rng, (one, two, three) = hidden.rng, hidden.secrets
    archive, word = Saved(), str(rng.integers(10**9))
    base = tar([("etc/os-release", f"ID={word}\n".encode()), ("app/app.py", b"import os\n" * 50)])
    alike = [
        (f"alike/{place}.env", f"A={text}\nB={base64_of(text, 'u:')}\n".encode())
        for place, text in enumerate(looks_like(three, rng).values())
    ]
    copied = tar([
        ("app/.env", f"LEVEL=info\n\nDB={one}\n".encode()),
        (f"var/cache/{DEEP}/b.txt", f"{word}\n{two}\n".encode()), *alike,
    ])  # fmt: skip
    removed = tar([("app/.wh..env", b""), ("var/cache/.wh..wh..opq", b""), ("app/new.txt", word.encode())])
    layers, name = archive.image(
        "fraud:1.4.0", [base, copied, removed, bytes(1024)],
        config([f"DB={three}"], ["COPY . /app", f"|1 DB_PASSWORD={two} /bin/sh -c pip install ."]),
        {"container_config": {"Hostname": "b", "Env": ["A=1", f"OLD={one}"]}},
    )  # fmt: skip
    plants = [
        exactly("a file that a later layer removes", 1, f"layer {layers[1]} app/.env line 3"),
        exactly(
            "a file with a long name, in a folder that a later layer empties",
            2,
            f"layer {layers[1]} var/cache/{DEEP}/b.txt line 2",
        ),
        exactly("a variable of the image", 3, f"config {name} config.Env[1]"),
        exactly(
            "a variable in the json beside a layer",
            1,
            f"config {layers[-1].replace('layer.tar', 'json')} container_config.Env[1]",
        ),
        exactly("an argument of the build, in the history", 2, f"config {name} history[1].created_by"),
    ]
    settings = ("srv/settings.json", f'{{"auth": "{base64_of(one, "fraud:")}"}}\n'.encode())
    other = tar([settings, (f"srv/{DEEP}/db.env", f"\nDB={three}\n".encode())], tarfile.GNU_FORMAT)
    labels = {
        "in.nukkad.proxy": f"http://u:{quote(two, safe='')}@proxy", f"key {three}": "x",
        "in.nukkad.login": f"fraud:{one}", Again("in.nukkad.login"): "see the wiki",
    }  # fmt: skip
    layers, name = archive.image("gateway:1.4.0", [other], config([], [], Labels=labels))
    plants = [
        exactly(
            "a file with a long name, as GNU tar writes it", 3, f"layer {layers[0]} srv/{DEEP}/db.env line 2"
        ),
        *plants,
        begins(
            "the first value of a label that is there twice",
            1,
            f"config {name} config.Labels.in.nukkad.login",
        ),
        exactly("a file of the second image", 1, f"layer {layers[0]} srv/settings.json line 1"),
        exactly("a label of the second image", 2, f"config {name} config.Labels.in.nukkad.proxy"),
        begins("the key of a label", 3, f"config {name} config.Labels.key "),
    ]
    kinds = [*looks_like(three, rng)]
    others = {f"alike/{place}.env": title for place, title in enumerate(kinds)}
    path = hidden.work.give("saved.tar", archive.archive())
    return Place("an archive of docker save", path, plants, others)


def layout(hidden: Hidden) -> Place:
    """Two platforms in an OCI layout, layers in gzip."""
    rng, (one, two, three) = hidden.rng, hidden.secrets
    there, word = Layout(), str(rng.integers(10**9))
    lines = "".join(f"{rng.integers(10**9)}\n" for _ in range(3000))
    log = gzip.compress(f"{lines}login with {three}\n".encode(), 1, mtime=0)
    backup = gzip.compress(tar([("db.env", f"DB={one}\n".encode())]), 1, mtime=0)
    first = zipped(
        tar(
            [
                ("app/config.ini", f"[db]\nurl = pg://u:{quote(two, safe='')}@db\n".encode()),
                ("log/a.old", log),
            ]
        )
    )
    second = zipped(tar([
        ("app/config.ini", b"[db]\n"), ("root/backup.tar.gz", backup), ("log/.wh.a.old", b""),
        ("tmp/odd\nname\t.env", one.encode()), ("tmp/plain.gz", f"not packed\n{three}".encode()),
    ]))  # fmt: skip
    link = special("app/current", tarfile.SYMTYPE, f"/secrets/{three}")
    layers, name, manifest = there.image(
        [first, second, zipped(tar([link]))],
        config([], [], Entrypoint=["serve", f"--password={one}"]), {"in.nukkad.built-with": base64_of(two)},
    )  # fmt: skip
    plants = [
        exactly("a file that a later layer replaces", 2, f"layer {layers[0]} app/config.ini line 2"),
        exactly("a log in gzip, removed later", 3, f"layer {layers[0]} log/a.old line 3001"),
        begins("a .tar.gz in a layer", 1, f"layer {layers[1]} root/backup.tar.gz line "),
        begins("a file with a line end in its name", 1, f"layer {layers[1]} tmp/odd"),
        exactly("a file that is called .gz and is none", 3, f"layer {layers[1]} tmp/plain.gz line 2"),
        exactly("the target of a link", 3, f"layer {layers[2]} app/current name"),
        exactly("the command of the image", 1, f"config {name} config.Entrypoint[1]"),
        exactly("a note on the manifest", 2, f"config {manifest} annotations.in.nukkad.built-with"),
    ]
    arm = [zipped(tar([("etc/motd", f"{word}\n{one}\n".encode())])), zipped(tar([("etc/.wh.motd", b"")]))]
    layers, _, _ = there.image(arm, config([], []), {})
    plants.append(exactly("an image for another platform", 1, f"layer {layers[0]} etc/motd line 2"))
    return Place("an OCI layout", hidden.work.give("layout.tar", there.archive()), plants)


def hostile(hidden: Hidden, outside: str) -> Place:
    """Links, devices and names that lead out of any folder in which somebody unpacks it."""
    secret, folder = hidden.secrets[0], outside.strip("/")
    layer = tar([
        special("loop", tarfile.SYMTYPE, "loop"), special("hard", tarfile.LNKTYPE, "nowhere"),
        special("pipe", tarfile.FIFOTYPE), special("zero", tarfile.CHRTYPE),
        special("out", tarfile.SYMTYPE, f"/{folder}"),
        ("out/through_a_link", b"1\n"), (f"/{folder}/by_an_absolute_name", b"2\n"),
        ("../up", b"3\n"), ("../../up", b"4\n"),
        ("etc/db.env", f"DB={secret}\n".encode()),
    ])  # fmt: skip
    archive = Saved()
    layers, _ = archive.image("evil:1", [layer], config([], []))
    archive.members += [
        special("escape", tarfile.SYMTYPE, f"/{folder}"), ("escape/through_the_archive", b"{}"),
        special("hosts.json", tarfile.SYMTYPE, "/etc/hostname"), ("../../beside", b"{}"),
    ]  # fmt: skip
    path = hidden.work.give("hostile.tar", archive.archive())
    plants = [exactly("a file of its layer", 1, f"layer {layers[0]} etc/db.env line 1")]
    return Place("an image full of links and devices", path, plants)


def named_after(hidden: Hidden) -> str:
    """The path of an image in which folders, files and labels are named after secrets."""
    one, two = hidden.secrets
    there = Layout()
    link = special(f"tmp/{two}", tarfile.SYMTYPE, f"/{one}")
    layer = tar([(f"run/{one}/config", f"{two}\n".encode()), (f"{base64_of(two)}.txt", one.encode()), link])
    there.image([zipped(layer)], config([f"{one}={two}"], [], Labels={one: "x", two: one}), {})
    return hidden.work.give("named.tar", there.archive())


def broken_by_name(hidden: Hidden) -> str:
    """The path of an image whose one layer cannot be read, and is named after a secret."""
    layer = zipped(tar([(hidden.secrets[0], hidden.rng.bytes(2000))]))
    return hidden.work.give(
        "broken.tar", tar([(f"{hidden.secrets[1]}/layer.tar", layer[:900]), ("manifest.json", b"[]")])
    )


def cut_off(hidden: Hidden) -> dict[str, bytes]:
    """{what is wrong: an archive} of images that nobody can read to their end."""
    rows = [(f"app/{at}.txt", hidden.rng.bytes(700)) for at in range(12)]
    whole, found = tar(rows), {}
    half = zipped(whole)
    broken = {
        "a layer whose gzip is cut off": (half[: len(half) // 2], "tar+gzip"),
        "a layer that ends between two of its files": (whole[: 1536 * 5], "tar"),
        "a layer in zstd": (b"\x28\xb5\x2f\xfd" + hidden.rng.bytes(900), "tar+zstd"),
    }
    for title, (layer, kind) in broken.items():
        there = Layout()
        there.image([layer], config([], []), {}, kind)
        found[title] = there.archive()
    return found


def large(path: Path, count: int) -> None:
    """One image whose layer holds a file of so many MiB, in gzip: mostly zeros, written in pieces."""
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
        header = tarfile.TarInfo("models/model.bin")
        header.size = count << 20
        out.write(header.tobuf())
        for _ in range(count):
            out.write(bytes(1 << 20))
        out.write(bytes(10240))
    there = Layout()
    there.image([raw.getvalue()], config([], []), {})
    path.write_bytes(there.archive())
