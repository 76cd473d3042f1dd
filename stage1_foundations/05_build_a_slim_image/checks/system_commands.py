"""What the small tools of a RUN do to a stage: apt-get, users, modes, and the tools that move files about."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from image_model import Node, below, matching
from permissions import Access
from shell_words import COMPUTED
from user_commands import (
    adduser,
    chgrp,
    chmod,
    chown,
    groupadd,
    options_of,
    set_mode,
    set_owner,
    useradd,
)

if TYPE_CHECKING:
    from shell_commands import Shell

_BUILD_TOOLS = """
build-essential gcc g++ cpp make cmake ninja-build clang llvm rustc cargo golang gfortran git pkg-config
autoconf automake libtool patch binutils dpkg-dev
"""
BUILD_TOOLS = frozenset(_BUILD_TOOLS.split())
LISTS = "/var/lib/apt/lists/⟨lists⟩"


def plain(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def _cd(shell: Shell, words: list[str]) -> None:
    shell.cwd = shell.at(plain(words)[0]) if plain(words) else shell.stage.home()


def _export(shell: Shell, words: list[str]) -> None:
    for word in plain(words):
        name, equals, value = word.partition("=")
        if equals:
            shell.variables[name] = value


def _set(shell: Shell, words: list[str]) -> None:
    for word in words:
        if word == "xtrace" or (word[:1] in "+-" and "x" in word):
            shell.traces = word[0] != "+"


def _activate(shell: Shell, words: list[str]) -> None:
    """`. /opt/venv/bin/activate`"""
    if words and posixpath.basename(words[0]) == "activate":
        root = posixpath.dirname(posixpath.dirname(shell.at(words[0])))
        shell.variables["VIRTUAL_ENV"] = root
        shell.variables["PATH"] = f"{root}/bin:{shell.variables.get('PATH', '')}"
    else:
        shell.unclear(f". {' '.join(words)}"[:60])


def _mkdir(shell: Shell, words: list[str]) -> None:
    given, paths = options_of(words, "-m --mode")
    asked = given.get("-m", given.get("--mode"))
    for word in paths:
        path = shell.at(word)
        shell.stage.make_folder(path, shell.stage.identity(), 0o777 & ~shell.umask)
        if asked is not None:
            set_mode(shell, asked, path)


def _umask(shell: Shell, words: list[str]) -> None:
    if words and re.fullmatch(r"[0-7]{1,4}", words[0]):
        shell.umask = int(words[0], 8)
    elif words:
        shell.unclear(f"umask {words[0]}")


def _rm(shell: Shell, words: list[str]) -> None:
    for word in plain(words):
        if COMPUTED in word:
            shell.unclear(f"rm {word}")
            continue
        for path in matching(list(shell.stage.tree), shell.at(word)):
            del shell.stage.tree[path]


def _cp(shell: Shell, words: list[str], moves: bool = False) -> None:
    paths = plain(words)
    if len(paths) < 2 or COMPUTED in "".join(paths):
        return shell.unclear(f"{'mv' if moves else 'cp'} {' '.join(words)}"[:60])
    keeps = moves or any(re.match(r"--(preserve|archive)|-[a-zA-Z]*[ap]", word) for word in words)
    *sources, target = paths
    inside = target.endswith("/") or shell.stage.is_dir(shell.at(target)) or len(sources) > 1
    for source in sources:
        start = shell.at(source)
        if not matching(list(shell.stage.tree), start) and start not in shell.stage.dirs:
            shell.unclear(f"{'mv' if moves else 'cp'} {source} …")
        into = shell.at(target)
        if "*" not in start and inside and not source.endswith("/."):
            into = posixpath.join(into, posixpath.basename(start))
        for path in matching(list(shell.stage.tree), start):
            rest = posixpath.relpath(path, posixpath.dirname(path) if "*" in start else start)
            node = shell.stage.tree[path]
            access = node.access if keeps else Access(node.access.mode & ~shell.umask, *shell.owner())
            goal = into if rest == "." else posixpath.join(into, rest)
            shell.place(goal, replace(node, access=access))
            if moves:
                del shell.stage.tree[path]
        for folder in [] if "*" in start else below(list(shell.stage.folders), start):
            access = shell.stage.folders[folder]
            goal = posixpath.normpath(posixpath.join(into, posixpath.relpath(folder, start)))
            shell.stage.folders[goal] = access if keeps else access.owned_by(*shell.owner())
    return None


def _mv(shell: Shell, words: list[str]) -> None:
    _cp(shell, words, moves=True)


def _install(shell: Shell, words: list[str]) -> None:
    given, paths = options_of(words, "-m --mode -o --owner -g --group -t --target-directory")
    mode, target = (
        given.get("-m", given.get("--mode", "755")),
        given.get("-t", given.get("--target-directory")),
    )
    if "-d" in given or "--directory" in given:
        _mkdir(shell, paths)
        made = [shell.at(path) for path in paths]
    else:
        before = dict(shell.stage.tree)
        _cp(shell, [*paths, f"{target}/"] if target else paths)
        made = [path for path, node in shell.stage.tree.items() if before.get(path) is not node]
    user, group = given.get("-o", given.get("--owner", "")), given.get("-g", given.get("--group", ""))
    for path in made:
        set_mode(shell, mode, path)
        if user or group:
            set_owner(shell, [path], f"{user}:{group}" if group else user)


def _ln(shell: Shell, words: list[str]) -> None:
    if len(paths := plain(words)) == 2 and (node := shell.stage.tree.get(shell.at(paths[0]))) is not None:
        shell.place(shell.at(paths[1]), node)


def _touch(shell: Shell, words: list[str]) -> None:
    for word in plain(words):
        if shell.at(word) not in shell.stage.tree:
            shell.put(shell.at(word), Node("empty", content=b""))


def _apt(shell: Shell, words: list[str]) -> None:
    named = [word for word in plain(words) if COMPUTED not in word]
    if not named:
        return
    if named[0] == "update":
        shell.put(LISTS, shell.made("cache", "apt"))
    elif named[0] == "install":
        if LISTS not in shell.stage.tree:
            shell.fail(
                "`apt-get install` without a package list", "Slim images have none: apt-get update first."
            )
        for word in named[1:]:
            name = word.partition("=")[0].partition(":")[0]
            tool = name in BUILD_TOOLS or name.endswith("-dev") or name.startswith(("gcc-", "g++-", "clang-"))
            shell.put(f"/usr/bin/{name}", shell.made("build tool" if tool else "program", name))
    elif named[0] in ("purge", "remove", "autoremove"):
        for word in named[1:]:
            for path in below(list(shell.stage.tree), f"/usr/bin/{word}"):
                del shell.stage.tree[path]


Act = Callable[["Shell", list[str]], None]
ACTS: dict[str, Act] = {
    "cd": _cd, "export": _export, ".": _activate, "source": _activate, "set": _set, "umask": _umask, "mkdir": _mkdir,
    "rm": _rm, "cp": _cp, "mv": _mv, "ln": _ln, "install": _install, "touch": _touch, "chmod": chmod,
    "chown": chown, "chgrp": chgrp, "useradd": useradd, "adduser": adduser, "groupadd": groupadd,
    "addgroup": groupadd, "apt-get": _apt, "apt": _apt,
}  # fmt: skip
