"""Grading: one lab × one folder → one LabResult. `Grader` is the way in; `judge`, `keeper` and `worker` run elsewhere."""

from labs.grading.grader import Grader, Watcher

__all__ = ["Grader", "Watcher"]
