"""Every object of a git repository, whatever reaches it, and where a commit has it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

from forms import Find, Secrets, Unread


def objects(store: Path) -> Iterator[tuple[str, str, bytes]]:
    """(id, kind, content) of every object that HEAD reaches."""
    git = ["git", "--git-dir", str(store.parent), "-c", "safe.directory=*"]
    listed = subprocess.run([*git, "rev-list", "--objects", "--no-object-names", "HEAD"], capture_output=True, check=False)
    if listed.returncode:
        raise Unread("git cannot list its objects")
    with subprocess.Popen([*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as batch:
        assert batch.stdin is not None and batch.stdout is not None
        for name in listed.stdout.split():
            batch.stdin.write(name + b"\n")
            batch.stdin.flush()
            header = batch.stdout.readline().decode().split()
            if len(header) != 3:
                raise Unread(f"object {name.decode()}")
            yield header[0], header[1], batch.stdout.read(int(header[2]) + 1)[:-1]
        batch.stdin.close()
    if batch.returncode:
        raise Unread("git cannot read its objects")


def entries(tree: bytes) -> Iterator[tuple[bool, str, bytes, str]]:
    """(is a tree, id, name, path's part) of a tree: "mode name NUL id", as gitformat-pack(5) and Pro Git tell it."""
    at = 0
    while at < len(tree):
        space = tree.index(b" ", at)
        end = tree.index(b"\0", space)
        name = tree[space + 1 : end]
        yield tree[at:space] == b"40000", tree[end + 1 : end + 21].hex(), name, name.decode(errors="replace")
        at = end + 21


def look_in_repository(folder: Path, secrets: Secrets) -> Iterator[Find]:
    roots: dict[str, str] = {}  # tree: a commit that has it
    trees: dict[str, bytes] = {}
    blobs: dict[str, set[tuple[int, int]]] = {}
    for name, kind, content in objects(folder / "objects"):
        if kind == "blob":
            if found := secrets.lines(io.BufferedReader(io.BytesIO(content))):  # type: ignore[arg-type]
                blobs[name] = found
        elif kind == "tree":
            trees[name] = content
        else:
            if kind == "commit":
                roots.setdefault(content[5:45].decode(), name)
            yield from (Find(f"{kind} {name[:12]} text", number) for number in secrets.within(content))
    todo, seen = [(tree, commit, "") for tree, commit in roots.items()], set[str]()
    while todo:
        tree, commit, path = todo.pop()
        if tree in seen:
            continue
        seen.add(tree)
        for is_tree, name, raw, part in entries(trees.get(tree, b"")):
            here = f"commit {commit[:12]} {path}{part}"
            yield from (Find(f"{here} name", number) for number in secrets.within(raw))
            if is_tree:
                todo.append((name, commit, f"{path}{part}/"))
            yield from (Find(f"{here} line {line}", number) for line, number in blobs.pop(name, ()))
    for name, found in blobs.items():
        yield from (Find(f"object {name[:12]} line {line}", number) for line, number in found)
