"""What leaks.py has to find, to leave alone, to say and never to do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import quote

import numpy as np

import git_scene
import image_scene
from labs.checks import Work
from labs.grading.evidence import Evidence
from planted import UNREAD, Hidden, Place, Plant, base64_of, exactly, forms, looks_like, without_ids

MEMORY_MB = 48
LARGE_MB = 64
LARGE_SECONDS = 60
DISK_MB = 48  # as in lab.toml
MARK = "it_ran"


def in_git(work: Work, rng: np.random.Generator) -> None:
    hidden = Hidden(work, rng)
    there = git_scene.place(hidden)
    hidden.expect(
        hidden.run(there), there,
        hint="Which objects does the folder hold, and which of them does your way of looking pass by?",
    )  # fmt: skip


def in_images(work: Work, rng: np.random.Generator) -> None:
    hidden = Hidden(work, rng)
    for there in (image_scene.saved(hidden), image_scene.layout(hidden)):
        hidden.expect(
            hidden.run(there), there,
            hint="A layer only hides what lies below it. And what a build was told, it wrote down.",
        )  # fmt: skip


def in_every_form(work: Work, rng: np.random.Generator) -> None:
    """One form a line, and between them lines that only look alike; then a file without any."""
    hidden = Hidden(work, rng)
    texts: list[tuple[str, int, str]] = []
    for number, secret in enumerate(hidden.secrets, 1):
        texts += [
            ("as it is", number, f"DB_PASSWORD={secret}"),
            ("in quotes", number, f'{{"p": "{secret}"}}'),
        ]
        for before in ("", "abc:", "u:"):
            for after in ("", "\n", "@db"):
                for safe in (False, True):
                    kind = f"as {'URL-safe ' if safe else ''}base64, {len(before)} bytes into a text"
                    text = base64_of(secret, before, after, safe)
                    texts.append((kind, number, f"auth: {text.rstrip('=') if safe else text}"))
        for plain in ("", "/"):
            url = quote(secret, safe=plain)
            texts.append(("in a URL", number, f"pg://u:{url}@db"))
            texts.append(("in a URL, in small hexadecimal digits", number, f"pg://u:{_lower(url)}@db"))
        texts.append(("in JSON as Go writes it", number, json.dumps(secret).replace("&", "\\u0026")))
    alike: list[tuple[str, int, str]] = []
    for secret in hidden.secrets:
        for title, text in looks_like(secret, rng).items():
            alike += [(title, 0, text), (title, 0, base64_of(text, "u:")), (title, 0, quote(text, safe=""))]
    texts += alike
    texts = [texts[at] for at in rng.permutation(len(texts))]
    path = work.give("environment.txt", "".join(f"{text}\n" for _, _, text in texts))
    there = Place("a file with many forms", path)
    for line, (title, number, _) in enumerate(texts, 1):
        if number:
            there.plants.append(exactly(f"a secret {title}", number, f"line {line}"))
    there.others = {f"line {line}": title for line, (title, number, _) in enumerate(texts, 1) if not number}
    packed = gzip.compress(f"start\n{hidden.secrets[0]}\n".encode(), mtime=0)
    zipped = Place("a file in gzip", work.give("environment.bak", packed))
    zipped.plants.append(exactly("a secret in what gzip holds", 1, "line 2"))
    hidden.expect(
        hidden.run(there, zipped), there, zipped,
        hint=(
            "Three bytes become four characters. Where in its three bytes does the secret begin? "
            "And who writes which letter how?"
        ),
    )  # fmt: skip
    clean = Place("a file without any", work.give("clean.txt", "".join(f"{text}\n" for _, _, text in alike)))
    hidden.expect(hidden.run(clean), clean, status=0)


def _lower(text: str) -> str:
    """Percent-encoding with small hexadecimal digits."""
    first, *rest = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def in_pieces(work: Work, rng: np.random.Generator, folder: Path) -> None:
    """A file with a find across every place where a reader may cut it, and an image with a large layer."""
    hidden = Hidden(work, rng, 1)
    ways = [hidden.secrets[0], quote(hidden.secrets[0], safe=""), base64_of(hidden.secrets[0], "u:")]
    cuts = sorted([*(1 << power for power in range(12, 25)), *(10**power for power in range(4, 8))])  # bytes
    path = folder / "large.log"
    plants = list[Plant]()
    with path.open("wb") as file:
        file.truncate(LARGE_MB << 20)  # zeros that take no room
        for place, cut in enumerate(cuts):
            text = ways[place % 3].encode()
            split = (len(text) // 2, 4, len(text) - 6)[place // 3 % 3]
            file.seek(cut - split - 1)
            file.write(b"\n" + text)
            plants.append(exactly("a secret across the border of two pieces", 1, f"line {place + 2}"))
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


def unread(work: Work, rng: np.random.Generator) -> None:
    """Each place that cannot be read is named, and the others are still looked at."""
    hidden = Hidden(work, rng, 1)
    secret = hidden.secrets[0]
    broken = {"no file at all": f"{work.inputs}/nothing.log", "a device that never ends": "/dev/zero"}
    for path, data in git_scene.damaged(hidden).items():
        work.give(f"damaged.git/{path}", data)
    broken["a repository with an object that is cut off"] = f"{work.inputs}/damaged.git"
    work.give("folder/readme.txt", "no repository\n")
    broken["a folder that is no repository"] = f"{work.inputs}/folder"
    for number, (title, data) in enumerate(image_scene.cut_off(hidden).items()):
        broken[f"an image with {title}"] = work.give(f"image{number}.tar", data)
    good = Place("a good file", work.give("good.log", f"a\n{secret}\n"))
    good.plants.append(exactly("a secret in the good file", 1, "line 2"))
    cut = gzip.compress(rng.bytes(5000), mtime=0)[:3000]
    broken["a file whose gzip is cut off"] = work.give("cut.log", cut)
    # A device comes last: who reads it does not come back.
    order = sorted(broken, key=lambda title: (title.startswith("a device"), title))
    for at, title in enumerate(order):
        done = hidden.run(good, broken[title]) if at % 2 else hidden.run(broken[title], good)
        did = Evidence(f"python3 leaks.py --secrets FILE, with {title} and a good file")
        did.require(not done.killed, wanted="status 2", got=f"it was ended for its {done.killed}")
        found = {(path, where) for path, where, _ in hidden.told(did, done)}
        did.require((good.path, "line 2") in found, wanted="the find in the good file", got="nothing of it")
        did.require(
            done.status == UNREAD, wanted=f"status {UNREAD}, whatever was found", got=f"status {done.status}",
            hint="Who asks whether it is clean must not hear yes because nobody could look.",
        )  # fmt: skip
        did.require(
            broken[title] in done.stderr, wanted="its name on standard error", got="another message, or none"
        )
    words = ("python3", "leaks.py", "--secrets", work.give("no-secrets", "\n"), good.path)
    none = work.run(*words, warm=True)
    Evidence("python3 leaks.py --secrets FILE PLACE, with a FILE that holds none").require(
        none.status == UNREAD, wanted=f"status {UNREAD}", got=f"status {none.status}"
    )


def trusting(work: Work, rng: np.random.Generator) -> None:
    """Repositories whose settings start programs, an image that leads out of its folder; nothing of ours changes."""
    hidden = Hidden(work, rng, 1)
    here = work.run("pwd").stdout.strip()
    hint = "What does the tool that you start read before it does what you want?"
    for title, folder, bare in (("a bare repository", "evil.git", True), ("a work tree", "evil", False)):
        files, plants = git_scene.hostile(hidden, f"touch {here}/{MARK};echo", bare)
        inside = folder if bare else f"{folder}/.git"
        for path, data in files.items():
            work.put(f"{inside}/{path}", data)
        if not bare:
            work.put(f"{folder}/.gitattributes", "* diff=all filter=all\n")
            work.put(f"{folder}/db.env", "a\n")
        before = _contents(work)
        there = Place(f"{title} with settings of somebody else", folder, plants)
        done = hidden.run(there)
        did = Evidence(f"python3 leaks.py --secrets FILE, with {there.title}")
        ran = MARK in work.files()
        did.require(not ran, wanted="no program of its settings runs", got="one has run", hint=hint)
        for path, data in files.items():
            did.require(
                work.read(f"{inside}/{path}").bytes == data,
                wanted="a place as it was",
                got=f"{without_ids(path)} has changed",
            )
        _expect_same(work, before, did)
        hidden.expect(done, there, hint=hint)
    before = _contents(work)
    image = image_scene.hostile(hidden, here)
    done = hidden.run(image)
    _expect_same(work, before, Evidence(f"python3 leaks.py --secrets FILE, with {image.title}"))
    hidden.expect(done, image, hint="A name in an archive is a text that somebody else wrote.")


def _contents(work: Work) -> dict[str, bytes]:
    return {path: work.read(path).bytes for path in work.files()}


def _expect_same(work: Work, before: dict[str, bytes], did: Evidence) -> None:
    after = _contents(work)
    news = sorted(path for path in after if before.get(path) != after[path])
    gone = sorted(before.keys() - after.keys())
    did.require(
        not news and not gone,
        wanted="no file written, changed or removed",
        got=(news or gone or [""])[0],
        hint="Nothing has to be unpacked to be read.",
    )


def showing(work: Work, rng: np.random.Generator) -> None:
    """Everything that is printed, also of names and messages that hold a secret."""
    hidden = Hidden(work, rng, 2)
    one, two = hidden.secrets
    lines = "".join(
        f"{before}{form}\n" for secret in (one, two) for before in ("", "x=") for form in forms(secret)
    )
    plain = work.give("dump.txt", f"{lines}{base64_of(one, 'fraud:')}\n")
    repo, image = git_scene.named_after(hidden), image_scene.named_after(hidden)
    cases = {
        "a dump": [plain],
        "a repository with a secret in a name": [repo],
        "an image with a secret in names": [image],
        "a broken image with a secret in a name": [image_scene.broken_by_name(hidden)],
        "a place that is not there": [plain, f"{work.inputs}/nothing"],
    }
    for title, places in cases.items():
        done = hidden.run(*places)
        did = Evidence(f"python3 leaks.py --secrets FILE, with {title}")
        for stream, text in (("its output", done.stdout), ("standard error", done.stderr)):
            did.require(
                not hidden.shown(text), wanted="no secret, and no part of one",
                got=f"8 or more of its characters in {stream}",
                hint="This report goes into a ticket. Names of files, branches and labels are texts too.",
            )  # fmt: skip
        if "not there" not in title and "broken" not in title:
            did.require(hidden.told(did, done), wanted="finds", got="none")
