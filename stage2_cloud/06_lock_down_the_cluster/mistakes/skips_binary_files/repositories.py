"""Every object of a git repository, whatever reaches it, and where a commit has it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from forms import Find, Secrets, Unread

HEAD = "ref: refs/heads/none\n"
SHA256 = "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\n"


def objects(store: Path) -> Iterator[tuple[str, str, bytes]]:
    """(id, kind, content) of every object of a store.

    Git gets an empty repository with links to the objects: it reads no settings of theirs and follows no alternates.
    Raises: Unread.
    """
    for path in store.rglob("*"):
        if not (path.is_file() or path.is_dir()):  # git would wait for a pipe
            raise Unread(f"{path.name} is neither a file nor a folder")
    with tempfile.TemporaryDirectory() as empty:
        for name in ("objects", "refs"):
            Path(empty, name).mkdir()
        Path(empty, "HEAD").write_text(HEAD, encoding="ascii")
        if has_long_ids(store):
            Path(empty, "config").write_text(SHA256, encoding="ascii")
        for path in store.resolve().iterdir():
            if path.name != "info":
                Path(empty, "objects", path.name).symlink_to(path)
        env = {
            "PATH": os.environ.get("PATH", os.defpath), "HOME": empty, "GIT_DIR": empty,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip
        command = ("git", "cat-file", "--batch-all-objects", "--unordered", "--batch")
        with subprocess.Popen(
            command, env=env, cwd=empty, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as git:
            assert git.stdout is not None
            while header := git.stdout.readline().decode().split():
                if len(header) != 3:
                    raise Unread(f"object {header[0]}")
                content = git.stdout.read(int(header[2]) + 1)[:-1]
                if digest(header[1], content, len(header[0])) != header[0]:
                    raise Unread(f"object {header[0]} does not fit its ID")
                yield header[0], header[1], content
        if git.returncode:
            raise Unread("git cannot read all of its objects")


def has_long_ids(store: Path) -> bool:
    """Whether its IDs are SHA-256, by the names of its files: their 64 digits, of which two may be a folder's."""
    return any(store.glob("??/" + "?" * 62)) or any(store.glob(f"pack/pack-{'?' * 64}.pack"))


def digest(kind: str, content: bytes, digits: int) -> str:
    """What the ID of an object has to be."""
    found = hashlib.new("sha256" if digits == 64 else "sha1", f"{kind} {len(content)}\0".encode())
    found.update(content)
    return found.hexdigest()


def entries(tree: bytes, digits: int) -> Iterator[tuple[bool, str, bytes, str]]:
    """(is a tree, id, name, path's part) of a tree: "mode name NUL id", as gitformat-pack(5) and Pro Git tell it."""
    at = 0
    while at < len(tree):
        space = tree.index(b" ", at)
        end = tree.index(b"\0", space)
        name, after = tree[space + 1 : end], end + 1 + digits // 2
        yield tree[at:space] == b"40000", tree[end + 1 : after].hex(), name, name.decode(errors="replace")
        at = after


def look_in_repository(folder: Path, secrets: Secrets) -> Iterator[Find]:
    roots: dict[str, str] = {}  # tree: a commit that has it
    trees: dict[str, bytes] = {}
    blobs: dict[str, set[tuple[int, int]]] = {}
    for name, kind, content in objects(folder / "objects"):
        if kind == "blob":
            if b"\0" in content[:8000]:  # as git decides what is a text
                continue
            if found := secrets.lines(io.BufferedReader(io.BytesIO(content))):  # type: ignore[arg-type]
                blobs[name] = found
        elif kind == "tree":
            trees[name] = content
        else:
            if kind == "commit":
                roots.setdefault(content[5 : 5 + len(name)].decode(), name)
            yield from (Find(f"{kind} {name[:12]} text", number) for number in secrets.within(content))
    todo = [(tree, f"object {tree[:12]}", "") for tree in trees]  # what no commit has comes last
    todo += [(tree, f"commit {commit[:12]}", "") for tree, commit in roots.items()]
    seen = set[str]()
    while todo:
        tree, holder, path = todo.pop()
        if tree in seen:
            continue
        seen.add(tree)
        for is_tree, name, raw, part in entries(trees.get(tree, b""), len(tree)):
            here = f"{holder} {path}{part}"
            yield from (Find(f"{here} name", number) for number in secrets.within(raw))
            if is_tree:
                todo.append((name, holder, f"{path}{part}/"))
            if holder.startswith("commit"):
                yield from (Find(f"{here} line {line}", number) for line, number in blobs.pop(name, ()))
    for name, found in blobs.items():
        yield from (Find(f"object {name[:12]} line {line}", number) for line, number in found)
