"""`labs up`, `down`, `status` and `env`, as the learner sees them."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence

from labs.desk import Desk, shown
from labs.errors import LabsError
from labs.services import KINDS, Standing, Supervisor
from labs.services.supervisor import find

SCHEMA_VERSION = 1
FORGETFUL = "keeps its data in memory: it began empty"


def supervisor(desk: Desk) -> Supervisor:
    """The learner's services: below work/.services."""
    return Supervisor(desk.workspace.hidden(".services"))


def up(desk: Desk, names: Sequence[str], tier: str, fresh: bool) -> None:
    """Start these services, or those of the lab that the learner works on."""
    wanted = [find(name).name for name in names] or _of_the_current_lab(desk)
    over = supervisor(desk)
    for name in dict.fromkeys(wanted):
        before = over.standing(name)
        if fresh and (aside := over.set_aside(name)):
            desk.out.print(f"  {name}: the old data is in {shown(aside)}", soft_wrap=True)
        began = time.monotonic()
        if desk.err.is_terminal:
            with desk.err.status("") as line:
                now = over.up(name, tier, line.update)
        else:
            now = over.up(name, tier, _now_and_then(desk))
        desk.out.print(_row(now) + _how_it_came(before, now, time.monotonic() - began), soft_wrap=True)
    desk.out.print("\nIn this shell: source <(labs env)")


def down(desk: Desk, names: Sequence[str]) -> None:
    """End these services, or all."""
    over = supervisor(desk)
    ended = [one for name in [find(name).name for name in names] or KINDS for one in over.down(name)]
    desk.out.print(f"Ended: {', '.join(ended)}. Their data is kept." if ended else "Nothing ran.")


def status(desk: Desk, as_json: bool) -> bool:
    """Every service: whether it runs and answers, where, and what this machine could run. Whether all is well."""
    over = supervisor(desk)
    standings = [over.standing(name) for name in KINDS]
    if as_json:
        print(
            json.dumps({"schema": SCHEMA_VERSION, "services": [_entry(one) for one in standings]}, indent=2)
        )
    else:
        for one in standings:
            desk.out.print(_row(one), soft_wrap=True)
            if one.home.died:
                words = one.home.last_lines(1) or "Its keeper was ended."
                desk.out.print(
                    f"               it should run. {words} Again: labs up {one.kind.name}", soft_wrap=True
                )
    return not any(one.home.died or (one.running and not one.answers) for one in standings)


def env(desk: Desk) -> None:
    """Print what a shell needs, for `source <(labs env)`."""
    over = supervisor(desk)
    found = {key: value for name in KINDS for key, value in over.standing(name).variables.items()}
    if not found:
        raise LabsError("No service runs.", "Start what you need: labs up SERVICE")
    for key, value in found.items():
        print(f"export {key}={shlex.quote(value)}")


def _row(one: Standing) -> str:
    name = f"{one.kind.name:13}"
    if one.running is None:
        tiers = ", ".join(tier for tier, how in one.kind.tiers.items() if how.here)
        mark = "✗" if one.home.died else "○"
        return f"{mark} {name}not running; {f'can run: {tiers}' if tiers else 'not on this machine: labs doctor'}"
    mark, state = ("✓", one.running.tier) if one.answers else ("✗", "does not answer")
    return f"{mark} {name}{_address(one):40} {state}"


def _address(one: Standing) -> str:
    """Where it is, without the password that an address may hold."""
    address = next(iter(one.variables.values()), "")
    head, at, tail = address.rpartition("@")
    return f"{head.rpartition(':')[0]}:…@{tail}" if at else address


def _how_it_came(before: Standing, now: Standing, seconds: float) -> str:
    if before.running == now.running:
        return "  runs already"
    assert now.running is not None
    keeps = now.kind.tiers[now.running.tier].keeps
    return f"  {seconds:.1f} s" + ("" if keeps else f"; {FORGETFUL}")


def _entry(one: Standing) -> dict[str, object]:
    return {
        "name": one.kind.name,
        "running": one.running is not None,
        "answers": one.answers,
        "died": one.home.died,
        "tier": one.running.tier if one.running else None,
        "tiers": [tier for tier, how in one.kind.tiers.items() if how.here],
        "variables": one.variables,
        "data": str(one.home.data),
        "log": str(one.home.log),
    }


def _of_the_current_lab(desk: Desk) -> list[str]:
    lab = desk.current()
    if not lab.services:
        raise LabsError(f"{lab.slug} needs no services.", f"Name one: labs up {next(iter(KINDS))}")
    return [find(name).name for name in lab.services]


def _now_and_then(desk: Desk) -> Callable[[str], None]:
    last = time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        if time.monotonic() - last > 2.0:
            last = time.monotonic()
            desk.err.print(text)

    return say
