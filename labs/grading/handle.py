"""`work`: a check's handle on the learner's work. docs/lab-anatomy.md describes every method."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labs.catalog import Limits
from labs.grading import collect, wire
from labs.grading.compare import arguments, exit_words, limit_words, shorten
from labs.grading.documents import Document
from labs.grading.evidence import Answer, Finished, Mismatch, NotStarted, raised
from labs.grading.process import Process, pipe_with, start_hint
from labs.grading.running import Running
from labs.grading.sandbox import Place, Sandbox
from labs.grading.service import Service, raised_from
from labs.results import Finding

NOT_STARTED_ERROR = "NotImplementedError"


class Work:
    """One check's sandbox and everything in it."""

    def __init__(
        self, place: Place, folder: Path, checks: Path, limits: Limits, contract: tuple[str, ...]
    ) -> None:
        self._place, self._folder, self._checks = place, folder, checks
        self._limits, self._contract = limits, contract
        self._sandbox: Sandbox | None = None
        self._peer: Sandbox | None = None
        self._caller: Running | None = None
        self._services: dict[str, Service] = {}
        self._reached: dict[int, Mapping[str, str]] = {}
        self._inputs = place.new("inputs")
        self._inputs.mkdir(mode=0o755)
        self._listeners: list[Path] = []
        self._was_out_of_time = False

    # What a check uses

    def call(
        self,
        target: str,
        *args: Any,
        timeout: float = 10.0,
        may_raise: bool = False,
        fresh: bool = False,
        **kwargs: Any,
    ) -> Answer:
        """Call a function of the learner's with plain data, in the sandbox."""
        file, _, name = target.partition(":")
        did = shorten(f"{name}({arguments(args, kwargs)})  in {file}", 300)
        self._need(file, did)
        if fresh and self._caller is not None:
            self._caller.kill("")
            self._caller.ended.wait(5)  # its locks and ports are free only then
            self._caller = None
        if self._caller is None or not self._caller.alive:
            self._caller = self._box().spawn("call")
        caller = self._caller
        token = secrets.token_hex(8)
        reply = self._exchange(
            caller, did, timeout, {"id": token, "target": target, "args": args, "kwargs": kwargs}
        )
        if not isinstance(reply, dict) or reply.get("id") != token:
            raise Mismatch(
                Finding(
                    did, "a result", "something else than a result came back", "Do not write to the grader."
                )
            )
        return self._answer(reply, did, caller, may_raise)

    def serve(
        self, target: str, *, env: Mapping[str, str] | None = None, timeout: float = 15.0, wait: bool = True
    ) -> Service:
        """Serve the learner's application with uvicorn; the same target again in one check gives the same service."""
        key = f"{target} {sorted((env or {}).items())}"
        if key in self._services and self._services[key].alive:
            return self._services[key]
        self._need(target.partition(":")[0], f"serve {target}")
        service = self._serve_in(self._box(), target, env)
        self._services[key] = service
        if wait:
            service.await_start(timeout)
        return service

    def peer(self, target: str, *, env: Mapping[str, str] | None = None) -> Service:
        """Serve an application of ours from `checks/`, in a sandbox of the same kind, to compare with."""
        if self._peer is None:
            self._peer = Sandbox(self._place, self._checks, self._limits, (str(self._inputs),))
        service = self._serve_in(self._peer, target, env)
        service.await_start(30.0)
        return service

    def start(
        self, *argv: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, warm: bool = False
    ) -> Process:
        """Start a command in the work folder and come back at once.

        `warm`: of `python3 SCRIPT …` or `python3 -m MODULE …`, with the lab's `warm` modules imported already.
        """
        did = shorten(" ".join(argv), 300)
        for word in argv[:2]:
            if word.removeprefix("./") in self._contract:
                self._need(word.removeprefix("./"), did)
        if warm and argv[:1] not in (("python3",), ("python",)):
            raise ValueError(f"only python3 starts warm, not {argv[0]!r}")
        kind, words = ("python", argv[1:]) if warm else ("run", argv)
        given = pipe_with(stdin) if stdin else None
        running = self._box().spawn(kind, argv=list(words), env=env, stdin=given)
        if running.trouble:
            running.wait(2)
            hint = start_hint(running.trouble)
            raise Mismatch(Finding(did, "a command that starts", running.trouble, hint))
        return Process(did, running)

    def run(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float = 20.0,
        memory_mb: float = 0,
        warm: bool = False,
    ) -> Finished:
        """Run a command to its end. Hitting a limit does not fail the check by itself: see `Finished.killed`."""
        box = self._box()
        box.peak_mb(set_limit=memory_mb)
        finished = self.start(*argv, stdin=stdin, env=env, warm=warm).wait(timeout)
        finished.peak_mb = box.peak_mb()
        if finished.killed == "memory" and not box.alive:
            self._replace_box()
        return finished

    def read(self, path: str, limit: int = collect.MAX_FILE) -> Document:
        """A file that the learner's work left in its folder."""
        did = f"read {path}"
        try:
            data = collect.read_file(self._box().work, path, limit)
        except collect.Unreadable as error:
            raise Mismatch(
                Finding(did, f"a plain file `{path}`", str(error), "Write a plain file there.")
            ) from None
        return Document(did, path=path, bytes=data or b"", exists=data is not None)

    def files(self) -> list[str]:
        """Sorted relative paths of the regular files in the work folder."""
        return collect.list_files(self._box().work)

    def put(self, path: str, data: bytes | str) -> str:
        """Write a file into the work folder, as a user would. Returns the path."""
        try:
            collect.write_file(self._box().work, path, data.encode() if isinstance(data, str) else data)
        except collect.Unreadable as error:
            raise Mismatch(Finding(f"put a file at {path}", "room for it", str(error))) from None
        return path

    def give(self, path: str, data: bytes | str | Path) -> str:
        """Put a file where the learner's processes can read but not write it. Returns the path to pass on."""
        target = self._inputs / path
        if not target.resolve().is_relative_to(self._inputs.resolve()):
            raise ValueError(f"give({path!r}): outside of the inputs")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if isinstance(data, Path):
            shutil.copyfile(data, target)
        else:
            target.write_bytes(data.encode() if isinstance(data, str) else data)
        target.chmod(0o444)
        return str(target)

    def remove(self, path: str) -> None:
        """Take back a file that was given."""
        (self._inputs / path).unlink(missing_ok=True)

    def reach(self, port: int, variables: Mapping[str, str]) -> None:
        """Let what starts from now on reach a service of ours (`labs.grading.services`)."""
        if port not in self._reached:
            self._box().reach(port, variables)
            self._reached[port] = dict(variables)

    @property
    def inputs(self) -> str:
        """The folder in which given files lie, as the learner's processes see it."""
        return str(self._inputs)

    # What the engine uses

    @property
    def layers(self) -> dict[str, str]:
        return self._sandbox.layers if self._sandbox else {}

    @property
    def out_of_time(self) -> bool:
        """Whether something of the learner's had to be ended, or given up, because it went on for too long."""
        return self._was_out_of_time or (self._sandbox is not None and self._sandbox.out_of_time)

    @property
    def output(self) -> str:
        """What the learner's processes have printed, the last of it."""
        runs = self._sandbox._running.values() if self._sandbox else ()
        return "".join(run.stdout.text() + run.stderr.text() for run in runs)[-4000:]

    def close(self) -> None:
        for sandbox in (self._sandbox, self._peer):
            if sandbox is not None:
                sandbox.close()
        shutil.rmtree(self._inputs, ignore_errors=True)
        for listener in self._listeners:
            listener.unlink(missing_ok=True)

    def _box(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(self._place, self._folder, self._limits, (str(self._inputs),))
            for port, variables in self._reached.items():
                self._sandbox.reach(port, variables)
        return self._sandbox

    def _replace_box(self) -> None:
        """A sandbox that hit a limit is gone with its files; the next use gets a fresh one."""
        self._was_out_of_time = self.out_of_time
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox, self._caller = None, None
        self._services.clear()

    def _need(self, file: str, did: str) -> None:
        """The contract's file must be there; otherwise the learner has not started it."""
        there = (self._folder / file).is_file() or (self._sandbox is not None and file in self.files())
        if not there:
            wanted = f"a file `{file}` (contract: {', '.join(f'`{name}`' for name in self._contract)})"
            raise NotStarted(Finding(did, wanted, f"there is no file `{file}`"))

    def _exchange(self, caller: Running, did: str, timeout: float, request: dict[str, Any]) -> Any:
        channel = caller.channel
        assert channel is not None
        try:
            wire.send(channel, request, timeout)
            return wire.receive(channel, timeout)
        except TimeoutError:
            caller.kill("time")
            caller.wait(2)
            hint = "Look for a loop that never ends, or work that grows too fast."
            raise Mismatch(
                Finding(did, f"a result within {timeout:g} s", "no result", hint), self.output
            ) from None
        except wire.Closed:
            caller.wait(2)
            self._fail_ended(did, caller)
        except wire.WireError as error:
            caller.kill("")
            caller.ended.wait(2)
            raise Mismatch(
                Finding(
                    did, "plain data", str(error), "Return numbers, text, lists, dicts, arrays or frames."
                )
            ) from None

    def _fail_ended(self, did: str, caller: Running) -> None:
        words = limit_words(caller.killed or self._box().killed)
        got = f"the process ended: {words or exit_words(caller.status or 0)}"
        hint = "Return the result; do not end the process." if not words else "Do the same work with less."
        output = self.output
        if not self._box().alive:
            self._replace_box()
        raise Mismatch(Finding(did, "a result", got, hint), output)

    def _answer(self, reply: dict[str, Any], did: str, caller: Running, may_raise: bool) -> Answer:
        output = (caller.stdout.text() + caller.stderr.text())[-4000:]
        if "missing" in reply:
            hint = "Check the names in the contract."
            raise Mismatch(Finding(did, "what the contract names", shorten(str(reply["missing"])), hint))
        if "unsendable" in reply:
            hint = "Return numbers, text, lists, dicts, arrays or frames."
            raise Mismatch(Finding(did, "plain data", shorten(str(reply["unsendable"])), hint), output)
        if "error" in reply:
            error = raised_from(reply["error"])
            if NOT_STARTED_ERROR in (error.type, *error.bases):
                raise NotStarted(Finding(did, "a result", "NotImplementedError: not started"))
            if not may_raise:
                raise raised(did, error, output)
            return Answer(did, error=error, output=output)
        return Answer(did, value=reply.get("value"), output=output)

    def _serve_in(self, sandbox: Sandbox, target: str, env: Mapping[str, str] | None) -> Service:
        path = self._place.new("http")
        self._listeners.append(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(128)
        try:
            running = sandbox.spawn("serve", target=target, env=env, listener=listener)
        finally:
            listener.close()
        return Service(target, running, path)
