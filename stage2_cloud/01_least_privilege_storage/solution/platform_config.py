"""What `platform.json` says: the names and the people of one installation. Nothing in the code knows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Model:
    """A model, and the users (ARNs) whose jobs train and serve it."""

    name: str
    trainer: str
    server: str


@dataclass(frozen=True)
class ContinuousIntegration:
    """Whose tokens are believed: those of one branch of one repository, made for one audience."""

    provider: str  # ARN of the identity provider
    repository: str  # owner/name
    branch: str
    audience: str

    @property
    def issuer(self) -> str:
        """As IAM names the provider in condition keys: `token.actions.githubusercontent.com`."""
        return self.provider.partition("oidc-provider/")[2]

    @property
    def subject(self) -> str:
        """The `sub` of GitHub's tokens for a run on the branch. A pull request's is another one."""
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"


@dataclass(frozen=True)
class Platform:
    account: str
    region: str
    bucket: str
    models: tuple[Model, ...]
    ci: ContinuousIntegration
    auditor: str  # ARN of a user
    external_id: str

    @classmethod
    def read(cls, path: Path) -> Platform:
        """
        Raises:
            OSError: there is no such file.
            ValueError, KeyError: it is not what the README describes.
        """
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            account=said["account"],
            region=said["region"],
            bucket=said["bucket"],
            models=tuple(Model(name, **users) for name, users in said["models"].items()),
            ci=ContinuousIntegration(**said["ci"]),
            auditor=said["auditor"]["user"],
            external_id=said["auditor"]["external_id"],
        )
