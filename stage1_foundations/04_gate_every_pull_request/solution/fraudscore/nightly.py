"""The work of the night: `python -m fraudscore.nightly --once --out FILE` does it now, and ends."""

from __future__ import annotations

import argparse
import csv
import sys
from functools import partial
from pathlib import Path

from nightshift import Night

from fraudscore.model import load, score
from fraudscore.payments import read

PAYMENTS = Path("data/holdout.csv")  # the payments of the last day


def rescore(out: Path) -> int:
    """Score every payment again; one line for each. Returns how many."""
    payments, weights = read(PAYMENTS), load()
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["transaction_id", "score"])
        for payment in payments:
            writer.writerow([payment.transaction_id, f"{score(payment, weights):.6f}"])
    return len(payments)


def plan(out: Path) -> Night:
    """All jobs of the night."""
    night = Night("fraudscore")
    night.at("01:30", partial(rescore, out), zone="Asia/Kolkata")
    return night


def main() -> int:
    parser = argparse.ArgumentParser(prog="nightly")
    parser.add_argument("--once", action="store_true", help="do all jobs now, and end")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    night = plan(given.out)
    if given.once:
        night.run_once()
    else:
        night.run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
