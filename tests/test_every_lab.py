"""`labs verify`, lab by lab: every lab of this checkout shows what docs/lab-anatomy.md demands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import catalog as catalogs
from labs import verify
from labs.errors import LabsError
from labs.grading import Grader
from labs.machine import EMBEDDED

MALFORMED: dict[Path, LabsError] = {}
COURSE = catalogs.load(catalogs.ROOT, MALFORMED)


@pytest.fixture(scope="session")
def grader() -> Iterator[Grader]:
    """One warm parent for all labs."""
    warm = tuple(dict.fromkeys(name for lab in COURSE.labs for name in lab.warm))
    with Grader(COURSE.root, warm=warm, tier=EMBEDDED) as grader:
        yield grader


@pytest.mark.parametrize("slug", [lab.slug for lab in COURSE.labs])
def test_lab(slug: str, grader: Grader) -> None:
    labs = (COURSE.lab(slug),)
    [verdict] = verify.verify(COURSE, labs, grader, verify.Report(), fresh=verify.in_ci())
    if not verdict.ok:
        pytest.fail(str(verdict), pytrace=False)


def test_every_lab_toml_can_be_read() -> None:
    assert [str(error) for error in MALFORMED.values()] == []
