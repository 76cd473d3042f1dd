"""What the commands of a RUN do to a stage: pip, venv, apt-get, users, and the small tools that move files about.

A command that is not known here is written down as unclear; nothing is guessed.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import NoReturn

import pip_commands
from dockerfile_syntax import expand
from image_model import BuildProblem, Node, Stage
from permissions import FILE, PROGRAM, Access
from shell_words import COMPUTED, FROM_SECRET, Command, commands, resolve
from system_commands import ACTS, plain
from text_tools import TEXT_TOOLS, TextTools, passes_text_on

_HARMLESS = """
: true test [ ls which command type hash ldconfig date uname id sleep ulimit shopt locale-gen
update-ca-certificates stat find wc sha256sum trap unset fc-cache exit sync basename dirname
"""
HARMLESS = frozenset(_HARMLESS.split())
OF_BASE = re.compile(
    r"/(bin|etc|lib\w*|proc|sbin|sys|usr|var)/[\w./@+-]+"
)  # a file of the base, unknown here
PROGRAMS = ("interpreter", "script", "program", "build tool")


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
    text_tools: TextTools | None = None
    umask: int = 0o022
    traces: bool = False

    def run(self, script: str) -> None:
        """Follow the commands in order."""
        todo, branches = commands(script, self._mark)
        if branches:
            # Followed as if all of it ran: a secret that any branch leaves is seen.
            self.stage.unclear.append((self.line, "a RUN with branches", False))
        for tokens in todo:
            pipeline = [resolve(one, self.variables) for one in tokens]
            if len(pipeline) == 1 and not pipeline[0].words:
                self.variables.update(pipeline[0].assigned)
                self._trace(pipeline[0])
            else:
                self._pipeline([command for command in pipeline if command.words])

    def run_argv(self, argv: list[str]) -> None:
        if len(argv) == 3 and argv[0].rsplit("/", 1)[-1] in ("sh", "bash") and argv[1].endswith("c"):
            self.run(argv[2])
        elif argv:
            self._pipeline([Command(list(argv))])

    def _mark(self, text: str) -> str:
        """What stands for the output of `$(text)`."""
        try:
            words = [expand(word, self.variables) for word in shlex.split(text)]
        except ValueError:
            words = []
        return FROM_SECRET if any(self._is_secret(word) for word in words) else COMPUTED

    def _is_secret(self, word: str) -> bool:
        node = self.stage.tree.get(self.at(word)) if word else None
        return FROM_SECRET in word or (node is not None and node.kind == "secret")

    def _trace(self, command: Command) -> None:
        if self.traces and any(FROM_SECRET in word for word in [*command.words, *command.assigned.values()]):
            self.stage.logged.append((self.line, "set -x"))

    def _pipeline(self, pipeline: list[Command]) -> None:
        """Each command, and what becomes of a secret that one of them prints."""
        is_text = all(posixpath.basename(command.words[0]) in TEXT_TOOLS for command in pipeline)
        if is_text and not self._reads_secret(pipeline):
            return self._text(pipeline)
        told, by = False, ""
        for command in pipeline:
            self._trace(command)
            shown = self._one(command, told)
            by, told = by or " ".join(command.words[:3]) if shown else "", shown
            if told and command.output.startswith("/dev/std"):
                break
            if told and command.output:
                told = False
                if not command.output.startswith("/dev/"):
                    self.put(self.at(command.output), self.made("secret", command.output))
        if told:
            self.stage.logged.append((self.line, by.replace(FROM_SECRET, "…")[:60]))
        return None

    def _reads_secret(self, pipeline: list[Command]) -> bool:
        return any(self._is_secret(word) for command in pipeline for word in [*command.words, command.input])

    def _one(self, command: Command, fed: bool) -> bool:
        """One command. `fed`: it reads a secret from the command before it. Whether it prints one."""
        words = command.words
        while words and words[0] in ("exec", "time", "nice", "command", "sudo", "env") and len(words) > 1:
            words = words[1:]
        while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
            name, _, value = words[0].partition("=")
            command.assigned[name], words = value, words[1:]
        if not words:
            return False
        name = posixpath.basename(words[0])
        act = ACTS.get(name)
        prints = False
        if pip_commands.understands(words):
            prints = pip_commands.run(self, words, {**self.variables, **command.assigned})
        elif name in TEXT_TOOLS:
            reads = fed or self._reads_secret([command])
            prints = reads and passes_text_on(name, words)
            for word in plain(words[1:]) if name == "tee" else ():
                self.put(self.at(word), self.made("secret" if reads else "file", word))
        elif act is not None:
            act(self, words[1:])
        elif (script := self._script(words)) is not None:
            self.run(script)
        elif name in ("env", "printenv"):
            prints = any(FROM_SECRET in value for value in self.variables.values())
        elif name not in HARMLESS and not self._is_known_python(words):
            self.unclear(" ".join(words)[:60])
        if command.output and not prints and not command.output.startswith(("/dev/", "&")):
            self.put(self.at(command.output), self.made("file", command.output))
        return prints

    def _text(self, pipeline: list[Command]) -> None:
        """Commands that only turn text into text: run them, over the files that they name."""
        if pipeline[0].input:
            pipeline = [Command(["cat", pipeline[0].input]), *pipeline]
        last = pipeline[-1]
        goals = [self.at(last.output)] if last.output and not last.output.startswith("/dev/") else []
        if last.words[0] == "tee":
            goals += [self.at(word) for word in plain(last.words[1:])]
        in_place = last.words[0] == "sed" and any(
            word.startswith(("-i", "--in-place", "-Ei", "-ri", "-ni")) for word in last.words
        )
        if not goals and not in_place:
            return
        files: dict[str, bytes] = {}
        named = [[self._named(word, files) for word in command.words] for command in pipeline]
        known = not any(word is None or COMPUTED in word for words in named for word in words)
        words = [[word or "" for word in one] for one in named]
        worked = self.text_tools(words, files) if known and self.text_tools else None
        for path in files if in_place else ():
            self._write(path, worked.files.get(path) if worked else None)
        for goal in goals:
            old = self.stage.tree.get(goal)
            before = b"" if old is None or not last.appends else old.content
            known = worked is not None and before is not None
            self._write(goal, before + worked.output if known else None)

    def _named(self, word: str, files: dict[str, bytes]) -> str | None:
        """A word, or the whole path of the file that it names; None when nobody knows what is in it."""
        node = self.stage.tree.get(self.at(word)) if word else None
        if node is None or word.startswith("-"):
            return None if OF_BASE.fullmatch(word) else word
        if node.kind != "file" or node.content is None:
            return None
        files[self.at(word)] = node.content
        return self.at(word)

    def _write(self, path: str, content: bytes | None) -> None:
        """A file with this content; None stands for a text that nobody knows here."""
        self.put(
            path,
            self.made("file", path) if content is None else Node(key_of_content(content), content=content),
        )

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
        """A new file belongs to who runs, with the shell's umask; one that was there keeps its owner and mode."""
        old = self.stage.tree.get(path)
        mode = (PROGRAM if node.kind in PROGRAMS else FILE) & ~self.umask
        self.place(path, replace(node, access=old.access if old else Access(mode, *self.owner())))

    def place(self, path: str, node: Node) -> None:
        """A file with the owner and the mode that it brings."""
        self.stage.make_folder(posixpath.dirname(path), self.stage.identity(), 0o777 & ~self.umask)
        self.stage.tree[path] = node
        self.stage.bound(self.line)
        if path in ("/etc/passwd", "/etc/group"):
            self.unclear(f"another {path}")

    def owner(self) -> tuple[int, int]:
        who = self.stage.identity()
        return max(who.uid, 0), min(who.gids, default=0)

    def fail(self, why: str, hint: str = "") -> NoReturn:
        raise BuildProblem(self.line, why, hint)

    def made(self, kind: str, what: str, **more: object) -> Node:
        return Node(f"{self.key}:{what}", kind, **more)  # type: ignore[arg-type]


def key_of_content(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
