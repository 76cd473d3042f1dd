"""A cohort graded by `labs grade`, against pytest started for each submission, and a new Python for each check.

    python benchmarks/cohort.py [--submissions 200] [--rounds 3] [--workers]

The lab has six checks of a module that imports scikit-learn and fits a model; every other submission is wrong. All
three use every core: `labs grade` as a whole command, from an empty store to the gradebook; the others several
processes at a time, without a sandbox, each with the same assertions on the same module. The peers grade a tenth of the
cohort in each round, in turn with `labs grade`; rates are per minute, ratios the median of each round's own. "Overhead"
is what a submission costs a core beyond the seconds that its checks take by themselves.

`--workers` times two Prefect workers against one instead, each pinned to a core of its own. It prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labs.machine import EMBEDDED, cores
from labs.services import Supervisor

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
WRONG = LEARNER.replace(".mean())", ".mean()) - 0.5")
CHECKS = 6
CHECK = '''

@check(points=1)
def learns_{n}(work, seed):
    """learns something, on data number {n}"""
    answer = work.call("model.py:accuracy", seed + {n}, timeout=60)
    answer.require(answer.value > 0.7, wanted="above 0.7", got="less")
'''
TEST = """

def test_learns_{n}():
    assert accuracy(5 + {n}) > 0.7
"""
ALONE = "import sys; sys.path.insert(0, '.')\nfrom model import accuracy\nassert accuracy(5 + {n}) > 0.7\n"
TOML = """slug = "bench"
title = "Bench"
minutes = 1
points = 6
seed = 5
files = ["model.py"]
warm = ["numpy", "sklearn.ensemble"]
"""
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "test_model.py")


def make_course(root: Path) -> None:
    lab = root / "stage1_bench" / "01_bench"
    (lab / "checks").mkdir(parents=True)
    (lab / "lab.toml").write_text(TOML)
    checks = "from labs.checks import check\n" + "".join(CHECK.format(n=n) for n in range(CHECKS))
    (lab / "checks" / "test_bench.py").write_text(checks)
    (lab / "starter").mkdir()
    (root / "stage1_bench" / "stage.toml").write_text('title = "Bench"\nmonths = "1"\n')


def hand_in(folder: Path, count: int) -> None:
    for number in range(count):
        work = folder / f"learner-{number:04}"
        work.mkdir(parents=True)
        # A comment of their own: no two are the same file.
        (work / "model.py").write_text(f"# {number}\n{LEARNER if number % 2 else WRONG}")
        tests = "from model import accuracy\n" + "".join(TEST.format(n=n) for n in range(CHECKS))
        (work / "test_model.py").write_text(tests)


def graded(root: Path, out: Path, *more: str, env: dict[str, str]) -> float:
    """Seconds of one whole `labs grade`; fails unless every mark is right."""
    argv = [sys.executable, "-m", "labs", "grade", str(root / "cohort"), "--out", str(out), *more]
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env=env)
    seconds = time.perf_counter() - began
    with (out / "labs.csv").open(encoding="utf-8-sig") as file:
        marks = [(row["learner"], int(row["earned"])) for row in csv.DictReader(file)]
    assert all(points == (CHECKS if int(name[-4:]) % 2 else 0) for name, points in marks), marks[:4]
    return seconds


def own_seconds(out: Path) -> float:
    """What all checks took by themselves."""
    with (out / "checks.csv").open(encoding="utf-8-sig") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))


def by_pytest(works: list[Path], env: dict[str, str]) -> float:
    return at_once([(work, PYTEST) for work in works], env)


def by_a_python_for_each_check(works: list[Path], env: dict[str, str]) -> float:
    return at_once([(work, ("-c", ALONE.format(n=n))) for work in works for n in range(CHECKS)], env)


def at_once(runs: list[tuple[Path, tuple[str, ...]]], env: dict[str, str]) -> float:
    def run(one: tuple[Path, tuple[str, ...]]) -> None:
        work, words = one
        done = subprocess.run([sys.executable, *words], cwd=work, env=env, capture_output=True)
        assert (done.returncode == 0) == bool(int(work.name[-4:]) % 2), done.stderr[-500:]

    began = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(run, runs))
    return time.perf_counter() - began


def compare(root: Path, env: dict[str, str], count: int, rounds: int) -> None:
    works = sorted((root / "cohort").iterdir())
    tenth = works[: max(cores(), count // 10)]
    rates: dict[str, list[float]] = {
        "labs grade": [],
        "pytest for each submission": [],
        "Python for each check": [],
    }
    overheads = []
    for number in range(rounds):
        out = root / f"grades-{number}"
        seconds = graded(root, out, env=env)
        rates["labs grade"].append(60 * count / seconds)
        overheads.append(1e3 * (seconds * cores() - own_seconds(out)) / count)
        rates["pytest for each submission"].append(60 * len(tenth) / by_pytest(tenth, env))
        rates["Python for each check"].append(60 * len(tenth) / by_a_python_for_each_check(tenth, env))
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}; {count} submissions, {rounds} rounds, in turn\n")
    print("| | submissions a minute | × `labs grade` in the same round |\n|---|---|---|")
    for name, found in rates.items():
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(rates["labs grade"], found, strict=True)
        )
        print(f"| {name} | {statistics.median(found):,.0f} | 1/{ratio:.1f} |")
    print(f"\noverhead of a submission: {statistics.median(overheads):.0f} ms of a core")


def compare_workers(root: Path, env: dict[str, str], rounds: int) -> None:
    """The same cohort with one worker on one core, and with two on two; the clock begins when all workers wait."""
    services = Supervisor(root / "services", usual_ports=False)
    env = {**env, "PREFECT_HOME": str(root / "prefect"), "PREFECT_WORKER_QUERY_SECONDS": "0.5"}
    env |= {**services.up("prefect", EMBEDDED).variables, "PREFECT_LOGGING_LEVEL": "ERROR"}
    ratios = []
    try:
        subprocess.run(
            [sys.executable, "-m", "prefect", "work-pool", "create", "bench", "--type", "process"],
            env=env, check=True, capture_output=True,
        )  # fmt: skip
        for number in range(rounds):
            seconds = []
            for workers in (1, 2):
                mine = env | {"LABS_QUEUE": f"sqlite:///{root}/queue-{number}-{workers}.sqlite"}
                with started(workers, mine):
                    out = root / f"grades-{number}-{workers}"
                    seconds.append(graded(root, out, "--pool", "bench", env=mine))
            ratios.append(seconds[0] / seconds[1])
            print(f"round {number + 1}: one worker {seconds[0]:.0f} s, two {seconds[1]:.0f} s", flush=True)
    finally:
        services.down("prefect")
    print(f"\ntwo workers, a core each: × {statistics.median(ratios):.2f}; load {os.getloadavg()[0]:.1f}")


@contextlib.contextmanager
def started(workers: int, env: dict[str, str]) -> Iterator[None]:
    def pinned(core: int) -> subprocess.Popen[bytes]:
        words = ("-m", "prefect", "worker", "start", "--pool", "bench", "--type", "process", "--limit", "1")
        return subprocess.Popen(
            [sys.executable, *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )  # fmt: skip

    running = [pinned(core) for core in sorted(os.sched_getaffinity(0))[:workers]]
    time.sleep(15)
    try:
        yield
    finally:
        for one in running:
            os.killpg(one.pid, signal.SIGTERM)
        for one in running:
            one.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_course(root / "course")
        hand_in(root / "cohort", options.submissions)
        ours = {"LABS_ROOT": str(root / "course"), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        env = {**os.environ, **ours, "LABS_WORK": str(root / "work"), "OMP_NUM_THREADS": "1"}
        if options.workers:
            compare_workers(root, env, options.rounds)
        else:
            compare(root, env, options.submissions, options.rounds)


if __name__ == "__main__":
    main()
