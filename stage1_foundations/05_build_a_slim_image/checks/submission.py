"""What a learner handed in, put into a developer's working copy, and the build that comes of it."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from build_graph import follow
from copying import Build, ContextFile
from diagnosis import why_not
from dockerignore import NoPattern, Pattern, read_patterns, sent
from image_model import BuildProblem, Stage
from labs.checks import CouldNotCheck, Document
from pip_commands import requirements_of
from text_tools import Worked
from trial_start import HERE, StandIn, Trial, command_of, without_init
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
            return follow(self.dockerfile.bytes, self.context_of(files), self._run_text_tools)
        except BuildProblem as problem:
            where = f"line {problem.line}: " if problem.line else ""
            hint = self._why_not_sent(problem.missing, files) or problem.hint
            self.about("docker build").fail(
                wanted="a build that goes to its end",
                got=where + problem.why,
                hint=hint or 'Look this instruction up in Docker\'s "Dockerfile reference".',
            )

    def deciding(self, path: str) -> list[Pattern]:
        """The lines of .dockerignore that match a path: the last one decides."""
        return [one for one in read_patterns(self.dockerignore.bytes) if one.matches(path)]

    def why_sent(self, path: str) -> str:
        """A hint for a file that should not be sent: no line keeps it out, or a later one takes it back."""
        lines = self.deciding(path)
        if any(not one.takes_back for one in lines):
            return (
                f".dockerignore line {lines[-1].line} (`!{lines[-1].text}`) takes it back. "
                "The last line that matches decides."
            )
        return "A pattern counts from the root of the context. What does `**/` mean in front of it?"

    def _why_not_sent(self, source: str, files: Mapping[str, ContextFile]) -> str:
        """Which line of .dockerignore keeps a source of COPY out, when one does."""
        there = [path for path in files if path == source or path.startswith(source.rstrip("/") + "/")]
        lines = self.deciding(min(there)) if source and there else []
        if not lines:
            return ""
        taken = [one for one in lines if one.takes_back]
        why = f".dockerignore line {lines[-1].line} (`{lines[-1].text}`) leaves it out"
        if taken:
            why = f"{why} again, after line {taken[-1].line} (`!{taken[-1].text}`)"
        return f"{why}. The last line that matches decides."

    def _run_text_tools(self, pipeline: Sequence[Sequence[str]], files: Mapping[str, bytes]) -> Worked | None:
        """`grep`, `sed` and their like of a RUN, run in the sandbox over the files of the stage."""
        places = {path: f"{TEXT_FILES}/{number}" for number, path in enumerate(files)}
        self.work.put(PRINTED, b"")
        for path, content in files.items():
            self.work.put(places[path], content)
        line = " | ".join(shlex.join(places.get(word, word) for word in words) for words in pipeline)
        told = self.work.run("sh", "-c", f"{{ {line}; }} > {PRINTED} 2>/dev/null", timeout=5)
        printed = self.work.read(PRINTED)
        if told.killed or told.status in NO_SUCH_TOOL or not printed.exists:
            return None
        return Worked(printed.bytes, {path: self.work.read(place).bytes for path, place in places.items()})

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

    def stand_in(self, trial: Trial) -> StandIn:
        """Something else on the service's port, which can be made to be unwell in many ways."""
        path = self.work.give("stand_in.py", HERE / "stand_in.py")
        return StandIn(trial, self.work.start(sys.executable, "-I", path))

    def _died(self, about: Document, process, trial: Trial) -> None:
        self.or_unclear()
        trial.or_unknown()
        ended = process.wait(1)
        lines = [line for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if RAISED.match(line)]
        last = self.readable((errors or lines or ["it printed nothing"])[-1])
        why, hint = why_not(self.final, command_of(self.final))
        about.output = ended.output
        about.fail(
            wanted="a service that answers on port 8000",
            got=why or f"it ended with status {ended.status}: {last}",
            hint=hint or "What does the service need: packages, code, model, a program that the image holds?",
            measured=f"it ended with status {ended.status}: {last}" if why else "",
        )

    def readable(self, line: str) -> str:
        """The last line of output, without where this machine keeps its sandboxes."""
        words = line.strip().replace("\t", " ").replace(sys.executable, "python").split(" ")
        shown = [
            word.rpartition("/image")[2] if "/image/" in word and word.count("/") > 3 else word
            for word in words
        ]
        return " ".join(shown)[:160]


TEXT_FILES = ".text-tools"
NO_SUCH_TOOL = (126, 127)
PRINTED = f"{TEXT_FILES}/printed"
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
