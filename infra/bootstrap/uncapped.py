"""What breaks without the caps in requirements.in: resolve, install and smoke-test the newest set, beside .venv.

Writes build/uncapped/report.md. Exit status: 0 all works, 1 something broke (the report says what), 2 could not tell.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".venv/uv/bin/uv"
BUILD = ROOT / "build/uncapped"
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def without_bounds(text: str) -> str:
    """requirements.in without versions: `feast[duckdb]>=0.67,<0.68  # why` becomes `feast[duckdb]`."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return "".join(re.sub(r"\s*[<>=!~].*", "", line) + "\n" for line in lines if line)


def pins(text: str) -> dict[str, set[str]]:
    """Versions by name; a universal lock may hold more than one of a name."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def moved(locked: dict[str, set[str]], newest: dict[str, set[str]], direct: set[str]) -> list[str]:
    """A table line for each direct requirement whose version differs."""
    return [
        f"| {name} | {', '.join(sorted(locked.get(name, {'-'})))} | {', '.join(sorted(newest.get(name, {'-'})))} |"
        for name in sorted(direct)
        if not newest.get(name, set()) <= locked.get(name, set())
    ]


def shortened(text: str, most: int = 20_000) -> str:
    """The beginning and the end: an issue holds 65,536 characters."""
    return text if len(text) <= most else f"{text[: most // 2]}\n[…]\n{text[-most // 2 :]}"


def step(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    print("+", *command, file=sys.stderr)
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def main() -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    source, lock, python = BUILD / "requirements.in", BUILD / "requirements.txt", BUILD / "venv/bin/python"
    source.write_text(without_bounds((ROOT / "requirements.in").read_text()))
    direct = {re.split(r"[\[<>=!~ ]", line)[0] for line in source.read_text().split()}
    install = ("pip", "sync", "--python", python, "--require-hashes", "--only-binary", ":all:", lock)
    for command in (
        (
            UV,
            "pip",
            "compile",
            "--quiet",
            "--upgrade",
            "--generate-hashes",
            "--no-header",
            source,
            "-o",
            lock,
        ),
        (UV, "venv", "--quiet", "--clear", BUILD / "venv"),
        (UV, *install, "--compile-bytecode"),
    ):
        done = step(*command)
        if done.returncode:
            return report(
                2, f"`uv {command[1]} {command[2]}` failed:\n\n```text\n{done.stdout[-3000:]}\n```\n"
            )
    table = moved(pins((ROOT / "requirements.lock").read_text()), pins(lock.read_text()), direct)
    smoke = step(
        python, "-m", "pytest", "tests/test_stack_smoke.py", "--tb=short", "-q", SMOKE_PYTHON=str(python)
    )
    broke = re.findall(r"^(?:FAILED|ERROR) (.*)$", smoke.stdout, re.MULTILINE)
    body = (
        ["| library | locked | newest |", "|---|---|---|", *table, ""]
        if table
        else ["No version differs.", ""]
    )
    body += [f"- {line}" for line in broke] or [
        f"Every smoke test passes (pytest status {smoke.returncode})."
    ]
    body += [
        "",
        "<details><summary>Output</summary>",
        "",
        "```text",
        shortened(smoke.stdout),
        "```",
        "</details>",
        "",
    ]
    return report(min(smoke.returncode, 2), "\n".join(body))


def report(status: int, body: str) -> int:
    title = ("Without caps, everything works", "Without caps, something breaks", "Without caps: no answer")[
        status
    ]
    (BUILD / "report.md").write_text(f"# {title}\n\n{body}")
    print(f"# {title}\n\n{body}")
    return status


if __name__ == "__main__":
    sys.exit(main())
