"""What the grader knows of an image while it follows a build without an engine: files, programs, users, settings.

A file of the context is known to the byte. What a command makes is known by its kind: packages that pip installs,
the scripts that come with them, a cache, a compiler. What a command does that is not understood here is written down
as `unclear`, so that a check can say "could not check" in place of guessing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dockerfile_syntax import NUMBER
from dockerignore import Pattern, as_regex

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
OFFICIAL = re.compile(r"(?:docker\.io/)?(?:library/)?python")
DEBIANS = ("bullseye", "bookworm", "trixie", "forky")
_BASE_DIRS = """
/ /bin /etc /home /opt /root /run /srv /tmp /usr /usr/bin /usr/local /usr/local/bin /usr/local/lib /var
/var/lib /var/log
"""
BASE_DIRS = frozenset(_BASE_DIRS.split())
BASE_USERS = {
    "root": (0, "/root"),
    "daemon": (1, "/usr/sbin"),
    "www-data": (33, "/var/www"),
    "nobody": (65534, "/"),
}


class BuildProblem(Exception):
    """An instruction at which a builder would stop."""

    def __init__(self, line: int, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.line, self.why, self.hint = line, why, hint


@dataclass(frozen=True)
class Node:
    """One file of an image, or what stands for many.

    kind: file, interpreter, packages, wheels, script, program, build tool, cache, secret. `python` is a version such as
    3.11 for interpreters and packages, and the path of the interpreter for scripts. `holds` are requirements.
    """

    digest: str
    kind: str = "file"
    content: bytes | None = None
    executable: bool = False
    origin: str = ""
    python: str = ""
    holds: frozenset[str] = frozenset()


Tree = dict[str, Node]
MOST_FILES = 5_000


@dataclass(frozen=True)
class Base:
    """What a tag of the official python image says. `release` is Debian's; "" when the tag does not say it."""

    image: str
    python: str
    slim: bool
    release: str
    digest: str
    libc: str = "glibc"


@dataclass
class Config:
    """The settings that a container starts with."""

    user: str = ""
    workdir: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    cmd: list[str] | None = None
    cmd_is_inherited: bool = True
    entrypoint: list[str] | None = None
    entrypoint_is_shell: bool = False
    health: Health | None = None
    ports: set[str] = field(default_factory=set)
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    stop_signal: str = "SIGTERM"

    def copy(self) -> Config:
        """The settings that a stage built on this one begins with."""
        own = {"env": dict(self.env), "ports": set(self.ports), "shell": list(self.shell)}
        return replace(self, cmd_is_inherited=True, **own)


@dataclass(frozen=True)
class Health:
    """HEALTHCHECK. Times in seconds; `argv` is None for NONE."""

    line: int
    argv: list[str] | None
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3


@dataclass(frozen=True)
class Install:
    """One pip command that put packages somewhere. `by_secret`: pip read its settings from the mounted secret."""

    line: int
    from_index: bool
    by_secret: bool


@dataclass(frozen=True)
class Step:
    """One instruction as it was built: its cache key, and the files that it put into its layer."""

    line: int
    name: str
    key: str
    layer: Mapping[str, Node]
    installs: bool = False


@dataclass
class Stage:
    """One stage, built as far as it is followed."""

    name: str
    line: int
    base: Base | None = None
    external: str = ""
    key: str = ""
    tree: Tree = field(default_factory=dict)
    dirs: set[str] = field(default_factory=lambda: set(BASE_DIRS))
    users: dict[str, tuple[int, str]] = field(default_factory=lambda: dict(BASE_USERS))
    config: Config = field(default_factory=Config)
    args: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    installs: list[Install] = field(default_factory=list)
    unclear: list[tuple[int, str, bool]] = field(default_factory=list)
    onbuild: list[str] = field(default_factory=list)
    needs: set[int] = field(default_factory=set)

    def bound(self, line: int) -> None:
        """Stop at more files than a grader should follow: a few lines can copy an image into itself again and again."""
        if len(self.tree) > MOST_FILES:
            raise BuildProblem(line, f"more than {MOST_FILES:,} files in one stage")

    def not_clear(self, line: int, what: str) -> None:
        """Write down what cannot be followed, and whether it could see a secret."""
        self.unclear.append((line, what[:60], any(node.kind == "secret" for node in self.tree.values())))

    @property
    def variables(self) -> dict[str, str]:
        """What an instruction sees: ENV wins over ARG."""
        return {**self.args, **self.config.env}

    def home(self, user: str = "") -> str:
        """The home folder of a user, as Docker takes it from /etc/passwd."""
        uid_or_name = (user or self.config.user or "root").partition(":")[0]
        for name, (uid, home) in self.users.items():
            if uid_or_name in (name, str(uid)):
                return home
        return "/"

    @property
    def is_root(self) -> bool:
        name = (self.config.user or "root").partition(":")[0]
        return self.uid(name) == 0

    def uid(self, name: str) -> int | None:
        """The number of a user; None for a name that nobody created."""
        if NUMBER.fullmatch(name):
            return int(name)
        return self.users[name][0] if name in self.users else None

    def is_dir(self, path: str) -> bool:
        path = posixpath.normpath(path)
        return path in self.dirs or any(other.startswith(path.rstrip("/") + "/") for other in self.tree)

    def absolute(self, path: str, cwd: str = "") -> str:
        return posixpath.normpath(posixpath.join(cwd or self.config.workdir, path or "."))

    def find_program(self, word: str, path: str = "") -> str | None:
        """Where a command lies, as a shell would look for it, among what is known; None when it is not there."""
        if "/" in word:
            at = self.absolute(word)
            return at if at in self.tree else None
        for folder in (path or self.config.env.get("PATH", PATH)).split(":"):
            at = posixpath.join(folder or "/", word)
            if at in self.tree:
                return at
        return None

    def packages_of(self, interpreter: str) -> list[Node]:
        """The package folders that this interpreter imports from, when the container runs."""
        node = self.tree[interpreter]
        prefix = posixpath.dirname(posixpath.dirname(interpreter))
        library = f"lib/python{node.python}/site-packages"
        folders = [f"{prefix}/{library}", *self.config.env.get("PYTHONPATH", "").split(":")]
        home = self.config.env.get("HOME") or self.home()
        if f"{prefix}/pyvenv.cfg" not in self.tree:
            folders.append(self.config.env.get("PYTHONUSERBASE", f"{home}/.local") + f"/{library}")
        if not self.is_root:
            folders = [folder for folder in folders if not folder.startswith("/root")]
        found = (
            self.tree.get(posixpath.join(self.absolute(folder), PACKAGES)) for folder in folders if folder
        )
        return [one for one in found if one is not None and one.python == node.python]


PACKAGES = "⟨packages⟩"
WHEELS = "⟨wheels⟩"


def understand_base(image: str) -> Base | None:
    """The base that an image name means, when it is a tag of the official python image; None otherwise."""
    name, _, digest = image.partition("@")
    head, _, tag = name.rpartition(":") if ":" in name.rsplit("/", 1)[-1] else (name, "", "")
    if not OFFICIAL.fullmatch(head or name):
        return None
    parts = tag.split("-")
    version = re.fullmatch(r"(3\.\d+)(\.\d+)?", parts[0])
    release = next((part for part in parts if part in DEBIANS), "")
    libc = "musl" if any(part.startswith("alpine") for part in parts) else "glibc"
    return Base(image, version[1] if version else "", "slim" in parts, release, digest, libc)


def base_tree(base: Base) -> Tree:
    """The programs of the official image that matter here."""
    key = f"base {base.image}"
    version = base.python or "?"
    tree: Tree = {}
    for name in ("python", "python3", f"python{version}"):
        tree[f"/usr/local/bin/{name}"] = Node(key, "interpreter", python=version, executable=True)
    for name in ("pip", "pip3"):
        tree[f"/usr/local/bin/{name}"] = Node(key, "script", python="/usr/local/bin/python", executable=True)
    if not base.slim and base.libc == "glibc":
        for name in ("gcc", "g++", "make", "git", "curl", "wget"):
            kind = "program" if name in ("curl", "wget") else "build tool"
            tree[f"/usr/bin/{name}"] = Node(key, kind, executable=True)
    return tree


def below(tree: Iterable[str], path: str) -> list[str]:
    """The paths that are `path` or lie below it."""
    start = path.rstrip("/") + "/"
    return [one for one in tree if one == path or one.startswith(start)]


def matching(tree: Iterable[str], pattern: str) -> list[str]:
    """The paths that a pattern with `*` means, and all below them."""
    if not any(char in pattern for char in "*?["):
        return below(tree, pattern)
    meant = Pattern(pattern, False, as_regex(pattern.lstrip("/")))
    return [one for one in tree if meant.matches(one.lstrip("/"))]
