"""What a learner has reached: last result, hints shown, first pass. It lies in work/.labs/<slug>.json."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labs.errors import LabsError
from labs.results import LabResult
from labs.workspace import Workspace, plainly, write_whole

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Progress:
    """One lab. `started`, `passed`: seconds since 1970, 0 for never. `hints`: how many were shown."""

    started: float = 0.0
    passed: float = 0.0
    result: LabResult | None = None
    hints: dict[str, int] = field(default_factory=dict)


class Store:
    """Reads and writes the progress of a workspace. `warnings` collects what the learner should hear."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.warnings: list[str] = []

    def read(self, slug: str) -> Progress:
        """What is known of this lab; an unreadable file is set aside, never an error."""
        path = self._path(slug)
        try:
            return _from_json(path.read_text(encoding="utf-8"), str(path))
        except (FileNotFoundError, NotADirectoryError):
            return Progress()
        except OSError as error:
            self.warnings.append(f"Could not read your progress, {path}: {error.strerror}.")
        except (LabsError, ValueError) as error:
            self._set_aside(path, error)
        return Progress()

    def write(self, slug: str, progress: Progress) -> None:
        """Remember it. A disk that cannot be written costs the memory, not the answer: that is a warning."""
        try:
            self.workspace.hidden(".labs")
            write_whole(self._path(slug), _to_json(progress))
        except LabsError as error:
            self.warnings.append(f"This result was not saved. {error.message} {error.next_step}")
        except OSError as error:
            plain = plainly(error, self._path(slug))
            self.warnings.append(f"This result was not saved. {plain.message} {plain.next_step}")

    def started(self, slug: str) -> None:
        self.write(slug, replace(self.read(slug), started=time.time()))

    def forget(self, slug: str) -> None:
        """After a reset: a new beginning, except that a lab once passed stays passed for `labs solution`."""
        self.write(slug, Progress(started=time.time(), passed=self.read(slug).passed))

    def checked(self, result: LabResult) -> None:
        before = self.read(result.lab)
        passed = before.passed or (time.time() if result.passed_here else 0.0)
        started = before.started or time.time()
        self.write(result.lab, replace(before, started=started, passed=passed, result=result))

    def hinted(self, slug: str, check: str, shown: int) -> None:
        before = self.read(slug)
        self.write(slug, replace(before, hints={**before.hints, check: shown}))

    def _path(self, slug: str) -> Path:
        return self.workspace.root / ".labs" / f"{slug}.json"

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            path.replace(aside)
            kept = f"It is kept as {aside.name}"
        except OSError:
            kept = "It is left where it is"
        reason = error.message if isinstance(error, LabsError) else f"{path}: {error}"
        self.warnings.append(
            f"Your saved progress could not be read ({reason}). {kept}; check the lab again."
        )


def _to_json(progress: Progress) -> str:
    body = {
        "schema": SCHEMA_VERSION,
        "started": progress.started,
        "passed": progress.passed,
        "hints": progress.hints,
        "result": json.loads(progress.result.to_json()) if progress.result else None,
    }
    return json.dumps(body, indent=2, ensure_ascii=True)


def _from_json(text: str, source: str) -> Progress:
    body: Any = json.loads(text)
    try:
        if body["schema"] != SCHEMA_VERSION:
            raise LabsError(f"{source}: schema {body['schema']}, this engine reads {SCHEMA_VERSION}")
        result = body["result"]
        return Progress(
            started=float(body["started"]),
            passed=float(body["passed"]),
            result=LabResult.from_json(json.dumps(result), source) if result else None,
            hints={str(check): int(shown) for check, shown in body["hints"].items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LabsError(f"{source}: not written by this engine ({error!r})") from error
