"""Checks the data: `python -m fraudscore.check_data`. Exit status 1: a fault; 2: a file cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fraudscore.payments import CHANNELS, Payment, read

TRAIN, HOLDOUT = Path("data/train.csv"), Path("data/holdout.csv")


def faults(name: str, payments: list[Payment]) -> Iterator[str]:
    """What is impossible in one file."""
    seen: set[str] = set()
    for number, payment in enumerate(payments, 2):
        where = f"{name} line {number}"
        if payment.amount_paise <= 0:
            yield f"{where}: amount_paise is {payment.amount_paise}"
        if not 0 <= payment.hour_ist <= 23:
            yield f"{where}: hour_ist is {payment.hour_ist}"
        if payment.channel not in CHANNELS:
            yield f"{where}: there is no channel {payment.channel!r}"
        if payment.transaction_id in seen:
            yield f"{where}: {payment.transaction_id} stands there twice"
        seen.add(payment.transaction_id)


def main() -> int:
    try:
        train, holdout = read(TRAIN), read(HOLDOUT)
    except (OSError, ValueError, KeyError) as error:
        print(f"check_data: cannot read the data: {error!r}", file=sys.stderr)
        return 2
    found = [*faults("train.csv", train), *faults("holdout.csv", holdout)]
    known = {payment.transaction_id for payment in holdout}
    found += [
        f"train.csv line {number}: {payment.transaction_id} is in the hold-out set as well"
        for number, payment in enumerate(train, 2)
        if payment.transaction_id in known
    ]
    for fault in found[:20]:
        print(fault)
    print(f"{len(train)} training rows, {len(holdout)} hold-out rows, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
