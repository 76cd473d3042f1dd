"""The one exception base of the engine: every error carries what happened and what to do next."""

from __future__ import annotations


class LabsError(Exception):
    """Something the person at the keyboard can mend.

    Args:
        message: one sentence that names the file and the value.
        next_step: one sentence in the imperative.
    """

    exit_code = 2

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}\n  next  {self.next_step}" if self.next_step else self.message
