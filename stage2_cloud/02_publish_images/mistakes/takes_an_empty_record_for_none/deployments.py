"""What runs where: one JSON file for each environment of a service, and nothing else that anybody must ask.

The files are what the platform follows (a checkout of the configuration repository). They name digests, never tags.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oci_image import DIGEST
from trouble import Refused, WrongInput

ENVIRONMENTS = ("staging", "prod")
HISTORY = 3  # releases before the current one that can be rolled back to


@dataclass(frozen=True)
class Release:
    """One image, and when it was deployed (UTC, ISO 8601)."""

    digest: str
    image: str
    commit: str
    deployed_at: str

    @classmethod
    def now(cls, digest: str, image: str, commit: str) -> Release:
        return cls(digest, image, commit, datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def parse(cls, said: dict[str, Any]) -> Release:
        release = cls(*(str(said[key]) for key in ("digest", "image", "commit", "deployed_at")))
        if not DIGEST.fullmatch(release.digest):
            raise ValueError(f"{release.digest!r} is no digest")
        return release


@dataclass(frozen=True)
class Record:
    """What one environment runs, and what it ran before, newest first."""

    current: Release
    history: tuple[Release, ...] = ()

    @property
    def releases(self) -> tuple[Release, ...]:
        return (self.current, *self.history)


class Deployments:
    """The records of one service."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.folder = Path(os.environ.get("DEPLOYMENTS", "deployments")) / service

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes a record, or acts on all of them, meanwhile.

        Raises:
            WrongInput: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("a")
        except OSError as error:
            raise WrongInput(f"no record can be written in {self.folder}: {error}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read(self, environment: str) -> Record | None:
        """
        Raises:
            WrongInput: there is a record, and it cannot be understood. It is not the same as none.
        """
        path = self._path(environment)
        try:
            said = json.loads(path.read_bytes())
            if not said:
                return None
            return Record(Release.parse(said), tuple(Release.parse(one) for one in said["history"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WrongInput(f"{path} is no record: {type(error).__name__}: {error}") from error

    @contextmanager
    def prepared(self, environment: str, record: Record) -> Iterator[None]:
        """Lay the record beside its place, let the body run, then move it there: whole or not at all.

        Only one at a time: call it while `locked`.

        Raises:
            WrongInput: it cannot be written. The body has not run then.
        """
        said = {
            "service": self.service,
            "env": environment,
            **asdict(record.current),
            "history": [asdict(one) for one in record.history],
        }
        new = self.folder / f".{environment}.new"
        try:
            with new.open("w") as file:
                file.write(json.dumps(said, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise WrongInput(f"no record can be written in {self.folder}: {error}") from error
        yield
        new.replace(self._path(environment))

    def all(self) -> dict[str, Record]:
        """The record of each environment that has one."""
        found = {environment: self.read(environment) for environment in ENVIRONMENTS}
        return {environment: record for environment, record in found.items() if record}

    def _path(self, environment: str) -> Path:
        return self.folder / f"{environment}.json"


def deployed(before: Record | None, release: Release) -> Record:
    """The record after a deployment. What runs already is not deployed again."""
    if before is None:
        return Record(release)
    if before.current.digest == release.digest:
        return before
    return Record(release, before.releases[:HISTORY])


def rolled_back(before: Record | None) -> Record:
    """The record after a rollback: one step back, so that the next rollback goes further back, and not forth.

    Raises:
        Refused: there is nothing to go back to.
    """
    if before is None or not before.history:
        raise Refused("there is no release before this one")
    back = before.history[0]
    return Record(Release.now(back.digest, back.image, back.commit), before.history[1:])
