"""Rules beside the model. Each module here is one: a function `fires(payment)`. The team adds one every week."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

Rule = Callable[[Mapping[str, float]], bool]


def load_rules() -> dict[str, Rule]:
    """Every module of this package by its name."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}").fires for name in names}
