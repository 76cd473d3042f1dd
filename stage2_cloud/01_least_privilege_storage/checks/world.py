"""Draws what a grading works with: names of an installation, and models to publish."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

ACCOUNT, REGION = "123456789012", "ap-south-1"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
AUDIENCE, OTHER_AUDIENCE = "sts.amazonaws.com", "https://vault.nukkad-pay.example"
FAMILIES = ("fraud", "offers", "assist", "churn", "limits", "refunds")


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@dataclass(frozen=True)
class Plan:
    """What `platform.json` says, and the users whom it names."""

    bucket: str
    models: tuple[str, ...]
    repository: str
    branch: str
    external_id: str

    @property
    def subject(self) -> str:
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"

    @property
    def users(self) -> tuple[str, ...]:
        jobs = [f"{model}-{job}" for model in self.models for job in ("training", "serving")]
        return (*jobs, "partner-audit")

    @property
    def stem(self) -> str:
        """The model whose name another one's begins with: where a slash is missing, it shows here."""
        return min(self.models, key=lambda model: -sum(other.startswith(model) for other in self.models))

    @property
    def stem_first(self) -> list[str]:
        return sorted(self.models, key=lambda model: model != self.stem)

    @property
    def other_bucket(self) -> str:
        """Beside the artifact bucket, with a name that begins like its name."""
        return f"{self.bucket}-backup"

    def text(self) -> str:
        jobs = {
            model: {"trainer": user_arn(f"{model}-training"), "server": user_arn(f"{model}-serving")}
            for model in self.models
        }
        ci = {
            "provider": PROVIDER,
            "repository": self.repository,
            "branch": self.branch,
            "audience": AUDIENCE,
        }
        auditor = {"user": user_arn("partner-audit"), "external_id": self.external_id}
        said = {"account": ACCOUNT, "region": REGION, "bucket": self.bucket, "models": jobs, "ci": ci}
        return json.dumps({**said, "auditor": auditor}, indent=1)


def draw_plan(seed: int) -> Plan:
    """Three models; the name of one begins with the name of another."""
    rng = np.random.default_rng([seed, 1])
    first, second = (str(one) for one in rng.choice(FAMILIES, 2, replace=False))
    models = [str(one) for one in rng.permutation([first, f"{first}-v{rng.integers(2, 9)}", second])]
    return Plan(
        bucket=f"nukkad-artifacts-{rng.bytes(4).hex()}",
        models=tuple(models),
        repository=f"nukkad-pay/{first}-models",
        branch=str(rng.choice(["main", "trunk", "live"])),
        external_id=f"audit-{rng.bytes(6).hex()}",
    )


@dataclass(frozen=True)
class Model:
    """Files of a model by path (relative, with slashes)."""

    files: dict[str, bytes] = field(repr=False)

    @cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        return {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for path, content in self.files.items()
        }

    @property
    def blobs(self) -> set[str]:
        return {about["sha256"] for about in self.manifest.values()}


def draw_model(rng: np.random.Generator) -> Model:
    """Some files, in folders as well: one is empty, two are equal, one has a name that is not ASCII."""
    twin = rng.bytes(int(rng.integers(50, 400)))
    files = {
        "model.onnx": rng.bytes(int(rng.integers(20_000, 60_000))),
        "features.json": json.dumps({"features": rng.permutation(9).tolist()}).encode(),
        f"vocabulary/{rng.bytes(2).hex()}/channels.txt": twin,
        "vocabulary/channels of last week.txt": twin,
        "notes/READ ME ₹.md": rng.bytes(40).hex().encode(),
        f"empty-{rng.bytes(2).hex()}": b"",
    }
    for number in range(int(rng.integers(1, 4))):
        files[f"trees/{number:03d}.bin"] = rng.bytes(int(rng.integers(1, 3000)))
    return Model(files)


def draw_small(rng: np.random.Generator) -> Model:
    """Three files: enough where only the order of things matters."""
    return Model(
        {name: rng.bytes(int(rng.integers(50, 4000))) for name in ("model.onnx", "a.json", "trees/b.bin")}
    )


def draw_versions(rng: np.random.Generator, count: int) -> list[str]:
    """Names of versions whose order in time is not the order of their names."""
    names = [
        f"2026{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}-{rng.bytes(3).hex()}" for _ in range(count)
    ]
    return [str(one) for one in rng.permutation(names)]
