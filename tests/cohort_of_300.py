"""A cohort whose marks are known before it is graded; graded by one command that is killed on the way.

    python tests/cohort_of_300.py [--count 300] [--lab train_without_leakage] [--kills 2] [--workers 4] [--in FOLDER]

Honest work is the lab's own: the solution, the alternatives, the mistakes with the points that their expected.txt
states, the starter. Broken work and hostile work earns nothing. Much of it has to be waited for: so there may be more
workers than cores. It is handed in as learners do: folders, clones, `work/` trees, archives, names of learning systems.
Ends with 0 if every mark, and nothing else, is in the gradebook.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labs import catalog as catalogs
from labs.catalog import Lab
from labs.cohort.store import Store
from labs.cohort.summary import UNREAD
from labs.workspace import compose

# Before the first line of the solution. Whatever a check asks for, the work must not do it, nor seem to.
ATTACKS = {
    "ends at once": "import os\nos._exit(0)\n",
    "says that it passed": "import sys\nprint('1 passed in 0.01s')\nsys.exit(0)\n",
    "waits for ever": "import time\ntime.sleep(10**6)\n",
    "fills the memory": "x = []\nwhile True:\n    x.append(bytearray(2**24))\n",
    "fills the disk": "with open('big', 'wb') as f:\n    while True:\n        f.write(bytes(2**20))\n",
    "floods its output": "while True:\n    print('x' * 10**6)\n",
    "ends its parent": "import os\nos.kill(os.getppid(), 9)\nos._exit(0)\n",
    "removes its own folder": "import os, shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)\nraise SystemExit\n",
    "makes processes": "import os\nwhile True:\n    os.fork()\n",
}


@dataclass(frozen=True)
class Kind:
    """What somebody handed in, and what the gradebook must say of it."""

    name: str
    earned: int
    state: str | None  # None: any
    make: Callable[[Path], None]


def kinds(lab: Lab) -> dict[str, list[Kind]]:
    """Every kind of work, by how honest it is."""

    def solution(target: Path) -> None:
        shutil.copytree(lab.solution, target)

    def over_solution(folder: Path) -> Callable[[Path], None]:
        return lambda target: compose(lab.solution, folder, target)

    def starter(target: Path) -> None:
        shutil.copytree(lab.starter, target)

    def hostile(lines: str) -> Callable[[Path], None]:
        def make(target: Path) -> None:
            solution(target)
            for path in target.rglob("*.py"):
                path.write_text(lines)

        return make

    def no_text(target: Path) -> None:
        target.mkdir(parents=True)
        for name in lab.files:
            (target / name).write_bytes(bytes(range(128, 256)))

    right = [Kind("solution", lab.points, "passed", solution)]
    right += [Kind(one.name, lab.points, "passed", over_solution(one)) for one in lab.alternatives]
    wrong = [Kind(one.name, earned(one), "failed", over_solution(one)) for one in lab.mistakes]
    return {
        "right": right,
        "wrong": wrong,
        "begun": [Kind("starter", 0, "not started", starter)],
        "broken": [
            Kind("not text", 0, None, no_text),
            Kind(
                "nothing", 0, None, lambda target: target.mkdir(parents=True)
            ),  # an empty folder is not started
        ],
        "hostile": [Kind(name, 0, None, hostile(lines)) for name, lines in ATTACKS.items()],
    }


def earned(mistake: Path) -> int:
    """The points that `expected.txt` states in its first line."""
    first = (mistake / "expected.txt").read_text(encoding="utf-8").partition("\n")[0]
    found = re.search(r"(\d+) of \d+ points", first)
    assert found, f"{mistake}/expected.txt begins with “{first}”"
    return int(found[1])


def draw(lab: Lab, count: int, seed: int) -> Iterator[Kind]:
    """So many submissions: each kind of mistake and attack in turn, the shares of a real cohort."""
    rng, found = random.Random(seed), kinds(lab)
    share = {"right": 30, "wrong": 45, "begun": 5, "broken": 6, "hostile": 14}
    following: dict[str, Iterator[Kind]] = {honest: iter(()) for honest in found}
    for honest in rng.choices(list(share), list(share.values()), k=count):
        kind = next(following[honest], None)
        if kind is None:
            following[honest] = iter(rng.sample(found[honest], len(found[honest])))
            kind = next(following[honest])
        yield kind


def hand_in(folder: Path, lab: Lab, count: int, seed: int) -> dict[str, Kind]:
    """Write a cohort into `folder`; by the name that the gradebook gives each learner, what it must say."""
    rng, expected = random.Random(seed + 1), {}
    folder.mkdir(parents=True)
    dress: tuple[Callable[[Path, int, Path], str], ...] = (
        as_folder,
        as_work_tree,
        as_clone,
        as_zip,
        as_tar,
        from_moodle,
        from_canvas,
    )
    for number, kind in enumerate(draw(lab, count, seed)):
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch) / lab.slug
            kind.make(work)
            expected[rng.choice(dress)(folder, number, work)] = kind
    for number in range(count // 100):  # an archive that is cut short, and work that is somebody else's
        name = f"cut-{number}"
        (folder / f"{name}.zip").write_bytes(zipped(lab.solution)[:-500])
        expected[name] = Kind("cut short", 0, "unreadable", lambda _: None)
        name = f"link-{number}"
        (folder / name).mkdir()
        (folder / name / lab.slug).symlink_to(lab.solution)
        expected[name] = Kind("a link to the answers", 0, "not handed in", lambda _: None)
    return expected


def as_folder(folder: Path, number: int, work: Path) -> str:
    shutil.copytree(work, folder / f"learner-{number:04}" / work.name)
    return f"learner-{number:04}"


def as_work_tree(folder: Path, number: int, work: Path) -> str:
    shutil.copytree(work, folder / f"learner-{number:04}" / "work" / work.name)
    return f"learner-{number:04}"


def as_clone(folder: Path, number: int, work: Path) -> str:
    place = folder / f"learner-{number:04}"
    shutil.copytree(work, place / "work" / work.name)
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (place / "README.md").write_text("My labs.\n")
    return place.name


def as_zip(folder: Path, number: int, work: Path) -> str:
    (folder / f"learner-{number:04}.zip").write_bytes(zipped(work))
    return f"learner-{number:04}"


def as_tar(folder: Path, number: int, work: Path) -> str:
    with tarfile.open(folder / f"learner-{number:04}.tar.gz", "w:gz") as archive:
        archive.add(work, f"labs/work/{work.name}")
    return f"learner-{number:04}"


def from_moodle(folder: Path, number: int, work: Path) -> str:
    place = folder / f"Learner {number:04}_{number}_assignsubmission_file_"
    place.mkdir()
    (place / "work.zip").write_bytes(zipped(work))
    return f"Learner-{number:04}-{number}"


def from_canvas(folder: Path, number: int, work: Path) -> str:
    (folder / f"learner{number:04}_{number}_777_work.zip").write_bytes(zipped(work))
    return f"learner{number:04}-{number}"


def zipped(work: Path) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{work.name}/", "")
        for path in sorted(work.rglob("*")):
            if path.is_file():
                archive.write(path, f"{work.name}/{path.relative_to(work)}")
    return made.getvalue()


def wrong_marks(gradebook: Path, expected: dict[str, Kind]) -> list[str]:
    """What the table `labs.csv` says that it should not."""
    rows = {row["learner"]: row for row in csv.DictReader(gradebook.open(encoding="utf-8-sig"))}
    said = [f"{name}: not in the gradebook" for name in sorted(set(expected) - set(rows))]
    said += [f"{name}: nobody handed this in" for name in sorted(set(rows) - set(expected))]
    for name in sorted(set(expected) & set(rows)):
        kind, row = expected[name], rows[name]
        if int(row["earned"]) != kind.earned or row["state"] != (kind.state or row["state"]):
            said.append(
                f"{name} ({kind.name}): {row['earned']} points, {row['state']}; "
                f"must be {kind.earned}, {kind.state or 'any state'}"
            )
        if row["our_fault"] != "0":
            said.append(f"{name} ({kind.name}): {row['our_fault']} checks broke by our fault: {row['error']}")
    return said


def grade(cohort: Path, lab: Lab, out: Path, kills: int, jobs: int, workers: int) -> list[str]:
    """`labs grade`, killed after each part of the work. Says how long it took; returns what is wrong with its end."""
    argv = [sys.executable, "-m", "labs", "grade", str(cohort), "--lab", lab.slug, "--out", str(out)]
    argv += ["--workers", str(workers)]
    began, kept = time.monotonic(), []
    for number in range(kills):
        with subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL) as running:
            while running.poll() is None and len(when_graded(out)) < jobs * (number + 1) // (kills + 1):
                time.sleep(0.1)
            assert running.poll() is None, "it ended before it could be killed"
            os.killpg(running.pid, signal.SIGKILL)
        kept.append(len(when_graded(out)))
    before = when_graded(out)
    ended = subprocess.run(argv, stdout=subprocess.DEVNULL)
    print(f"graded in {time.monotonic() - began:.0f} s; killed when {kept} results were kept")
    after = when_graded(out)
    wrong = [f"{learner}: graded twice" for learner, at in before.items() if after.get(learner) != at]
    return wrong if ended.returncode in (0, UNREAD) else [*wrong, f"it ended with {ended.returncode}"]


def when_graded(out: Path) -> dict[str, str]:
    store = out / "results.sqlite"
    return {learner: at for learner, _, _, at, _ in Store(store).all()} if store.exists() else {}


def play(folder: Path, lab: Lab, count: int, kills: int, workers: int, seed: int = 20261122) -> list[str]:
    """Hand in, grade with kills, compare. Returns what is wrong."""
    expected = hand_in(folder / "cohort", lab, count, seed)
    unread = sum(kind.state in ("not handed in", "unreadable") for kind in expected.values())
    print(f"{len(expected)} submissions: {dict(Counter(kind.name for kind in expected.values()))}")
    jobs = len(expected) - unread
    wrong = grade(folder / "cohort", lab, folder / "grades", kills, jobs, workers)
    return wrong + wrong_marks(folder / "grades" / "labs.csv", expected)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--lab", default="train_without_leakage")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument(
        "--in", dest="folder", type=Path, help="a new folder; without, one that goes away again"
    )
    options = parser.parse_args()
    lab = catalogs.load(catalogs.ROOT).lab(options.lab)
    with tempfile.TemporaryDirectory() as scratch:
        wrong = play(options.folder or Path(scratch), lab, options.count, options.kills, options.workers)
    print("\n".join(wrong) or "every mark is right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
