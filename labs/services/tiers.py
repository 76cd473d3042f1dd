"""What a service and a tier of it are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labs.machine import COMPOSE, EMBEDDED, LOCAL
from labs.services.programs.found import program


@dataclass(frozen=True)
class Spot:
    """Where one service is: its port on 127.0.0.1 and its data folder."""

    port: int
    data: Path


@dataclass(frozen=True)
class Tier:
    """One way to have a service.

    Args:
        module: what is run, of labs.services; "" when nothing is: it is a file, or it runs already.
        answers: whether it does its work now.
        variables: what a client needs to find it.
        takes_socket: it serves on a listening socket that it is given; otherwise it binds the port by itself.
        programs: what must be on this machine, each by any of its names; () for what our own environment has.
        there: whether what we do not run ourselves can be reached.
        begin, end: what starts and ends it then.
        port: where it is then.
        needs: services of the same tier which it stands on; the first one's address is its LABS_DATABASE_URL.
        ends_with: the signal that ends it in good order.
        ready_seconds: how long a slow machine may need.
        keeps: whether its data outlives it.
        get_it: how to have it on this machine.
    """

    module: str
    answers: Callable[[Spot], bool]
    variables: Callable[[Spot], Mapping[str, str]]
    takes_socket: bool = True
    programs: tuple[tuple[str, ...], ...] = ()
    there: Callable[[], bool] = lambda: True
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    port: int = 0
    needs: tuple[str, ...] = ()
    ends_with: int = signal.SIGTERM
    ready_seconds: float = 60.0
    keeps: bool = True
    get_it: str = ""

    @property
    def here(self) -> bool:
        """Whether this machine has it."""
        return all(any(map(program, names)) for names in self.programs) and self.there()


@dataclass(frozen=True)
class Kind:
    """A service. `port` is where it usually is."""

    name: str
    title: str
    port: int
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    without: str = ""

    def best(self, wish: str) -> str:
        """The tier to start when `wish` is wished for; "" if this machine can start none.

        "local" takes the real thing where it is found and the embedded one elsewhere; the others mean just that.
        """
        if wish == COMPOSE:
            return wish if wish in self.tiers and self.tiers[wish].here else ""
        order = (LOCAL, EMBEDDED) if wish == LOCAL or EMBEDDED not in self.tiers else (EMBEDDED,)
        return next((tier for tier in order if tier in self.tiers and self.tiers[tier].here), "")
