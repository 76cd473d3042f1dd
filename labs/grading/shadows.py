"""Files of a learner's that would hide a module of Python's own or an installed library."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path


def shadows(folder: Path) -> list[str]:
    """Notes on files of the learner's that have the name of Python's own or an installed module."""
    notes = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = path.stem if path.suffix == ".py" else path.name if path.is_dir() else ""
        if not name.isidentifier():
            continue
        if name in sys.stdlib_module_names:
            notes.append(
                f"`{path.name}` has the name of Python's own module `{name}` and would hide it: rename it."
            )
        elif path.suffix == ".py" and _installed(name):
            notes.append(
                f"`{path.name}` has the name of the installed library `{name}` and would hide it: rename it."
            )
    return notes


def _installed(name: str) -> bool:
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(name) is not None
    return False
