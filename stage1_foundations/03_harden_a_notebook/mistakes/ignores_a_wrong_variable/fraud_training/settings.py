"""What a training can be told: from the command line, the environment, a TOML file, or a default; in this order."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

ENVIRONMENT_PREFIX = "FRAUD_"


class WrongSettings(ValueError):
    """A setting that does not exist or cannot be. The message names it."""


@dataclass(frozen=True)
class Settings:
    seed: int = 7
    holdout_days: int = 7  # the last days of the data, in India: kept for the test
    review_share: float = 0.05  # of the payments: what the review desk has people for

    def __post_init__(self) -> None:
        _require(type(self.seed) is int and self.seed >= 0, "seed", "an integer, 0 or more")
        is_days = type(self.holdout_days) is int and self.holdout_days >= 1
        _require(is_days, "holdout_days", "an integer, 1 or more")
        is_share = type(self.review_share) in (int, float) and 0 < self.review_share < 1
        _require(is_share, "review_share", "a number between 0 and 1")


def settings_from(file: Path, environment: Mapping[str, str], pairs: Sequence[str]) -> Settings:
    """The settings that hold: `--set` pairs before FRAUD_… variables before the file before the defaults.

    Raises:
        WrongSettings: an unknown key, a value that cannot be, or a file that cannot be read.
    """
    names = [field.name for field in fields(Settings)]
    given = _of_file(file)
    for name in names:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if variable in environment:
            value = _value(environment[variable])
            try:
                Settings(**{name: value})
            except WrongSettings:
                continue  # the file or the default will do
            given[name] = value
    for pair in pairs:
        name, is_pair, text = pair.partition("=")
        _require(bool(is_pair), name, "written as KEY=VALUE")
        given[name] = _value(text)
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise WrongSettings(f"unknown setting {unknown[0]}; known are {', '.join(names)}")
    return Settings(**given)


def _of_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # broken TOML and broken UTF-8 are ValueErrors
        raise WrongSettings(f"cannot read {file}: {error}") from error


def _value(text: str) -> int | float | str:
    """A number if the text is one, as TOML would read it; the text itself is refused later, by name."""
    for read in (int, float):
        try:
            value = read(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text


def _require(holds: bool, name: str, wanted: str) -> None:
    if not holds:
        raise WrongSettings(f"{name} must be {wanted}")
