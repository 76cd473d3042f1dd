"""The cohort on one page: who passed which check, what most failed and with which outputs, and where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from labs import render
from labs.cohort.gradebook import Mark
from labs.cohort.reports import render_page
from labs.cohort.similar import Alike
from labs.results import State

MOST_FAILED, OUTPUTS = 8, 3
MISSING = "·"


@dataclass(frozen=True)
class Failed:
    """One check that many failed, and the commonest wrong outputs: (how many, wanted, got)."""

    title: str
    count: int
    graded: int
    outputs: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class LabPage:
    """One lab of the cohort. `rows`: for each learner the states of the checks, in order, and the points."""

    slug: str
    titles: tuple[str, ...]
    hidden: tuple[bool, ...]
    rows: tuple[tuple[Mark, tuple[State | None, ...]], ...]
    shares: tuple[float, ...]
    failed: tuple[Failed, ...]
    unchecked: tuple[tuple[str, int], ...]
    seconds: float
    graded: int

    @property
    def passed_all(self) -> int:
        return sum(bool(mark.result) and mark.earned == mark.possible for mark, _ in self.rows)


def of_lab(slug: str, marks: Sequence[Mark]) -> LabPage:
    """What the page shows of one lab."""
    results = [mark.result for mark in marks if mark.result]
    names = list(dict.fromkeys(check.name for result in results for check in result.checks))
    about = {check.name: check for result in reversed(results) for check in result.checks}
    states = [
        {check.name: check.state for check in (mark.result.checks if mark.result else ())} for mark in marks
    ]
    rows = [(mark, tuple(of.get(name) for name in names)) for mark, of in zip(marks, states, strict=True)]
    rows.sort(key=lambda row: (-row[0].earned, row[0].learner))
    passed = [sum(of.get(name) is State.PASSED for of in states) for name in names]
    return LabPage(
        slug=slug,
        titles=tuple(render.clean(about[name].title) for name in names),
        hidden=tuple(about[name].hidden for name in names),
        rows=tuple(rows),
        shares=tuple(count / max(1, len(results)) for count in passed),
        failed=tuple(_most_failed(marks, names)),
        unchecked=tuple(_unchecked(marks)),
        seconds=median([result.seconds for result in results]) if results else 0.0,
        graded=len(results),
    )


def _most_failed(marks: Sequence[Mark], names: Iterable[str]) -> list[Failed]:
    found = []
    for name in names:
        checks = [
            check for mark in marks if mark.result for check in mark.result.checks if check.name == name
        ]
        bad = [check for check in checks if check.state is State.FAILED]
        if not bad:
            continue
        outputs = Counter(
            (render.clean(check.finding.wanted), render.clean(check.finding.got))
            for check in bad
            if check.finding
        )
        common = tuple((count, wanted, got) for (wanted, got), count in outputs.most_common(OUTPUTS))
        found.append(Failed(render.clean(bad[0].title), len(bad), len(checks), common))
    return sorted(found, key=lambda one: -one.count)[:MOST_FAILED]


def _unchecked(marks: Sequence[Mark]) -> list[tuple[str, int]]:
    reasons: Counter[str] = Counter()
    for mark in marks:
        for check in mark.result.checks if mark.result else ():
            if check.state in (State.COULD_NOT_CHECK, State.OUR_FAULT) and not check.because.startswith(
                "needs "
            ):
                reasons[f"{check.state}: {render.clean(check.because) or 'no reason was given'}"] += 1
    return reasons.most_common()


def cohort(title: str, marks: Sequence[Mark], alike: Sequence[Alike], graded_at: str) -> str:
    """The page as HTML: one file, no script, nothing from elsewhere."""
    labs = list(dict.fromkeys(mark.lab for mark in marks))
    return render_page(
        "cohort.html",
        title=title,
        labs=[of_lab(slug, [mark for mark in marks if mark.lab == slug]) for slug in labs],
        learners=len({mark.learner for mark in marks}),
        alike=alike,
        notes=list(
            dict.fromkeys((mark.learner, render.clean(note)) for mark in marks for note in mark.notes)
        ),
        flaky=[mark for mark in marks if mark.flaky],
        unread=[mark for mark in marks if mark.error],
        graded_at=graded_at,
        signs={str(state): mark for state, mark in render.MARK.items()} | {"": MISSING},
        State=State,
    )
