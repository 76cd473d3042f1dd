"""Small repositories, in each of which one thing is not as usual."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from git_places import CONFIG, Repository
from planted import Hidden, Place, named

SHA256 = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n"


def give(hidden: Hidden, folder: str, files: Mapping[str, bytes]) -> str:
    """Returns: the path of the repository."""
    for path, data in files.items():
        hidden.work.give(f"{folder}/{path}", data)
    return f"{hidden.work.inputs}/{folder}"


def partial(hidden: Hidden) -> Place:
    """As a shallow and partial clone leaves it: a commit without its tree and its parent, and nothing is wrong."""
    repo = Repository()
    first = repo.commit({"db.env": repo.blob(f"DB={hidden.secrets[0]}\n")})
    far = repo.commit({"far.txt": repo.blob("on another machine\n")})
    repo.refs["refs/heads/main"] = repo.commit({"near.txt": repo.blob("a\n")}, [first, far])
    missing = {far, repo.tree({"near.txt": repo.blob("a\n")})}
    path = give(hidden, "partial.git", repo.files(without=missing))
    plants = [named("a file that is there", 1, "commit", [first], "db.env line 1")]
    return Place("a partial clone, in which a tree is not there", path, plants)


def newer(hidden: Hidden) -> Place:
    """`git init --object-format=sha256`."""
    repo = Repository(hashlib.sha256)
    first = repo.commit({"db.env": repo.blob(f"DB={hidden.secrets[0]}\n")})
    second = repo.commit({"config/db.env": repo.blob(f"DB={hidden.secrets[1]}\n")}, [first])
    repo.refs["refs/heads/main"] = repo.commit({"a.txt": repo.blob("a\n")}, [second])
    packed = list(repo.objects)[:3]
    path = give(hidden, "newer.git", repo.files(packed, config=SHA256))
    plants = [
        named("a file in a pack", 1, "commit", [first], "db.env line 1"),
        named("a loose file", 2, "commit", [second], "config/db.env line 1"),
    ]
    return Place("a repository with IDs of 64 digits", path, plants)


def borrowing(hidden: Hidden) -> Place:
    """A repository without a secret, whose alternates lead to one that holds some."""
    lender, repo = Repository(), Repository()
    lender.refs["refs/heads/main"] = lender.commit({"db.env": lender.blob(f"DB={hidden.secrets[0]}\n")})
    repo.refs["refs/heads/main"] = repo.commit({"a.txt": repo.blob("a\n")})
    elsewhere = give(hidden, "lender.git", lender.files(packed=list(lender.objects)))
    files = {**repo.files(), "objects/info/alternates": f"{elsewhere}/objects\n".encode()}
    return Place("a repository whose alternates lead to another one", give(hidden, "borrower.git", files))


def damaged(hidden: Hidden) -> dict[str, str]:
    """{what is wrong: the path} of repositories with one object that nobody can read, or should believe."""

    def numbers() -> str:
        return "".join(f"{number:09}\n" for number in hidden.rng.integers(0, 10**9, 100))

    repo = Repository()
    blob = repo.blob(numbers())
    repo.refs["refs/heads/main"] = repo.commit({"numbers": blob})
    loose, packed = repo.files(config=CONFIG), repo.files(packed=[blob])
    path = f"objects/{blob[:2]}/{blob[2:]}"
    pack = next(one for one in packed if one.endswith(".pack"))
    middle = len(packed[pack]) // 2
    spoilt = bytearray(packed[pack])
    spoilt[middle] ^= 0xFF
    repo.objects[blob] = ("blob", numbers().encode())
    found = {
        "an object that is cut off": {**loose, path: loose[path][: len(loose[path]) // 2]},
        "an object that does not fit its ID": repo.files(),
        "an object in a pack that does not fit its ID": repo.files(packed=[blob]),
        "a damaged pack": {**packed, pack: bytes(spoilt)},
    }
    return {title: give(hidden, f"damaged{at}.git", files) for at, (title, files) in enumerate(found.items())}


def with_a_pipe(hidden: Hidden) -> str:
    """The path of a repository in which a pipe (FIFO) has the name of an object: who opens it waits for ever."""
    repo = Repository()
    blob = repo.blob("a\n")
    repo.refs["refs/heads/main"] = repo.commit({"a.txt": blob})
    path = give(hidden, "pipe.git", repo.files(without=[blob]))
    pipe = Path(path, "objects", blob[:2], blob[2:])
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)
    return path
