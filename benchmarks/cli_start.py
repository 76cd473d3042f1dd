"""How long the command `labs` takes to answer, as seconds and as a ratio to starting Python at all.

    python benchmarks/cli_start.py [--runs 15] [--budget 0.4]

Exits 1 if the median of a command exceeds the budget (seconds of wall time, warm disk cache). The column `cpu` is
processor time, which other programs on the machine hardly change: where it is far below the wall time, measure again.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = [sys.executable, "-c", "pass"]
LABS = [sys.executable, "-m", "labs"]
COMMANDS = {
    "python -c pass": BASE,
    "labs --version": [*LABS, "--version"],
    "labs --help": [*LABS, "--help"],
    "labs check --help": [*LABS, "check", "--help"],
    "labs list": [*LABS, "list"],
    "labs list --json": [*LABS, "list", "--json"],
}


def run(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run, from start to exit."""
    used, began = _processor(), time.perf_counter()
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began, _processor() - used


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(runs: int) -> dict[str, list[tuple[float, float]]]:
    """Runs of the commands in turn, so that a busy moment of the machine touches all of them alike."""
    for command in COMMANDS.values():
        run(command)  # fills the disk cache and the byte-code cache
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            times[name].append(run(command))
    return times


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--budget", type=float, default=0.4, help="seconds")
    arguments = parser.parse_args()
    times = measure(arguments.runs)
    base = statistics.median(wall for wall, _ in times["python -c pass"])
    print(f"{'command':<20} {'median s':>9} {'fastest s':>10} {'cpu s':>7} {'× python':>9}")
    slow = []
    for name, pairs in times.items():
        median, fastest = statistics.median(wall for wall, _ in pairs), min(wall for wall, _ in pairs)
        cpu = statistics.median(processor for _, processor in pairs)
        print(f"{name:<20} {median:>9.3f} {fastest:>10.3f} {cpu:>7.3f} {median / base:>9.1f}")
        if median > arguments.budget:
            slow.append(name)
    if slow:
        print(f"over the budget of {arguments.budget} s: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
