"""A tiny course on disk, and `labs` run on it as a program, with a grader that answers by what app.py says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HINTS = """# Hints

## starts

1. Which line runs first?
   Look at the top.
2. Read what `uvicorn` prints.
3. Write this:

   ```python
   1. not an item
   ## not a heading
   app = FastAPI()
   ```

## rejects

1. Which status says "your input is wrong"?
2. Constrain the field.
"""


def make_course(root: Path) -> Path:
    """Two stages; the first holds `sort_logs` and, after it, `serve_things`."""
    _stage(root / "stage1_first", "First steps", {"train_things": "Train things", "sort_logs": "Sort logs"})
    _stage(root / "stage2_second", "Further on", {"ship_things": "Ship things"})
    make_lab(root / "stage1_first" / "01_sort_logs", points=12)
    make_lab(root / "stage1_first" / "02_serve_things", points=24, after=["sort_logs"])
    return root


def make_lab(folder: Path, points: int = 10, after: list[str] | None = None) -> Path:
    slug = folder.name[3:]
    for name in ("starter/conf", "solution", "checks"):
        (folder / name).mkdir(parents=True)
    (folder / "lab.toml").write_text(
        f'slug = "{slug}"\ntitle = "The lab {slug}"\nminutes = 60\npoints = {points}\nseed = 7\n'
        f'files = ["app.py"]\nafter = [{", ".join(f"{name!r}" for name in after or [])}]\nwarm = ["json"]\n'
    )
    (folder / "README.md").write_text(f"# {slug}\n")
    (folder / "hints.md").write_text(HINTS)
    (folder / "starter" / "app.py").write_text("not started\n")
    (folder / "starter" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "starter" / "run.sh").chmod(0o555)
    (folder / "starter" / "conf" / "a.toml").write_text("x = 1\n")
    (folder / "solution" / "app.py").write_text("pass\n")
    return folder


def _stage(folder: Path, title: str, coming: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    lines = "".join(f'{slug} = "{what}"\n' for slug, what in coming.items())
    (folder / "stage.toml").write_text(f'title = "{title}"\nmonths = "0–2"\n[coming]\n{lines}')


@dataclass(frozen=True)
class Labs:
    """`labs` as a user runs it, on a course in a temporary folder."""

    root: Path

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(arguments),
            cwd=cwd or self.root,
            env=self._env(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )

    def begin(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._argv(arguments),
            cwd=self.root,
            env=self._env(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def work(self, slug: str) -> Path:
        return self.root / "work" / slug

    def write(self, slug: str, text: str) -> None:
        """Replace app.py in the learner's folder."""
        (self.work(slug) / "app.py").write_text(text)

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, str(HERE / "fake_labs.py"), *arguments]

    def _env(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {**kept, "FAKE_COURSE": str(self.root), **more}


def end(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal as the terminal would, and collect what was said."""
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def wait_for(path: Path, seconds: float = 15.0) -> None:
    """Until a file that the fake grader leaves behind is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.02)
