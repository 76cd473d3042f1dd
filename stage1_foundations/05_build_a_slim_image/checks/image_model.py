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
from permissions import (
    BASE_GROUPS,
    BASE_USERS,
    ENTER,
    FOLDER,
    PROGRAM,
    READ,
    Access,
    Barrier,
    Identity,
    User,
    parents,
)

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
OFFICIAL = re.compile(r"(?:docker\.io/)?(?:library/)?python")
DEBIANS = ("bullseye", "bookworm", "trixie", "forky")
_BASE_DIRS = """
/ /bin /etc /home /opt /root /run /srv /tmp /usr /usr/bin /usr/local /usr/local/bin /usr/local/lib /var
/var/lib /var/log
"""
BASE_DIRS = frozenset(_BASE_DIRS.split())


class BuildProblem(Exception):
    """An instruction at which a builder would stop. `missing` is what it looked for in the build context."""

    def __init__(self, line: int, why: str, hint: str = "", missing: str = "") -> None:
        super().__init__(why)
        self.line, self.why, self.hint, self.missing = line, why, hint, missing


ROOTS = Access()


@dataclass(frozen=True)
class Node:
    """One file of an image, or what stands for many.

    kind: file, interpreter, packages, wheels, script, program, build tool, cache, secret. `python` is a version such as
    3.11 for interpreters and packages, and the path of the interpreter for scripts. `holds` are requirements. `link` is
    the interpreter that a virtual environment's own one points at.
    """

    digest: str
    kind: str = "file"
    content: bytes | None = None
    access: Access = ROOTS
    origin: str = ""
    python: str = ""
    holds: frozenset[str] = frozenset()
    link: str = ""

    @property
    def executable(self) -> bool:
        return bool(self.access.mode & 0o111)

    def with_mode(self, mode: int) -> Node:
        return replace(self, access=replace(self.access, mode=mode))


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
    """One pip command that put packages somewhere. `by_secret`: pip read its settings from the mounted secret.

    `shut_out`: the secret was mounted there, and only root could read it.
    """

    line: int
    from_index: bool
    by_secret: bool
    shut_out: str = ""


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
    """One stage, built as far as it is followed.

    `folders` has the modes and owners of those that are not 755 and root's; `logged` what prints a secret, by line;
    `shut_out` the places of a step's secrets that its user may not read.
    """

    name: str
    line: int
    base: Base | None = None
    external: str = ""
    key: str = ""
    tree: Tree = field(default_factory=dict)
    dirs: set[str] = field(default_factory=lambda: set(BASE_DIRS))
    folders: dict[str, Access] = field(
        default_factory=lambda: {"/root": Access(0o700), "/tmp": Access(0o1777)}
    )
    users: dict[str, User] = field(default_factory=lambda: dict(BASE_USERS))
    groups: dict[str, int] = field(default_factory=lambda: dict(BASE_GROUPS))
    config: Config = field(default_factory=Config)
    args: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    installs: list[Install] = field(default_factory=list)
    unclear: list[tuple[int, str, bool]] = field(default_factory=list)
    logged: list[tuple[int, str]] = field(default_factory=list)
    shut_out: dict[str, int] = field(default_factory=dict)
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
        for name, known in self.users.items():
            if uid_or_name in (name, str(known.uid)):
                return known.home
        return "/"

    @property
    def is_root(self) -> bool:
        name = (self.config.user or "root").partition(":")[0]
        return self.uid(name) == 0

    def uid(self, name: str) -> int | None:
        """The number of a user; None for a name that nobody created."""
        if NUMBER.fullmatch(name):
            return int(name)
        return self.users[name].uid if name in self.users else None

    def gid(self, name: str) -> int | None:
        """The number of a group; None for a name that nobody created."""
        return int(name) if NUMBER.fullmatch(name) else self.groups.get(name)

    def identity(self) -> Identity:
        """Who runs: USER by Docker's rules. A number without an entry in /etc/passwd is in root's group."""
        name, _, group = (self.config.user or "root").partition(":")
        uid = self.uid(name)
        known = next((one for key, one in self.users.items() if key == name or one.uid == uid), None)
        gid = self.gid(group) if group else known.gid if known else 0
        return Identity(-1 if uid is None else uid, frozenset() if gid is None else frozenset({gid}))

    def make_folder(self, path: str, owner: Identity | None = None, mode: int = FOLDER) -> None:
        """A folder and those above it that are not there; the new ones get this owner and mode."""
        for folder in [*parents(path), path]:
            if folder not in self.dirs:
                is_new = not self.is_dir(folder)
                self.dirs.add(folder)
                if is_new and (owner is not None or mode != FOLDER):
                    uid, gid = (max(owner.uid, 0), min(owner.gids, default=0)) if owner else (0, 0)
                    self.folders[folder] = Access(mode, uid, gid)

    def access_of(self, folder: str) -> Access:
        return self.folders.get(folder, Access(FOLDER))

    def barrier(self, path: str, bits: int = READ) -> Barrier | None:
        """What keeps the container's user from this file; None when it may read it.

        Python looks into the folders of its modules: below the service's folder they must be readable as well.
        """
        who = self.identity()
        for folder in parents(path):
            listed = path.endswith(".py") and below([folder], self.config.workdir) and folder != "/"
            for needed, act in ((ENTER, "enter"), (READ if listed else 0, "list")):
                if not self.access_of(folder).allows(who, needed):
                    return Barrier(act, folder, self.access_of(folder))
        node = self.tree[path]
        return None if node.access.allows(who, bits) else Barrier("read", path, node.access)

    def interpreter(self, path: str) -> str | None:
        """The interpreter that really runs: where a virtual environment's one points; None when nothing is there."""
        node = self.tree.get(path)
        if node is None or node.kind != "interpreter":
            return None
        return self.interpreter(node.link) if node.link else path

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
        """The packages that this interpreter finds, and may read, when the container runs."""
        real = self.interpreter(interpreter)
        if real is None:
            return []
        version = self.tree[real].python
        prefix = posixpath.dirname(posixpath.dirname(interpreter))
        library = f"lib/python{version}/site-packages"
        folders = [f"{prefix}/{library}", *self.config.env.get("PYTHONPATH", "").split(":")]
        home = self.config.env.get("HOME") or self.home()
        if f"{prefix}/pyvenv.cfg" not in self.tree:
            folders.append(self.config.env.get("PYTHONUSERBASE", f"{home}/.local") + f"/{library}")
        paths = [posixpath.join(self.absolute(folder), PACKAGES) for folder in folders if folder]
        return [
            self.tree[path]
            for path in paths
            if path in self.tree and self.tree[path].python == version and not self.barrier(path)
        ]


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
        tree[f"/usr/local/bin/{name}"] = Node(key, "interpreter", python=version, access=Access(PROGRAM))
    for name in ("pip", "pip3"):
        tree[f"/usr/local/bin/{name}"] = Node(
            key, "script", python="/usr/local/bin/python", access=Access(PROGRAM)
        )
    if not base.slim and base.libc == "glibc":
        for name in ("gcc", "g++", "make", "git", "curl", "wget"):
            kind = "program" if name in ("curl", "wget") else "build tool"
            tree[f"/usr/bin/{name}"] = Node(key, kind, access=Access(PROGRAM))
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
