"""A developer's working copy of the fraud service: the code, the model, and all that lies about beside them.

Run it to see what `docker build` meets in real life:

    python working_copy.py work/build_a_slim_image
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from copying import ContextFile

STARTER = Path(__file__).resolve().parent.parent / "starter"
PUBLIC_SEED = 20260302
KB = 1024
SERVICE = ("app", "model", "tests")
WORDS = ("velocity", "night", "hopping", "burst", "ring", "mule", "refund", "cluster")

# Folders and files of a working copy that are no part of a service. Whatever else lies there is the learner's own.
LITTER_FOLDERS = (
    ".git",
    ".venv",
    "venv",
    "data",
    "notebooks",
    "tests",
    "mlruns",
    ".pytest_cache",
    ".ruff_cache",
)
LITTER_FILES = ("Dockerfile", ".dockerignore", "README.md", "NOTES.md")


def is_private(path: str) -> bool:
    """Whether a file holds a secret by the contract: `.env*`, `*.pem` and `*.key` anywhere, `pip.conf`, `.git`."""
    parts = path.split("/")
    name = parts[-1]
    return (
        name.startswith(".env") or name.endswith((".pem", ".key")) or path == "pip.conf" or parts[0] == ".git"
    )


def is_litter(path: str) -> bool:
    """Whether a file has no place in an image by the contract."""
    parts = path.split("/")
    cached = "__pycache__" in parts or path.endswith((".pyc", ".pyo"))
    return cached or is_private(path) or parts[0] in LITTER_FOLDERS or path in LITTER_FILES


@dataclass(frozen=True)
class WorkingCopy:
    """The files by path, the values in them that nobody may learn, and what the service must answer."""

    files: Mapping[str, ContextFile]
    secrets: tuple[str, ...]
    pip_conf: str
    rule: str
    most_payments: int
    model: Mapping[str, Any]

    def answer(self, payment: Mapping[str, float]) -> dict[str, Any]:
        """The reply to POST /predict."""
        weights = self.model["weights"]
        log_odds = self.model["bias"] + sum(weight * payment[name] for name, weight in weights.items())
        fires = {
            "new_payer": payment["payer_account_age_days"] < 1 and payment["amount_paise"] >= 500_000,
            self.rule: payment["payer_txn_count_24h"] >= self.most_payments,
        }
        rules = sorted(name for name, fired in fires.items() if fired)
        return {"fraud_probability": round(1 / (1 + math.exp(-log_odds)), 6), "rules": rules}


def make_working_copy(seed: int, own: Mapping[str, ContextFile] | None = None) -> WorkingCopy:
    """The working copy of one seed. `own` are the learner's files beside the service."""
    rng = np.random.default_rng([seed, 5])
    rule = f"{rng.choice(WORDS)}_{rng.integers(16, 256):x}"
    most = int(rng.integers(20, 60))
    model = {
        "version": f"fraud-2026{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}",
        "bias": round(float(rng.uniform(-4.5, -3.5)), 3),
        "weights": {
            "amount_paise": round(float(rng.uniform(2e-6, 5e-6)), 9),
            "hour_ist": round(float(rng.uniform(-0.03, -0.01)), 4),
            "payer_account_age_days": round(float(rng.uniform(-0.002, -0.0005)), 6),
            "payer_txn_count_24h": round(float(rng.uniform(0.02, 0.06)), 4),
        },
    }
    # The service's folders are the service's alone: what was left there by another seed is no part of it.
    files = {path: file for path, file in (own or {}).items() if path.partition("/")[0] not in SERVICE}
    for path in sorted(STARTER.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(STARTER).as_posix()] = ContextFile(path.read_bytes())
    files["model/fraud.json"] = _text(json.dumps(model, indent=2))
    files[f"app/rules/{rule}.py"] = _text(
        '"""Too many payments in a day."""\n\n\ndef fires(payment):\n'
        f'    return payment["payer_txn_count_24h"] >= {most}\n'
    )
    secrets, pip_conf = _leave_secrets(files, rng, rule)
    _leave_litter(files, rng, rule)
    return WorkingCopy(files, secrets, pip_conf, rule, most, model)


def _text(content: str) -> ContextFile:
    return ContextFile(content.encode())


def _leave_secrets(
    files: dict[str, ContextFile], rng: np.random.Generator, rule: str
) -> tuple[tuple[str, ...], str]:
    """Secrets where people leave them. All are obviously fake."""
    made = []

    def fake(what: str) -> str:
        made.append(f"not-a-real-{what}-{rng.bytes(8).hex()}")
        return made[-1]

    pip_conf = f"[global]\n# the token of the package index: {fake('token')}\n"
    files["pip.conf"] = _text(pip_conf)
    files[".env"] = _text(f"DATABASE_PASSWORD={fake('password')}\n")
    files[".env.production"] = _text(f"DATABASE_PASSWORD={fake('password')}\n")
    files["app/.env"] = _text(f"SMS_GATEWAY_KEY={fake('key')}\n")
    files[f"app/rules/.env.{rule}"] = _text(f"VELOCITY_STORE_PASSWORD={fake('password')}\n")
    files["app/partner.pem"] = _text(f"no certificate, only a test: {fake('key')}\n")
    files[".git/config"] = _text(f'[remote "origin"]\n\turl = https://{fake("token")}@git.example/fraud\n')
    return tuple(made), pip_conf


def _leave_litter(files: dict[str, ContextFile], rng: np.random.Generator, rule: str) -> None:
    """What a week of work leaves. Sizes are in bytes; random, so that nothing compresses it away."""
    sizes = {
        ".git/objects/pack/pack-1.pack": 400 * KB,
        ".venv/lib/python3.11/site-packages/numpy/core.so": 500 * KB,
        "data/payments-2026-02.parquet": 800 * KB,
        "notebooks/explore.ipynb": 300 * KB,
        "mlruns/0/artifacts/fraud.onnx": 300 * KB,
        ".pytest_cache/v/cache/nodeids": 2 * KB,
        "app/__pycache__/main.cpython-311.pyc": 3 * KB,
        f"app/rules/__pycache__/{rule}.cpython-311.pyc": 1 * KB,
    }
    for path, size in sizes.items():
        files[path] = ContextFile(rng.bytes(size))
    files["README.md"] = _text("# Fraud service\n")
    files["NOTES.md"] = _text(f"Ask Meera about {rule}.\n")


def write(files: Mapping[str, ContextFile], folder: Path) -> None:
    """Put the files into a folder, over what has the same name there."""
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)


def main() -> None:
    parser = argparse.ArgumentParser(description="Leave in a folder what lies about in a real working copy.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{folder} is no folder. Start the lab first, and run this from the course's folder.")
    files = make_working_copy(PUBLIC_SEED).files
    left = {name: file for name, file in files.items() if not (folder / name).exists()}
    write(left, folder)
    for name in sorted(left):
        print(f"{len(left[name].content):>9,} bytes  {folder / name}")


if __name__ == "__main__":
    main()
