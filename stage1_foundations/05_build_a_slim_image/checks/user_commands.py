"""What a RUN changes of users, groups, owners and modes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from copying import owner_meant
from dockerfile_syntax import NUMBER
from image_model import matching
from permissions import FOLDER, Identity, User, changed_mode, parents
from shell_words import COMPUTED

if TYPE_CHECKING:
    from shell_commands import Shell


def options_of(words: list[str], with_value: str) -> tuple[dict[str, str], list[str]]:
    """Options and the other words. `with_value` names those that take the next word, or what is glued to them."""
    takes = set(with_value.split())
    given: dict[str, str] = {}
    others: list[str] = []
    at = 0
    while at < len(words):
        word, equals, value = words[at].partition("=") if words[at].startswith("--") else (words[at], "", "")
        if word == "--":
            return given, others + words[at + 1 :]
        if not word.startswith("-") or word == "-":
            others.append(words[at])
        elif word.startswith("--"):
            if word in takes and not equals:
                at += 1
                value = words[at] if at < len(words) else ""
            given[word] = value
        else:
            for place, letter in enumerate(word[1:], start=2):
                given[f"-{letter}"] = ""
                if f"-{letter}" in takes:
                    if not word[place:]:
                        at += 1
                    given[f"-{letter}"] = word[place:] or (words[at] if at < len(words) else "")
                    break
        at += 1
    return given, others


def chmod(shell: Shell, words: list[str]) -> None:
    options = [word for word in words if re.fullmatch(r"-[Rvcf]+|--[a-z-]+", word)]
    rest = [word for word in words if word not in options and word != "--"]
    if len(rest) < 2 or COMPUTED in "".join(rest):
        return shell.unclear(f"chmod {' '.join(words)}"[:60])
    deep = any(word == "--recursive" or (word[1] != "-" and "R" in word) for word in options)
    for path in _meant(shell, rest[1:], deep):
        set_mode(shell, rest[0], path)
    return None


def chown(shell: Shell, words: list[str], is_group: bool = False) -> None:
    given, rest = options_of(words, "--from --reference")
    if len(rest) < 2 or "--reference" in given or COMPUTED in "".join(rest):
        return shell.unclear(f"chown {' '.join(words)}"[:60])
    owner = f":{rest[0]}" if is_group else rest[0]
    set_owner(shell, _meant(shell, rest[1:], "-R" in given or "--recursive" in given), owner)
    return None


def chgrp(shell: Shell, words: list[str]) -> None:
    chown(shell, words, is_group=True)


def _meant(shell: Shell, words: list[str], deep: bool) -> list[str]:
    """The files and folders that a command names; what is below them as well when it goes deep."""
    found: dict[str, None] = {}
    stage = shell.stage
    folders = {folder for path in stage.tree for folder in parents(path)} | stage.dirs
    for word in words:
        pattern = shell.at(word)
        all_below = matching([*stage.tree, *folders], pattern)
        depth = pattern.count("/")
        chosen = all_below if deep else [path for path in all_below if path.count("/") == depth]
        found |= dict.fromkeys(chosen or [pattern])  # what is not known here lies in the base
    return list(found)


def set_mode(shell: Shell, text: str, path: str) -> None:
    stage = shell.stage
    node = stage.tree.get(path)
    old = node.access if node is not None else stage.access_of(path)
    mode = changed_mode(text, old.mode, node is None, shell.umask)
    if mode is None:
        shell.unclear(f"chmod {text}"[:60])
    elif node is not None:
        stage.tree[path] = node.with_mode(mode)
    else:
        stage.folders[path] = replace(old, mode=mode)


def set_owner(shell: Shell, paths: list[str], text: str) -> None:
    stage = shell.stage
    user, colon, group = text.replace(".", ":", 1).partition(":") if ":" not in text else text.partition(":")
    uid, gid = owner_meant(stage, shell.line, f"{user}:{group}")
    if colon and user and not group:  # `chown fraud: …` means fraud's own group
        gid = stage.users[user].gid if user in stage.users else uid
    for path in paths:
        node = stage.tree.get(path)
        if node is not None:
            stage.tree[path] = replace(node, access=node.access.owned_by(uid, gid))
        else:
            stage.folders[path] = stage.access_of(path).owned_by(uid, gid)


_USER_VALUES = """
-u --uid -d --home-dir --home -g --gid -G --groups -s --shell -c --comment --gecos --ingroup -k --skel -b --base-dir
-e -f -K -p
"""


def useradd(shell: Shell, words: list[str]) -> None:
    """useradd and adduser: the last word is the name; -u, -g and -d are its number, group and home."""
    given, names = options_of(words, _USER_VALUES)
    if not names or COMPUTED in "".join(names):
        return
    stage, name = shell.stage, names[0]
    if len(names) == 2 and "--uid" not in given and names[1] in stage.groups and name in stage.users:
        return  # adduser USER GROUP
    uid = given.get("-u") or given.get("--uid") or ""
    number = int(uid) if NUMBER.fullmatch(uid) else 1000 + len(stage.users)
    home = given.get("-d") or given.get("--home-dir") or given.get("--home") or f"/home/{name}"
    group = given.get("-g") or given.get("--gid") or given.get("--ingroup") or ""
    gid = stage.gid(group) if group else number
    if gid is None and not stage.unclear:
        shell.fail(f"there is no group `{group}` in this stage", "Make it first: `groupadd`.")
    if not group:
        stage.groups.setdefault(name, number)
    stage.users[name] = User(number, home, gid or 0)
    if not {"--no-create-home", "-M", "-H"} & set(given):
        stage.make_folder(home, Identity(number, frozenset({gid or 0})), FOLDER)


def adduser(shell: Shell, words: list[str]) -> None:
    """Debian's adduser: a person's home is closed to others; a system user has none unless told."""
    given, names = options_of(words, _USER_VALUES)
    system = "--system" in given or "-S" in given
    if system and not {"--home", "-h"} & set(given):
        words = [*words, "--home", "/nonexistent", "--no-create-home"]
    if system and not {"--group", "--ingroup", "--gid", "-g"} & set(given):
        words = [*words, "--gid", "nogroup"]
    useradd(shell, [word for word in words if word != "--group"])
    home = shell.stage.users[names[0]].home if names and names[0] in shell.stage.users else ""
    if home in shell.stage.folders and not system:
        shell.stage.folders[home] = replace(shell.stage.folders[home], mode=0o700)


def groupadd(shell: Shell, words: list[str]) -> None:
    given, names = options_of(words, "-g --gid -K -p")
    number = given.get("-g") or given.get("--gid") or ""
    for name in names:
        known = int(number) if NUMBER.fullmatch(number) else 1000 + len(shell.stage.groups)
        shell.stage.groups[name] = known
