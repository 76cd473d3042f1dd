"""How long a learner waits: all checks of each lab's solution, from a warm grader, at the embedded tier.

    python benchmarks/lab_checks.py [LAB|STAGE …] [--rounds 3]

A plain `python -c pass` is timed between gradings: on a machine that others use, the wall time of a lab can be read
against it. CPU seconds count the grader's processes and the learner's, after the warm start.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from labs import catalog
from labs.catalog import Lab
from labs.grading import Grader
from labs.machine import EMBEDDED
from labs.practice import LANES
from labs.results import LabResult


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("names", nargs="*", help="labs or stages; all without")
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    course = catalog.load(catalog.ROOT)
    chosen = course.select(tuple(given.names)) if given.names else course.labs
    print(f"{'lab':26}  {'median':>7}  {'least':>7}  {'CPU':>7}  {'slowest check':>13}  load")
    ok = True
    for lab in chosen:
        ok = measure(lab, given.rounds) and ok
    return 0 if ok else 1


def measure(lab: Lab, rounds: int) -> bool:
    """Grade the solution `rounds` times after a first grading that does not count; whether it always passed."""
    walls, results = list[float](), list[LabResult]()
    bare = []
    with Grader(catalog.ROOT, warm=lab.warm, tier=EMBEDDED, lanes=LANES) as grader:
        grader.wait_until_warm()
        grader.grade(lab, lab.solution)
        spent = cpu_seconds(grader)
        for _ in range(rounds):
            bare.append(start_python())
            began = time.perf_counter()
            results.append(grader.grade(lab, lab.solution))
            walls.append(time.perf_counter() - began)
        spent = (cpu_seconds(grader) - spent) / rounds
    slowest = max(check.seconds for check in results[-1].checks)
    print(
        f"{lab.slug:26}  {statistics.median(walls):6.1f}s  {min(walls):6.1f}s  {spent:6.1f}s  {slowest:12.1f}s"
        f"  {os.getloadavg()[0]:.1f}  (python -c pass: {statistics.median(bare) * 1000:.0f} ms)",
        flush=True,
    )
    return all(result.passed_here for result in results)


def start_python() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


def cpu_seconds(grader: Grader) -> float:
    """What the warm parent's ended children have used so far: every judge, keeper and learner's process."""
    fields = Path(f"/proc/{grader._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    user, system, of_children, system_of_children = (int(field) for field in fields[11:15])
    return (user + system + of_children + system_of_children) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
