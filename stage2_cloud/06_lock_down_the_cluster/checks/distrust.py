"""What leaks.py says of a place that it cannot read, what it must not do for one, and what it must not show."""

from __future__ import annotations

import gzip
import os

import numpy as np

import git_oddities
import git_scene
import image_scene
from labs.checks import Work
from labs.grading.evidence import Evidence
from planted import LONG, QUOTED, SECONDS, UNREAD, Hidden, Place, base64_of, draw, exactly, forms, without_ids

MARK = "it_ran"
ENDLESS_SECONDS = 15.0  # for a run in which nothing may be waited for


def unread(work: Work, rng: np.random.Generator) -> None:
    """Each place that cannot be read is named, and the others are still looked at."""
    hidden = Hidden(work, rng, [draw(rng)])
    secret = hidden.secrets[0]
    broken = {"no file at all": f"{work.inputs}/nothing.log"}
    for title, path in git_oddities.damaged(hidden).items():
        broken[f"a repository with {title}"] = path
    work.give("folder/readme.txt", "no repository\n")
    broken["a folder that is no repository"] = f"{work.inputs}/folder"
    for number, (title, data) in enumerate(image_scene.cut_off(hidden).items()):
        broken[f"an image with {title}"] = work.give(f"image{number}.tar", data)
    good = Place("a good file", work.give("good.log", f"a\n{secret}\n"))
    good.plants.append(exactly("a secret in the good file", 1, "line 2"))
    cut = gzip.compress(rng.bytes(5000), mtime=0)[:3000]
    broken["a file whose gzip is cut off"] = work.give("cut.log", cut)
    # Who reads one of these does not come back: they are last.
    endless = {
        "a pipe (FIFO)": f"{work.inputs}/pipe",
        "a repository with a pipe (FIFO) among its objects": git_oddities.with_a_pipe(hidden),
        "a device that never ends": "/dev/zero",
    }
    os.mkfifo(endless["a pipe (FIFO)"])
    broken = {title: broken[title] for title in sorted(broken)} | endless
    for at, title in enumerate(broken):
        places = (good, broken[title]) if at % 2 else (broken[title], good)
        done = hidden.run(*places, timeout=ENDLESS_SECONDS if title in endless else SECONDS)
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
    files = {
        "no secret at all": "\n",
        "a line of 11 characters": f"{secret}\n{secret[:11]}\n",
        "a line of 201 characters": f"{secret}\n{draw(rng, LONG + 1)}\n",
        "a line with a space": f"{secret}\n{secret} #old\n",
        "a line with a letter that is not ASCII": f"{secret}é\n",
        "lines that end with \\r\\n": f"{secret}\r\n",
    }
    for title, text in files.items():
        done = work.run(
            "python3", "leaks.py", "--secrets", work.give("no-secrets", text), good.path, warm=True
        )
        did = Evidence(f"python3 leaks.py --secrets FILE PLACE, where FILE holds {title}")
        did.require(done.status == UNREAD, wanted=f"status {UNREAD}", got=f"status {done.status}")
        did.require(
            not hidden.shown(done.stdout + done.stderr), wanted="no secret in its output", got="a part of one"
        )


def trusting(work: Work, rng: np.random.Generator) -> None:
    """Repositories whose settings start programs, an image that leads out of its folder; nothing of ours changes."""
    hidden = Hidden(work, rng, [draw(rng)])
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
    lent = git_oddities.borrowing(hidden)
    hidden.expect(hidden.run(lent), lent, status=0, hint="Which other folders does a store of objects name?")
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
    hidden = Hidden(work, rng, [draw(rng), draw(rng, marks=QUOTED)])
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
        "a repository with parts of a secret in names": [git_scene.named_after_parts(hidden)],
        "a file that is named after a secret": [work.give(f"dump-{two}.txt", f"{one}\n")],
        "a broken image with a secret in a name": [image_scene.broken_by_name(hidden)],
        "a place that is not there": [plain, f"{work.inputs}/nothing"],
        "a place that is not there, named after a secret": [plain, f"{work.inputs}/nothing-{two}"],
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
