"""Runs `labs` on the course that FAKE_COURSE names, with a grader that does what the learner's app.py says.

app.py holds one of: pass, fail, not started, cannot, broken, refuse, crash; `slow` after it makes checks take a second.
The grader leaves the files `grading` and `closed` in the course's folder, for tests that wait.
"""

from __future__ import annotations

import os
import sys
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from labs import catalog
from labs.errors import LabsError
from labs.results import CheckResult, Finding, Isolation, LabResult, State

COURSE = Path(os.environ["FAKE_COURSE"])
catalog.ROOT = COURSE
CHECKS = (
    ("starts", "starts, and answers `GET /healthz` with 200", 1),
    ("rejects", "refuses a transaction whose `amount_paise` is negative", 2),
    ("drains", "finishes what it began when it is stopped", 3),
)
FINDING = Finding(
    "POST /predict", "status 422", "status 500, [red]at[/red] app.py:41", "Constrain it.", "p95 4.1 ms"
)
OUTCOMES = {
    "pass": (State.PASSED, State.PASSED, State.PASSED),
    "fail": (State.PASSED, State.FAILED, State.COULD_NOT_CHECK),
    "not started": (State.NOT_STARTED, State.NOT_STARTED, State.NOT_STARTED),
    "cannot": (State.PASSED, State.PASSED, State.COULD_NOT_CHECK),
    "broken": (State.PASSED, State.OUR_FAULT, State.PASSED),
}


class Grader:
    def __init__(self, root, warm=(), tier="local", lanes=1):
        assert root == COURSE and list(warm) == ["json"] and tier == "local"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (COURSE / "closed").touch()

    def grade(self, lab, folder, seed=None, watcher=None, only=()):
        mode = (folder / "app.py").read_text().strip()
        if mode == "refuse":
            raise LabsError("The folder cannot be graded.", "Mend it.")
        if mode == "crash":
            raise RuntimeError("a bug of ours")
        watcher.expected(CHECKS)
        (COURSE / "grading").touch()
        checks = []
        for (name, title, points), state in zip(CHECKS, OUTCOMES[mode.removesuffix(" slow")], strict=True):
            watcher.started(name)
            time.sleep(0.6 if mode.endswith(" slow") else 0)
            checks.append(
                CheckResult(
                    name,
                    title,
                    points,
                    state,
                    finding=FINDING if state in (State.FAILED, State.NOT_STARTED) else None,
                    because="`rejects` did not pass" if state is State.COULD_NOT_CHECK else "",
                    traceback="AssertionError: ours" if state is State.OUR_FAULT else "",
                )
            )
            watcher.finished(checks[-1])
        checks = [check for check in checks if not only or check.name in only]
        used = lab.seed if seed is None else seed
        return LabResult(lab.slug, used, tuple(checks), isolation=Isolation("sealed"), seconds=0.5)


fake = types.ModuleType("labs.grading")
fake.Grader = Grader
sys.modules["labs.grading"] = fake

from labs.cli import main  # noqa: E402  after the fake is in place

if __name__ == "__main__":
    sys.exit(main())
