"""`pip install` without a network: links what is asked for out of a library that is on this machine.

It installs only what is asked, and what that needs, so a workflow that forgets to install something fails here too. It
never says "installed" of what it does not have: a package or a version that it cannot give ends in "could not check",
because the real index may well have it. Runs in the job's own environment, with nothing but the standard library and
`packaging` from the library. It starts in each job anew, so it reads the few lines that it needs of a distribution by
itself: `importlib.metadata` would take longer than all the rest.

As the real one, it leaves what it "downloads" in a cache. The file `installed` notes every path that it has written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

PREFIX = Path(sys.prefix)
SITE = next(Path(path) for path in sys.path if path.startswith(sys.prefix) and path.endswith("site-packages"))
SETTINGS: dict[str, Any] = json.loads((PREFIX / "standin.json").read_text(encoding="utf-8"))
LIBRARY: list[str] = SETTINGS["library"]
sys.path.extend(LIBRARY)

from packaging.requirements import InvalidRequirement, Requirement  # noqa: E402
from packaging.utils import NormalizedName, canonicalize_name  # noqa: E402
from packaging.version import Version  # noqa: E402

from pip.kept import cache_folder, keep  # type: ignore[import-not-found, attr-defined, unused-ignore]  # noqa: E402

WITH_VALUE = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--cache-dir", "--progress-bar",
              "--retries", "--timeout", "--trusted-host", "--python", "-c", "--constraint"}  # fmt: skip
OURS = {"pip", "setuptools", "wheel"}  # every runner has them
LAUNCHER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from {module} import {first}
sys.exit({call}())
"""


def could_not_check(what: str) -> NoReturn:
    """Say that this stand-in does not know, to people and to the runner."""
    (PREFIX / "could-not-check").write_text(what, encoding="utf-8")
    sys.exit(f"ERROR: could not check: {what}")


def wanted_of(arguments: list[str]) -> Iterator[str]:
    """The requirements on a command line of `pip install`: texts, with files read and local projects as paths."""
    words = iter(arguments)
    for word in words:
        if word in ("-r", "--requirement"):
            yield from wanted_in(Path(next(words, "")))
        elif word.startswith("--requirement="):
            yield from wanted_in(Path(word.partition("=")[2]))
        elif word.startswith("-r") and len(word) > 2:
            yield from wanted_in(Path(word[2:]))
        elif word in ("-e", "--editable"):
            yield f"path:{next(words, '')}"
        elif word in WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            yield f"path:{word}" if re.match(r"\.|/|.*/", word) else word


def wanted_in(path: Path) -> Iterator[str]:
    """The requirements in one file; hashes are left aside, because nothing is downloaded."""
    if not path.is_file():
        sys.exit(f"ERROR: Could not open requirements file: No such file or directory: '{path}'")
    text = re.sub(r"\\\r?\n", " ", path.read_text(encoding="utf-8"))
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        line = re.sub(r"\s--hash=\S+", "", line).strip()
        if not line:
            continue
        if line.startswith(("-r", "--requirement")):
            yield from wanted_in(path.parent / re.split(r"[\s=]+", line, maxsplit=1)[1])
        elif line.startswith(("-e", "--editable")):
            yield f"path:{re.split(r'[ =]+', line, maxsplit=1)[1]}"
        elif not line.startswith("-"):
            yield f"path:{line}" if line.startswith((".", "/")) else line


def copy(package: Path, into: Path) -> None:
    """Copy a package's files; over those of an earlier copy, and writable, though the index may not be.

    They are copied, and not linked: what Python writes beside a module must not land in the index.
    """
    for source in package.rglob("*"):
        target = into / source.relative_to(package)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)


class Installer:
    """Links distributions into this environment, each once."""

    def __init__(self) -> None:
        self.library = {
            canonicalize_name(info.name.split("-")[0]): info  # a name in a folder's name holds no "-"
            for path in LIBRARY
            for info in Path(path).glob("*.dist-info")
        }
        self.index = dict(self._index())
        self.done: dict[str, str] = {}

    def _index(self) -> Iterator[tuple[NormalizedName, dict[str, Path]]]:
        """Packages of the house itself: folders `name-version` which hold what is installed."""
        found: dict[NormalizedName, dict[str, Path]] = {}
        for folder in sorted(Path(SETTINGS["index"]).iterdir()) if SETTINGS["index"] else ():
            name, _, version = folder.name.rpartition("-")
            found.setdefault(canonicalize_name(name), {})[version] = folder
        yield from found.items()

    def install(self, text: str, extras: frozenset[str] = frozenset()) -> None:
        """Install one requirement and what it needs."""
        if text.startswith("path:"):
            self._project(text.removeprefix("path:"))
            return
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            sys.exit(f"ERROR: Invalid requirement: '{text}'")
        environments: list[dict[str, str]] = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if asked.marker is not None and not any(asked.marker.evaluate(one) for one in environments):
            return
        if asked.url:
            could_not_check(f"{asked.name} comes from an address, and there is no network")
        name = canonicalize_name(asked.name)
        if name in self.done:
            if not asked.specifier.contains(self.done[name], prereleases=True):
                sys.exit(f"ERROR: Cannot install {text}: {name} {self.done[name]} is asked for as well")
            return
        if name == "pip":
            return  # it stays this one, also where a real one lies beside it: that would ask the network
        if name in self.index:
            self._from_index(name, asked)
        elif name in self.library:
            self._from_library(name, asked)
        elif name not in OURS:
            could_not_check(f"{name} is not on this machine, and there is no network to look for it")

    def _from_index(self, name: NormalizedName, asked: Requirement) -> None:
        fitting = [v for v in self.index[name] if asked.specifier.contains(v, prereleases=True)]
        if not fitting:
            versions = ", ".join(sorted(self.index[name], key=Version))
            print(
                f"ERROR: Could not find a version that satisfies the requirement {asked} (from versions: {versions})"
            )
            sys.exit(f"ERROR: No matching distribution found for {asked}")
        version = max(fitting, key=Version)
        self.done[name] = version
        copy(Path(self.index[name][version]), SITE)
        info = SITE / f"{name}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def _from_library(self, name: NormalizedName, asked: Requirement) -> None:
        info = self.library[name]
        version = version_of(info)
        if not asked.specifier.contains(version, prereleases=True):
            could_not_check(
                f"{asked} is asked for; this machine has {name} {version}, and there is no network"
            )
        self.done[name] = version
        bring(info)
        for need in requirements_of(info):
            self.install(need, frozenset(asked.extras))

    def _project(self, path: str) -> None:
        """A project of the repository itself: its source on the path, as an editable install leaves it."""
        folder = Path(re.sub(r"\[.*\]$", "", path)).resolve()
        project = folder / "pyproject.toml"
        if not project.is_file():
            could_not_check(f"{path} is no project with a pyproject.toml")
        import tomllib

        body = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        chosen = re.search(r"\[(.*)\]$", path)
        needs = list(body.get("dependencies", []))
        for extra in re.split(r"\s*,\s*", chosen[1]) if chosen else ():
            needs += body.get("optional-dependencies", {}).get(extra, [])
        source = folder / "src" if (folder / "src").is_dir() else folder
        (SITE / f"_{canonicalize_name(body.get('name', 'project'))}.pth").write_text(f"{source}\n")
        for need in needs:
            self.install(need)
        for name, target in body.get("scripts", {}).items():
            launch(name, target)


def version_of(info: Path) -> str:
    return info.name.removesuffix(".dist-info").rpartition("-")[2]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def requirements_of(info: Path) -> list[str]:
    """What a distribution needs, of the head of its METADATA."""
    lines = lines_of(info / "METADATA")
    head = lines[: lines.index("")] if "" in lines else lines
    return [line.partition(":")[2].strip() for line in head if line.startswith("Requires-Dist:")]


def bring(info: Path) -> None:
    """Link the files of one distribution, and make its commands."""
    tops, folder = set(), info.parent
    for line in lines_of(info / "RECORD"):
        path = line.rsplit(",", 2)[0].strip('"')
        first, _, rest = path.partition("/")
        if first != "..":
            tops.add(first)
        elif "/bin/" in rest and (source := folder / path).is_file():
            with source.open("rb") as stream:
                script = stream.read(2) == b"#!"
            if not script:
                link(source, PREFIX / "bin" / source.name)
    for top in tops:
        link(folder / top, SITE / top)
    group = ""
    for line in lines_of(info / "entry_points.txt"):
        name, equals, target = line.partition("=")
        if line.startswith("["):
            group = line.strip()
        elif group == "[console_scripts]" and equals:
            launch(name.strip(), target.strip())


def launch(name: str, target: str) -> None:
    module, _, call = re.sub(r"\s*\[.*", "", target).partition(":")
    path = PREFIX / "bin" / name
    first = call.split(".")[0]
    path.write_text(LAUNCHER.format(python=PREFIX / "bin/python", module=module, first=first, call=call))
    path.chmod(0o755)


def link(source: Path, target: Path) -> None:
    if source.name == "__pycache__" or not source.exists():
        return
    if target.is_symlink():
        target.unlink()
    if not target.exists():
        os.symlink(source, target)


def main(arguments: list[str], kind: str = "pip") -> None:
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command == "install":
        rest = arguments[arguments.index(command) + 1 :]
        wanted = list(wanted_of(rest))
        if not wanted:
            sys.exit("ERROR: You must give at least one requirement to install")
        installer = Installer()
        for text in wanted:
            installer.install(text)
        written = [SITE / f"{name}-{version}.dist-info" for name, version in installer.done.items()]
        written += keep(installer.done, cache_folder(rest, kind))
        with (PREFIX / "installed").open("a", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in written)
        names = " ".join(f"{name}-{version}" for name, version in sorted(installer.done.items()))
        print(f"Successfully installed {names}" if names else "Requirement already satisfied")
    elif command in ("list", "freeze"):
        for info in sorted(SITE.glob("*.dist-info")):
            print(f"{info.name.split('-')[0]}=={version_of(info)}")
    elif command == "check":
        print("No broken requirements found.")
    elif command == "cache":
        print(cache_folder(arguments, kind) or "pip cache commands can not function since cache is disabled.")
    elif "--version" in arguments or "-V" in arguments:
        print("pip 0 (a stand-in without a network)")
    else:
        words = " ".join(arguments if command == "pipx" else ["pip", *arguments])
        could_not_check(f"`{words[:80]}`: this stand-in for pip knows `pip install`")


if __name__ == "__main__":
    main(sys.argv[1:])
