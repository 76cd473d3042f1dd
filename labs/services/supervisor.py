"""Starts, watches and ends the services of one learner. Every command may be repeated, and killed at any moment."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import psutil

from labs.errors import LabsError
from labs.machine import COMPOSE, EMBEDDED, LOCAL
from labs.services.home import GRACE_SECONDS, TOKEN, Home, Running
from labs.services.kinds import KINDS
from labs.services.programs.databases import VARIABLE
from labs.services.tiers import Kind, Spot
from labs.workspace import plainly

POLL_SECONDS = 0.05
LEAST_FREE = 2**20  # bytes
Progress = Callable[[str], None]


class Keeper(Protocol):
    """A keeper that was started: which process it is, and its exit status once it has ended."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...


Launch = Callable[[list[str], Mapping[str, str], Home], Keeper]


@dataclass(frozen=True)
class Standing:
    """How one service is. `running` is None if it does not run; `answers` says whether it does its work."""

    kind: Kind
    home: Home
    running: Running | None = None
    answers: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """What a learner's environment needs; empty if it does not run."""
        if self.running is None:
            return {}
        spot = Spot(self.running.port, self.home.data)
        with contextlib.suppress(OSError, ValueError):  # it has not come far enough to have an address
            return dict(self.kind.tiers[self.running.tier].variables(spot))
        return {}


class Supervisor:
    """The services below one folder.

    Args:
        folder: a folder for each service goes there.
        usual_ports: take the port that people know a service by, if it is free; otherwise always any free one.
        launch: starts a keeper; by default one that outlives us.
    """

    def __init__(self, folder: Path, usual_ports: bool = True, launch: Launch | None = None) -> None:
        self.folder = folder
        self.usual_ports = usual_ports
        self.launch = launch or launch_program

    def home(self, name: str) -> Home:
        return Home(self.folder / name)

    def standing(self, name: str) -> Standing:
        home, kind = self.home(name), find(name)
        running = home.running()
        if running is None or running.tier not in kind.tiers:
            return Standing(kind, home)
        answers = kind.tiers[running.tier].answers(Spot(running.port, home.data))
        return Standing(kind, home, running, answers)

    def up(self, name: str, tier: str = EMBEDDED, progress: Progress = lambda text: None) -> Standing:
        """Start a service and what it stands on, unless it runs; come back when it answers.

        `tier` is a wish: "local" takes the real program where it is found, and the embedded one elsewhere.

        Raises:
            LabsError: this machine cannot run it, or it does not start: says its last words and what to do.
        """
        kind = find(name)
        home, best = self.home(name), kind.best(tier)
        if not best:
            raise _not_here(kind, tier)
        needs = [self.up(need, best, progress) for need in kind.tiers[best].needs]
        try:
            with home.alone():
                now = self.standing(name)
                if now.running is not None and (now.answers or self._answers_in_time(now, progress)):
                    return replace(now, answers=True)
                if now.running is not None:
                    self._end(home, now.running)
                self._clear(home)
                return self._start(kind, best, home, progress, needs)
        except OSError as error:
            raise plainly(error, home.folder) from error

    def down(self, name: str) -> tuple[str, ...]:
        """End a service and what stands on it; which of them ran. Nothing is left but their data and their logs."""
        home = self.home(name)
        if not home.folder.is_dir():
            return ()
        ended: list[str] = []
        for other in KINDS.values():
            running = self.home(other.name).running()
            if running and running.tier in other.tiers and name in other.tiers[running.tier].needs:
                ended += self.down(other.name)
        with home.alone():
            running = home.running()
            if running is not None:
                self._end(home, running)
            self._clear(home)
            home.forget()
        return (*ended, name) if running else tuple(ended)

    def set_aside(self, name: str) -> Path | None:
        """Move a service's data away, so that it starts empty; where it is now, or None if there was none."""
        self.down(name)
        home = self.home(name)
        if not home.data.is_dir() or not any(home.data.iterdir()):
            return None
        aside = home.folder / f"data-{time.strftime('%Y%m%d-%H%M%S')}"
        home.data.rename(aside)
        return aside

    def _start(
        self, kind: Kind, tier_name: str, home: Home, progress: Progress, needs: list[Standing]
    ) -> Standing:
        tier = kind.tiers[tier_name]
        home.forget()
        home.data.mkdir(parents=True, exist_ok=True)
        home.log.write_bytes(b"")
        if not tier.module:
            progress(f"{kind.title}: starting")
            tier.begin()
            home.record(Running(kind.name, tier_name, tier.port))
            return self.standing(kind.name)
        keeper = self._keeper(kind, tier_name, home, needs)
        began = time.monotonic()
        while time.monotonic() - began < tier.ready_seconds:
            progress(f"{kind.title}: starting, {time.monotonic() - began:.0f} s")
            begun = home.running()
            if begun and begun.keeper == keeper.pid and tier.answers(Spot(begun.port, home.data)):
                return Standing(kind, home, begun, True)
            if keeper.poll() is not None:
                raise _did_not_start(kind, home, "it ended")
            time.sleep(POLL_SECONDS)
        if left := home.running():
            self._end(home, left)
        raise _did_not_start(kind, home, f"it does not answer after {tier.ready_seconds:.0f} s")

    def _answers_in_time(self, now: Standing, progress: Progress) -> bool:
        """Whether a service that runs and did not answer comes round: it may just be busy with others."""
        assert now.running is not None
        tier, spot = now.kind.tiers[now.running.tier], Spot(now.running.port, now.home.data)
        began = time.monotonic()
        while now.home.running() == now.running and time.monotonic() - began < tier.ready_seconds:
            progress(f"{now.kind.title}: runs, no answer for {time.monotonic() - began:.0f} s")
            if tier.answers(spot):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _keeper(self, kind: Kind, tier_name: str, home: Home, needs: list[Standing]) -> Keeper:
        ports = (home.last_port, kind.port) if self.usual_ports else (home.last_port,)
        words = [kind.name, tier_name, str(home.folder), *(str(port) for port in ports if port)]
        database = {VARIABLE: needs[0].variables["DATABASE_URL"]} if needs else {}
        return self.launch(words, database, home)

    def _end(self, home: Home, running: Running) -> None:
        """Ask the keeper to end its service; end both if it does not."""
        if not running.keeper:
            find(running.name).tiers[running.tier].end()
            return
        deadline = time.monotonic() + GRACE_SECONDS + 4
        _signal(running.keeper, signal.SIGTERM)
        while home.running() is not None:
            if time.monotonic() > deadline:
                _signal(running.keeper, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(ChildProcessError):  # if we started it: it is not to stay as a zombie
            os.waitpid(running.keeper, 0)

    def _clear(self, home: Home) -> None:
        """End what a keeper that was killed may have left behind. Only processes that carry its token."""
        left = home.recorded()
        if left is None:
            return
        for process in psutil.process_iter():
            try:
                if process.environ().get(TOKEN) == left.token:
                    process.kill()
            except (psutil.Error, OSError):
                continue


def launch_program(words: list[str], variables: Mapping[str, str], home: Home) -> Keeper:
    with open(home.log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "labs.services.keeper", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **variables},
            cwd=home.folder,
            start_new_session=True,
        )


def find(name: str) -> Kind:
    """
    Raises:
        LabsError: there is no such service.
    """
    if name not in KINDS:
        raise LabsError(f"There is no service {name!r}.", f"Services are: {', '.join(KINDS)}.")
    return KINDS[name]


def _not_here(kind: Kind, wish: str) -> LabsError:
    if wish == COMPOSE:
        way = (
            kind.tiers[COMPOSE].get_it if COMPOSE in kind.tiers else f"take another tier: labs up {kind.name}"
        )
        return LabsError(f"{kind.title} cannot be run in a container here.", f"{way[:1].upper()}{way[1:]}.")
    real = kind.tiers[LOCAL]
    return LabsError(
        f"{kind.title} is not on this machine, and has no embedded stand-in. {kind.without}",
        f"{real.get_it[:1].upper()}{real.get_it[1:]}. What this machine has: labs doctor",
    )


def _did_not_start(kind: Kind, home: Home, why: str) -> LabsError:
    home.forget()
    if shutil.disk_usage(home.folder).free < LEAST_FREE:  # then its last words may be lost as well
        return plainly(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home.folder)), home.folder)
    words = " ".join(home.last_lines(2).splitlines())
    if not words:
        return LabsError(
            f"{kind.title} did not start: {why}, and it has complained of nothing.",
            f"This machine may be slow, or busy with something else: try again. labs up {kind.name}",
        )
    return LabsError(
        f"{kind.title} did not start: {why}. Its last words: {words}",
        f"Read {home.log}. If its data is damaged: labs up {kind.name} --fresh (the old data is kept aside).",
    )


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
