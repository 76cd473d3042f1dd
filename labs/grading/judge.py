"""The judge: runs one lab's checks, as pytest tests, over one staged folder, and reports each result as it comes.

It is a fork of the warm parent, trusted, and holds what a learner must not see: the seed, the expected values. It never
imports anything of the learner's; `work` does everything through sandboxes.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from labs import machine
from labs.catalog import Limits
from labs.grading import wire
from labs.results import CheckResult, Finding, State


def judge(conn: socket.socket, request: dict[str, Any]) -> int:
    """Grade, sending {"expected"}, {"started"}, {"finished"}…, {"layers"} over `conn`. Returns the exit status."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    checks = Path(request["checks"])
    for folder in dict.fromkeys(str(Path(one).parent) for one in (*request["hidden"], request["checks"])):
        sys.path.insert(0, folder)
    private = Path(tempfile.mkdtemp(prefix="judge-", dir=request["session"]))
    os.chdir(private)
    plugin = Plugin(conn, request, private / "services")
    noise = io.StringIO()
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:doctest",
        "--assert=plain",
        "--capture=sys",
        "--tb=native",
    ]
    options += [
        "-c",
        os.devnull,
        f"--rootdir={checks.parent}",
        f"--confcutdir={checks.parent}",  # else pytest looks through every folder above as well
        "--noconftest",
        "--import-mode=importlib",
        str(checks),
        *request["hidden"],
    ]
    with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
        code = pytest.main(options, plugins=[plugin])
    if not plugin.announced:
        plugin.tell({"broken": f"pytest ended with {code}\n{noise.getvalue()[-6000:]}"})
    plugin.tell({"layers": plugin.layers, "tier": plugin.tier})
    shutil.rmtree(private, ignore_errors=True)
    return 0


class Plugin:
    """Gives checks their `work`, decides each one's state, and reports."""

    def __init__(self, conn: socket.socket, request: dict[str, Any], services_folder: Path) -> None:
        from labs.grading.sandbox import Place

        self.services_folder = services_folder
        # Made before any fork of ours: what a fork sends here stays open for as long as the judge is there.
        self.from_checks = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.conn = conn
        self.request = request
        self.layers: dict[str, str] = {}
        self.states: dict[str, State] = {}
        self.titles: dict[str, str] = {}
        self.lacking: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.tier = machine.EMBEDDED
        self.waited = 0.0  # seconds, in checks that ended because the learner's work went on for too long
        self.announced = False
        self.place = Place(request["warm"], Path(request["session"]), tuple(request["allowed"]))

    def tell(self, message: dict[str, Any]) -> None:
        wire.send(self.conn, message, timeout=wire.PATIENCE)

    def reached(self, layers: dict[str, str], tier: str, waited: float = 0.0) -> None:
        """Add what was reached, and waited for, in a fork."""
        self.waited += waited
        self.layers = weakest(self.layers, layers)
        self.tier = machine.LOCAL if machine.LOCAL in (tier, self.tier) else self.tier

    # Collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: Any, name: str, obj: Any) -> Any:
        from labs.checks import spec_of

        imported = getattr(obj, "__module__", "") != getattr(collector.obj, "__name__", "")
        if spec_of(obj) is None or obj.__name__ != name or imported:
            return [] if getattr(obj, "__lab_check__", None) else None
        return list(collector._genfunctions(name, obj))

    def pytest_collection_finish(self, session: Any) -> None:
        from labs.checks import spec_of

        if session.testsfailed or not session.items:
            return  # said as "broken", with pytest's own words
        session.items[:] = chosen(session.items, self.request["only"])
        expected = []
        for item in session.items:
            spec = spec_of(item.function)
            if spec is None:
                raise pytest.UsageError(f"{item.name} is no check: decorate it with @check, or rename it")
            title = title_of(item)
            if item.name in self.titles:
                raise pytest.UsageError(
                    f"{item.path}: there is another check named {item.name}: rename this one"
                )
            self.titles[item.name] = title
            if str(item.path) in self.request["hidden"]:
                self.hidden.add(item.name)
            expected.append([item.name, title, spec.points, item.name in self.hidden])
        self.announced = True
        self.tell({"expected": expected})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool | None:
        from labs.grading import lanes

        if self.request["lanes"] < 2 or len(session.items) < 2 or session.testsfailed:
            return None  # pytest's own way: one after the other
        lanes.run(self, session.items, self.request["lanes"])
        return True

    # One check

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        self.tell({"started": item.name})
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        from labs.checks import spec_of
        from labs.grading.evidence import CouldNotCheck

        spec = spec_of(item.function)
        assert spec is not None
        item.began = time.monotonic()
        for need in (*self.request["needs"], *spec.needs):
            why = machine.lacks(need, self.request["tier"])
            if why:
                raise CouldNotCheck(why, need if machine.is_real(need) else "")
            if machine.is_real(need):
                self.tier = machine.LOCAL
        for name in (*spec.after, *spec.when):
            if self.states.get(name) is not State.PASSED:
                raise CouldNotCheck(f'needs "{self.titles.get(name, name)}"', self.lacking.get(name, ""))
        if self.waited > self.request["limits"]["wall_seconds"]:  # it would take the whole time of each check
            raise CouldNotCheck("checks before this one were given up: the work went on for too long")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        report = yield
        done = getattr(item, "reported", False)
        if not done and (call.excinfo is not None or call.when == "call"):
            item.reported = True
            self._report(item, call)
        return report

    def _report(self, item: Any, call: Any) -> None:
        from labs.checks import spec_of

        spec = spec_of(item.function)
        assert spec is not None
        state, finding, because, ours, output = outcome(call.excinfo.value if call.excinfo else None)
        lacks = getattr(call.excinfo.value, "lacks", "") if state is State.COULD_NOT_CHECK else ""
        self.decided(item.name, state, lacks)
        work = item.funcargs.get("work") if hasattr(item, "funcargs") else None
        if work is not None:
            self.layers = weakest(self.layers, work.layers)
            output = output or ("" if state is State.PASSED else work.output)
            if state is State.FAILED and work.out_of_time:
                self.waited += time.monotonic() - item.began
        result = CheckResult(
            item.name, self.titles[item.name], spec.points, state, finding, because, ours, output[-4000:],
            round(time.monotonic() - item.began, 3), lacks, item.name in self.hidden,
        )  # fmt: skip
        self.tell({"finished": asdict(result)})

    def decided(self, name: str, state: State, lacks: str) -> None:
        """What became of a check, for those that name it."""
        self.states[name], self.lacking[name] = state, lacks

    # Fixtures

    @pytest.fixture
    def work(self, request: Any) -> Iterator[Any]:
        from labs.grading.handle import Work

        asked = self.request
        checks = Path(asked["checks"]).parent
        work = Work(
            self.place, Path(asked["folder"]), checks, Limits(**asked["limits"]), tuple(asked["files"])
        )
        yield work
        work.close()

    @pytest.fixture(scope="session")
    def services(self) -> Any:
        from labs.grading.services import Services

        place = (self.place.warm, self.services_folder, self.request["tier"])
        return Services(*place, self.from_checks[1], lambda tier: self.reached({}, tier))

    @pytest.fixture(scope="session")
    def real_cluster(self) -> Any:
        from labs.grading.real_cluster import RealCluster

        return RealCluster(self.request["tier"], lambda: self.reached({}, machine.LOCAL))

    @pytest.fixture(scope="session")
    def seed(self) -> int:
        return int(self.request["seed"])

    @pytest.fixture
    def rng(self, request: Any, seed: int) -> Any:
        import numpy as np

        return np.random.default_rng([seed, zlib.crc32(request.node.name.encode())])


def title_of(item: Any) -> str:
    return str(item.function.__doc__).strip().splitlines()[0].strip()


def chosen(items: list[Any], only: list[str]) -> list[Any]:
    """The checks of these names or titles, and those that they name in `after` and `when`, in their order.

    All, if none is asked for, or one that is not there: whoever asked sees that in the result.
    """
    from labs.checks import spec_of

    names = {title_of(item): item.name for item in items} | {item.name: item.name for item in items}
    if not only or not names.keys() >= set(only):
        return items
    specs = {item.name: spec_of(item.function) for item in items}
    found, waiting = set[str](), [names[one] for one in only]
    while waiting:
        name = waiting.pop()
        if name not in found and (spec := specs.get(name)):
            found.add(name)
            waiting += [*spec.after, *spec.when]
    return [item for item in items if item.name in found]


def outcome(error: BaseException | None) -> tuple[State, Finding | None, str, str, str]:
    """State, finding, because, our traceback and the learner's output for whatever ended a check."""
    from labs.grading.evidence import CouldNotCheck, Mismatch, NotStarted

    if error is None:
        return State.PASSED, None, "", "", ""
    if isinstance(error, Mismatch):
        return State.FAILED, error.finding, "", "", error.output
    if isinstance(error, NotStarted):
        return State.NOT_STARTED, error.finding, "", "", ""
    if isinstance(error, CouldNotCheck):
        return State.COULD_NOT_CHECK, None, str(error), "", ""
    ours = "".join(traceback.format_exception(error))[-6000:]
    return State.OUR_FAULT, None, f"{type(error).__name__}: {error}"[:300], ours, ""


def weakest(known: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Layers over several sandboxes: one that once did not hold, did not hold."""
    from labs.grading.confine import HELD

    merged = dict(known)
    for layer, state in new.items():
        if layer not in merged or state != HELD:
            merged[layer] = state
    return merged
