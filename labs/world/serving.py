"""What the service did with each transaction: feature look-up, score, latency, errors; and the
minute-by-minute telemetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labs.world.draws import Bools, Floats, Ints, Purpose, lognormal_table, share, sixteen_bits, stream
from labs.world.incidents import Incident, IncidentKind

TIMEOUT_MS = 60.0  # of the feature look-up; after it the defaults are used
BASE_MISS_SHARE = 0.04
HIT_MS, MISS_MS, LOOKUP_SIGMA = 1.2, 8.0, 0.42  # without an incident no look-up comes near the timeout
COMPUTE_MS, COMPUTE_SIGMA = 9.0, 0.25
ERROR_SHARE, ERROR_SHARE_AFTER_TIMEOUT = 0.0003, 0.15
VERSIONS = ("fraud-3", "fraud-4")  # the champion; the bad deploy


@dataclass(frozen=True)
class Lookups:
    """How the feature look-up went for each transaction of a day."""

    hit: Bools  # found in the cache
    lookup_ms: Floats
    timed_out: Bools  # the service went on with default features


def active_rows(event_time: Ints, incident: Incident) -> slice:
    """The rows of a day, sorted by time, that fall within the incident."""
    bounds = np.array([incident.start, incident.end], dtype="datetime64[us]").astype(np.int64)
    first, last = np.searchsorted(event_time, bounds)
    return slice(int(first), int(last))


def lookups(seed: int, day: int, event_time: Ints, incidents: Sequence[Incident]) -> Lookups:
    """Cache and feature store on that day, with cold caches and slow dependencies at work."""
    hit_bits, time_bits = sixteen_bits(stream(seed, day, Purpose.LOOKUP), 2, event_time.size)
    miss = np.full(event_time.size, BASE_MISS_SHARE)
    slower = np.ones(event_time.size)
    for incident in incidents:
        rows = active_rows(event_time, incident)
        if incident.kind is IncidentKind.COLD_CACHE:
            # The cache warms as keys come back: misses die away over the incident.
            cold = incident.severity * np.exp(-2.0 * _progress(event_time[rows], incident))
            miss[rows] = np.maximum(miss[rows], 0.95 * cold)
            slower[rows] = np.maximum(slower[rows], 1 + 6 * cold)  # and the store behind it is overrun
        elif incident.kind is IncidentKind.SLOW_DEPENDENCY:
            slower[rows] = np.maximum(slower[rows], 1 + 9 * incident.severity)
            miss[rows] = np.maximum(miss[rows], 0.30)  # entries expire before they can be read again
    hit = hit_bits >= miss * 65536
    quantile = lognormal_table(1.0, LOOKUP_SIGMA)[time_bits]
    lookup_ms = np.where(hit, HIT_MS * quantile, MISS_MS * slower * quantile)
    timed_out = lookup_ms > TIMEOUT_MS
    return Lookups(hit, np.minimum(lookup_ms, TIMEOUT_MS), timed_out)


def latency_and_errors(seed: int, day: int, looked_up: Lookups) -> tuple[Floats, Bools]:
    """End-to-end milliseconds of each request, and whether it ended in an error instead of a score."""
    compute, error = sixteen_bits(stream(seed, day, Purpose.LATENCY), 2, looked_up.hit.size)
    latency = looked_up.lookup_ms + lognormal_table(COMPUTE_MS, COMPUTE_SIGMA)[compute]
    failed = share(error, ERROR_SHARE) | (looked_up.timed_out & share(error, ERROR_SHARE_AFTER_TIMEOUT))
    return latency, failed


def _progress(event_time: Ints, incident: Incident) -> Floats:
    """0 at the start of the incident, 1 at its end."""
    start, end = np.array([incident.start, incident.end], dtype="datetime64[us]").astype(np.int64)
    return np.asarray((event_time - start) / (end - start))
