"""The machine on which a learner's workflow runs: the check's sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labs.grading.evidence import Evidence, Mismatch
from labs.grading.sandbox import SandboxBroken
from labs.workflows import Outcome

ENTER = 'cd "$1" && shift && exec env -i "$@"'
HINT = "Do the same work with less memory, fewer processes and less output."


class SandboxMachine:
    """Runs commands with `work`, in its folder. What breaks a limit of the sandbox fails the check."""

    def __init__(self, work) -> None:
        self._work = work
        self.root = work.run("pwd").stdout.strip()

    def run(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], timeout: float) -> Outcome:
        variables = [f"{name}={value}" for name, value in env.items()]
        try:
            process = self._work.start("sh", "-c", ENTER, "sh", cwd or ".", *variables, *argv)
            ended = process.wait(timeout)
        except SandboxBroken:
            self._over("the sandbox was ended")
        if ended.killed not in ("", "time"):
            self._over(f"it was stopped: {ended.killed}")
        return Outcome(ended.status, ended.stdout + ended.stderr, ended.killed == "time")

    def _over(self, got: str) -> None:
        Evidence("run the workflow").fail(wanted="a run within the limits of the lab", got=got, hint=HINT)

    def read(self, path: str) -> bytes | None:
        try:
            document = self._work.read(path)
        except Mismatch:
            return None
        return document.bytes if document.exists else None

    def write(self, path: str, data: bytes) -> None:
        self._work.put(path, data)

    def files(self, folder: str) -> list[str]:
        start = f"{folder}/"
        paths = (path.removeprefix(start) for path in self._work.files() if path.startswith(start))
        return [path for path in paths if not path.startswith(".git/") and "/.git/" not in path]
