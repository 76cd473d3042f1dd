"""The grader as the rest of the engine sees it: one lab × one folder → one LabResult."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from labs import __version__
from labs.catalog import Lab
from labs.errors import LabsError
from labs.grading import collect, wire
from labs.grading.confine import LAYERS, rung
from labs.grading.sandbox import Place
from labs.grading.shadows import shadows
from labs.grading.trust import lower, proven
from labs.machine import EMBEDDED, LOCAL
from labs.results import CheckResult, Isolation, LabResult, State, check_from_dict

JUDGE_SECONDS = 1200
KEPT_ENVIRONMENT = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SYSTEMROOT", "DOCKER_HOST", "DOCKER_CONTEXT")


class Watcher(Protocol):
    """Hears how a grading goes, from a thread of the grader's."""

    def expected(self, checks: Sequence[tuple[str, str, int]]) -> None: ...
    def started(self, name: str) -> None: ...
    def finished(self, check: CheckResult) -> None: ...


class Grader:
    """A warm parent and what it needs. Grade as often as you like, from several threads; leave, and all of it is gone.

    Args:
        root: the course's folder.
        warm: modules to import once in the warm parent: the union of the labs' `warm`.
        cold: import nothing ahead. The same results, more slowly; the only way on macOS, where a fork after imports
            is not safe.
        allowed: the isolation layers to try; fewer only to test a lower rung.
        tier: "local" uses real things (labs.machine) where they answer; "embedded" leaves them out, so that feedback
            is the same on every machine. A result says which was reached.
        lanes: how many checks of one grading may run at the same time; 1 where several gradings do.
    """

    def __init__(
        self,
        root: Path,
        warm: Iterable[str] = (),
        cold: bool = False,
        allowed: Sequence[str] = LAYERS,
        tier: str = LOCAL,
        lanes: int = 1,
        hidden: Path | None = None,
    ) -> None:
        self.root = root
        self.lanes = 1 if sys.platform == "darwin" else lanes
        self.tier = tier
        self.hidden = hidden
        self.allowed = tuple(allowed)
        self._warm = () if cold or sys.platform == "darwin" else tuple(dict.fromkeys(warm))
        self._layers: dict[str, str] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._flying = threading.Lock()
        self._rung = ""

    def __enter__(self) -> Grader:
        # The system's own temporary folder may be long; a Unix socket's address may not.
        base = tempfile.gettempdir() if len(tempfile.gettempdir()) < 40 else "/tmp"
        try:
            self.session = Path(tempfile.mkdtemp(prefix="labs-", dir=base)).resolve()
        except OSError as error:
            raise LabsError(
                f"{base}: cannot make a temporary folder ({error.strerror}).",
                "Free some space, or set TMPDIR.",
            ) from None
        self._address = str(self.session / "warm")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._address)
        listener.listen(256)
        self._life, theirs = socket.socketpair()
        argv = [sys.executable, "-P", "-s", "-m", "labs.grading.warm"]
        argv += [str(listener.fileno()), str(theirs.fileno()), str(self.session), *self._warm]
        self._log = open(self.session / "warm.log", "wb")
        self._process = subprocess.Popen(
            argv,
            pass_fds=(listener.fileno(), theirs.fileno()),
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        listener.close()
        theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._life.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.session, ignore_errors=True)

    @property
    def place(self) -> Place:
        """Where sandboxes of this grader come from."""
        return Place(self._address, self.session, self.allowed)

    @property
    def isolation(self) -> Isolation:
        """The rung that held in the gradings so far."""
        with self._lock:
            layers = dict(self._layers)
        return Isolation(lower(rung(layers), self.trusted()), layers)

    def trusted(self) -> str:
        """What the canaries say; flown once, whichever thread comes first."""
        with self._flying:
            if not self._rung:
                self._rung = proven(self.place, self.root)
            return self._rung

    def wait_until_warm(self, timeout: float = 120.0) -> None:
        """Come back when the warm parent has imported everything. For measurements: gradings wait by themselves."""
        self._life.settimeout(timeout)
        if self._life.recv(4) != b"warm":
            raise LabsError("The warm parent ended before it was ready.", self._last_words())

    def grade(
        self,
        lab: Lab,
        folder: Path,
        seed: int | None = None,
        watcher: Watcher | None = None,
        only: Sequence[str] = (),
    ) -> LabResult:
        """Grade `folder` by the checks of `lab`; with `only`, by those of these names or titles.

        Checks that those stand on run as well. If the lab has no check of such a name, all run.

        Raises:
            LabsError: the folder or the lab's checks are not there.
        """
        if not folder.is_dir():
            raise LabsError(f"{folder}: no such folder.", f"Start the lab: labs start {lab.slug}")
        if not lab.checks.is_file():
            raise LabsError(f"{lab.checks}: the lab has no checks.", "Restore the file from git.")
        started = time.monotonic()
        trusted = self.trusted()
        staged = self.session / f"work-{next(self._numbers)}"
        notes = collect.stage(folder, staged) + shadows(staged)
        try:
            checks, layers, tier = self._judge(lab, staged, lab.seed if seed is None else seed, watcher, only)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        with self._lock:
            self._layers = {**layers, **{k: v for k, v in self._layers.items() if v != "held"}}
        return LabResult(
            lab=lab.slug,
            seed=lab.seed if seed is None else seed,
            hidden_seed=seed is not None and seed != lab.seed,
            checks=tuple(checks),
            tier=tier,
            isolation=Isolation(lower(rung(layers), trusted), layers),
            notes=tuple(notes),
            seconds=round(time.monotonic() - started, 3),
            engine=__version__,
        )

    def _judge(
        self, lab: Lab, staged: Path, seed: int, watcher: Watcher | None, only: Sequence[str]
    ) -> tuple[list[CheckResult], dict[str, str], str]:
        request = {
            "role": "judge",
            "checks": str(lab.checks.resolve()),
            "hidden": [str(path) for path in hidden_checks(self.hidden, lab.slug)],
            "folder": str(staged),
            "files": list(lab.files),
            "needs": list(lab.needs),
            "only": list(only),
            "seed": seed,
            "limits": asdict(lab.limits),
            "session": str(self.session),
            "warm": self._address,
            "allowed": list(self.allowed),
            "tier": self.tier,
            "lanes": self.lanes * (1 if sys.platform == "darwin" else lab.side_by_side),
        }
        expected: list[tuple[str, str, int, bool]] = []
        done: dict[str, CheckResult] = {}
        layers: dict[str, str] = {}
        trouble, tier = "", EMBEDDED
        with socket.socket(socket.AF_UNIX) as conn:
            conn.connect(self._address)
            socket.send_fds(conn, [b"J"], [conn.fileno()])
            wire.send(conn, request, timeout=wire.PATIENCE)
            while True:
                try:
                    news: dict[str, Any] = wire.receive(conn, JUDGE_SECONDS)
                except (OSError, wire.WireError) as error:
                    trouble = trouble or f"the judge ended early ({error})"
                    break
                if "expected" in news:
                    expected = [(*one,) for one in news["expected"]]
                    if watcher:
                        watcher.expected([(name, title, points) for name, title, points, _ in expected])
                elif "started" in news:
                    if watcher:
                        watcher.started(news["started"])
                elif "finished" in news:
                    check = check_from_dict(news["finished"])
                    done[check.name] = check
                    if watcher:
                        watcher.finished(check)
                elif "broken" in news:
                    trouble = news["broken"]
                elif "layers" in news:
                    layers, tier = news["layers"], news["tier"]
                    break
        return self._complete(lab, expected, done, trouble), layers, tier

    def _complete(
        self, lab: Lab, expected: list[tuple[str, str, int, bool]], done: dict[str, CheckResult], trouble: str
    ) -> list[CheckResult]:
        """Every expected check has a result: one that did not report is an error of ours, never a pass."""
        because = "the check did not report"
        words = trouble or self._last_words()
        if not expected:
            because = "the lab's checks could not be read"
            expected = [("checks", f"the checks of {lab.slug}", lab.points, False)]
        missing = [
            CheckResult(name, title, points, State.OUR_FAULT, because=because, traceback=words, hidden=hidden)
            for name, title, points, hidden in expected
            if name not in done
        ]
        by_name = {**done, **{check.name: check for check in missing}}
        return [by_name[name] for name, *_ in expected]

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return (self.session / "warm.log").read_text(errors="replace")[-3000:]
        return ""

    def _environment(self) -> dict[str, str]:
        """What the warm parent sees: nothing of the caller's but the locale, and which Docker engine is theirs."""
        kept = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
        # Which engine is the user's stands there.
        dockers = os.environ.get("DOCKER_CONFIG", os.path.expanduser("~/.docker"))
        if os.path.isdir(dockers):
            kept["DOCKER_CONFIG"] = dockers
        if os.environ.get("KUBECONFIG"):  # a list of files; ours is another working directory
            files = os.environ["KUBECONFIG"].split(os.pathsep)
            kept["KUBECONFIG"] = os.pathsep.join(os.path.abspath(one) for one in files if one)
        return {
            **kept,
            "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "HOME": str(self.session),
            "LANG": kept.get("LANG", "C.UTF-8"),
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_HOME": str(self.session / "prefect"),
        }


def hidden_checks(folder: Path | None, slug: str) -> list[Path]:
    """An instructor's own checks for a lab: `test_*.py` in a folder of its name."""
    return sorted((folder.resolve() / slug).glob("test_*.py")) if folder else []
