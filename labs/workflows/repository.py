"""A git repository with pull requests, made in one step from plain files.

Source of the stream's format: https://git-scm.com/docs/git-fast-import. A pull request N has `refs/pull/N/head` and
`refs/pull/N/merge`, as on GitHub; a branch of this repository, not of a fork, has `refs/heads/<name>` as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labs.workflows.events import PullRequest
from labs.workflows.machine import Machine

Files = Mapping[str, bytes | None]  # None: the file is removed
WHEN = 1_767_729_600  # seconds since 1970: 2026-01-07 01:30 IST, so that the same files give the same commits
IMPORT = """
set -e
mkdir -p "$1"; cd "$1"
git init -q --bare --template= -b main .
git config uploadpack.allowAnySHA1InWant true
git fast-import --quiet <"$2"
git for-each-ref --format='%(refname) %(objectname)'
git log --first-parent --reverse --format='main %H' main
"""


@dataclass(frozen=True)
class Proposal:
    """A pull request to come. `commits` are the changes of each commit, the oldest first."""

    number: int
    title: str
    head_ref: str
    commits: Sequence[Files]
    from_fork: bool = False
    author: str = "asha"
    body: str = ""
    behind: int = 0  # how many commits main has got since its branch began, and it was opened

    @property
    def changed(self) -> tuple[str, ...]:
        """Paths that any of its commits touches."""
        return tuple(sorted({path for commit in self.commits for path in commit}))


class CannotImport(Exception):
    """Git refused the files; the message is git's own."""


def open_pull_requests(
    machine: Machine,
    folder: str,
    main: Files | Sequence[Files],
    proposals: Sequence[Proposal],
    executable: frozenset[str] = frozenset(),
    path: str = "/usr/local/bin:/usr/bin:/bin",
) -> dict[int, PullRequest]:
    """Make the bare repository `folder` with a branch `main`, and a pull request for each proposal.

    Args:
        main: the files on main; or what each of its commits changes, the oldest first.
        executable: paths that are programs.
        path: where git is.

    Raises:
        CannotImport: a path that git does not allow.
    """
    stream = _Stream(executable)
    history = [main] if isinstance(main, Mapping) else list(main)
    for number, files in enumerate(history, 1):
        stream.commit("refs/heads/main", "The state of main", [files], mark=number)
    for proposal in proposals:
        head = f"refs/pull/{proposal.number}/head"
        for number, changes in enumerate(proposal.commits):  # a later commit stands on the branch as it is
            parents = () if number else (f":{len(history) - proposal.behind}",)
            stream.commit(head, proposal.title, [changes], parents)
        stream.commit(
            f"refs/pull/{proposal.number}/merge", "Merge", proposal.commits, ("refs/heads/main", head)
        )
        if not proposal.from_fork:
            stream.reset(f"refs/heads/{proposal.head_ref}", head)
    machine.write(f"{folder}.stream", bytes(stream.data))
    argv = ["bash", "-c", IMPORT, "import", f"{machine.root}/{folder}", f"{machine.root}/{folder}.stream"]
    ended = machine.run(
        argv, cwd="", env={"PATH": path, "HOME": machine.root, "GIT_CONFIG_NOSYSTEM": "1"}, timeout=30
    )
    if ended.status:
        raise CannotImport(ended.output.strip().splitlines()[0] if ended.output.strip() else "git failed")
    said = [line.split(" ") for line in ended.output.splitlines()]
    commits, tips = dict(said), [commit for name, commit in said if name == "main"]
    return {
        one.number: PullRequest(
            number=one.number,
            title=one.title,
            head_ref=one.head_ref,
            base_ref="main",
            head_sha=commits[f"refs/pull/{one.number}/head"],
            base_sha=tips[-1 - one.behind],
            base_tip=tips[-1],
            merge_sha=commits[f"refs/pull/{one.number}/merge"],
            body=one.body,
            author=one.author,
            from_fork=one.from_fork,
        )
        for one in proposals
    }


class _Stream:
    """A stream for `git fast-import`."""

    def __init__(self, executable: frozenset[str]) -> None:
        self.data = bytearray()
        self._executable = executable
        self._time = WHEN

    def commit(
        self, ref: str, message: str, changes: Sequence[Files], parents: Sequence[str] = (), mark: int = 0
    ) -> None:
        self._time += 60
        who = f"Nukkad Pay <dev@nukkad.example> {self._time} +0530"
        self._line(f"commit {ref}", *([f"mark :{mark}"] if mark else []), f"committer {who}")
        self._bytes(message.encode())
        for number, parent in enumerate(parents):
            self._line(f"{'merge' if number else 'from'} {parent}")
        for files in changes:
            for path, data in files.items():
                if data is None:
                    self._line(f"D {_quoted(path)}")
                else:
                    mode = "100755" if path in self._executable else "100644"
                    self._line(f"M {mode} inline {_quoted(path)}")
                    self._bytes(data)
        self._line("")

    def reset(self, ref: str, to: str) -> None:
        self._line(f"reset {ref}", f"from {to}", "")

    def _line(self, *lines: str) -> None:
        for line in lines:
            self.data += line.encode() + b"\n"

    def _bytes(self, data: bytes) -> None:
        self.data += f"data {len(data)}\n".encode() + data + b"\n"


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
