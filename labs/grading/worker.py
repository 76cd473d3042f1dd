"""Inside the sandbox: loads the learner's module and answers calls, or serves its application.

Everything here runs confined, beside code that may do anything, so the judge trusts nothing of it: it is plumbing.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from labs.grading import wire

SHORT = 2000


def actor(order: dict[str, Any], fds: list[int]) -> Callable[[], int]:
    """The act for a `call` or `serve` order; imports what plumbing needs before the child is confined."""
    sys.dont_write_bytecode = True
    sys.argv = [""]
    _draw_anew()
    if order["kind"] == "python":
        from labs.grading import interpreter

        return lambda: interpreter.run(order["argv"])
    channel = socket.socket(fileno=fds[0])
    if order["kind"] == "call":
        return lambda: _answer_calls(channel)
    import uvicorn

    listener = socket.socket(fileno=fds[1])
    return lambda: _serve(uvicorn, channel, listener, order)


def _draw_anew() -> None:
    """NumPy's global generator was seeded when the warm parent imported it: without this, all its forks would draw the
    same numbers, and work that forgets its seed would look repeatable. (`random` does this by itself.)"""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _answer_calls(channel: socket.socket) -> int:
    _see_work_folder()
    while True:
        try:
            request = wire.receive(channel)
        except wire.Closed:
            return 0
        reply = _one_call(request)
        reply["id"] = request["id"]
        try:
            wire.send(channel, reply)
        except (wire.WireError, ValueError, TypeError) as error:
            wire.send(channel, {"id": request["id"], "unsendable": str(error)})


def _one_call(request: dict[str, Any]) -> dict[str, Any]:
    try:
        function = load(request["target"])
        if not callable(function):
            return {"missing": f"`{request['target']}` is a {type(function).__name__}, not a function"}
        value = function(*request["args"], **request["kwargs"])
    except Missing as error:
        return {"missing": str(error)}
    except (
        BaseException
    ) as error:  # SystemExit and KeyboardInterrupt too: the learner's code must not end the loop
        return {"error": describe(error)}
    return {"value": _finish(value)}


def _finish(value: Any) -> Any:
    """Run a coroutine and read out a generator: what a caller would do with the result."""
    import inspect

    if inspect.iscoroutine(value):
        import asyncio

        return asyncio.run(value)
    return list(value) if inspect.isgenerator(value) else value


class Missing(Exception):
    """The contract names something that is not there."""


def _see_work_folder() -> None:
    """Modules of the learner's are found last: a `json.py` of theirs cannot take the place of Python's own."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)


def load(target: str) -> Any:
    """The object behind "drift.py:psi" or "pkg/app.py:app.state".

    Raises:
        Missing: no such file, or no such name in it.
    """
    file, _, names = target.partition(":")
    module = _module(file)
    found: Any = module
    for name in filter(None, names.split(".")):
        if not hasattr(found, name):
            raise Missing(f"`{file}` has no `{names}`")
        found = getattr(found, name)
    return found


_loaded: dict[str, ModuleType] = {}


def _module(file: str) -> ModuleType:
    if file in _loaded:
        return _loaded[file]
    path = Path(file)
    if not path.is_file():
        raise Missing(f"there is no file `{file}`")
    if b"\0" in path.read_bytes():  # Python itself says ValueError before 3.11.4, and SyntaxError since
        raise SyntaxError("source code cannot contain null bytes", (str(path.resolve()), 1, 1, ""))
    dotted = ".".join(PurePosixPath(file).with_suffix("").parts)
    name = dotted if dotted not in sys.modules and not _is_python_own(dotted) else f"work_{dotted}"
    if "." in name:  # inside a package: import it as such, so that relative imports work
        module = importlib.import_module(name)
    else:
        spec = importlib.util.spec_from_file_location(name, path.resolve())
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
    _loaded[file] = module
    return module


def _is_python_own(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: its type, message, and the last line of the learner's that it passed through."""
    where, source = "", ""
    here = os.getcwd() + os.sep
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(here)]
    if own:
        where, source = f"{own[-1].filename.removeprefix(here)}:{own[-1].lineno}", own[-1].line or ""
    elif isinstance(error, SyntaxError) and error.filename:
        where, source = f"{error.filename.removeprefix(here)}:{error.lineno}", (error.text or "").strip()
    with contextlib.suppress(Exception):
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return {
            "type": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__][:10],
            "message": str(message).replace(here, "")[:SHORT],
            "where": where,
            "line": source[:200],
        }
    return {"type": type(error).__name__, "bases": [], "message": "", "where": where, "line": source[:200]}


def _serve(uvicorn: Any, channel: socket.socket, listener: socket.socket, order: dict[str, Any]) -> int:
    """Serve as `uvicorn --fd … --no-access-log` would; tell the judge when the application has started."""
    _see_work_folder()
    try:
        app = load(order["target"])
    except Missing as error:
        wire.send(channel, {"missing": str(error)})
        return 1
    except BaseException as error:
        traceback.print_exc()
        wire.send(channel, {"error": describe(error)})
        return 1

    class Server(uvicorn.Server):  # type: ignore[misc]
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            with contextlib.suppress(OSError):
                wire.send(channel, {"up": not self.should_exit})

    config = uvicorn.Config(app, access_log=False, log_level="info", server_header=False)
    config.load()
    raised = _watch_lifespan(config)
    server = Server(config)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn has said why in the log
        if raised:
            with contextlib.suppress(OSError):
                wire.send(channel, {"error": describe(raised[-1])})
        return 3
    return 0 if server.started else 3


def _watch_lifespan(config: Any) -> list[BaseException]:
    """What the application's start-up raises, as it comes: uvicorn keeps only its text. Requests go by untouched."""
    raised: list[BaseException] = []

    class Watched(config.lifespan_class):  # type: ignore[misc]
        config: Any

        async def main(self) -> None:
            app = self.config.loaded_app

            async def watched(scope: Any, receive: Any, send: Any) -> None:
                try:
                    await app(scope, receive, send)
                except BaseException as error:
                    raised.append(error)
                    raise

            self.config = copy.copy(self.config)
            self.config.loaded_app = watched
            await super().main()

    config.lifespan_class = Watched
    return raised
