"""Why an image does not start, as far as the followed build tells: said before what the service printed."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from image_model import PACKAGES, Stage
from permissions import ENTER, READ


def why_not(stage: Stage, argv: Sequence[str]) -> tuple[str, str]:
    """What the final stage's user cannot read, or its interpreter not find, and a hint; empty when nothing is seen."""
    return _shut_out(stage, argv) or _other_python(stage) or ("", "")


def _shut_out(stage: Stage, argv: Sequence[str]) -> tuple[str, str] | None:
    named = {stage.absolute(word) for word in argv if "/" in word}
    for path, node in sorted(stage.tree.items()):
        is_needed = node.origin.startswith(("app/", "model/")) or node.kind in (
            "packages",
            "script",
            "interpreter",
        )
        runs = path in named or node.kind in ("script", "interpreter")
        if (is_needed or path in named) and (barrier := stage.barrier(path, READ | ENTER if runs else READ)):
            return (
                f"user `{stage.config.user}` {barrier}",
                "Who owns it, and what may others do? See `ls -l`.",
            )
    return None


def _other_python(stage: Stage) -> tuple[str, str] | None:
    """Packages lie where only another minor version of Python looks."""
    for path, node in sorted(stage.tree.items()):
        if node.kind != "packages" or f"/python{node.python}/" not in path:
            continue
        prefix = posixpath.dirname(path).partition("/lib/python")[0]
        for name in ("python", "python3"):
            real = stage.interpreter(f"{prefix}/bin/{name}")
            if real and stage.tree[real].python != node.python and path.endswith(PACKAGES):
                found = f"`{prefix}` has packages for Python {node.python}, and Python {stage.tree[real].python} runs"
                return found, "A virtual environment holds no Python: it points at the one of its stage."
    return None
