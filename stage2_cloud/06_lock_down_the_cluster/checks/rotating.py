"""Runs rotate.py as the platform team's job would: with the rotator's token, against a cluster and a database."""

from __future__ import annotations

import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

import rights
import submission
from between import Between, Pair
from database import Database
from kube import SPACE, Kube, Obj
from kube import path as path_of
from labs.checks import CouldNotCheck, Work
from labs.grading.evidence import Evidence, Finished
from labs.grading.process import Process

LETTERS = list(string.ascii_letters + string.digits)
NOT_READY = 4
REPLICAS = 3
PATIENCE = 75.0  # seconds for one run


class Rotation:
    """One check's own cluster with the learner's objects, its database, and rotate.py."""

    def __init__(
        self, work: Work, between: Between, first: str, old: str, admin: str, rng: np.random.Generator
    ) -> None:
        self.work, self.between, self.first, self.old, self.admin = work, between, first, old, admin
        self.rng = rng
        self.token = between.kube.token("rotator")
        self._variables = [self._given(who, url) for who, url in enumerate(between.urls)]
        for port in between.ports:
            work.reach(port, self._variables[0])

    def _given(self, who: int, url: str) -> dict[str, str]:
        """What one process finds in its environment."""
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": url}}],
            "users": [{"name": "rotator", "user": {"token": self.token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "rotator", "namespace": SPACE}}],
        }  # fmt: skip
        return {
            "KUBECONFIG": self.work.give(f"kubeconfig-{who}", yaml.safe_dump(config)),
            "DATABASE_ADMIN_URL": f"{url}/database",
            "DATABASE_ADMIN_TOKEN_FILE": self.work.give(f"admin-token-{who}", self.admin + "\n"),
        }

    @property
    def kube(self) -> Kube:
        return self.between.kube

    @property
    def database(self) -> Database:
        return self.between.database

    def name(self) -> str:
        """A name for a rotation, never the same twice."""
        return f"r{self.rng.integers(10**5, 10**6)}"

    def start(self, to: str, *more: str, timeout: float = 60, who: int = 0) -> Process:
        words = ("rotate.py", "--to", to, "--timeout", str(timeout), "--poll", "0.01", *more)
        return self.work.start("python3", *words, env=self._variables[who], warm=True)

    def run(self, to: str, *more: str, timeout: float = 60) -> Finished:
        """To its end, with the grader looking."""
        self.between.begin()
        return self.start(to, *more, timeout=timeout).wait(PATIENCE)

    def killed(self, to: str, at: int) -> bool:
        """Run it, and kill it as soon as its write number `at` was done. False: it ended before."""
        holder: list[Process] = []
        self.between.begin(at, lambda: holder[0].signal("SIGKILL", group=True))
        with self.between.one_at_a_time:  # no request before we know whom to kill
            holder.append(self.start(to))
        holder[0].wait(PATIENCE)
        return len(self.between.seen.writes) >= at

    def back(self) -> None:
        """Give Secret and database what they had at first."""
        with self.between.one_at_a_time:
            self.kube.ask("DELETE", path_of("Secret", SPACE, submission.SECRET))
            self.kube.create(submission.secret(self.old, self.first))
            self.database.passwords = {self.first: (self.old, 0)}

    def two(self, to: str, pair: Pair) -> list[Finished]:
        """Two runs at once, in the order that `pair` makes."""
        self.between.begin()
        self.between.pair = pair
        both, ends = [self.start(to, who=who) for who in (0, 1)], list[Finished]()
        limit = time.monotonic() + PATIENCE
        while both:
            for one in list(both):
                if not one.alive or time.monotonic() > limit:
                    ends.append(one.wait(1))
                    both.remove(one)
                    pair.over()
            time.sleep(0.01)
        self.between.pair = None
        return ends

    def done(self, did: str, to: str) -> None:
        """Fail unless everything uses the password of this rotation, and the database knows only it."""
        self.kube.wait(30)  # pods that are about to end do
        here, secret = Evidence(did), self.between.secret()
        here.require(
            secret.get("id") == to, wanted="a Secret fraud-db with the new `id`",
            got=f"another id: {self._id(secret.get('id'))}",
            hint="The Secret says which password pods read: `password`, and its name in the database, `id`.",
        )  # fmt: skip
        kept = self.database.passwords.get(to)
        here.require(
            kept is not None and kept[0] == secret.get("password"),
            wanted="a database that accepts the Secret's `password` by the name of this rotation",
            got="it does not know that name" if kept is None else "another password by that name",
        )
        here.require(
            self.between.in_use() == {secret["password"]},
            wanted="every pod has read the new password",
            got="some still have an old one",
            hint="The process reads its file once, when it starts.",
        )
        here.require(
            self.database.ids() == [to],
            wanted="the new password alone in the database",
            got=f"{len(self.database.ids())} passwords: {', '.join(map(self._id, self.database.ids()))}",
            hint="A password that nobody uses any more is one that somebody can steal.",
        )

    def _id(self, name: object) -> str:
        return "the one before it" if name == self.first else "one with a name of its own" if name else "none"

    def no_lockout(self, did: str) -> None:
        seen = self.between.seen
        Evidence(did).require(
            not seen.lockouts,
            wanted="every login is accepted, at every moment",
            got=seen.lockouts[0] if seen.lockouts else "",
            hint="Beside, then over, then away: whoever still has the old password needs it.",
        )

    def hidden(self) -> list[tuple[str, str]]:
        """(what it is, value) of everything that is secret by now."""
        news = self.database.seen | self.between.staged
        return [
            ("the old password", self.old),
            ("the administrator's token", self.admin),
            ("the token of the API server", self.token),
            *(("a new password", one) for one in sorted(news - {self.old})),
        ]


def _need_rights(kube: Kube) -> None:
    """Without its rights the rotator cannot begin. Another check says which one, and what to do."""
    rotator = next(one for one in rights.subjects("nobody") if one.title.endswith("/rotator"))
    for part in (rights.about_secrets(), rights.everything_else()):
        for one in part:
            if rotator.may(one) and not rights.allowed(kube, rotator, one):
                raise CouldNotCheck(f"{rotator.title} may not {rights.told(one)}")


@contextmanager
def rotation(work: Work, things: list[Obj], folder: Path, rng: np.random.Generator) -> Iterator[Rotation]:
    """The learner's objects applied, three pods that have logged in, and everything ready for a rotation."""
    first = f"r0-{rng.integers(10**5, 10**6)}"
    old, admin = (word + "".join(rng.choice(LETTERS, 15)) for word in ("Old/+'", "adm="))
    kube = submission.accepted(folder, things, old, first)
    try:
        _need_rights(kube)
        kube.wait(60)
        database = Database(admin, {first: (old, 0)})
        with Between(kube, database) as between:
            between.look("before anything")
            Evidence("kubectl apply -f k8s, and wait for a minute").require(
                between.seen.fewest == REPLICAS,
                wanted=f"{REPLICAS} ready pods of fraud",
                got=str(between.seen.fewest),
            )
            yield Rotation(work, between, first, old, admin, rng)
    finally:
        kube.close()
