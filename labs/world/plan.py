"""A seeded schedule of incidents, so that each run of a lab has its own and each regrade the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from labs.world.calendar import ist_midnight
from labs.world.draws import Purpose, stream, uniforms
from labs.world.incidents import FACTS, Incident, IncidentKind, incident_kind

QUIET_MINUTES = 30  # between two incidents, at least


def plan_incidents(
    seed: int,
    first_day: date,
    days: int,
    kinds: Sequence[IncidentKind | str] = tuple(IncidentKind),
    count: int | None = None,
) -> tuple[Incident, ...]:
    """A seeded schedule: `count` incidents (default: one of each kind) which never overlap, by start.

    Each of `kinds` comes up before any comes twice. Lengths and severities are drawn from the ranges in
    `FACTS`; in a short span the lengths shrink towards their shortest. Incidents fill at most about 60 % of
    the span, unless their shortest lengths alone need more, and at least half an hour of quiet lies between
    two. Raises `ValueError` when they cannot fit.
    """
    chosen = [incident_kind(kind) for kind in kinds]
    wanted = len(chosen) if count is None else count
    if not chosen or wanted < 1:
        raise ValueError(
            f"kinds is {kinds!r} and count {count!r}: give at least one kind and a count of 1 or more"
        )
    # More draws than any schedule uses: for shuffles, lengths, gaps, severities and causes.
    draw = iter(uniforms(stream(seed, 0, Purpose.PLAN), 64 + 16 * (wanted + len(chosen))).tolist()).__next__
    order: list[IncidentKind] = []
    while len(order) < wanted:
        order += _shuffled(chosen, draw)
    order = order[:wanted]
    lengths = _lengths(order, days * 24 * 60, draw)
    quiet = days * 24 * 60 - sum(lengths) - QUIET_MINUTES * (wanted + 1)
    if quiet < 0:
        raise ValueError(
            f"days is {days}: too few for these {wanted} incidents; give more days or a smaller count"
        )
    gaps = [0.2 + draw() for _ in range(wanted + 1)]
    minute, planned = 0, []
    for kind, length, gap in zip(order, lengths, gaps, strict=False):
        minute += QUIET_MINUTES + int(quiet * gap / sum(gaps))
        planned.append(_planned(kind, ist_midnight(first_day) + timedelta(minutes=minute), length, draw))
        minute += length
    return tuple(planned)


def _planned(kind: IncidentKind, start: datetime, minutes: int, draw: Callable[[], float]) -> Incident:
    facts = FACTS[kind]
    low, high = facts.severity
    severity, which = low + (high - low) * draw(), draw()
    cause = int(which * len(facts.causes))
    return Incident(
        kind=kind,
        start=start,
        end=start + timedelta(minutes=minutes),
        severity=round(severity, 3),
        cause=facts.causes[cause],
        feature=facts.choices[cause] if facts.choices else None,
    )


def _lengths(order: Sequence[IncidentKind], span: int, draw: Callable[[], float]) -> list[int]:
    """Minutes for each incident: its shortest, plus a random part scaled down to keep the whole under 60 % of
    `span`."""
    shortest = [FACTS[kind].hours[0] * 60 for kind in order]
    extra = [int(draw() * (FACTS[kind].hours[1] - FACTS[kind].hours[0]) * 60) for kind in order]
    room = max(0.0, 0.6 * span - sum(shortest))
    scale = min(1.0, room / max(sum(extra), 1))
    return [low + int(more * scale) for low, more in zip(shortest, extra, strict=True)]


def _shuffled(kinds: Sequence[IncidentKind], draw: Callable[[], float]) -> list[IncidentKind]:
    """Fisher–Yates, from our own draws because `random.shuffle` may change between Python versions."""
    order = list(kinds)
    for last in range(len(order) - 1, 0, -1):
        other = int(draw() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order
