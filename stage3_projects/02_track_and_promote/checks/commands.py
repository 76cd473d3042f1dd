"""The learner's commands as a check runs them, and what each of them must have done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candidates import Model
from labs.checks import Finished, Process, Work, close, show
from mlflow_api import Api
from planting import Planted

HERE = Path(__file__).parent
CHAMPION = "champion"
DATA_FOLDERS = ("eval/", "few/")
CONTRACT = ("train.py", "promote.py", "rollback.py", "champion.py")
EVERY_REASON = "Say every reason, not only the first, and none that is not true."


@dataclass(frozen=True)
class Company:
    """One registered model of one check, with the commands that manage it."""

    work: Work
    api: Api
    name: str
    handed_in: frozenset[str] = frozenset()

    def start(self, *argv: str, folder: str = ".", **env: str) -> Process:
        """Start `python3 SCRIPT …` warm. A script that is missing is not started, and said to be so."""
        variables = {"MODEL_NAME": self.name, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", **env}
        if argv[0] in CONTRACT and not self.work.read(argv[0]).exists:
            return self.work.start("python3", *argv, env=variables)
        launcher = self.given("launch.py")
        process = self.work.start("python3", launcher, folder, *argv, env=variables, warm=True)
        process.did = " ".join(("python3", *argv))
        return process

    def run(self, *argv: str, timeout: float = 60.0, **env: str) -> Finished:
        return self.start(*argv, **env).wait(timeout)

    def train(self, data: str, *options: str) -> Finished:
        return self.run("train.py", "--data", data, *options, timeout=100)

    def promote(self, number: int, data: str = "eval", **env: str) -> Verdict:
        argv = ("promote.py", "--version", str(number), "--data", data)
        return Verdict(self, number, self.champion, self.run(*argv, **env))

    def roll_back(self, *options: str, **env: str) -> Finished:
        return self.run("rollback.py", *options, **env)

    def script(self, file: str, *argv: str, did: str, **env: str) -> Finished:
        """A script of ours in the learner's sandbox; its failure is the learner's."""
        finished = self.run(self.given(file), *argv, **env)
        finished.did = did
        return finished

    def cold(self, *argv: str, **env: str) -> Finished:
        """Run a script from a cold start, as somebody would at a terminal."""
        return self.work.run("python3", *argv, env={"MODEL_NAME": self.name, **env}, timeout=60)

    def given(self, file: str, content: str | None = None) -> str:
        """Where a file of ours lies for the learner's processes. It is written once: others may be reading it."""
        path = Path(self.work.inputs) / file
        if path.exists():
            return str(path)
        return self.work.give(file, HERE / file if content is None else content)

    def tidy(self) -> None:
        """Leave the folder as it is handed in: the next command runs on another machine."""
        found = self.work.files()
        extra = [name for name in found if name not in self.handed_in and not name.startswith(DATA_FOLDERS)]
        if extra:
            self.work.run("rm", "-f", *extra)

    @property
    def champion(self) -> int | None:
        return self.api.alias(self.name, CHAMPION)

    def crown(self, planted: Planted) -> None:
        """Make a version the champion by hand."""
        self.api.set_alias(self.name, CHAMPION, planted.number)

    def expect_champion(self, done: Finished, number: int | None, hint: str = "") -> None:
        found = self.champion
        wanted = "no alias `champion`" if number is None else f"the alias `champion` at version {number}"
        got = "no alias `champion`" if found is None else f"it is at version {found}"
        done.require(found == number, wanted=wanted, got=got, hint=hint)


@dataclass(frozen=True)
class Verdict:
    """What came of one promotion."""

    company: Company
    number: int
    before: int | None
    done: Finished

    def expect_promoted(self, hint: str = "") -> dict[str, Any]:
        said = self._said("promoted", [], 0, hint)
        self.company.expect_champion(
            self.done, self.number, hint or "Move the alias when there is no reason against it."
        )
        return said

    def expect_refused(self, reasons: Iterable[str], hint: str = "") -> dict[str, Any]:
        said = self._said("refused", sorted(reasons), 1, hint)
        self.company.expect_champion(self.done, self.before, "A refusal leaves the champion as it was.")
        return said

    def expect_figures(self, challenger: Model, champion: Model) -> None:
        """The figures that it printed are those which these models earn on the payments."""
        said = last_object(self.done)
        for role, model in {"challenger": challenger, "champion": champion}.items():
            figures = said.get(role)
            wanted = {
                "pr_auc": model.figures.pr_auc,
                "cost_rupees": model.figures.cost_rupees,
                "slices": model.figures.slices,
            }
            for key, value in wanted.items():
                found = figures.get(key) if isinstance(figures, dict) else None
                self.done.require(
                    close(found, value, 1e-6, 1e-9),
                    wanted=f"`{role}` with `{key}` as they are on the payments in --data",
                    got="something else" if found is not None else "nothing",
                    measured=f"{show(found)} for {show(value)}",
                )
            p95_ms = figures.get("p95_ms")
            is_time = isinstance(p95_ms, int | float) and p95_ms > 0
            self.done.require(is_time, wanted=f"`{role}` with a positive `p95_ms`", got="none")

    def _said(self, verdict: str, reasons: list[str], status: int, hint: str) -> dict[str, Any]:
        """The object that it printed, which must say this, as must the version's tags and the exit status."""
        said = last_object(self.done)
        found = said.get("reasons")
        as_list = sorted(str(one) for one in found) if isinstance(found, list) else None
        wanted = f"`verdict` {show(verdict)} with `reasons` {show(reasons)}"
        self.done.require(
            as_list == reasons and said.get("verdict") == verdict,
            wanted=wanted,
            got=f"{show(said.get('verdict'))} with {show(as_list if as_list is not None else found)}",
            hint=hint or EVERY_REASON,
        )
        for key, value in {"version": self.number, "champion_before": self.before}.items():
            self.done.require(
                said.get(key) == value, wanted=f"`{key}` {show(value)}", got=show(said.get(key))
            )
        self.done.expect(
            status=status, hint="A pipeline reads nothing but the exit status: 0 promoted, 1 refused."
        )
        self._expect_tags(verdict, reasons)
        return said

    def _expect_tags(self, verdict: str, reasons: list[str]) -> None:
        tags = self.company.api.version(self.company.name, self.number).tags
        try:
            tagged = sorted(json.loads(tags.get("gate_reasons", "")))
        except (ValueError, TypeError):
            tagged = None
        self.done.require(
            tags.get("gate") == verdict and tagged == reasons,
            wanted=f"the version's tags `gate` {show(verdict)} and `gate_reasons` {show(json.dumps(reasons))}",
            got=f"{show(tags.get('gate'))} and {show(tags.get('gate_reasons'))}",
            hint="The terminal is closed tomorrow; the registry is still there.",
        )


def last_object(done: Finished) -> dict[str, Any]:
    """The JSON object in the last line of standard output."""
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    try:
        said = json.loads(lines[-1]) if lines else None
    except ValueError:
        said = None
    if not isinstance(said, dict):
        done.expect(status=(0, 1))
        done.fail(
            wanted="a JSON object in the last line of standard output", got=show(lines[-1] if lines else "")
        )
    return said


def put_folder(work: Work, folder: str, files: Mapping[str, bytes]) -> str:
    """Write files into a folder of the learner's workspace; the folder."""
    for name, content in files.items():
        work.put(f"{folder}/{name}", content)
    return folder
