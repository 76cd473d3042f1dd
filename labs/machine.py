"""What a check may need of the machine: a command, or a real thing that answers.

A plain command (`git`) is expected everywhere. What stands in `REAL` is not: no lab depends on it, and the checks that
use it read "could not check" without it. At the embedded tier they always do, so that feedback is the same everywhere.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from labs.errors import LabsError

EMBEDDED, LOCAL, COMPOSE = "embedded", "local", "compose"
PROBE_SECONDS = 10


@dataclass(frozen=True)
class Real:
    """A thing that not every machine has. `answers` is a command which exits with 0 where it truly works."""

    words: str
    answers: tuple[str, ...]


REAL = {
    "docker engine": Real("Docker engine", ("docker", "version", "--format", "{{.Server.Version}}")),
    "kubernetes cluster": Real(
        "Kubernetes cluster", ("kubectl", "get", "--raw", "/readyz", "--request-timeout=3s")
    ),
    "prometheus": Real("Prometheus with promtool", ("promtool", "--version")),
    "pulumi": Real("Pulumi program", ("pulumi", "version")),
    "terraform": Real("Terraform binary", ("terraform", "version")),
}


def cores() -> int:
    """How many cores this process may use: fewer than the machine has, where somebody has pinned it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def known(tier: str, also: tuple[str, ...] = ()) -> str:
    """The tier itself. `also`: tiers besides embedded and local.

    Raises:
        LabsError: there is no such tier.
    """
    tiers = (EMBEDDED, LOCAL, *also)
    if tier not in tiers:
        raise LabsError(f"There is no tier {tier!r} here.", f"Tiers are {', '.join(tiers)}.")
    return tier


def is_real(need: str) -> bool:
    return need in REAL


def lacks(need: str, tier: str = LOCAL) -> str:
    """Why a check that needs this cannot run here, in a few words; "" if it can."""
    if need not in REAL:
        return "" if shutil.which(need) else f"no {need} on this machine"
    return "" if tier == LOCAL and _answers(need) else f"no {REAL[need].words}"


def real_words(needs: Iterable[str]) -> str:
    """These real things as a learner reads them: "a Docker engine and a …"; "" for none."""
    return " and ".join(f"a {REAL[need].words}" for need in needs if need in REAL)


@functools.cache
def _answers(need: str) -> bool:
    command = REAL[need].answers
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=PROBE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
