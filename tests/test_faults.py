"""Whatever is wrong with a learner's work ends in a clear finding; nothing survives it; nothing is "our fault"."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from faulty import GOOD, make_lab, make_work

from labs.catalog import Lab
from labs.grading import Grader
from labs.results import LabResult, State

PASSED, FAILED, NOT_STARTED = State.PASSED, State.FAILED, State.NOT_STARTED


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def grader(lab: Lab) -> Iterator[Grader]:
    with Grader(lab.folder.parent.parent, warm=("numpy", "uvicorn")) as grader:
        yield grader


def states(result: LabResult) -> dict[str, State]:
    return {check.name: check.state for check in result.checks}


def finding(result: LabResult, name: str) -> str:
    check = next(check for check in result.checks if check.name == name)
    assert check.finding is not None, check
    return f"{check.finding.did} | {check.finding.wanted} | {check.finding.got} | {check.finding.next}"


def test_a_right_answer_passes(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    result = grader.grade(lab, make_work(tmp_path / "work"))
    assert set(states(result).values()) == {PASSED}, result
    assert (result.earned, result.possible) == (4, 4)


# what stands in sums.py → what the learner must read for the check `adds`
BROKEN = {
    "syntax error": ("def add(a, b)\n    return a + b\n", "SyntaxError", "at sums.py:1"),
    "indentation error": ("def add(a, b):\nreturn a + b\n", "IndentationError", "at sums.py:2"),
    "import error": ("import no_such_library\n", "ModuleNotFoundError", "sums.py:1"),
    "wrong signature": ("def add(a):\n    return a\n", "TypeError", "a result"),
    "wrong name": ("def plus(a, b):\n    return a + b\n", "has no `add`", "contract"),
    "not a function": ("add = 3\n", "not a function", "contract"),
    "wrong value": ("def add(a, b):\n    return a - b\n", "got|", ""),
    "text for a number": ("def add(a, b):\n    return str(a + b)\n", '"', ""),
    "object for a number": ("class X: pass\ndef add(a, b):\n    return X()\n", "`X` object", "Return numbers"),
    "an object that equals everything": (
        "class X(int):\n    def __eq__(self, other): return True\ndef add(a, b):\n    return X(-1)\n", "-1", "",
    ),
    "raises": ("def add(a, b):\n    return a // 0\n", "ZeroDivisionError", "at sums.py:2"),
    "infinite loop": ("def add(a, b):\n    while True: pass\n", "no result", "loop"),
    "infinite loop at import": ("while True: pass\n", "no result", "loop"),
    "sys.exit at import": ("import sys\nsys.exit(0)\n", "SystemExit", "at sums.py:2"),
    "os._exit in a call": (
        "import os\ndef add(a, b):\n    os._exit(0)\n", "the process ended: exit status 0", "Return",
    ),
    "os._exit at import": ("import os\nos._exit(0)\n", "the process ended: exit status 0", "Return"),
    "8 GiB": ("def add(a, b):\n    x = bytearray(8 * 2**30)\n    return a + b\n", "MemoryError", ""),
    "memory in small steps": (
        "def add(a, b):\n    x = []\n    while True: x.append(bytearray(2**20))\n", "memory", "less",
    ),
    "endless recursion": ("def add(a, b):\n    return add(a, b)\n", "RecursionError", "sums.py:2"),
    "endless output": ("def add(a, b):\n    while True: print('x' * 10_000)\n", "printed without end", ""),
    "a result without end": ("def add(a, b):\n    x = []\n    x.append(x)\n    return x\n", "nested", "Return"),
    "a huge result": ("def add(a, b):\n    return bytes(600 * 2**20)\n", "", ""),
    "NaN": ("def add(a, b):\n    return float('nan')\n", "nan", ""),
    "killed by itself": (
        "import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), signal.SIGKILL)\n", "SIGKILL", "Return",
    ),
    "closes everything": (
        "import os\ndef add(a, b):\n    os.closerange(0, 4096)\n    return a + b\n", "the process ended", "",
    ),
    "segfault": ("import ctypes\ndef add(a, b):\n    ctypes.string_at(0)\n", "SIGSEGV", ""),
    "binary": (b"\x7fELF\x00\x01\xff\xfe" * 100, "SyntaxError", ""),
    "not UTF-8": ("X = 'caf\xe9'\ndef add(a, b):\n    return a + b\n".encode("latin-1"), "SyntaxError", ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_work_fails_with_a_clear_finding(fault: str, grader: Grader, lab: Lab, tmp_path: Path) -> None:
    source, *words = BROKEN[fault]
    result = grader.grade(lab, make_work(tmp_path / "work", sums_py=source))
    said = finding(result, "adds").replace(" | ", "got|", 1)
    assert states(result)["adds"] is FAILED
    assert states(result)["adds_again"] is State.COULD_NOT_CHECK
    assert State.OUR_FAULT not in states(result).values(), result
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


def test_forging_a_reply_earns_nothing(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    forger = """
        import os, struct
        def add(a, b):
            body = b'{"id": "0", "value": 3}'
            for fd in range(3, 64):
                try: os.write(fd, struct.pack("<4sII", b"LABS", len(body), 0) + body)
                except OSError: pass
            return -1
    """
    result = grader.grade(lab, make_work(tmp_path / "work", sums_py=forger))
    assert states(result)["adds"] is FAILED
    assert State.OUR_FAULT not in states(result).values(), result


def test_an_empty_folder_is_not_started(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    result = grader.grade(lab, tmp_path)
    assert result.earned == 0
    assert result.state is NOT_STARTED
    assert "there is no file `sums.py`" in finding(result, "adds")


def test_a_bounded_fork_bomb_is_ended(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    bomb = """
        import os, time
        def add(a, b):
            for _ in range(300):
                try:
                    if os.fork() == 0:
                        time.sleep(60)
                        os._exit(0)
                except OSError:
                    pass
            return -1
    """
    result = grader.grade(lab, make_work(tmp_path / "work", sums_py=bomb))
    assert states(result)["adds"] is FAILED
    assert State.OUR_FAULT not in states(result).values(), result


def test_a_daemon_does_not_outlive_the_check(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    name = f"daemon-{uuid.uuid4().hex}"
    daemon = f"""
        import os
        def add(a, b):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execvp("sleep", ["sleep", "61.{int(name[-6:], 16)}"])
                os._exit(0)
            return a + b
    """
    result = grader.grade(lab, make_work(tmp_path / "work", sums_py=daemon))
    assert states(result)["adds"] is PASSED
    assert not processes_with(f"61.{int(name[-6:], 16)}")


def test_own_modules_and_pytest_settings_change_nothing(
    grader: Grader, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    trap = "raise SystemExit('taken over')\n"
    work = make_work(
        tmp_path / "work",
        json_py=trap,
        mlflow_py=trap,
        numpy_py=trap,
        conftest_py="import os; os._exit(0)\n",
        pytest_ini="[pytest]\naddopts = --collect-only\n",
        sums_py="import json, numpy\n" + GOOD,
    )
    result = grader.grade(lab, work)
    assert states(result)["adds"] is PASSED, result
    assert states(result)["serves"] is PASSED, result
    # Run as a script, Python itself puts the learner's folder first: there the file does hide the library, as at home.
    assert states(result)["runs"] is FAILED
    assert any("`json.py` has the name of Python's own module" in note for note in result.notes)
    assert any("`mlflow.py` has the name of the installed library" in note for note in result.notes)


def test_links_pipes_and_huge_files_are_left_out(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("9")
    work = make_work(tmp_path / "work")
    (work / "sum.txt").symlink_to(secret)
    (work / "etc").symlink_to("/etc")
    os.mkfifo(work / "pipe")
    with open(work / "sparse.bin", "wb") as file:
        file.truncate(2**40)
    result = grader.grade(lab, work)
    notes = "\n".join(result.notes)
    for words in (
        "`sum.txt` is a link",
        "`etc` is a link",
        "`pipe` is a named pipe",
        "`sparse.bin` has 1,099,511,627,776",
    ):
        assert words in notes
    assert states(result)["adds"] is PASSED


def test_a_linked_file_of_the_contract_is_not_read(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    work = make_work(tmp_path / "work")
    (work / "sums.py").rename(tmp_path / "elsewhere.py")
    (work / "sums.py").symlink_to(tmp_path / "elsewhere.py")
    result = grader.grade(lab, work)
    assert result.earned == 0
    assert any("`sums.py` is a link" in note for note in result.notes)


def test_output_that_is_a_link_is_refused(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    linker = GOOD.replace(
        'with open("sum.txt", "w") as file:', 'import os; os.symlink("/etc/passwd", "sum.txt")\n    if 0:'
    )
    result = grader.grade(lab, make_work(tmp_path / "work", sums_py=linker))
    assert states(result)["runs"] is FAILED
    assert "is a link" in finding(result, "runs")


def test_a_port_taken_on_the_machine_does_not_matter(grader: Grader, lab: Lab, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        binds = f"import socket\nown = socket.socket()\nown.bind(('127.0.0.1', {port}))\n" + GOOD
        result = grader.grade(lab, make_work(tmp_path / "work", sums_py=binds))
    if result.isolation.rung == "sealed":
        assert states(result)["adds"] is PASSED, result
    assert State.OUR_FAULT not in states(result).values()


READ_ONLY = """
import os, subprocess, sys
from pathlib import Path
from labs.catalog import read_lab
from labs.grading import Grader

course, work = Path(sys.argv[1]), Path(sys.argv[2])
for options in (["--bind"], ["-o", "remount,ro,bind"]):
    if subprocess.run(["mount", *options, str(course), str(course)]).returncode:
        raise SystemExit("no mounts")
try:
    (course / "probe").touch()
except OSError:
    print("read-only", flush=True)
lab = read_lab(course / "stage1_tests" / "01_sums")
with Grader(course) as grader:
    print(grader.grade(lab, work).state)
os.environ.update(LABS_ROOT=str(course), LABS_WORK=str(work.parent))
sys.stdout.flush()
raise SystemExit(subprocess.run([sys.executable, "-m", "labs", "list"]).returncode)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="a private read-only mount is made with Linux's namespaces"
)
def test_a_read_only_checkout_grades_and_lists(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course")
    work = make_work(tmp_path / "work" / lab.slug)
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    command += [sys.executable, "-c", READ_ONLY, str(tmp_path / "course"), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "unshare" in done.stderr or "no mounts" in done.stderr:
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["read-only", "passed"], done.stdout
    assert "sums" in done.stdout


def test_a_missing_tool_is_no_pass(tmp_path: Path) -> None:
    checks = """
from labs.checks import check


@check(points=4, needs=("no-such-tool",))
def needs_a_tool(work):
    \"\"\"needs a tool\"\"\"
"""
    lab = make_lab(tmp_path / "course", checks)
    with Grader(tmp_path) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert result.state is State.COULD_NOT_CHECK
    assert result.earned == 0
    assert "no-such-tool" in result.checks[0].because


@pytest.mark.parametrize(
    "checks",
    {
        "no checks": "x = 1\n",
        "broken import": "import no_such_thing\n",
        "a plain assert": (
            "from labs.checks import check\n\n\n@check(points=4)\ndef wrong(work):\n"
            '    """wrong"""\n    assert 1 == 2\n'
        ),
        "ends the judge": (
            "import os\nfrom labs.checks import check\n\n\n@check(points=4)\ndef dies(work):\n"
            '    """dies"""\n    os._exit(0)\n'
        ),
        "no docstring": "from labs.checks import check\n\n\n@check(points=4)\ndef bare(work):\n    pass\n",
        "an undecorated test": (
            "from labs.checks import check\n\n\ndef test_x():\n    pass\n\n\n"
            '@check(points=4)\ndef fine(work):\n    """fine"""\n'
        ),
    }.values(),
)
def test_a_broken_grader_is_our_fault_and_never_a_pass(checks: str, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "course", checks)
    with Grader(tmp_path) as grader:
        result = grader.grade(lab, make_work(tmp_path / "work"))
    assert result.state is State.OUR_FAULT
    assert result.earned == 0
    assert any(check.traceback for check in result.checks)


GRADE_FOREVER = """
import sys
from pathlib import Path
from labs.catalog import read_lab
from labs.grading import Grader

class Watcher:
    def expected(self, checks): pass
    def started(self, name): print("started", flush=True)
    def finished(self, check): pass

lab = read_lab(Path(sys.argv[1]))
with Grader(lab.folder.parent.parent) as grader:
    print(grader.session, flush=True)
    grader.grade(lab, Path(sys.argv[2]), watcher=Watcher())
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_killed_grader_leaves_nothing(how: str, lab: Lab, tmp_path: Path) -> None:
    import signal

    mark = f"62.{uuid.uuid4().int % 10**9}"
    hang = f"import subprocess\ndef add(a, b):\n    subprocess.run(['sleep', '{mark}'])\n"
    work = make_work(tmp_path / "work", sums_py=hang)
    command = [sys.executable, "-c", GRADE_FOREVER, str(lab.folder), str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as grading:
        assert grading.stdout is not None
        session = Path(grading.stdout.readline().strip())
        assert grading.stdout.readline() == "started\n"
        assert wait_for(lambda: processes_with(mark)), "the learner's process never came up"
        inside = processes_with(str(session))
        grading.send_signal(getattr(signal, how))
        grading.wait(15)
    assert inside
    assert wait_for(lambda: not processes_with(mark)), "the learner's process outlived the grader"
    assert wait_for(lambda: not processes_with(str(session))), "the engine's processes outlived the grader"
    assert wait_for(lambda: not session.exists()), "the private folder was left behind"


def wait_for(condition: object, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def processes_with(word: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(word in part for part in process.cmdline()) and process.pid != os.getpid():
                found.append(process.pid)
    return found
