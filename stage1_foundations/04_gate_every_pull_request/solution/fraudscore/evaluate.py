"""Measures the model: `python -m fraudscore.evaluate [--bar FILE]`. Exit status 1: below the bar."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fraudscore.model import load, score
from fraudscore.payments import read

HOLDOUT, BAR = Path("data/holdout.csv"), Path("model/bar.json")
TOLERANCE = 0.001  # of average precision


def average_precision(scores: list[float], frauds: list[bool]) -> float:
    """Mean of the precision at each fraud, from the highest score down; 1.0 is perfect."""
    ranked = sorted(zip(scores, frauds, strict=True), key=lambda pair: -pair[0])
    hits, total = 0, 0.0
    for rank, (_, is_fraud) in enumerate(ranked, 1):
        if is_fraud:
            hits += 1
            total += hits / rank
    return total / hits


def main() -> int:
    parser = argparse.ArgumentParser(prog="evaluate")
    parser.add_argument("--bar", type=Path, default=BAR, help="JSON file with the least average precision")
    given = parser.parse_args()
    try:
        bar = float(json.loads(given.bar.read_text())["average_precision"])
        payments, weights = read(HOLDOUT), load()
        scores = [score(payment, weights) for payment in payments]
    except (OSError, ValueError, KeyError) as error:
        print(f"evaluate: cannot measure: {error!r}", file=sys.stderr)
        return 2
    measured = average_precision(scores, [payment.is_fraud for payment in payments])
    enough = measured >= bar - TOLERANCE
    print(f"average precision {measured:.4f}, bar {bar:.4f}: {'ok' if enough else 'TOO LOW'}")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
