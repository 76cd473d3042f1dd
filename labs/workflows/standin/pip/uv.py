"""A stand-in for uv: `uv pip install`, `uv pip sync` and `uv run --no-project`, by way of the stand-in for pip."""

from __future__ import annotations

import os
import sys

from pip.__main__ import could_not_check, main  # type: ignore[import-not-found, attr-defined, unused-ignore]


def run(words: list[str]) -> None:
    if words[:2] in (["pip", "install"], ["pip", "sync"]):
        files = [
            item for word in words[2:] for item in (("-r", word) if _is_file(words[1], word) else (word,))
        ]
        main(["install", *files], "uv")
    elif words[:1] == ["venv"]:
        print("Using the job's own environment")
    elif words[:1] == ["run"] and {"--no-project", "--no-sync"} & set(words):
        command = [word for word in words[1:] if word not in ("--no-project", "--no-sync", "--frozen", "--")]
        os.execvp(command[0], command)
    elif words[:1] in (["--version"], ["version"], ["self"]):
        print("uv 0 (a stand-in without a network)")
    else:
        could_not_check(
            f"`uv {' '.join(words)[:80]}`: this stand-in for uv knows `uv pip install` and `uv pip sync`"
        )


def _is_file(command: str, word: str) -> bool:
    return command == "sync" and not word.startswith("-")


if __name__ == "__main__":
    run(sys.argv[1:])
