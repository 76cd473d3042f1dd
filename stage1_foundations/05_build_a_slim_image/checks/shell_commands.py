"""What the commands of a RUN do to a stage: pip, venv, apt-get, users, and the small tools that move files about.

A command that is not known here is written down as unclear; nothing is guessed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pip_commands
from dockerfile_syntax import NUMBER
from image_model import BuildProblem, Node, Stage, below, matching
from shell_words import COMPUTED, Command, commands, resolve

_HARMLESS = """
set : true echo printf umask test [ ls cat which command type hash ldconfig date uname id sleep chown
chgrp groupadd addgroup ulimit shopt env locale-gen update-ca-certificates stat find wc sha256sum trap unset
fc-cache exit sync grep head tail sort cut tr awk basename dirname
"""
HARMLESS = frozenset(_HARMLESS.split())
_BUILD_TOOLS = """
build-essential gcc g++ cpp make cmake ninja-build clang llvm rustc cargo golang gfortran git pkg-config
autoconf automake libtool patch binutils dpkg-dev
"""
BUILD_TOOLS = frozenset(_BUILD_TOOLS.split())
LISTS = "/var/lib/apt/lists/⟨lists⟩"


@dataclass
class Shell:
    """One shell that runs one RUN in a stage. `mounts` are paths whose writes do not stay in the layer."""

    stage: Stage
    line: int
    key: str
    mounts: tuple[str, ...] = ()
    cwd: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    depth: int = 0

    def run(self, script: str) -> None:
        """Follow the commands in order."""
        todo, branches = commands(script)
        if branches:
            # Followed as if all of it ran: a secret that any branch leaves is seen.
            self.stage.unclear.append((self.line, "a RUN with branches", False))
        for tokens in todo:
            command = resolve(tokens, self.variables)
            if command.words:
                self._one(command)
            else:
                self.variables.update(command.assigned)

    def run_argv(self, argv: list[str]) -> None:
        if len(argv) == 3 and argv[0].rsplit("/", 1)[-1] in ("sh", "bash") and argv[1].endswith("c"):
            self.run(argv[2])
        elif argv:
            self._one(Command(list(argv)))

    def _one(self, command: Command) -> None:
        words = command.words
        while words and words[0] in ("exec", "time", "nice", "command", "sudo", "env") and len(words) > 1:
            words = words[1:]
        while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
            name, _, value = words[0].partition("=")
            command.assigned[name], words = value, words[1:]
        if not words:
            return
        name = posixpath.basename(words[0])
        act = ACTS.get(name)
        if pip_commands.understands(words):
            pip_commands.run(self, words, {**self.variables, **command.assigned})
        elif act is not None:
            act(self, words[1:])
        elif (script := self._script(words)) is not None:
            self.run(script)
        elif name not in HARMLESS and not self._is_known_python(words):
            self.unclear(" ".join(words)[:60])
        if command.output and not command.output.startswith(("/dev/", "&")):
            self._write(command.output, words)

    def _script(self, words: list[str]) -> str | None:
        """The text of a shell script that lies in the stage: it can be followed like the RUN itself."""
        by_shell = posixpath.basename(words[0]) in ("sh", "bash") and len(words) > 1
        path = words[1] if by_shell else words[0]
        node = self.stage.tree.get(self.at(path)) if by_shell or "/" in path else None
        if node is None or node.content is None or self.depth > 3:
            return None
        self.depth += 1
        text = node.content.decode("utf-8", "replace")
        first = text.partition("\n")[0]
        return text if by_shell or (first.startswith("#!") and first.endswith("sh")) else None

    def _is_known_python(self, words: list[str]) -> bool:
        return posixpath.basename(words[0]).startswith("python") and words[1:3] in (
            ["-m", "compileall"],
            ["-m", "py_compile"],
        )

    # What commands use

    def at(self, path: str) -> str:
        return self.stage.absolute(path, self.cwd)

    def unclear(self, what: str) -> None:
        self.stage.not_clear(self.line, what)

    def put(self, path: str, node: Node) -> None:
        self.stage.tree[path] = node
        self.stage.bound(self.line)

    def fail(self, why: str, hint: str = "") -> None:
        raise BuildProblem(self.line, why, hint)

    def made(self, kind: str, what: str, **more: object) -> Node:
        return Node(f"{self.key}:{what}", kind, **more)  # type: ignore[arg-type]

    def _write(self, path: str, words: list[str]) -> None:
        """`cat A > B` and its like: B holds what A held, or a text that was computed."""
        sources = [node for word in words[1:] if (node := self.stage.tree.get(self.at(word))) is not None]
        secret = any(node.kind == "secret" for node in sources)
        computed = self.made("secret" if secret else "file", path)
        self.put(self.at(path), replace(sources[0], executable=False) if len(sources) == 1 else computed)


def _plain(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def _cd(shell: Shell, words: list[str]) -> None:
    shell.cwd = shell.at(_plain(words)[0]) if _plain(words) else shell.stage.home()


def _export(shell: Shell, words: list[str]) -> None:
    for word in _plain(words):
        name, equals, value = word.partition("=")
        if equals:
            shell.variables[name] = value


def _activate(shell: Shell, words: list[str]) -> None:
    """`. /opt/venv/bin/activate`"""
    if words and posixpath.basename(words[0]) == "activate":
        root = posixpath.dirname(posixpath.dirname(shell.at(words[0])))
        shell.variables["VIRTUAL_ENV"] = root
        shell.variables["PATH"] = f"{root}/bin:{shell.variables.get('PATH', '')}"
    else:
        shell.unclear(f". {' '.join(words)}"[:60])


def _mkdir(shell: Shell, words: list[str]) -> None:
    for word in _plain(words):
        path = shell.at(word)
        while path not in shell.stage.dirs:
            shell.stage.dirs.add(path)
            path = posixpath.dirname(path)


def _rm(shell: Shell, words: list[str]) -> None:
    for word in _plain(words):
        if COMPUTED in word:
            shell.unclear(f"rm {word}")
            continue
        for path in matching(list(shell.stage.tree), shell.at(word)):
            del shell.stage.tree[path]


def _cp(shell: Shell, words: list[str], moves: bool = False) -> None:
    paths = _plain(words)
    if len(paths) < 2 or COMPUTED in "".join(paths):
        return shell.unclear(f"{'mv' if moves else 'cp'} {' '.join(words)}"[:60])
    *sources, target = paths
    inside = target.endswith("/") or shell.stage.is_dir(shell.at(target)) or len(sources) > 1
    for source in sources:
        start = shell.at(source)
        if not matching(list(shell.stage.tree), start) and start not in shell.stage.dirs:
            shell.unclear(f"{'mv' if moves else 'cp'} {source} …")
        for path in matching(list(shell.stage.tree), start):
            root = start if "*" not in start else posixpath.dirname(path)
            rest = posixpath.relpath(path, root)
            if "*" in start:
                goal = posixpath.join(shell.at(target), rest)
            elif inside and not source.endswith("/."):
                goal = posixpath.join(
                    shell.at(target), posixpath.basename(start), "" if rest == "." else rest
                )
            else:
                goal = posixpath.join(shell.at(target), "" if rest == "." else rest)
            node = shell.stage.tree[path]
            shell.put(goal.rstrip("/"), node)
            if moves:
                del shell.stage.tree[path]
    return None


def _mv(shell: Shell, words: list[str]) -> None:
    _cp(shell, words, moves=True)


def _install(shell: Shell, words: list[str]) -> None:
    _mkdir(shell, words) if "-d" in words else _cp(shell, [word for word in words if "=" not in word])


def _ln(shell: Shell, words: list[str]) -> None:
    if len(paths := _plain(words)) == 2 and (node := shell.stage.tree.get(shell.at(paths[0]))) is not None:
        shell.put(shell.at(paths[1]), node)


def _chmod(shell: Shell, words: list[str]) -> None:
    """Only whether a file may be executed matters here."""
    if len(paths := [word for word in words if word.startswith(("-x", "-r", "-w")) or word[:1] != "-"]) < 2:
        return
    mode, *files = paths
    runs = "x" in mode.partition("+")[2] + mode.partition("=")[2] or bool(re.search(r"[1357]", mode[-3:]))
    for file in files:
        for path in matching(list(shell.stage.tree), shell.at(file)):
            if (node := shell.stage.tree[path]).kind == "file":
                shell.put(path, replace(node, executable=runs or ("+" in mode and node.executable)))


def _touch(shell: Shell, words: list[str]) -> None:
    for word in _plain(words):
        shell.stage.tree.setdefault(shell.at(word), Node("empty", content=b""))


def _tee(shell: Shell, words: list[str]) -> None:
    for word in _plain(words):
        shell.put(shell.at(word), shell.made("file", word))


def _useradd(shell: Shell, words: list[str]) -> None:
    """useradd and adduser: the last word is the name; -u and -d are its number and home."""
    values = {"-u": "", "--uid": "", "-d": "", "--home-dir": "", "--home": ""}
    takes_value = {*values, "-g", "--gid", "-G", "--groups", "-s", "--shell", "-c", "--comment", "--gecos", "--ingroup",
                   "-k", "--skel", "-b", "--base-dir", "-e", "-f", "-K", "-p"}  # fmt: skip
    names, at = [], 0
    while at < len(words):
        word, equals, value = words[at].partition("=")
        if word in takes_value and not equals:
            at += 1
            value = words[at] if at < len(words) else ""
        elif not word.startswith("-"):
            names.append(word)
        elif (
            len(word) > 2 and not word.startswith("--") and f"-{word[-1]}" in takes_value
        ):  # -ru 10001, -ms /bin/sh
            word = f"-{word[-1]}"
            at += 1
            value = words[at] if at < len(words) else ""
        if word in values:
            values[word] = value
        at += 1
    if not names:
        return
    uid = values["-u"] or values["--uid"]
    home = values["-d"] or values["--home-dir"] or values["--home"] or f"/home/{names[0]}"
    number = int(uid) if NUMBER.fullmatch(uid) else 1000 + len(shell.stage.users)
    shell.stage.users[names[0]] = (number, home)
    if "--no-create-home" not in words and "-M" not in words:
        shell.stage.dirs.add(home)


def _apt(shell: Shell, words: list[str]) -> None:
    plain = [word for word in _plain(words) if COMPUTED not in word]
    if not plain:
        return
    if plain[0] == "update":
        shell.put(LISTS, shell.made("cache", "apt"))
    elif plain[0] == "install":
        if LISTS not in shell.stage.tree:
            shell.fail(
                "`apt-get install` without a package list", "Slim images have none: apt-get update first."
            )
        for word in plain[1:]:
            name = word.partition("=")[0].partition(":")[0]
            tool = name in BUILD_TOOLS or name.endswith("-dev") or name.startswith(("gcc-", "g++-", "clang-"))
            shell.put(
                f"/usr/bin/{name}", shell.made("build tool" if tool else "program", name, executable=True)
            )
    elif plain[0] in ("purge", "remove", "autoremove"):
        for word in plain[1:]:
            for path in below(list(shell.stage.tree), f"/usr/bin/{word}"):
                del shell.stage.tree[path]


Act = Callable[[Shell, list[str]], None]
ACTS: dict[str, Act] = {
    "cd": _cd, "export": _export, ".": _activate, "source": _activate, "mkdir": _mkdir, "rm": _rm, "cp": _cp,
    "mv": _mv, "ln": _ln, "install": _install, "touch": _touch, "tee": _tee, "useradd": _useradd,
    "adduser": _useradd, "chmod": _chmod, "apt-get": _apt, "apt": _apt,
}  # fmt: skip
