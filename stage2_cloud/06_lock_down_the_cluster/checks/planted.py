"""Secrets of one check, what must be found of them, what only looks like them, and leaks.py's answer beside that."""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np

from labs.checks import Work
from labs.grading.compare import shorten
from labs.grading.evidence import Evidence, Finished

SECONDS = 30.0  # for one run
LETTERS = string.ascii_letters + string.digits
MARKS, QUOTED = "/+&", '"\\%.=<'  # what base64, URLs or JSON write otherwise
SHORT, USUAL, LONG = 12, 25, 200  # characters; the contract allows from SHORT to LONG
FOUND, UNREAD = 1, 2
GIT = {"GIT_CONFIG_NOSYSTEM": "1"}  # /etc cannot be read in the sandbox, and git would end because of that


def without_ids(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{7,64}\b", "…", text)  # some differ by the version of zlib


def draw(rng: np.random.Generator, length: int = USUAL, marks: str = MARKS) -> str:
    """A secret as generators make them: letters and digits, and each of these marks somewhere between them."""
    first, last, *others = rng.choice(list(LETTERS), length - len(marks))
    return first + "".join(rng.permutation([*marks, *others])) + last


def looks_like(secret: str, rng: np.random.Generator) -> dict[str, str]:
    """{what it is: text} of what is not this secret."""
    return {
        "the beginning of a secret": secret[:-5],
        "a secret in letters of another case": secret.swapcase(),
        "the end of a secret": secret[5:],
        "another secret of the same characters": "".join(rng.permutation(list(secret))),
    }


def base64_of(text: str, before: str = "", after: str = "", url: bool = False) -> str:
    """Of a longer text, in the middle of which it stands."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(f"{before}{text}{after}".encode()).decode()


def forms(secret: str) -> list[str]:
    """The ways to write it by which a part of it is looked for in what is printed."""
    encoded = [base64_of(secret, "u:"[:before])[3:-4] for before in range(3)]
    return [secret, json.dumps(secret)[1:-1], quote(secret, safe=""), *encoded]


@dataclass
class Plant:
    """Secret `number`, which is to be found. `fits` says of a WHERE whether it tells of this one."""

    title: str
    number: int
    fits: Callable[[str], bool]

    @property
    def line(self) -> int:
        """Where the secret stands in FILE: lines between them are empty."""
        return 2 * self.number - 1


def exactly(title: str, number: int, where: str) -> Plant:
    return Plant(title, number, lambda got: got == where)


def begins(title: str, number: int, where: str) -> Plant:
    return Plant(title, number, lambda got: got.startswith(where))


def named(title: str, number: int, kind: str, names: Iterable[str], rest: str) -> Plant:
    """In an object of git: `kind ID rest`, with 7 or more digits of one of the ids."""
    every = list(names)
    pattern = re.compile(rf"{kind} ([0-9a-f]{{7,64}}) {re.escape(rest)}")

    def fits(got: str) -> bool:
        found = pattern.fullmatch(got)
        return bool(found) and any(name.startswith(found[1]) for name in every) if found else False

    return Plant(title, number, fits)


@dataclass
class Place:
    """A place with what stands in it. `path` is as leaks.py gets it, `title` as a learner reads of it."""

    title: str
    path: str
    plants: list[Plant] = field(default_factory=list)
    others: dict[str, str] = field(
        default_factory=dict
    )  # {a part of a WHERE: what looks like a secret there}


class Hidden:
    """The secrets of one check, and runs of leaks.py."""

    def __init__(self, work: Work, rng: np.random.Generator, secrets: Sequence[str] = ()) -> None:
        """Without `secrets`: three of the usual length."""
        self.work, self.rng = work, rng
        self.secrets = list(secrets) or [draw(rng), draw(rng), draw(rng, marks=QUOTED)]
        self.file = work.give("secrets", "\n\n".join(self.secrets) + "\n")

    def run(
        self, *places: Place | str, warm: bool = True, memory_mb: float = 0, timeout: float = SECONDS
    ) -> Finished:
        paths = [one.path if isinstance(one, Place) else one for one in places]
        words = ("python3", "leaks.py", "--secrets", self.file, *paths)
        return self.work.run(*words, env=GIT, timeout=timeout, warm=warm, memory_mb=memory_mb)

    def expect(self, done: Finished, *places: Place, status: int = FOUND, hint: str = "") -> None:
        """Fail unless everything was found, and nothing else, and the status says so."""
        did = f"python3 leaks.py --secrets FILE, with {' and '.join(one.title for one in places)}"
        here = Evidence(did, output=self.masked(done.stderr)[-2000:])
        here.require(
            not done.killed,
            wanted="an end within the limits",
            got=f"ended for its {done.killed}",
        )
        told = self.told(here, done)
        for place in places:
            mine = [(where, number) for path, where, number in sorted(told) if path == place.path]
            for plant in place.plants:
                lines = {line for where, line in mine if plant.fits(where)}
                here.require(
                    plant.line in lines or not lines,
                    wanted=f"a find: {plant.title}",
                    got="it is there with another number",
                    hint="N is the line of FILE, where empty lines may stand between secrets.",
                )
                here.require(
                    lines, wanted=f"a find: {plant.title}", got="it is not among the finds", hint=hint
                )
            for where, number in mine:
                if not any(number == plant.line and plant.fits(where) for plant in place.plants):
                    what = next(
                        (title for part, title in place.others.items() if f"{part} " in f"{where} "), ""
                    )
                    here.fail(
                        wanted="no find but what is there" if not what else f"no find: {what}",
                        got=shorten(f"{without_ids(where)}: secret {number}", 160),
                    )
        strange = {path for path, _, _ in told} - {place.path for place in places}
        here.require(not strange, wanted="places as they were given", got="another name of a place")
        here.require(done.status == status, wanted=f"status {status}", got=f"status {done.status}", hint=hint)

    def told(self, here: Evidence, done: Finished) -> set[tuple[str, str, int]]:
        """(place, where, number) of each line. Fails on a line of another shape."""
        found = set()
        for line in done.stdout.split("\n")[:-1]:
            place, _, rest = line.partition("\t")
            where, _, which = rest.rpartition("\t")
            number = re.fullmatch(r"secret (\d{1,6})", which)
            if not number:
                here.fail(
                    wanted="lines `PLACE⇥WHERE⇥secret N`, with tabs",
                    got=shorten(self.masked(line).replace(place, "…") if place else "an empty line", 120),
                )
            found.add((place, where, int(number[1])))
        return found

    def masked(self, text: str) -> str:
        for secret in self.secrets:
            for form in forms(secret):
                text = text.replace(form, "***")
        return text

    def shown(self, text: str, part: int = 8) -> bool:
        """Whether a secret, or so many characters of it in a row, stands in a text, in any form."""
        pieces = {
            form[at : at + part]
            for secret in self.secrets
            for form in forms(secret)
            for at in range(len(form) - part + 1)
        }
        return any(piece in text for piece in pieces)
