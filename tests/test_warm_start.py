"""Warm and cold give the same result, for a lab that uses every handle and a heavy library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faulty import GOOD, make_lab, make_work

from labs.grading import Grader
from labs.results import LabResult, State

MODEL_CHECKS = '''
from labs.checks import check


@check(points=2)
def fits(work, rng):
    """fits a model and predicts with it"""
    x = rng.normal(size=(200, 3))
    y = (x[:, 0] > 0).astype(int)
    answer = work.call("sums.py:fit_predict", x, y, x[:5], timeout=60)
    answer.expect(value=y[:5])


@check(points=1)
def runs(work):
    """runs as a script"""
    work.run("python3", "sums.py", "1", "2", timeout=60).expect(status=0)


@check(points=1)
def serves(work):
    """serves a sum"""
    work.serve("sums.py:app", timeout=60).get("/sum?a=2&b=3").expect(status=200, json={"sum": 5})
'''

MODEL = """
def fit_predict(x, y, new):
    from sklearn.ensemble import HistGradientBoostingClassifier
    return HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(x, y).predict(new)
"""


def plain(result: LabResult) -> LabResult:
    """Without what may differ: times."""
    checks = tuple(replace(check, seconds=0.0, output="") for check in result.checks)
    return replace(result, checks=checks, seconds=0.0)


@pytest.mark.parametrize("work", ["right", "wrong", "broken"])
def test_warm_and_cold_give_the_same_result(work: str, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course", MODEL_CHECKS)
    source = {
        "right": GOOD + MODEL,
        "wrong": GOOD.replace("a + b", "a - b") + MODEL.replace("predict(new)", "predict(new) * 0"),
        "broken": GOOD + "import no_such_library\n",
    }[work]
    folder = make_work(tmp_path / "work", sums_py=source)
    heavy = ("sklearn.ensemble", "pandas", "uvicorn")
    with Grader(tmp_path, warm=heavy) as warm:
        first = [warm.grade(lab, folder) for _ in range(2)]
    with Grader(tmp_path, warm=heavy, cold=True) as cold:
        second = cold.grade(lab, folder)
    assert plain(first[0]) == plain(first[1]) == plain(second)
    assert second.state is (State.PASSED if work == "right" else State.FAILED)


def test_gradings_side_by_side_do_not_meet(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lab = make_lab(tmp_path / "course")
    right = make_work(tmp_path / "right")
    wrong = make_work(tmp_path / "wrong", sums_py=GOOD.replace("a + b", "a - b"))
    with Grader(tmp_path, warm=("uvicorn",)) as grader, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda folder: grader.grade(lab, folder), [right, wrong] * 4))
    assert [result.earned for result in results] == [4, 0] * 4
    assert all(plain(result) == plain(results[0]) for result in results[::2])


def test_a_warm_process_reads_its_own_environment(tmp_path: Path) -> None:
    """Prefect and tempfile ask once, when they are imported: in the warm parent that was another environment."""
    script = """
import os, sys, tempfile
from prefect.settings import PREFECT_API_URL
with tempfile.TemporaryDirectory() as folder:
    print(folder.startswith(os.environ["TMPDIR"]), PREFECT_API_URL.value(), file=sys.stderr)
"""
    checks = '''
from labs.checks import check


@check(points=1)
def reads(work):
    """reads its environment"""
    done = work.run("python3", "ask.py", warm=True, env={"PREFECT_API_URL": "http://127.0.0.1:1/api"}, timeout=60)
    done.require(done.stderr == "True http://127.0.0.1:1/api\\n", wanted="its own", got=done.stderr)
'''
    lab = make_lab(tmp_path / "course", checks)
    folder = make_work(tmp_path / "work", ask_py=script)
    asks_early = ("prefect", "prefect.context", "feast")
    with Grader(tmp_path, warm=asks_early) as warm:
        [asked] = warm.grade(lab, folder).checks
    assert asked.state is State.PASSED, asked.got


def test_a_client_of_s3_finds_its_description_read(tmp_path: Path) -> None:
    """With boto3 and moto.s3 warm, a new process makes a client of S3 without a file; others as they always do."""
    script = """
import sys, boto3
read = []
sys.addaudithook(lambda event, args: read.append(str(args[0])) if event == "open" else None)
read_of = lambda: [path.split("/")[-3] for path in read if "service-2" in path]
keys = {"region_name": "ap-south-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
names = [boto3.client(name, **keys).meta.service_model.service_name for name in ("s3", "sqs")]
print(*names, *read_of(), file=sys.stderr)
"""
    checks = '''
from labs.checks import check


@check(points=1)
def makes(work):
    """makes clients"""
    done = work.run("python3", "make.py", warm=True, timeout=60)
    done.require(done.stderr == "s3 sqs sqs\\n", wanted="one file, of sqs", got=done.stderr)
'''
    lab = make_lab(tmp_path / "course", checks)
    folder = make_work(tmp_path / "work", make_py=script)
    with Grader(tmp_path, warm=("boto3", "moto.s3.responses", "moto.moto_server.werkzeug_app")) as warm:
        [made] = warm.grade(lab, folder).checks
    assert made.state is State.PASSED, made.got
