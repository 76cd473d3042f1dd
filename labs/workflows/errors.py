"""What can keep a workflow from running here, apart from its own commands."""

from __future__ import annotations


class Malformed(Exception):
    """GitHub would refuse this file: nothing in it runs, and no check is reported."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path, self.what = path, what


class Unsupported(Exception):
    """GitHub can do this and this runner cannot. Whoever called must say "could not check", and never "passed"."""


class BadExpression(Exception):
    """An expression that cannot be parsed or evaluated. On GitHub the job, or the whole workflow, fails."""
