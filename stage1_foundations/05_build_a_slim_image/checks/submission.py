"""What a learner handed in, put into a developer's working copy, and the build that comes of it."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property

from build_graph import follow
from copying import Build, ContextFile
from dockerignore import NoPattern, read_patterns, sent
from image_model import BuildProblem, Stage
from labs.checks import CouldNotCheck, Document
from pip_commands import requirements_of
from trial_start import HERE, Trial, command_of, without_init
from working_copy import LITTER_FOLDERS, WorkingCopy, make_working_copy

CONTRACT = ("Dockerfile", ".dockerignore")
MOST_OWN_BYTES = 2 * 2**20


@dataclass
class Submission:
    """The learner's files in the working copy of one seed."""

    work: object
    copy: WorkingCopy
    dockerfile: Document
    dockerignore: Document

    @cached_property
    def context(self) -> dict[str, ContextFile]:
        """The files that .dockerignore lets through to the builder."""
        return self.context_of(self.copy.files)

    def context_of(self, files: dict[str, ContextFile]) -> dict[str, ContextFile]:
        try:
            patterns = read_patterns(self.dockerignore.bytes)
        except NoPattern as error:
            self.dockerignore.fail(wanted="patterns", got=f"{error}", hint="A builder stops here.")
        return {path: files[path] for path in sent(files, patterns)}

    @cached_property
    def build(self) -> Build:
        return self.build_of(self.copy.files)

    def build_of(self, files: dict[str, ContextFile]) -> Build:
        """Follow the build over other files; what a builder would refuse fails the check."""
        try:
            return follow(self.dockerfile.bytes, self.context_of(files))
        except BuildProblem as problem:
            where = f"line {problem.line}: " if problem.line else ""
            self.about("docker build").fail(
                wanted="a build that goes to its end", got=where + problem.why, hint=problem.hint
            )

    @property
    def final(self) -> Stage:
        return self.build.final

    @property
    def lock(self) -> frozenset[str]:
        return requirements_of(self.copy.files["requirements.lock"].content.decode())

    def about(self, did: str) -> Document:
        """Evidence in whose name a check speaks."""
        return replace(self.dockerfile, did=did)

    def or_unclear(self, *stages: Stage, holding_secrets: bool = False) -> None:
        """A step that cannot be followed may have made what was not found, or left what was: nobody can say."""
        for stage in stages or self.build.needed():
            for line, what, had_secret in stage.unclear:
                if had_secret or not holding_secrets:
                    raise CouldNotCheck(
                        f"Dockerfile line {line}: the grader cannot follow `{what}` without an engine"
                    )

    def trial(self) -> Trial:
        """The final stage, ready to start."""
        return Trial(self.work, self.final)

    def started(self, trial: Trial, env: dict[str, str] | None = None):
        """The service, started as the container would start it, and answering; or the check fails."""
        argv = command_of(self.final)
        about = self.about(f"docker run: {' '.join(argv)[:120]}")
        about.require(
            without_init(argv),
            wanted="a CMD or ENTRYPOINT that starts the service",
            got=f"nothing after `{' '.join(argv)}`" if argv else "none",
            hint="Say what the container starts with.",
        )
        process = trial.start(argv, env)
        deadline = time.monotonic() + START_SECONDS
        while trial.ask(("GET", "/healthz", None), until=2.0)[0][0] == 0:
            if not process.alive:
                self._died(about, process, trial)
            about.require(
                time.monotonic() < deadline,
                wanted="an answer on port 8000",
                got="no answer on port 8000, while the process runs",
                hint="Which port does the command in CMD listen on?",
            )
        return process

    def stand_in(self, trial: Trial, status: int):
        """Something else on the service's port: its `/healthz` says this status, everything else 200."""
        path = self.work.give("stand_in.py", HERE / "stand_in.py")
        process = self.work.start(sys.executable, "-I", path, str(status))
        if trial.ask(("GET", "/healthz", None), until=10.0)[0][0] != status:
            raise CouldNotCheck("the sandbox could not serve on port 8000")
        return process

    def _died(self, about: Document, process, trial: Trial) -> None:
        self.or_unclear()
        trial.or_unknown()
        ended = process.wait(1)
        lines = [line for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if RAISED.match(line)]
        last = (errors or lines or ["it printed nothing"])[-1]
        about.output = ended.output
        about.fail(
            wanted="a service that answers on port 8000",
            got=f"it ended with status {ended.status}: {self.readable(last)}",
            hint="What does the service need: packages, code, model, a program that the image holds?",
        )

    def readable(self, line: str) -> str:
        """The last line of output, without where this machine keeps its sandboxes."""
        words = line.strip().replace("\t", " ").replace(sys.executable, "python").split(" ")
        shown = [
            word.rpartition("/image")[2] if "/image/" in word and word.count("/") > 3 else word
            for word in words
        ]
        return " ".join(shown)[:160]


START_SECONDS = 12.0
RAISED = re.compile(r"\w+(Error|Exception): ")


def hand_in(work, seed: int) -> Submission:
    """The submission. A file of the contract that is missing reads "not started"."""
    for name in CONTRACT:
        if not work.read(name).exists:
            work.run("cat", name)  # the engine's own word for a file of the contract that is not there
    own: dict[str, ContextFile] = {}
    executable = set(work.run("find", ".", "-type", "f", "-perm", "-100").stdout.split("\n"))
    total = 0
    for path in work.files():
        parts = path.split("/")
        if parts[0] in LITTER_FOLDERS or "__pycache__" in parts or "\ufffd" in path:
            continue
        document = work.read(path)
        total += len(document.bytes)
        if total > MOST_OWN_BYTES:
            document.fail(
                wanted=f"at most {MOST_OWN_BYTES // 2**20} MB of files of your own",
                got="more",
                hint="Move data out.",
            )
        own[path] = ContextFile(document.bytes, f"./{path}" in executable)
    return Submission(work, make_working_copy(seed, own), work.read("Dockerfile"), work.read(".dockerignore"))
