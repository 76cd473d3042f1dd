"""What leaks.py has to find, and what to leave alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

import git_oddities
import git_scene
import image_scene
from image_places import as_go_writes
from labs.checks import Work
from labs.grading.evidence import Evidence
from planted import (
    LONG,
    MARKS,
    QUOTED,
    SHORT,
    UNREAD,
    Hidden,
    Place,
    Plant,
    base64_of,
    draw,
    exactly,
    looks_like,
)

MEMORY_MB = 48
LARGE_MB = 64
LARGE_SECONDS = 60
DISK_MB = 48  # as in lab.toml


def in_git(work: Work, rng: np.random.Generator) -> None:
    hidden = Hidden(work, rng)
    there = git_scene.place(hidden)
    hidden.expect(
        hidden.run(there), there,
        hint="Which objects does the folder hold, and which of them does your way of looking pass by?",
    )  # fmt: skip
    clone = git_oddities.partial(hidden)
    hidden.expect(
        hidden.run(clone), clone, hint="What a clone has left out is somewhere else. Nothing is damaged."
    )
    newer = git_oddities.newer(hidden)
    done = hidden.run(newer)
    if done.status != UNREAD:
        hidden.expect(
            done, newer, hint="How long is an ID? What you do not understand, you have not read: status 2."
        )


def in_images(work: Work, rng: np.random.Generator) -> None:
    hidden = Hidden(work, rng)
    for there in (image_scene.saved(hidden), image_scene.layout(hidden)):
        hidden.expect(
            hidden.run(there), there,
            hint="A layer only hides what lies below it. And what a build was told, it wrote down.",
        )  # fmt: skip


def in_every_form(work: Work, rng: np.random.Generator) -> None:
    """One form a line, and between them lines that only look alike; then a file without any."""
    kinds = {
        "a secret": draw(rng),
        f"a secret of {SHORT} characters": draw(rng, SHORT),
        f"a secret of {LONG} characters": draw(rng, LONG, MARKS * 60),
        'a secret with " and \\ in it': draw(rng, marks=QUOTED),
    }
    hidden = Hidden(work, rng, list(kinds.values()))
    rows: list[tuple[str, int, str]] = []
    for number, (what, secret) in enumerate(kinds.items(), 1):
        rows += [(f"{what} {how}", number, text) for how, text in _written(secret)]
    alike: list[tuple[str, int, str]] = []
    for secret in hidden.secrets:
        for title, text in looks_like(secret, rng).items():
            alike += [(title, 0, text), (title, 0, base64_of(text, "u:")), (title, 0, quote(text, safe=""))]
    rows += alike
    rows = [rows[at] for at in rng.permutation(len(rows))]
    path = work.give("environment.txt", "".join(f"{text}\n" for _, _, text in rows))
    there = Place("a file with many forms", path)
    for line, (title, number, _) in enumerate(rows, 1):
        if number:
            there.plants.append(exactly(title, number, f"line {line}"))
    there.others = {f"line {line}": title for line, (title, number, _) in enumerate(rows, 1) if not number}
    packed = [gzip.compress(f"start\n{secret}\n".encode(), mtime=0) for secret in hidden.secrets[:2]]
    zipped = Place("a file in gzip", work.give("environment.bak", b"".join(packed)))
    zipped.plants.append(exactly("a secret in what gzip holds", 1, "line 2"))
    zipped.plants.append(exactly("a secret in the second member of a file in gzip", 2, "line 4"))
    hidden.expect(
        hidden.run(there, zipped), there, zipped,
        hint=(
            "Three bytes become four characters. Where in its three bytes does the secret begin? "
            "And who writes which letter how?"
        ),
    )  # fmt: skip
    clean = Place("a file without any", work.give("clean.txt", "".join(f"{text}\n" for _, _, text in alike)))
    hidden.expect(hidden.run(clean), clean, status=0)


def _written(secret: str) -> Iterator[tuple[str, str]]:
    """(how, a line that holds it) for every form of the contract."""
    yield "as it is", f"DB_PASSWORD={secret}"
    yield "in JSON", json.dumps({"p": secret})
    yield "in JSON as Go writes it", as_go_writes({"p": secret}).decode()
    for before in ("", "abc:", "u:"):
        for after in ("", "\n", "@db"):
            for safe in (False, True):
                text = base64_of(secret, before, after, safe)
                kind = f"as {'URL-safe ' if safe else ''}base64, {len(before)} bytes into a text"
                yield kind, f"auth: {text.rstrip('=') if safe else text}"
    for plain in ("", "/"):
        url = quote(secret, safe=plain)
        yield "in a URL", f"pg://u:{url}@db"
        yield "in a URL, in small hexadecimal digits", f"pg://u:{_lower(url)}@db"


def _lower(text: str) -> str:
    """Percent-encoding with small hexadecimal digits."""
    first, *rest = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def in_pieces(work: Work, rng: np.random.Generator, folder: Path) -> None:
    """A file with a find across every place where a reader may cut it, and an image with a large layer."""
    hidden = Hidden(work, rng, [draw(rng), draw(rng, LONG, MARKS * 60)])
    ways = [
        (f"a secret of {len(secret)} characters", number, text)
        for number, secret in enumerate(hidden.secrets, 1)
        for text in (secret, quote(secret, safe=""), base64_of(secret, "u:"))
    ]
    # Where a reader may cut it, in bytes.
    pieces = (many << power for power in range(12, 21) for many in range(1, 17))
    cuts = sorted({*pieces, *(10**power for power in range(4, 8))})
    path = folder / "large.log"
    plants = list[Plant]()
    with path.open("wb") as file:
        file.truncate(LARGE_MB << 20)  # zeros that take no room
        for place, cut in enumerate(cuts):
            what, number, text = ways[place % len(ways)]
            split = (len(text) // 2, 4, len(text) - 6)[place // len(ways) % 3]
            file.seek(cut - split - 1)
            file.write(f"\n{text}".encode())
            plants.append(exactly(f"{what} across the border of two pieces", number, f"line {place + 2}"))
    there = Place(f"a file of {LARGE_MB} MiB", work.give("large.log", path), plants)
    path.unlink()
    done = hidden.run(there, warm=False, memory_mb=MEMORY_MB, timeout=LARGE_SECONDS)
    _expect_small(done.killed, done.peak_mb, there.title)
    hidden.expect(
        done,
        there,
        hint="The end of one piece and the beginning of the next one: how long is the longest form?",
    )
    work.remove("large.log")
    image_scene.large(path, LARGE_MB)
    image = Place(f"an image with a file of {LARGE_MB} MiB", work.give("large.tar", path))
    done = hidden.run(image, warm=False, memory_mb=MEMORY_MB, timeout=LARGE_SECONDS)
    _expect_small(done.killed, done.peak_mb, image.title)
    done.did = f"python3 leaks.py --secrets FILE, with {image.title}"
    done.require(
        done.status != UNREAD,
        wanted=f"an image that is read to its end, with {DISK_MB} MiB of disk",
        got=f"status {UNREAD}",
        hint="Nothing has to be unpacked to be read.",
    )
    hidden.expect(done, image, status=0)


def _expect_small(killed: str, peak: float, title: str) -> None:
    Evidence(f"python3 leaks.py --secrets FILE, with {title}").require(
        killed not in ("memory", "disk"),
        wanted=f"at most {MEMORY_MB} MiB of memory, and nothing unpacked",
        got="more memory" if killed == "memory" else "a full disk",
        measured=f"{peak:.0f} MiB",
        hint="A piece at a time. A line may be as long as the file.",
    )
