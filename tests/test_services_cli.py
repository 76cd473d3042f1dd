"""`labs up`, `status`, `env` and `down`, as a learner runs them, in a course whose lab names a service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty import LAB_TOML, make_lab

Labs = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = Path(__file__).with_name("fake_labs.py")


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[Labs]:
    lab = make_lab(tmp_path / "course", toml=LAB_TOML.replace("files =", 'services = ["redis"]\nfiles ='))
    (lab.folder / "starter").mkdir()
    (lab.folder / "starter" / "sums.py").write_text("")
    variables = {**os.environ, "FAKE_COURSE": str(tmp_path / "course"), "LABS_WORK": str(tmp_path / "work")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(COMMAND), *words]
        return subprocess.run(
            command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    yield run
    run("down")


def test_a_learners_day(labs: Labs) -> None:
    assert labs("up").returncode == 2, "no lab is started yet"
    assert labs("start", "sums").returncode == 0
    first = labs("up")
    assert first.returncode == 0, first
    assert "redis" in first.stdout
    assert "embedded" in first.stdout
    assert "it began empty" in first.stdout
    assert "\x1b" not in first.stdout + first.stderr, "no colours when piped"
    assert "runs already" in labs("up", "redis").stdout
    found = labs("env").stdout
    assert found.startswith("export REDIS_URL=redis://127.0.0.1:")
    status = json.loads(labs("status", "--json").stdout)
    assert status["schema"] == 1
    [redis] = [one for one in status["services"] if one["name"] == "redis"]
    assert redis["answers"]
    assert f"export REDIS_URL={redis['variables']['REDIS_URL']}" in found
    assert labs("down").stdout.startswith("Ended: redis.")
    assert labs("down").stdout.strip() == "Nothing ran."


def test_what_cannot_be_done_is_said_with_the_next_step(labs: Labs) -> None:
    for words, said in (
        (("up", "kafka"), "Services are: mlflow, prefect, redis"),
        (("up", "redis", "--tier", "cloud"), "Tiers are embedded, local, compose."),
        (("env",), "labs up SERVICE"),
    ):
        done = labs(*words)
        assert done.returncode == 2, done
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_status_fails_when_what_should_run_does_not(labs: Labs) -> None:
    assert labs("status").returncode == 0
    assert labs("up", "redis").returncode == 0
    status = json.loads(labs("status", "--json").stdout)
    [log] = [one["log"] for one in status["services"] if one["name"] == "redis"]
    keeper = json.loads((Path(log).parent / "record.json").read_text())["keeper"]
    os.kill(keeper, 9)
    done = labs("status")
    assert done.returncode == 1
    assert "it should run" in done.stdout
    assert "Again: labs up redis" in done.stdout
    assert labs("up", "redis").returncode == 0
    assert labs("status").returncode == 0
