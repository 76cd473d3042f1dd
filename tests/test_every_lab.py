"""`labs verify --named`, lab by lab: every lab of this checkout shows what docs/lab-anatomy.md demands.

A lab that talks to services is looked at once more with the real programs: right answers pass there as well, and what
only a real program shows is shown. All mistakes at that tier, as long again: `labs verify LAB --tier local`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labs import catalog as catalogs
from labs import verify
from labs.errors import LabsError
from labs.grading import Grader
from labs.grading.services import ours
from labs.machine import EMBEDDED, LOCAL
from labs.services.kinds import KINDS

MALFORMED: dict[Path, LabsError] = {}
COURSE = catalogs.load(catalogs.ROOT, MALFORMED)


WITH_SERVICES = tuple(lab for lab in COURSE.labs if lab.services)


@pytest.mark.parametrize("slug", [lab.slug for lab in COURSE.labs])
def test_lab(slug: str) -> None:
    show(slug, EMBEDDED)


@pytest.mark.parametrize("slug", [lab.slug for lab in WITH_SERVICES])
def test_lab_with_the_real_services(slug: str) -> None:
    for name in COURSE.lab(slug).services:
        local = KINDS[name].tiers.get(LOCAL)
        if (
            not local or not ours(KINDS[name], LOCAL) or local.here
        ):  # a check never uses somebody's own cluster
            continue
        if not os.environ.get("LABS_TEST_REAL"):
            pytest.skip(f"not on this machine: {local.get_it}")
        pytest.fail(f"LABS_TEST_REAL is set, and {name} is not there: {local.get_it}")
    show(slug, LOCAL)


def show(slug: str, tier: str) -> None:
    """Each lab has a warm parent of its own: forks of one that has imported what all labs need cost more."""
    lab, second = COURSE.lab(slug), tier == LOCAL
    fresh = verify.in_ci() or second
    with Grader(COURSE.root, warm=lab.warm, tier=tier) as grader:
        [verdict] = verify.verify(
            COURSE, (lab,), grader, verify.Report(), fresh=fresh, tier=tier, second_look=second, named=True
        )
    if not verdict.ok:
        pytest.fail(str(verdict), pytrace=False)


def test_every_lab_toml_can_be_read() -> None:
    assert [str(error) for error in MALFORMED.values()] == []
