"""The actions that this runner knows, each done with what is on the machine. What was asked of them is recorded.

Sources: the `action.yml` and README of each action at the release that registry.py names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.workflows import caches, functions, patterns, values
from labs.workflows.errors import Unsupported
from labs.workflows.events import Event
from labs.workflows.machine import Machine, inside
from labs.workflows.record import CacheUse, Checkout, Record
from labs.workflows.settings import Folders, Settings

UV_FILES = "**/*requirements*.txt\n**/*requirements*.in\n**/*constraints*.txt\n**/pyproject.toml\n**/uv.lock"
SHORT_PYTHON = re.compile(r"3(?:\.(\d+|x)(?:\.(?:\d+|x))?)?")
OLDEST, NEWEST = 8, 14

# A fresh checkout of all history borrows the objects of the origin, as `git clone --shared` does: it takes a third.
FETCH = """
set -e
mkdir -p "$1"; cd "$1"
if [ -d .git ]; then fresh=; git remote remove origin 2>/dev/null || true
else fresh=yes; find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +; git init -q --template= -b main .; fi
git remote add origin "$2"
if [ "$3" -eq 0 ] && [ "$fresh" ]; then
    echo "${2#file://}/objects" >.git/objects/info/alternates
    new='create refs/remotes/origin/%(refname:lstrip=2) %(objectname)'
    { git --git-dir="${2#file://}" for-each-ref --format="$new" refs/heads
      git --git-dir="${2#file://}" for-each-ref --format='create %(refname) %(objectname)' refs/tags
    } | git update-ref --stdin
    git update-ref "$5" "$4"
elif [ "$3" -gt 0 ]; then git fetch -q --no-tags --depth="$3" origin "+$4:$5"
else
    deepen=; if [ -f .git/shallow ]; then deepen=--unshallow; fi
    git fetch -q --no-tags $deepen origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*' "+$4:$5"
fi
if [ "$6" ]; then git checkout -q --force -B "$6" "$5"; else git checkout -q --force "$5"; fi
"""


@dataclass(frozen=True)
class Site:
    """Where an action works."""

    machine: Machine
    settings: Settings
    folders: Folders
    event: Event
    record: Record
    env: Mapping[str, str]

    def absolute(self, path: str) -> str:
        return f"{self.machine.root}/{path}"

    def hash(self, globs: str) -> str:
        return functions.hash_files(self.names(), self.read, globs)

    def names(self) -> list[str]:
        return self.machine.files(self.folders.workspace)

    def read(self, name: str) -> bytes | None:
        return self.machine.read(f"{self.folders.workspace}/{name}")


@dataclass(frozen=True)
class Done:
    """How an action ended."""

    status: int = 0
    output: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)  # for all steps that follow


class Inputs:
    """The `with` of a step; names in any case, values as texts."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = {key.lower(): values.text(value).strip() for key, value in given.items()}

    def get(self, name: str, default: str = "") -> str:
        return self._given.get(name) or default

    def is_on(self, name: str, default: bool = False) -> bool:
        return self.get(name, "true" if default else "false").lower() == "true"


def checkout(site: Site, inputs: Inputs) -> Done:
    for name in ("submodules", "lfs", "sparse-checkout", "ssh-key", "filter"):
        if inputs.get(name, "false") != "false":
            raise Unsupported(f"`{name}` of actions/checkout")
    path = inputs.get("path", ".")
    target = inside(site.folders.workspace, path)
    if not target or not target.startswith(site.folders.workspace):
        return Done(1, f"Repository path '{path}' is not under the workspace\n")
    found = _wanted_commit(site, inputs)
    if found is None:
        return Done(1, f"A branch or tag with the name '{inputs.get('ref')}' could not be found\n")
    want, local, branch = found
    depth = inputs.get("fetch-depth", "1")
    if not depth.isdigit():
        return Done(1, f"fetch-depth: '{depth}' is no number\n")
    url = f"file://{site.machine.root}/{site.settings.origin}"
    absolute = f"{site.machine.root}/{target}"
    argv = ["bash", "-c", FETCH, "checkout", absolute, url, depth, want, local, branch]
    ended = site.machine.run(argv, cwd=site.folders.base, env=site.env, timeout=site.settings.most_seconds)
    if ended.status == 0:
        site.record.checkouts.append(Checkout(want, path, int(depth)))
    return Done(ended.status, ended.output, {"commit": want, "ref": inputs.get("ref")})


def _wanted_commit(site: Site, inputs: Inputs) -> tuple[str, str, str] | None:
    """(commit or ref to fetch, where to keep it, local branch or ""); None if there is no such ref."""
    request = site.event.pull_request
    repository, ref = inputs.get("repository", site.settings.repository), inputs.get("ref")
    if repository.lower() != site.settings.repository.lower():
        ours = site.event.payload(site.settings.repository).get("pull_request", {})
        if request is None or repository != ours["head"]["repo"]["full_name"]:
            raise Unsupported(f"a checkout of another repository, `{repository}`")
        return request.head_sha, f"refs/remotes/origin/{request.head_ref}", request.head_ref
    if not ref:
        name = site.event.ref
        if name.startswith("refs/heads/"):
            branch = name.removeprefix("refs/heads/")
            return site.event.sha, f"refs/remotes/origin/{branch}", branch
        return site.event.sha, name.replace("refs/", "refs/remotes/", 1), ""
    if re.fullmatch(r"[0-9a-f]{40}", ref):
        return ref, "refs/remotes/origin/_commit", ""
    for kind in ("refs/heads/", "refs/tags/", ""):
        name = ref if not kind or ref.startswith(kind) else kind + ref
        argv = [
            "git",
            "-C",
            f"{site.machine.root}/{site.settings.origin}",
            "rev-parse",
            "-q",
            "--verify",
            name,
        ]
        ended = site.machine.run(argv, cwd=site.folders.base, env=site.env, timeout=10)
        if ended.status == 0:
            branch = name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else ""
            local = f"refs/remotes/origin/{branch}" if branch else name.replace("refs/", "refs/remotes/", 1)
            return ended.output.strip(), local, branch
    return None


def setup_python(site: Site, inputs: Inputs) -> Done:
    asked = inputs.get("python-version")
    if not asked and (file := inputs.get("python-version-file")):
        content = site.read(file)
        if content is None:
            return Done(1, f"The specified python version file at: {file} doesn't exist.\n")
        if file.endswith(".toml"):
            raise Unsupported("`python-version-file` with a .toml file")
        asked = content.decode("utf-8", "replace").strip()
    have = site.settings.image.version
    if asked:
        match = SHORT_PYTHON.fullmatch(asked)
        if match is None:
            raise Unsupported(f"python-version `{asked}`: write it like '3.12'")
        if match[1] and match[1] != "x" and not OLDEST <= int(match[1]) <= NEWEST:
            return Done(1, f"The version '{asked}' with architecture 'x64' was not found.\n")
        if match[1] and match[1] != "x" and f"3.{match[1]}" != have:
            site.record.notes.append(f"Python {asked} is asked for; this runner has {have}, and used that")
    if kind := inputs.get("cache"):
        if kind != "pip":
            raise Unsupported(f"`cache: {kind}` of actions/setup-python")
        globs = inputs.get("cache-dependency-path", "**/requirements.txt")
        if "cache-dependency-path" not in inputs._given and not site.hash(globs):
            globs = "**/pyproject.toml"
        digest = site.hash(globs)
        if not digest:
            return Done(
                1, f"No file matched to [{globs}], make sure you have checked out the target repository\n"
            )
        prefix = f"setup-python-Linux-x64-python-{asked or have}-pip"
        kept = (caches.of_pip(site.env),)
        made = CacheUse("actions/setup-python", f"{prefix}-{digest}", (prefix,), files=globs, paths=kept)
        site.record.caches.append(made)
    outputs = {"python-version": have, "cache-hit": "false"}
    return Done(0, f"Python {have}\n", outputs, {"pythonLocation": site.absolute(site.folders.tools)})


def setup_uv(site: Site, inputs: Inputs) -> Done:
    kept = inputs.get(
        "cache-local-path", site.env.get("UV_CACHE_DIR") or f"{site.env['RUNNER_TEMP']}/setup-uv-cache"
    )
    if inputs.get("enable-cache", "auto") in ("auto", "true"):
        globs = inputs.get("cache-dependency-glob", UV_FILES)
        key = f"setup-uv-1-{inputs.get('cache-suffix')}-{site.hash(globs) or 'no-dependency-glob'}"
        site.record.caches.append(CacheUse("astral-sh/setup-uv", key, files=globs, paths=(kept,)))
    for name, words in (("uv", ""), ("uvx", "tool run ")):
        script = f'#!/bin/sh\nexec "{site.absolute(site.folders.tools)}/bin/python" -m pip.uv {words}"$@"\n'
        site.machine.write(f"{site.folders.tools}/bin/{name}", script.encode())
    ended = site.machine.run(
        ["chmod", "755", "uv", "uvx"], cwd=f"{site.folders.tools}/bin", env=site.env, timeout=10
    )
    return Done(ended.status, ended.output, variables={"UV_CACHE_DIR": kept})


def cache(site: Site, inputs: Inputs) -> Done:
    key, path = inputs.get("key"), inputs.get("path")
    if not key or not path:
        return Done(1, "Input required and not supplied: key and path\n")
    restore = tuple(line.strip() for line in inputs.get("restore-keys").splitlines() if line.strip())
    kept = caches.places(path, site.absolute(site.folders.workspace), site.env["HOME"])
    site.record.caches.append(CacheUse("actions/cache", key, restore, paths=kept))
    return Done(0, "Cache not found\n", {"cache-hit": "", "cache-primary-key": key})


def upload_artifact(site: Site, inputs: Inputs) -> Done:
    name, globs = inputs.get("name", "artifact"), [line.strip() for line in inputs.get("path").splitlines()]
    base = f"{site.machine.root}/{site.folders.base}/"  # the workspace and the temporary folder lie in it
    whole = [
        glob if glob.startswith("/") else f"{base}repo/{glob}".removesuffix("/.") for glob in globs if glob
    ]
    globs = [glob.removeprefix(base) for glob in whole]
    if any(glob.startswith("/") for glob in globs):
        raise Unsupported("an artifact from outside of the workspace")
    chosen = [path for path in site.machine.files(site.folders.base) if patterns.chosen(path, globs)]
    if not chosen:
        fails = inputs.get("if-no-files-found", "warn") == "error"
        return Done(int(fails), f"No files were found with the provided path: {', '.join(globs)}\n")
    if name in site.record.artifacts and not inputs.is_on("overwrite"):
        return Done(1, f"an artifact with the name {name} already exists\n")
    # The folder that all chosen files share is left out, as the action does.
    shared = chosen[0].split("/")[:-1] if len(chosen) == 1 else _shared(chosen)
    skip = len("/".join(shared)) + 1 if shared else 0
    site.record.artifacts[name] = {
        path[skip:]: site.machine.read(f"{site.folders.base}/{path}") or b"" for path in chosen
    }
    return Done(
        0, f"Artifact {name}: {len(chosen)} files\n", {"artifact-id": str(len(site.record.artifacts))}
    )


def _shared(paths: list[str]) -> list[str]:
    folders = [path.split("/")[:-1] for path in paths]
    shared = folders[0]
    for folder in folders:
        shared = [one for one, other in zip(shared, folder, strict=False) if one == other]
    return shared


def download_artifact(site: Site, inputs: Inputs) -> Done:
    for name in ("run-id", "repository", "pattern"):
        if inputs.get(name):
            raise Unsupported(f"`{name}` of actions/download-artifact")
    target = inside(site.folders.workspace, inputs.get("path", "."))
    if not target.startswith(site.folders.workspace):
        raise Unsupported("an artifact to outside of the workspace")
    name = inputs.get("name")
    if name and name not in site.record.artifacts:
        return Done(1, f"Unable to download artifact(s): Artifact not found for name: {name}\n")
    for artifact, files in site.record.artifacts.items():
        if name in ("", artifact):
            folder = target if name or inputs.is_on("merge-multiple") else f"{target}/{artifact}"
            for path, data in files.items():
                site.machine.write(f"{folder}/{path}", data)
    return Done(0, "", {"download-path": target})


KNOWN: Mapping[str, Callable[[Site, Inputs], Done]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/cache": cache,
    "actions/cache/restore": cache,
    "actions/cache/save": lambda site, inputs: Done(),
    "actions/upload-artifact": upload_artifact,
    "actions/download-artifact": download_artifact,
    "astral-sh/setup-uv": setup_uv,
}


def perform(uses: str, site: Site, given: Mapping[str, Any]) -> Done:
    """Do what an action would do.

    Raises:
        Unsupported: this runner does not know it, or not this use of it.
    """
    if uses.startswith(("./", "docker://")):
        raise Unsupported(f"`uses: {uses}`: local actions and images")
    name, _, version = uses.partition("@")
    name = name.lower()
    if version and name in site.settings.played:
        return site.settings.played[name](site, Inputs(given))
    site.settings.registry.commit(uses)
    if name not in KNOWN:
        raise Unsupported(f"the action `{name}`")
    return KNOWN[name](site, Inputs(given))
