"""May the candidate take the champion's place? Decided from the two `metrics.json`, and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OVERALL_SLACK = 0.005  # average precision that a candidate may lose: less is noise
SLICE_SLACK = 0.05
SLICE_FRAUDS = 20  # with fewer frauds the figure of a slice says nothing


class CannotCompare(ValueError):
    """Without two sound figures over the same rows there is no decision, and above all no "promote"."""


@dataclass(frozen=True)
class Figure:
    average_precision: float
    frauds: int


@dataclass(frozen=True)
class Evaluation:
    holdout_id: str
    overall: Figure
    slices: dict[str, Figure]

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        """What a model folder says of its model.

        Raises:
            CannotCompare: the file is missing, broken, or says something that cannot be.
        """
        file = folder / "metrics.json"
        try:
            metrics = json.loads(file.read_text(encoding="utf-8"))
            holdout, slices = metrics["holdout"], metrics["slices"]
            if not isinstance(holdout["id"], str) or not holdout["id"]:
                raise ValueError("holdout.id is no text")
            return cls(holdout["id"], _figure(holdout), {name: _figure(one) for name, one in slices.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotCompare(f"{file}: {type(error).__name__}: {error}") from error


def reasons_against(champion: Evaluation, candidate: Evaluation) -> Iterator[str]:
    """Why the candidate must not be promoted; nothing, if it may.

    Raises:
        CannotCompare: the two were not evaluated on the same rows.
    """
    if champion.holdout_id != candidate.holdout_id:
        raise CannotCompare("the two models were evaluated on different rows")
    if champion.slices.keys() != candidate.slices.keys():
        raise CannotCompare("the two models were evaluated on different slices")
    if _is_below(candidate.overall, champion.overall, OVERALL_SLACK):
        yield _worse("overall", champion.overall, candidate.overall)
    for name, figure in champion.slices.items():
        other = candidate.slices[name]
        if figure.frauds >= SLICE_FRAUDS and _is_below(other, figure, SLICE_SLACK):
            yield _worse(name, figure, other)


def _is_below(candidate: Figure, champion: Figure, slack: float) -> bool:
    return champion.average_precision - candidate.average_precision > slack


def _figure(found: dict[str, Any]) -> Figure:
    precision, frauds = found["average_precision"], found["frauds"]
    if type(precision) not in (int, float) or not 0 <= precision <= 1:  # not true of NaN either
        raise ValueError("average_precision is no number from 0 to 1")
    if type(frauds) is not int or frauds < 1:
        raise ValueError("frauds is no count")
    return Figure(precision, frauds)


def _worse(name: str, champion: Figure, candidate: Figure) -> str:
    return f"{name}: {candidate.average_precision:.4f}, champion {champion.average_precision:.4f}"
