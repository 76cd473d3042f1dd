"""Grading: one lab × one folder → one LabResult. `Grader` is the way in; the rest runs elsewhere."""

from labs.grading.grader import Grader, Watcher

__all__ = ["Grader", "Watcher"]
