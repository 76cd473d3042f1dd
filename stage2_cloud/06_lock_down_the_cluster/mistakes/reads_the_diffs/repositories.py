"""The history of a git repository, change by change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from forms import Find, Secrets, Unread


def look_in_repository(folder: Path, secrets: Secrets) -> Iterator[Find]:
    """Every line that a commit has added, on any branch or tag."""
    command = ["git", "--git-dir", str(folder), "log", "--all", "-p", "-U0", "--no-textconv", "--no-ext-diff"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Unread("git log failed")
    commit, path, line = "", "", 0
    for text in done.stdout.split(b"\n"):
        words = text.decode(errors="replace")
        if words.startswith("commit "):
            commit, path = words.split()[1][:12], ""
        elif words.startswith("+++ b/"):
            path = words[6:]
        elif words.startswith("@@ "):
            line = int(words.split("+")[1].split()[0].split(",")[0])
        elif words.startswith("+") and path:
            yield from (Find(f"commit {commit} {path} line {line}", number) for number in secrets.within(text))
            line += 1
        elif not path:
            yield from (Find(f"commit {commit} text", number) for number in secrets.within(text))
