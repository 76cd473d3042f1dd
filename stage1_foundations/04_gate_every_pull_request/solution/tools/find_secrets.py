"""Looks for keys of Nukkad Pay.

    python tools/find_secrets.py                  in all files that git knows, as they are now
    python tools/find_secrets.py --commits A..B   in every line that one of these commits adds

Exit status 1: a key was found; 2: git could not tell.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

KEY = re.compile(r"npk_live_[0-9a-z]{24}")


def git(*words: str) -> str:
    """What git prints. Ends the program with status 2 if git fails."""
    done = subprocess.run(["git", *words], capture_output=True)
    if done.returncode:
        print(f"find_secrets: {done.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        sys.exit(2)
    return done.stdout.decode(errors="replace")


def in_files() -> list[str]:
    found = []
    for path in filter(None, git("ls-files", "-z").split("\0")):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = enumerate(file, 1)
            found += [f"{path} line {number}" for number, line in lines if KEY.search(line)]
    return found


def in_commits(span: str) -> list[str]:
    found, commit, path = [], "", ""
    for line in git("log", "--patch", "--format=commit %h", span).splitlines():
        if line.startswith("commit "):
            commit = line
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif line.startswith("+") and KEY.search(line):
            found.append(f"{commit}, {path}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="find_secrets")
    parser.add_argument("--commits", metavar="A..B")
    given = parser.parse_args()
    found = in_commits(given.commits) if given.commits else in_files()
    for where in found:
        print(f"a key of Nukkad Pay: {where}")
    print(f"{len(found)} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
