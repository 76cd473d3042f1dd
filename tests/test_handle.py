"""Every handle that docs/lab-anatomy.md gives a check, driven for real."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.catalog import Limits
from labs.grading import Grader
from labs.grading.documents import Document
from labs.grading.evidence import Answer, Mismatch, NotStarted, Reply
from labs.grading.handle import Work

FILES = {
    "calls.py": """
import asyncio, os, time
import helper

count = 0


def tick():
    global count
    count += 1
    return count


def fail(kind):
    raise {"value": ValueError, "key": KeyError}[kind]("that is wrong")


def later():
    raise NotImplementedError


async def soon(x):
    await asyncio.sleep(0)
    return x


def some():
    yield 1
    yield 2


def helped(x):
    return helper.double(x)


def read(path):
    return open(path).read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def link(target, name):
    os.symlink(target, name)


def keywords(*, a, b=2):
    return {"a": a, "b": b}
""",
    "helper.py": "def double(x):\n    return x * 2\n",
    "pkg/__init__.py": "",
    "pkg/inner.py": "from . import other\n\n\ndef value():\n    return other.VALUE\n",
    "pkg/other.py": "VALUE = 7\n",
    "web.py": """
import asyncio, os
from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/ok")
async def ok():
    return {"ok": True, "name": os.environ.get("NAME", "")}


@app.get("/later")
async def later():
    return Response(status_code=501)


@app.get("/slow")
async def slow(seconds: float = 1.0):
    await asyncio.sleep(seconds)
    return {"slow": True}


@app.get("/die")
async def die():
    print("dying words", flush=True)
    os._exit(3)


@app.get("/big")
async def big():
    return Response(b"x" * 20 * 2**20)


@app.get("/text")
async def text():
    return Response("not json", media_type="text/plain")


@app.post("/echo")
async def echo(body: dict):
    return body
""",
    "slow_start.py": "import time\ntime.sleep(0.7)\nfrom web import app\n",
    "no_start.py": "raise RuntimeError('no model here')\n",
    "talk.sh": '#!/usr/bin/env bash\nset -eu\nread -r line\necho "$line $1"\necho oops >&2\nexit 3\n',
    "todo.sh": "#!/usr/bin/env bash\nexit 75\n",
    "eat.py": "x = bytearray(b'x') * (300 * 2**20)\nimport time; time.sleep(1)\n",
    "share.py": """
import os, time
held = bytearray(b"x") * (300 * 2**20)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(0.6)
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
""",
    "loop.py": "while True: pass\n",
    "spam.py": "while True: print('x' * 1000)\n",
}


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    with Grader(tmp_path_factory.mktemp("root"), warm=("fastapi", "uvicorn")) as grader:
        yield grader


@pytest.fixture
def work(grader: Grader, tmp_path: Path) -> Iterator[Work]:
    folder = tmp_path / "work"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "bare.py").write_text(FILES["web.py"].replace('"ok": True', '"peer": True'))
    work = Work(
        grader.place, folder, checks, Limits(output_mb=1, disk_mb=64), ("calls.py", "web.py", "gone.py")
    )
    yield work
    work.close()


def test_a_check_leaves_nothing_behind_that_a_later_one_with_its_process_id_would_meet(
    grader: Grader, work: Work
) -> None:
    session = grader.place.session
    kept = {path for path in session.iterdir() if not path.name.startswith(("box-", "inputs-", "http-"))}
    work.serve("web.py:app")
    assert {path.name.split("-")[0] for path in set(session.iterdir()) - kept} == {"box", "inputs", "http"}
    work.close()
    deadline = time.monotonic() + 20  # the box goes with its last process
    while (left := set(session.iterdir()) - kept) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == set()


def test_one_process_serves_the_calls_of_a_check(work: Work) -> None:
    assert [work.call("calls.py:tick").value for _ in range(3)] == [1, 2, 3]
    assert work.call("calls.py:tick", fresh=True).value == 1


def test_what_a_caller_would_get(work: Work) -> None:
    assert work.call("calls.py:soon", 4).value == 4
    assert work.call("calls.py:some").value == [1, 2]
    assert work.call("calls.py:helped", 4).value == 8
    assert work.call("calls.py:keywords", a=1).value == {"a": 1, "b": 2}
    assert work.call("pkg/inner.py:value").value == 7


def test_an_exception_fails_with_its_place_unless_allowed(work: Work) -> None:
    with pytest.raises(Mismatch) as failure:
        work.call("calls.py:fail", "value")
    assert failure.value.finding.got == "ValueError: that is wrong at calls.py:15"
    allowed = work.call("calls.py:fail", "value", may_raise=True)
    assert allowed.error is not None
    assert (allowed.error.type, allowed.error.message, allowed.error.where) == (
        "ValueError",
        "that is wrong",
        "calls.py:15",
    )


def test_not_started_in_every_dress(work: Work) -> None:
    for act in (
        lambda: work.call("calls.py:later"),
        lambda: work.call("gone.py:any"),
        lambda: work.serve("gone.py:app"),
        lambda: work.run("./todo.sh"),
        lambda: work.run("python3", "gone.py"),
        lambda: work.serve("web.py:app").get("/later").expect(status=200),
    ):
        with pytest.raises(NotStarted):
            act()


def test_expectations_on_answers(work: Work) -> None:
    answer = work.call("calls.py:keywords", a=1.5)
    answer.expect(value={"a": 1.5, "b": 2}, type=dict, keys={"a"}, approx={"a": 1.5000000001, "b": 2})
    for wrong in ({"value": {"a": 1.5}}, {"type": list}, {"keys": {"c"}}, {"approx": {"a": 1.6, "b": 2}}):
        with pytest.raises(Mismatch):
            answer.expect(**wrong)  # type: ignore[arg-type]
    nan = work.call("calls.py:soon", math.nan)
    nan.expect(value=math.nan, approx=math.nan)
    with pytest.raises(Mismatch):
        work.call("calls.py:soon", True).expect(value=1)


def test_files_given_can_be_read_and_not_written(work: Work) -> None:
    path = work.give("logs/a.txt", "given")
    assert work.call("calls.py:read", path).value == "given"
    if sys.platform == "linux":
        error = work.call("calls.py:write", path, "changed", may_raise=True).error
        assert error is not None
        assert error.type == "PermissionError"
    assert work.call("calls.py:read", path).value == "given"
    with pytest.raises(ValueError, match="outside"):
        work.give("../x", "y")


def test_files_put_and_left_behind(work: Work) -> None:
    work.put("in/data.txt", "hello")
    assert work.call("calls.py:read", "in/data.txt").value == "hello"
    work.call("calls.py:write", "out.json", '{"a": 1}')
    assert work.read("out.json").json() == {"a": 1}
    assert "out.json" in work.files()
    assert not work.read("none.json").exists
    with pytest.raises(Mismatch, match="no file"):
        work.read("none.json").expect()


def test_a_link_left_behind_is_not_followed(work: Work) -> None:
    work.call("calls.py:link", "/etc/passwd", "out.txt")
    with pytest.raises(Mismatch, match="is a link"):
        work.read("out.txt")
    with pytest.raises(Mismatch, match="is a link"):
        work.put("out.txt", "x")
    assert "out.txt" not in work.files()


def test_a_command_with_input_output_and_status(work: Work) -> None:
    done = work.run("./talk.sh", "there", stdin=b"hello\n")
    assert (done.status, done.stdout, done.stderr, done.killed) == (3, "hello there\n", "oops\n", "")
    with pytest.raises(Mismatch, match="exit status 3, oops"):
        done.expect(status=0)
    done.expect(status={0, 3})


ECHO = """
import atexit
import os
import sys
import threading
import time

import numpy


def later():
    time.sleep(0.1)
    print("thread")


if __name__ == "__main__":
    atexit.register(print, "at exit")
    threading.Thread(target=later).start()
    print(sys.argv, os.getcwd() == sys.path[0], os.environ["COLOUR"], time.strftime("%Z"), sys.stdin.read())
    print(numpy.__name__, "__file__" in globals())
    if "fail" in sys.argv:
        {}["key"]
    if "words" in sys.argv:
        sys.exit("words")
    if "stopped" in sys.argv:
        raise KeyboardInterrupt
    sys.exit(3)
"""


@pytest.mark.parametrize(
    "argv",
    [
        ("echo.py", "a"),
        ("-m", "echo", "fail"),
        ("echo.py", "words"),
        ("echo.py", "stopped"),
        ("absent.py",),
        ("-m", "absent"),
    ],
)
def test_a_warm_command_is_like_a_cold_one(argv: tuple[str, ...], work: Work) -> None:
    work.put("echo.py", ECHO)
    given = {"stdin": b"in", "env": {"COLOUR": "red", "TZ": "IST-5:30"}}
    cold = work.run("python3", *argv, **given)
    warm = work.run("python3", *argv, **given, warm=True)
    assert (warm.status, warm.stdout) == (cold.status, cold.stdout)
    assert warm.status not in (0, 75)
    said = [
        finished.stderr.replace("bin/python:", "bin/python3:").splitlines()[-1:] for finished in (warm, cold)
    ]
    assert said[0] == said[1]
    assert "interpreter.py" not in warm.stderr
    assert warm.did == cold.did == f"python3 {' '.join(argv)}"


def test_forks_draw_different_numbers(work: Work) -> None:
    work.put(
        "chance.py",
        "import random, numpy\n\ndef draw():\n    return [random.random(), numpy.random.rand()]\n",
    )
    one, other = (work.call("chance.py:draw", fresh=True).value for _ in range(2))
    assert one[0] != other[0]
    assert one[1] != other[1], "work that forgets its seed must not look repeatable"


def test_a_fresh_caller_finds_the_locks_of_the_last_one_free(work: Work) -> None:
    work.put(
        "locks.py",
        "import fcntl\nheld = open('lock', 'w')\nfcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "much = b'1' * 400_000_000  # so that the end of the process takes a while\n\ndef get():\n    return 1\n",
    )
    assert [work.call("locks.py:get", fresh=True).value for _ in range(4)] == [1] * 4


def test_commands_that_cannot_start(work: Work) -> None:
    with pytest.raises(Mismatch, match="not found"):
        work.run("no-such-command")
    with pytest.raises(Mismatch, match="not executable"):
        work.run("./calls.py")


def test_limits_end_a_command_and_say_which(work: Work) -> None:
    assert work.run("python3", "loop.py", timeout=1).killed == "time"
    assert work.run("python3", "spam.py", timeout=20).killed == "output"
    eaten = work.run("python3", "eat.py", memory_mb=150)
    assert eaten.killed == "memory"
    fine = work.run("python3", "eat.py", memory_mb=600)
    assert fine.killed == ""
    assert 290 < fine.peak_mb < 600
    assert work.run("python3", "-c", "print(1)").peak_mb < 100, "a new run starts its peak anew"


def test_memory_that_processes_share_counts_once(work: Work) -> None:
    assert work.run("python3", "share.py", memory_mb=600).killed == ""


def test_a_process_that_keeps_running(work: Work) -> None:
    process = work.start("python3", "-c", "import time; print('up', flush=True); time.sleep(60)")
    assert process.alive
    process.signal("SIGKILL")
    assert process.wait(10).status == -9


def test_a_service_over_http(work: Work) -> None:
    service = work.serve("web.py:app", env={"NAME": "n"})
    service.get("/ok").expect(status=200, json={"ok": True, "name": "n"}, keys={"ok"})
    assert work.serve("web.py:app", env={"NAME": "n"}) is service
    service.post("/echo", json={"a": 1}).expect(json={"a": 1})
    service.post("/echo", content="{broken").expect(status=422)
    for wrong in ({"status": 404}, {"json": {"ok": False}}, {"keys": {"other"}}):
        with pytest.raises(Mismatch):
            service.get("/ok").expect(**wrong)  # type: ignore[arg-type]
    with pytest.raises(Mismatch, match="a JSON body"):
        service.get("/text").json()
    with pytest.raises(Mismatch, match="no reply"):
        service.get("/slow?seconds=5", timeout=0.3)
    with pytest.raises(Mismatch):
        service.get("/big")


def test_a_service_that_dies_says_its_last_line(work: Work) -> None:
    service = work.serve("web.py:app")
    with pytest.raises(Mismatch, match=r"the service ended .exit status 3.: dying words"):
        service.get("/die")
    assert not service.alive
    assert work.serve("web.py:app").get("/ok").status == 200, "the next use starts it again"


STARTS_WITHOUT_ITS_MODEL = """
import contextlib


def load():
    return open("no-model.onnx")


@contextlib.asynccontextmanager
async def lifespan(app):
    load()
    yield


from fastapi import FastAPI

app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.parametrize("wait", [True, False])
def test_what_a_start_up_raises_is_said_with_its_line(wait: bool, work: Work) -> None:
    work.put("late.py", STARTS_WITHOUT_ITS_MODEL)
    with pytest.raises(Mismatch) as failed:
        service = work.serve("late.py:app", wait=wait)
        service.running.wait(10)
        service.get("/")
    finding = failed.value.finding
    assert finding.wanted == "an application that starts"
    assert finding.got.startswith("FileNotFoundError: ")
    assert "no-model.onnx" in finding.got
    assert "late.py:6" in finding.got
    assert "worker.py" not in failed.value.output


def test_a_service_that_does_not_start(work: Work) -> None:
    with pytest.raises(Mismatch, match=r"RuntimeError: no model here at no_start.py:1"):
        work.serve("no_start.py:app")
    with pytest.raises(Mismatch, match="has no `application`"):
        work.serve("web.py:application")


def test_waiting_for_a_slow_start(work: Work) -> None:
    with pytest.raises(Mismatch, match="still starting"):
        work.serve("slow_start.py:app", timeout=0.1)
    service = work.serve("slow_start.py:app", env={"X": "1"}, wait=False)
    assert service.poll("/ok", timeout=15).status == 200


def test_stopping_a_service_lets_requests_end(work: Work) -> None:
    import threading

    service = work.serve("web.py:app")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(service.get("/slow?seconds=0.6").status))
    thread.start()
    import time

    time.sleep(0.3)
    done = service.stop("SIGTERM")
    thread.join()
    assert replies == [200]
    assert done.killed == ""
    assert done.status in (0, -15)


def test_load_counts_what_it_sent(work: Work) -> None:
    service, peer = work.serve("web.py:app"), work.peer("bare.py:app")
    load = service.load("POST", "/echo", bodies=[{"a": 1}, {"a": 2}], concurrency=3, requests=50)
    assert load.requests == sum(load.statuses.values()) >= 50
    assert load.statuses == {200: load.requests}
    assert load.errors == 0
    assert 0 < load.p50_ms <= load.p95_ms <= load.p99_ms
    assert peer.load("GET", "/ok", seconds=0.2).statuses.keys() == {200}
    assert peer.get("/ok").json()["peer"] is True
    assert service.load("POST", "/echo", bodies=[b"{"], requests=5).statuses.keys() == {422}


def test_load_on_a_dead_service_is_an_error_not_a_hang(work: Work) -> None:
    service = work.serve("web.py:app")
    service.stop("SIGKILL")
    load = service.load("GET", "/ok", concurrency=2, seconds=0.2)
    assert load.requests == 0
    assert load.errors == 2


def test_a_message_names_what_was_done(work: Work) -> None:
    with pytest.raises(Mismatch) as failure:
        work.call("calls.py:keywords", a=[1, 2, 3]).expect(value=0, hint="Look again.")
    finding = failure.value.finding
    assert finding.did == "keywords(a=[1, 2, 3])  in calls.py"
    assert finding.wanted == "0"
    assert finding.got == '{"a": [1, 2, 3], "b": 2}'
    assert finding.next == "Look again."


HOSTILE_JSON = (
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b"9" * 10_000,
    b"\xff",
    b"",
)


@pytest.mark.parametrize(
    "body", HOSTILE_JSON, ids=["deep lists", "deep objects", "huge number", "no text", "nothing"]
)
def test_hostile_json_fails_the_check_and_not_the_grader(body: bytes) -> None:
    with pytest.raises(Mismatch):
        Reply("GET /", status=200, body=body).json()
    with pytest.raises(Mismatch):
        Document("read x", path="x", bytes=body).json()


def test_a_number_that_no_float_holds_is_not_close() -> None:
    with pytest.raises(Mismatch):
        Answer("f()", value=10**400).expect(approx=1.0)
    with pytest.raises(Mismatch):
        Answer("f()", value=[10**400]).expect(approx=[math.nan])
