"""Checks start services by themselves; a learner's code finds them by the standard variables and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from faulty import LAB_TOML, make_lab, make_work

from labs.catalog import Lab
from labs.grading import Grader
from labs.grading.confine import LAYERS
from labs.machine import EMBEDDED, LOCAL
from labs.results import LabResult, State
from labs.services import KINDS
from labs.services.programs.templates import SHELF

CHECKS = '''
import redis

from labs.checks import check


@check(points=1)
def writes(work, services):
    """writes into Redis"""
    store = services.up("redis")
    store.give_to(work)
    work.run("python3", "nightly.py").expect(status=0)
    found = redis.Redis.from_url(store.variables["REDIS_URL"]).get("day")
    if found != b"2026-03-01":
        work.run("true").fail(wanted="the day in Redis", got=repr(found))


@check(points=1, after=writes)
def is_kept_for_later_checks(work, services):
    """finds what an earlier check wrote, and an empty one where it asks for another"""
    here = redis.Redis.from_url(services.up("redis").url).get("day")
    there = redis.Redis.from_url(services.up("redis", "another").url).get("day")
    if (here, there) != (b"2026-03-01", None):
        work.run("true").fail(wanted="one kept, one empty", got=f"{here} {there}")


@check(points=1, after=writes)
def survives_its_loss(work, services):
    """says so when Redis is gone, and works again when it is back"""
    store = services.up("redis", "mine")
    store.give_to(work)
    for lose in (store.kill, store.stop):
        lose()
        work.run("python3", "nightly.py").expect(status=3)
        store.start()
        work.run("python3", "nightly.py").expect(status=0)


@check(points=1, after=writes)
def reaches_nothing_else(work, services):
    """reaches nothing else of this machine"""
    services.up("redis").give_to(work)
    other = services.up("redis", "not given")
    work.run("python3", "snoop.py", other.url).expect(status=0)
'''
NIGHTLY = """
import os, sys, redis
try:
    redis.Redis.from_url(os.environ["REDIS_URL"]).set("day", "2026-03-01")
except redis.ConnectionError as error:
    sys.exit(3)
"""
SNOOP = """
import socket, sys
port = int(sys.argv[1].rpartition(":")[2].partition("/")[0])
for kind, address in ((socket.SOCK_STREAM, ("127.0.0.1", port)), (socket.SOCK_DGRAM, ("192.0.2.1", 53))):
    try:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.connect(address)
            probe.send(b"x")
    except OSError:
        continue
    sys.exit(f"reached {address}")
"""


def course(tmp_path: Path) -> tuple[Lab, Path]:
    lab = make_lab(tmp_path / "course", CHECKS, LAB_TOML.replace('"numpy"', '"redis", "fakeredis"'))
    return lab, make_work(tmp_path / "work", nightly_py=NIGHTLY, snoop_py=SNOOP)


def graded(tmp_path: Path, allowed: tuple[str, ...] = LAYERS, tier: str = EMBEDDED) -> LabResult:
    lab, work = course(tmp_path)
    with Grader(lab.folder.parent.parent, warm=lab.warm, allowed=allowed, tier=tier, lanes=2) as grader:
        return grader.grade(lab, work)


@pytest.mark.parametrize("without", ["", "namespaces"])
@pytest.mark.parametrize("tier", [EMBEDDED, LOCAL])
def test_a_learners_code_reaches_the_services_of_its_check(tmp_path: Path, without: str, tier: str) -> None:
    result = graded(tmp_path, tuple(layer for layer in LAYERS if layer != without), tier)
    wrong = [check for check in result.checks if check.state is not State.PASSED]
    assert not wrong, wrong
    assert result.tier == (tier if KINDS["redis"].tiers[LOCAL].here else EMBEDDED)
    assert "REDIS_URL" not in os.environ, "nothing leaks into our own environment"


ASKS_KUBERNETES = """
from kubernetes import client, config
config.load_kube_config()
print(len(client.CoreV1Api().list_namespace().items) > 0)
"""
KUBERNETES = '''
from labs.checks import check


@check(points=4)
def asks(work, services):
    """asks the Kubernetes API, which is the course's own whatever cluster this machine's owner has"""
    cluster = services.up("kubernetes")
    cluster.give_to(work)
    done = work.run("python3", "ask.py")
    done.require(cluster.tier == "embedded" and done.stdout == "True\\n", wanted="True", got=done.stderr[-300:])
'''


SHARED = """
import time
from pathlib import Path
from labs.checks import check


def keeper(services):
    return str(services.up("redis")._standing.running.keeper)


@check(points=2)
def begins(services):
    \"\"\"begins the service, in a fork of the judge that ends here\"\"\"
    Path("keeper").write_text(keeper(services))


@check(points=2, when=begins)
def finds(work, services):
    \"\"\"finds the same one\"\"\"
    time.sleep(1)  # time enough to end with the fork
    now, before = keeper(services), Path("keeper").read_text()
    work.run("true").require(now == before, wanted=before, got=now)
"""


def test_a_service_outlives_the_check_that_began_it(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course", SHARED, LAB_TOML.replace('"numpy"', '"redis", "fakeredis"'))
    with Grader(lab.folder.parent.parent, warm=lab.warm, lanes=2) as grader:
        checks = grader.grade(lab, make_work(tmp_path / "work")).checks
    assert [check.state for check in checks] == [State.PASSED] * 2, checks


@pytest.mark.parametrize("without", ["", "namespaces"])
def test_a_learners_code_reaches_kubernetes(tmp_path: Path, without: str) -> None:
    lab = make_lab(tmp_path / "course", KUBERNETES)
    work = make_work(tmp_path / "work", ask_py=ASKS_KUBERNETES)
    allowed = tuple(layer for layer in LAYERS if layer != without)
    with Grader(lab.folder.parent.parent, allowed=allowed, tier=LOCAL) as grader:
        [check] = grader.grade(lab, work).checks
    assert check.state is State.PASSED, check


def test_nothing_of_a_grading_outlives_it(tmp_path: Path) -> None:
    lab, work = course(tmp_path)
    with Grader(lab.folder.parent.parent, warm=lab.warm, lanes=2) as grader:
        grader.grade(lab, work)
        session = str(grader.session)
        deadline = time.monotonic() + 60
        while len(left := of(session)) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(left) == 1, "only the warm parent is there for the next grading"
    assert not of(session)


def of(session: str) -> list[psutil.Process]:
    """Every process of a grader: all are forks that show the warm parent's command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if session in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


STARTS = '''
from labs.checks import check


@check(points=1)
def starts(work, services):
    """starts"""
    services.up("NAME")
'''


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_a_check_starts_a_service_that_has_never_run_on_this_machine(name: str, tmp_path: Path) -> None:
    """Its tables are made before it is confined, and kept for the next time."""
    aside = tmp_path / "aside"
    aside.mkdir()
    for template in SHELF.glob(f"{name}-*.db"):
        template.rename(aside / template.name)
    toml = LAB_TOML.replace("points = 4", "points = 1")
    lab = make_lab(tmp_path / "course", checks=STARTS.replace("NAME", name), toml=toml)
    with Grader(lab.folder.parent.parent, tier=EMBEDDED) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert [(check.state, check.because) for check in result.checks] == [(State.PASSED, "")]
    assert list(SHELF.glob(f"{name}-*.db"))
