"""What a sandboxed call costs over a direct one, and how fast a warm child answers first.

    python benchmarks/sandbox_call.py [--rounds 7]

Prints a table: medians over rounds, direct and sandboxed calls in turn within each round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labs.catalog import Limits
from labs.grading import Grader
from labs.grading.handle import Work

SOURCE = """
def same(value):
    return value


def first(frame):
    return float(frame.iloc[0, 0])
"""
WARM = ("numpy", "pandas", "sklearn.ensemble")


def seconds(act: Callable[[], Any], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - started) / times


def first_answer(grader: Grader, folder: Path, module: str) -> float:
    """From asking the warm parent for a sandbox to the first answer, with everything confined, in seconds."""
    started = time.perf_counter()
    work = Work(grader.place, folder, folder, Limits(), (module,))
    work.call(f"{module}:same", 1)
    elapsed = time.perf_counter() - started
    work.close()
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"c{i}": rng.random(1_000_000) for i in range(8)})
    space: dict[str, Any] = {}
    exec(SOURCE, space)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain.py").write_text(SOURCE)
        (folder / "heavy.py").write_text("import sklearn.ensemble\n" + SOURCE)
        with Grader(folder, warm=WARM) as grader:
            grader.wait_until_warm()
            rows: dict[str, list[float]] = {}

            def note(name: str, value: float) -> None:
                rows.setdefault(name, []).append(value)

            for _ in range(rounds):
                note("first answer, module of plain Python", first_answer(grader, folder, "plain.py"))
                note("first answer, module imports scikit-learn", first_answer(grader, folder, "heavy.py"))
                work = Work(grader.place, folder, folder, Limits(memory_mb=4096), ("plain.py",))
                work.call("plain.py:same", 1)
                note("scalar, direct call", seconds(lambda: space["same"](1), 10_000))
                note("scalar, sandboxed call", seconds(lambda work=work: work.call("plain.py:same", 1), 200))
                note("1M rows × 8, direct call", seconds(lambda: space["first"](frame), 200))
                note(
                    "1M rows × 8, sandboxed call",
                    seconds(lambda work=work: work.call("plain.py:first", frame), 1),
                )
                note(
                    "1M rows × 8, there and back",
                    seconds(lambda work=work: work.call("plain.py:same", frame), 1),
                )
                note("1M rows × 8, a copy in memory", seconds(frame.copy, 3))
                work.close()
    print(f"median of {rounds} rounds; warm: {', '.join(WARM)}\n")
    for name, values in rows.items():
        print(f"{name:44} {statistics.median(values) * 1e3:12.4f} ms   (min {min(values) * 1e3:.4f})")


if __name__ == "__main__":
    main()
