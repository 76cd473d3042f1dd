"""One check of a lab whose module imports scikit-learn: warm, against plain pytest making the same assertions cold.

    python benchmarks/warm_check.py [--rounds 7]

Both run in turn within each round; the ratio is taken per round and its median printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from labs.catalog import read_lab
from labs.grading import Grader
from labs.results import State

LEARNER = """
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier


def accuracy(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 4))
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(x[:200], y[:200])
    return float((model.predict(x[200:]) == y[200:]).mean())
"""

CHECKS = '''
from labs.checks import check


@check(points=1)
def learns(work, seed):
    """learns something"""
    answer = work.call("model.py:accuracy", seed, timeout=60)
    answer.require(answer.value > 0.7, wanted="above 0.7", got="less")
'''

PLAIN = """
from model import accuracy


def test_learns():
    assert accuracy(5) > 0.7
"""

TOML = """
slug = "bench"
title = "Bench"
minutes = 1
points = 1
seed = 5
files = ["model.py"]
warm = ["numpy", "sklearn.ensemble"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        lab_folder = root / "stage1_bench" / "01_bench"
        (lab_folder / "checks").mkdir(parents=True)
        (lab_folder / "lab.toml").write_text(TOML)
        (lab_folder / "checks" / "test_bench.py").write_text(CHECKS)
        work, plain = root / "work", root / "plain"
        for folder in (work, plain):
            folder.mkdir()
            (folder / "model.py").write_text(LEARNER)
        (plain / "test_plain.py").write_text(PLAIN)
        lab = read_lab(lab_folder)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--disable-plugin-autoload",
            str(plain),
        ]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in the sandbox
        warm_times, plain_times = [], []
        with Grader(root, warm=lab.warm) as grader:
            grader.wait_until_warm()
            assert grader.grade(lab, work).state is State.PASSED
            for _ in range(rounds):
                started = time.perf_counter()
                result = grader.grade(lab, work)
                warm_times.append(time.perf_counter() - started)
                assert result.state is State.PASSED
                started = time.perf_counter()
                subprocess.run(command, cwd=plain, check=True, capture_output=True, env=env)
                plain_times.append(time.perf_counter() - started)
    ratios = [warm / cold for warm, cold in zip(warm_times, plain_times, strict=True)]
    print(f"median of {rounds} rounds, in turn\n")
    print(
        f"warm check        {statistics.median(warm_times) * 1e3:9.1f} ms   (min {min(warm_times) * 1e3:.1f})"
    )
    print(
        f"plain pytest      {statistics.median(plain_times) * 1e3:9.1f} ms   (min {min(plain_times) * 1e3:.1f})"
    )
    print(f"ratio             {statistics.median(ratios):9.3f}      (1/{1 / statistics.median(ratios):.1f})")


if __name__ == "__main__":
    main()
