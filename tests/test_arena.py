"""Hostile submissions (tests/arena): each earns nothing for what it did not do and does no harm, on the best rung and
on the least.

`add` of each gives the right sum only when its attack worked, or tries to make the grader believe that it did. What the
least rung cannot stop is written down in `BEYOND_THE_LEAST`; docs/security.md says the same.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from faulty import GOOD, LAB_TOML, make_lab, make_work

from labs.catalog import Lab
from labs.grading import Grader
from labs.grading.confine import LAYERS
from labs.results import LabResult, State

CHECKS = '''
import numpy
from labs.checks import check


@check(points=3)
def adds(work, rng):
    """adds numbers: the same ones again, others, and in another process"""
    for fresh in (False, False, True):
        a, b = rng.integers(0, 10**6, 2).tolist()
        for _ in range(2):
            work.call("sums.py:add", a, b, timeout=2, fresh=fresh).expect(value=a + b)


@check(points=1)
def serves(work, rng):
    """serves sums"""
    service = work.serve("sums.py:app", timeout=4)
    for a, b in rng.integers(0, 10**6, (3, 2)).tolist():
        service.get(f"/sum?a={a}&b={b}").expect(status=200, json={"sum": a + b})
'''

# These may work where no layer of the kernel helps (macOS, an old kernel): `labs grade` refuses to grade there.
BEYOND_THE_LEAST = {
    "reads_the_solution", "reads_the_check", "reads_another_submission", "reaches_a_server_of_this_machine",
    "signals_the_grader", "reads_the_grader_memory", "reads_the_environment_of_the_grader", "writes_outside",
    "reaches_a_unix_socket", "traces_the_grader", "opens_the_docker_socket", "leaves_links_and_devices",
    "talks_to_other_networks",
}  # fmt: skip


# A Docker engine, a route, or root.
DEPENDS_ON_THE_MACHINE = {
    "opens_the_docker_socket", "talks_to_other_networks", "traces_the_grader", "reads_the_grader_memory"
}  # fmt: skip


@dataclass
class Arena:
    """What hostile work must not reach."""

    course: Lab
    folder: Path
    secret: str = field(default_factory=lambda: uuid.uuid4().hex)
    connections: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.course.folder / "solution").mkdir()
        for path in (self.course.folder / "solution" / "sums.py", self.folder / "others" / "sums.py"):
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(f"# {self.secret}\n{GOOD}")
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.folder / "docker.sock"))
        self.unix.listen()
        for listener in (self.tcp, self.unix):
            threading.Thread(target=self._count, args=(listener,), daemon=True).start()
        self.mark = str(60 + uuid.uuid4().int % 10**9 / 10**9)

    def _count(self, listener: socket.socket) -> None:
        while True:
            try:
                self.connections.append(listener.accept())
            except OSError:
                return

    def words(self) -> dict[str, str]:
        return {
            "SOLUTION": str(self.course.folder / "solution" / "sums.py"),
            "CHECK": str(self.course.checks),
            "OTHER": str(self.folder / "others" / "sums.py"),
            "OUTSIDE": str(self.folder / "harm"),
            "SOCKET": str(self.folder / "docker.sock"),
            "PORT": str(self.tcp.getsockname()[1]),
            "PID": str(os.getpid()),
            "MARK": self.mark,
        }

    def harm(self) -> list[str]:
        """What was done to this machine; waits for what is on its way."""
        time.sleep(0.1)
        found = ["wrote outside"] if (self.folder / "harm").exists() else []
        found += ["reached a server"] if self.connections else []
        left = [p for p in psutil.process_iter(["cmdline"]) if self.mark in (p.info["cmdline"] or ())]
        return found + (["left a process"] if left else [])

    def clean(self) -> None:
        (self.folder / "harm").unlink(missing_ok=True)
        self.connections.clear()


ATTACKS = sorted(path.stem for path in (Path(__file__).parent / "arena").glob("*.py"))
RIGHT_IF = """

def add(a, b):
    try:
        return a + b if attack() else -1
    except BaseException:
        return -1
"""


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    toml = LAB_TOML.replace("wall_seconds = 30", "wall_seconds = 8\ncpu_seconds = 6")
    arena = Arena(make_lab(folder / "course", CHECKS, toml), folder)
    yield arena
    arena.tcp.close()
    arena.unix.close()


@pytest.fixture(scope="module", params=["best", "least"])
def grader(request: pytest.FixtureRequest, arena: Arena) -> Iterator[Grader]:
    allowed = LAYERS if request.param == "best" else ()
    root = arena.course.folder.parent.parent
    with Grader(root, warm=("numpy", "uvicorn"), allowed=allowed, lanes=2) as grader:
        yield grader


def submit(grader: Grader, arena: Arena, attack: str, folder: Path) -> LabResult:
    code = (Path(__file__).parent / "arena" / f"{attack}.py").read_text()
    for word, value in arena.words().items():
        code = code.replace(f"@{word}@", value)
    assert not re.search(r"@[A-Z]+@", code)
    code += "" if "def add(" in code else RIGHT_IF
    return grader.grade(arena.course, make_work(folder / "work", sums_py=code))


def test_honest_work_passes(grader: Grader, arena: Arena, tmp_path: Path) -> None:
    result = grader.grade(arena.course, make_work(tmp_path / "work"))
    assert result.earned == 4, result


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_earns_nothing_and_does_no_harm(
    attack: str, grader: Grader, arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_SECRET_TOKEN", arena.secret)
    arena.clean()
    result = submit(grader, arena, attack, tmp_path)
    least = grader.allowed == ()
    if least and attack in BEYOND_THE_LEAST:
        assert result.isolation.rung == "open", "below the rung that `labs grade` demands"
        if attack not in DEPENDS_ON_THE_MACHINE:
            assert result.earned == 3, "an attack that works nowhere proves nothing on the best rung"
        return
    assert result.earned == 0, [check for check in result.checks if check.state is State.PASSED]
    assert State.OUR_FAULT not in {check.state for check in result.checks}, result
    assert arena.secret not in result.to_json()
    assert not arena.harm()


def test_a_table_of_answers_earns_nothing_on_data_that_nobody_has_seen(
    grader: Grader, arena: Arena, tmp_path: Path
) -> None:
    """It is made as a learner would make it: from the feedback, one answer after the other."""
    known: dict[tuple[int, int], int] = {}
    for attempt in range(4):
        table = f"KNOWN = {known}\ndef add(a, b): return KNOWN.get((a, b), -1)\n"
        result = grader.grade(arena.course, make_work(tmp_path / str(attempt), sums_py=table))
        adds = next(check for check in result.checks if check.name == "adds")
        if adds.finding is None:
            break
        a, b = (int(number) for number in re.findall(r"\d+", adds.finding.did)[:2])
        known[a, b] = a + b
    assert result.earned == 3, "the public seed can be learned by heart"
    assert grader.grade(arena.course, tmp_path / str(attempt), seed=arena.course.seed + 1).earned == 0
