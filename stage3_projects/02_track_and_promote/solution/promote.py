"""The gate: makes a version the champion if it passes, and says every reason if it does not.

python3 promote.py --version N --data DIR

Exit status: 0 promoted; 1 refused, the champion is as it was; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

import card
import gate
from candidate import Candidate
from payments import read_payments
from registry import Registry, up_to
from settings import model_name


def judge(
    challenger: Candidate, champion: Candidate | None, payments: pd.DataFrame
) -> tuple[list[str], dict[str, Any]]:
    """All reasons against the challenger, and the figures of both."""
    reasons = card.problems(challenger.card, challenger.facts)
    if challenger.signature is None or (champion and challenger.signature != champion.signature):
        reasons.append("signature")
    if not math.isfinite(challenger.threshold):
        reasons.append("threshold")
    if not challenger.is_as_logged:
        return [*reasons, "artifact"], {}  # to load it is to run it: nobody knows whose code this is
    if {"signature", "threshold"} & {*reasons}:
        return reasons, {}
    found = challenger.evaluate(payments)
    if champion is None:
        worse = gate.as_the_first(found, float(payments["is_fraud"].mean()))
        return [*reasons, *worse], {"challenger": asdict(found)}
    best = champion.evaluate(payments)
    worse = gate.against_champion(found, best)
    return [*reasons, *worse], {"challenger": asdict(found), "champion": asdict(best)}


def promote(registry: Registry, version: int, payments: pd.DataFrame) -> dict[str, Any]:
    """Judge a version; write down what came of it; move the alias if it passed."""
    now = registry.champion()
    history = up_to(registry.history(), now)
    if version in history:
        reasons, figures = ["champion"], {}
    else:
        incumbent = Candidate(registry, now) if now else None
        reasons, figures = judge(Candidate(registry, version), incumbent, payments)
    verdict = "refused" if reasons else "promoted"
    registry.tag_version(version, gate=verdict, gate_reasons=json.dumps(sorted(reasons)))
    if not reasons:
        # The history first: whoever dies between the two leaves a history that is too long, and that is harmless.
        registry.keep_history([*history, version])
        registry.make_champion(version)
    return {
        "version": version,
        "verdict": verdict,
        "reasons": sorted(reasons),
        "champion_before": now,
        **figures,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="promote.py")
    parser.add_argument("--version", type=int, required=True, help="the version that wants to be champion")
    parser.add_argument("--data", type=Path, required=True, help="payments with final labels, to judge it on")
    given = parser.parse_args()
    result = promote(Registry(model_name()), given.version, read_payments(given.data))
    print(json.dumps(result))
    return 1 if result["reasons"] else 0


if __name__ == "__main__":
    sys.exit(main())
