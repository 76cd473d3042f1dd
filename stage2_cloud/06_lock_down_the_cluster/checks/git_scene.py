"""A repository in which somebody has cleaned up after a secret, as well as people do."""

from __future__ import annotations

import gzip
from urllib.parse import quote

from git_places import Repository
from planted import Hidden, Place, Plant, base64_of, looks_like, named


def history(hidden: Hidden) -> tuple[Repository, list[Plant], dict[str, str], dict[str, bytes]]:
    """The repository, what is in it, what looks like it, and its files: partly loose, partly packed."""
    rng, (one, two, three) = hidden.rng, hidden.secrets
    repo, plants, others = Repository(), list[Plant](), dict[str, str]()
    word = lambda: f"{rng.integers(10**6)}"  # noqa: E731

    def line_of(text: str, count: int = 9) -> tuple[str, int]:
        """A file with this on one of its lines."""
        at = int(rng.integers(2, count))
        return "".join(
            f"{text if here == at else f'key{here}={word()}'}\n" for here in range(1, count + 1)
        ), at

    readme = repo.blob("# fraud\n" + "".join(f"{word()}\n" for _ in range(40)))
    clean = {"README.md": readme, "src/app.py": repo.blob(f"print({word()})\n")}
    sought: list[tuple[str, int, str, str, str]] = []  # title, number, blob, path, what of it

    def plant(title: str, number: int, path: str, text: str) -> dict[str, str]:
        content, at = line_of(text)
        blob = repo.blob(content)
        sought.append((title, number, blob, path, f"line {at}"))
        return {**clean, path: blob}

    first = repo.commit(clean, message="Start")
    removed = repo.commit(
        plant("a file that a later commit removes", 1, "deploy/db.env", f"DB={one}"), [first]
    )
    main = repo.commit(clean, [removed], "Remove what should not be there")
    # A large file, of which an old version holds a secret: the pack tells the old one by the new one.
    rows = [f"{at},{word()}" for at in range(400)]
    new = repo.blob("\n".join(rows) + "\n")
    rows[200] = f"200,{three}"
    old = repo.blob("\n".join(rows) + "\n")
    sought.append(("an old version, packed as a difference", 3, old, "data/rows.csv", "line 201"))
    main = repo.commit({**clean, "data/rows.csv": old}, [main])
    main = repo.commit({**clean, "data/rows.csv": new}, [main])
    side = repo.commit({**clean, "side.txt": repo.blob(word())}, [first], "A side branch")
    merged = plant("a file that only a merge has", 2, "config/merged.yaml", f"password: {two}")
    main = repo.commit(merged, [main, side], "Merge the side branch")
    main = repo.commit(clean, [main], "Tidy up")
    message = repo.commit(clean, [main], f"Try again\n\ncurl -u fraud:{three} db")
    plants.append(named("the message of a commit", 3, "commit", [message], "text"))
    author = repo.commit(clean, [message], author=f"CI {quote(two, safe='')} <ci@nukkad.example>")
    plants.append(named("the name of an author", 2, "commit", [author], "text"))
    raw = bytes(rng.integers(0, 10, 300, dtype="uint8")) + b"\0" + one.encode() + bytes(40)
    binary, zipped = repo.blob(raw), repo.blob(gzip.compress(f"start\nlogin {two}\n".encode(), mtime=0))
    lines = raw[: raw.index(one.encode())].count(b"\n") + 1
    sought.append(("a binary file", 1, binary, "model.bin", f"line {lines}"))
    sought.append(("a file that gzip has packed", 2, zipped, "logs/app.log.1", "line 2"))
    main = repo.commit({**clean, "model.bin": binary, "logs/app.log.1": zipped}, [author])
    dump = f"dump-{quote(three, safe='')}.sql"
    holds = repo.commit({**clean, f"dumps/{dump}": readme}, [main])
    plants.append(Plant("the name of a file", 3, lambda got: _is_name(got, "commit", holds, "dumps/dump-")))
    main = repo.commit(clean, [holds])
    branch = plant("another branch, as base64", 1, "try/auth.json", base64_of(one, "fraud:"))
    repo.refs["refs/heads/spike/login"] = repo.commit(branch, [first])
    tagged = repo.commit(plant("a commit that only a tag has", 2, "old.env", two), [first])
    repo.refs["refs/tags/v0.9"] = tag = repo.tag(tagged, "v0.9", f"Works with {one}")
    plants.append(named("the message of a tag", 1, "tag", [tag], "text"))
    index = repo.commit(clean, [main], "index on main")
    extra = repo.commit(plant("a file that a stash has kept", 3, "notes.env", three), [], "untracked on main")
    repo.refs["refs/stash"] = repo.commit(clean, [main, index, extra], "WIP on main")
    notes = plant("a note", 2, main, f"deployed with {two}")
    repo.refs["refs/notes/commits"] = repo.commit({main: notes[main]}, [], "Notes added")
    covered = plant("a file that refs/replace covers with another", 1, "cover.env", one)
    main = repo.commit(covered, [main])
    repo.refs[f"refs/replace/{covered['cover.env']}"] = repo.blob("nothing=here\n")
    main = repo.commit(clean, [main])
    repo.commit(plant("a commit that was amended, so nothing reaches it", 2, "amended.env", two), [main])
    staged, at = line_of(three)
    lost = repo.blob(staged)
    plants.append(named("a file that was staged and never committed", 3, "object", [lost], f"line {at}"))
    within = repo.tree({f"dump-{quote(one, safe='')}.sql": readme})
    above = repo.tree({f"lost/dump-{quote(one, safe='')}.sql": readme})
    plants.append(
        Plant(
            "a name in a tree that no commit has", 1,
            lambda got: _is_name(got, "object", above, "lost/dump-") or _is_name(got, "object", within, "dump-"),
        )
    )  # fmt: skip
    alike = dict(clean)
    for place, (title, text) in enumerate(looks_like(two, rng).items()):
        alike[f"alike/{place}.env"] = repo.blob(line_of(text)[0])
        others[f"alike/{place}.env"] = title
        alike[f"alike/{place}.b64"] = repo.blob(line_of(base64_of(text, "u:"))[0])
        others[f"alike/{place}.b64"] = f"{title}, as base64"
    repo.refs["refs/heads/main"] = repo.commit(alike, [main], "Examples")
    files = [
        named(title, number, "commit", repo.holders(blob, path), f"{path} {rest}")
        for title, number, blob, path, rest in sought
    ]
    plants = files + plants
    # The newest things are loose, as after a fetch; the rest is packed.
    every = list(repo.objects)
    packed = [*every[: len(every) * 2 // 3], old, new]
    return repo, plants, others, repo.files(dict.fromkeys(packed), {old: new})


def _is_name(got: str, kind: str, holds: str, begin: str) -> bool:
    first, _, rest = got.partition(" ")
    name, _, rest = rest.partition(" ")
    return (
        first == kind
        and len(name) >= 7
        and holds.startswith(name)
        and rest.startswith(begin)
        and rest.endswith(" name")
    )


def place(hidden: Hidden) -> Place:
    _, plants, others, files = history(hidden)
    for path, data in files.items():
        hidden.work.give(f"fraud.git/{path}", data)
    return Place("a repository", f"{hidden.work.inputs}/fraud.git", plants, others)


# A repository that wants to be more than data.

_SETTINGS = """[core]
\trepositoryformatversion = 1
\tbare = {bare}
\tfsmonitor = {run} fsmonitor
\tsshCommand = {run} ssh
\tpager = {run} pager
\taskPass = {run} askpass
\talternateRefsCommand = {run} alternates
[diff]
\texternal = {run} external
[diff "all"]
\ttextconv = {run} textconv
[filter "all"]
\tsmudge = {run} smudge
\tclean = {run} clean
[log]
\tshowSignature = true
[gpg]
\tprogram = {run} gpg
[alias]
\tcat-file = !{run} alias
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = ssh://git@code.nukkad.example/fraud.git
\tpromisor = true
"""


def hostile(hidden: Hidden, run: str, bare: bool) -> tuple[dict[str, bytes], list[Plant]]:
    """The files of a repository whose settings start `run`, and what is to be found in it."""
    repo = Repository()
    blob, missing = repo.blob(f"a\nDB={hidden.secrets[0]}\n"), repo.blob("on another machine\n")
    attributes = repo.blob("* diff=all filter=all\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n -----END PGP SIGNATURE-----\n"
    files = {".gitattributes": attributes, "db.env": blob, "far.txt": missing}
    first = repo.commit(files, message="Start", more=signature)
    second = repo.commit({**files, "db.env": repo.blob("a\n")}, [first], more=signature)
    repo.refs["refs/heads/main"] = second
    config = _SETTINGS.format(run=run, bare=str(bare).lower())
    found = repo.files(
        packed=[one for one in repo.objects if one != missing], without=[missing], config=config
    )
    pack = next(one for one in found if one.endswith(".pack"))
    found[pack.removesuffix("pack") + "promisor"] = b""
    found["info/attributes"] = b"* diff=all filter=all\n"
    return found, [named("a file of an old commit", 1, "commit", [first], "db.env line 2")]


def named_after(hidden: Hidden) -> str:
    """The path of a repository in which files, folders, a branch and a tag are named after secrets."""
    one, two = hidden.secrets
    repo = Repository()
    files = {
        f"{one}.env": repo.blob(f"{two}\n"),
        f"dumps/{quote(two, safe='')}.sql": repo.blob(f"a\n{one}\n"),
    }
    commit = repo.commit(files, message=f"Add {one}", author=f"{two} <ci@nukkad.example>")
    repo.refs |= {"refs/heads/main": commit, f"refs/heads/{quote(one, safe='')}": commit}
    repo.refs["refs/tags/v1"] = repo.tag(commit, quote(two, safe=""), one)
    for path, data in repo.files().items():
        hidden.work.give(f"named.git/{path}", data)
    return f"{hidden.work.inputs}/named.git"


def named_after_parts(hidden: Hidden) -> str:
    """The path of a repository with a file that somebody named after the beginning of a secret, and its end."""
    one, two = hidden.secrets
    repo = Repository()
    password = repo.blob(f"{one}\n")
    names = (two[:10], two[-10:], quote(two, safe="")[:12], base64_of(two, "fraud:")[8:24])
    repo.refs["refs/heads/main"] = repo.commit({f"dump-{name}.sql": password for name in names})
    for path, data in repo.files().items():
        hidden.work.give(f"parts.git/{path}", data)
    return f"{hidden.work.inputs}/parts.git"
