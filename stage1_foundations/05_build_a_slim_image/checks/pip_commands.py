"""What pip and venv leave in a stage: packages, their scripts, wheels, caches; and where pip took its settings from."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from image_model import PACKAGES, PATH, WHEELS, Install, Node, below, matching
from shell_words import COMPUTED, FROM_SECRET

if TYPE_CHECKING:
    from shell_commands import Shell

_WITH_VALUE = """
-r --requirement -c --constraint -t --target --prefix --root -w --wheel-dir -d --dest -f --find-links -i
--index-url --extra-index-url --trusted-host --cache-dir --python --python-version --platform --only-binary
--no-binary --timeout --retries --cert --proxy --progress-bar --implementation --abi --src --log
--upgrade-strategy --root-user-action
"""
WITH_VALUE = frozenset(_WITH_VALUE.split())
SHORT = {"-r": "--requirement", "-c": "--constraint", "-t": "--target", "-w": "--wheel-dir", "-d": "--dest",
         "-f": "--find-links", "-i": "--index-url", "-q": "--quiet", "-U": "--upgrade"}  # fmt: skip
INSTALLERS = {"pip", "setuptools", "wheel"}
SCRIPTS = ("uvicorn", "fastapi")
HASHED = " +hash"


def understands(words: list[str]) -> bool:
    """`pip …`, `python -m pip …`, `python -m venv …`, by whatever path."""
    name = posixpath.basename(words[0])
    return bool(re.fullmatch(r"pip[\d.]*", name)) or (
        bool(re.fullmatch(r"python[\d.]*", name))
        and words[1:2] == ["-m"]
        and words[2:3] in (["pip"], ["venv"])
    )


def run(shell: Shell, words: list[str], variables: Mapping[str, str]) -> bool:
    """One command of pip or venv. Returns whether it prints a secret."""
    program = shell.stage.find_program(words[0], variables.get("PATH", PATH))
    if "/" in words[0]:
        program = shell.at(words[0]) if shell.at(words[0]) in shell.stage.tree else None
    if program is None:
        shell.fail(
            f"`{words[0]}` is not in this stage", "Which stage made it, and was it copied to this path?"
        )
    node = shell.stage.tree[program]
    python = node.python if node.kind == "script" else program
    real = shell.stage.interpreter(python)
    if real is None:
        shell.fail(
            f"`{words[0]}` needs an interpreter that is not in this stage", "Was a virtual environment moved?"
        )
    rest = words[3:] if words[1:2] == ["-m"] else words[1:]
    if words[1:3] == ["-m", "venv"]:
        _make_venv(shell, rest, real)
        return False
    given, named = _split(rest)
    if not named:
        return False
    if named[0] == "install":
        _install(shell, python, given, named[1:], variables)
    elif named[0] in ("wheel", "download"):
        folder = shell.at((given.get("--wheel-dir") or given.get("--dest") or ["."])[-1])
        holds = _asked_for(shell, given, named[1:])
        _note_source(shell, given, named[1:], variables, holds)
        shell.put(f"{folder}/{WHEELS}", shell.made("wheels", folder, holds=holds))
    elif named[0] == "config":
        return _config(shell, given, named[1:], variables)
    return False


def _config(
    shell: Shell, given: dict[str, list[str]], named: list[str], variables: Mapping[str, str]
) -> bool:
    """`pip config`: what it is told goes into a file; what it knows, it prints."""
    if named[:1] == ["set"]:
        kind = "secret" if any(FROM_SECRET in word for word in named) else "file"
        place = "/etc/pip.conf" if "--global" in given else f"{shell.stage.home()}/.config/pip/pip.conf"
        shell.put(place, shell.made(kind, "pip.conf"))
        return False
    told = any(node.kind == "secret" for node in _settings(shell, variables).values())
    return told and named[:1] in (["list"], ["get"], ["debug"])


def _split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options with their values, and the words without a dash."""
    given: dict[str, list[str]] = {}
    named, at = [], 0
    while at < len(words):
        word, equals, value = words[at].partition("=") if words[at].startswith("--") else (words[at], "", "")
        if word.startswith("-"):
            if not word.startswith("--") and len(word) > 2 and word[:2] in WITH_VALUE:  # -rrequirements.lock
                word, value, equals = word[:2], word[2:], "="
            if word in WITH_VALUE and not equals:
                at += 1
                value = words[at] if at < len(words) else ""
            given.setdefault(SHORT.get(word, word), []).append(value)
        else:
            named.append(words[at])
        at += 1
    return given, named


def _make_venv(shell: Shell, words: list[str], base: str) -> None:
    """A virtual environment's interpreter is a link to the one that made it, also when it is copied elsewhere."""
    version = shell.stage.tree[base].python
    _, named = _split(words)
    for word in named:
        root = shell.at(word)
        shell.stage.make_folder(root, shell.stage.identity(), 0o777 & ~shell.umask)
        shell.put(f"{root}/pyvenv.cfg", shell.made("file", "pyvenv.cfg"))
        for name in ("python", "python3", f"python{version}"):
            shell.put(f"{root}/bin/{name}", shell.made("interpreter", name, python=version, link=base))
        for name in ("pip", "pip3"):
            shell.put(f"{root}/bin/{name}", shell.made("script", name, python=f"{root}/bin/python"))


def _install(
    shell: Shell, python: str, given: dict[str, list[str]], named: list[str], variables: Mapping[str, str]
) -> None:
    holds = _asked_for(shell, given, named)
    _note_source(shell, given, named, variables, holds)
    stage = shell.stage
    version = stage.tree[stage.interpreter(python)].python
    root = posixpath.dirname(posixpath.dirname(python))
    in_venv = f"{root}/pyvenv.cfg" in stage.tree
    folder = f"{root}/lib/python{version}/site-packages"
    scripts = f"{root}/bin"
    as_user = not stage.is_root and not in_venv  # pip falls back to --user when it may not write
    if "--target" in given:
        folder = shell.at(given["--target"][-1])
        scripts = f"{folder}/bin"
    elif "--prefix" in given or "--user" in given or as_user:
        base = given["--prefix"][-1] if "--prefix" in given else variables.get("PYTHONUSERBASE")
        base = shell.at(base or f"{stage.home()}/.local")
        folder, scripts = f"{base}/lib/python{version}/site-packages", f"{base}/bin"
    elif "--root" in given:
        base = shell.at(given["--root"][-1])
        folder, scripts = base + folder, base + scripts
    before = stage.tree.get(f"{folder}/{PACKAGES}")
    both = holds | (before.holds if before else frozenset())
    shell.put(f"{folder}/{PACKAGES}", shell.made("packages", folder, python=version, holds=both))
    for name in SCRIPTS:
        if any(re.match(rf"{name}\b", one) for one in holds):
            shell.put(f"{scripts}/{name}", shell.made("script", name, python=python))
    keeps_cache = "--no-cache-dir" not in given and not _is_on(variables.get("PIP_NO_CACHE_DIR", ""))
    cache = (given.get("--cache-dir") or [variables.get("PIP_CACHE_DIR", "")])[-1]
    where = shell.at(cache or f"{stage.home()}/.cache/pip")
    if keeps_cache and not _from_wheels(given, named):
        shell.put(f"{where}/⟨downloads⟩", shell.made("cache", "pip"))


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "on", "true", "yes", "y", "t")


def _from_wheels(given: dict[str, list[str]], named: list[str]) -> bool:
    return "--no-index" in given or (bool(named) and all(word.endswith((".whl", "*")) for word in named))


def _note_source(
    shell: Shell,
    given: dict[str, list[str]],
    named: list[str],
    variables: Mapping[str, str],
    holds: frozenset[str],
) -> None:
    """Remember whether pip asked the index, and who told it how; packages of pip's own kind do not matter."""
    if not ({name_of(one) for one in holds} - INSTALLERS):
        return
    if _from_wheels(given, named):
        if "--no-index" in given and "--find-links" in given:
            folder = shell.at(given["--find-links"][-1])
            there = shell.stage.tree.get(f"{folder}/{WHEELS}")
            kept = {one.removesuffix(HASHED) for one in there.holds} if there else set()
            if not {one.removesuffix(HASHED) for one in holds} <= kept:
                shell.fail(
                    f"`pip install --no-index` finds no wheels in {folder}", "Which step puts them there?"
                )
        shell.stage.installs.append(Install(shell.line, False, False))
        return
    by_secret = any(node.kind == "secret" for node in _settings(shell, variables).values())
    shut_out = next((path for path in _places(shell, variables) if path in shell.stage.shut_out), "")
    shell.stage.installs.append(Install(shell.line, True, by_secret, shut_out))


def _places(shell: Shell, variables: Mapping[str, str]) -> list[str]:
    """Where pip reads its settings."""
    told = variables.get("PIP_CONFIG_FILE")
    if told:
        return [shell.at(told)]
    home, root = shell.stage.home(), variables.get("VIRTUAL_ENV", "")
    system = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf"]
    return [
        *system,
        f"{home}/.config/pip/pip.conf",
        f"{home}/.pip/pip.conf",
        *([f"{root}/pip.conf"] if root else []),
    ]


def _settings(shell: Shell, variables: Mapping[str, str]) -> dict[str, Node]:
    tree = shell.stage.tree
    return {path: tree[path] for path in _places(shell, variables) if path in tree}


def name_of(requirement: str) -> str:
    return (
        re.split(r"[\s=<>!~\[;@]", requirement.strip(), maxsplit=1)[0]
        .lower()
        .replace("_", "-")
        .replace(".", "-")
    )


def requirements_of(text: str) -> frozenset[str]:
    """The requirements of a requirements file, one text each: `name==1.2` with hashes, otherwise as they stand."""
    found = set()
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.partition(" #")[0].strip()
        if line and not line.startswith(("#", "-")):
            specification, hashed, _ = line.partition("--hash=")
            found.add(" ".join(specification.split()).lower() + (HASHED if hashed else ""))
    return frozenset(found)


def _asked_for(shell: Shell, given: dict[str, list[str]], named: list[str]) -> frozenset[str]:
    holds: set[str] = set()
    for path in given.get("--requirement", []):
        node = shell.stage.tree.get(shell.at(path))
        if COMPUTED in path:
            shell.unclear(f"pip install -r {path}")
        elif node is None:
            shell.fail(f"pip finds no `{path}`", "Copy it into this stage before the command that reads it.")
        elif node.content is None:
            shell.unclear(f"pip install -r {path}")
        else:
            asked = requirements_of(node.content.decode("utf-8", "replace"))
            unhashed = sorted(one for one in asked if not one.endswith(HASHED))
            if unhashed and ("--require-hashes" in given or len(unhashed) < len(asked)):
                shell.fail(
                    f"pip refuses `{path}`: {unhashed[0]} has no hash",
                    "As soon as one requirement has a hash, pip wants one of each.",
                )
            holds |= asked
    for word in named:
        path = shell.at(word)
        wheels = [
            shell.stage.tree[one] for one in below(shell.stage.tree, posixpath.dirname(path)) if WHEELS in one
        ]
        if "*" in word and wheels:
            for node in wheels:
                holds |= node.holds
        elif word.startswith((".", "/")) or word.endswith((".whl", ".tar.gz")):
            if not matching(shell.stage.tree, path):
                shell.fail(f"pip finds no `{word}`")
            shell.unclear(f"pip install {word}")
        else:
            holds.add(word.lower())
    for path in given.get("--constraint", []):
        node: Node | None = shell.stage.tree.get(shell.at(path))
        if node is None:
            shell.fail(f"pip finds no `{path}`", "Copy it into this stage before the command that reads it.")
        elif node.content is not None:
            bound = requirements_of(node.content.decode("utf-8", "replace"))
            holds = {one for one in holds if name_of(one) not in {name_of(other) for other in bound}} | set(
                bound
            )
    return frozenset(_as_checked(shell, given, holds))


def _as_checked(shell: Shell, given: dict[str, list[str]], holds: set[str]) -> set[str]:
    """Wheels whose hashes were checked when they came need no hash when they are installed."""
    folders = [shell.at(one) for one in given.get("--find-links", [])] if "--no-index" in given else []
    wheels = [shell.stage.tree[path] for one in folders if (path := f"{one}/{WHEELS}") in shell.stage.tree]
    checked = frozenset().union(*(node.holds for node in wheels))
    return {one + HASHED if one + HASHED in checked else one for one in holds}
