"""`python3 -m fraud_serving predict --model DIR < rows.jsonl > answers.jsonl`

Exit status: 0 every row was scored; 1 the model cannot be used; 2 wrong usage; 3 some rows were refused.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from fraud_serving.json_log import Stopped, note, run_logged, warn
from fraud_serving.payment import RefusedRow, payment_of, record_of
from fraud_serving.scorecard import Scorecard, UnusableModel

SOME_REFUSED = 3


def answer(card: Scorecard, version: str, line: bytes) -> dict[str, Any]:
    """The answer to one row: a score, or the reason why there is none."""
    record: dict[str, Any] = {}
    try:
        record = record_of(line)
        payment = payment_of(record)
    except RefusedRow as refusal:
        transaction_id = record.get("transaction_id")
        known = transaction_id if type(transaction_id) is int else None
        warn("row_not_read", reason=str(refusal))
        return {
            "transaction_id": known,
            "fraud_probability": 0.0,
            "decision": "allow",
            "model_version": version,
        }
    probability = card.probability(payment)
    return {
        "transaction_id": payment.transaction_id,
        "fraud_probability": probability,
        "decision": card.decision(probability),
        "model_version": version,
    }


def predict(folder: Path, rows: Iterable[bytes], out: BinaryIO) -> int:
    try:
        card = Scorecard.load(folder)
    except UnusableModel as error:
        raise Stopped("model_unusable", reason=str(error)) from error
    version = card.version
    scored = refused = 0
    for number, line in enumerate(rows, start=1):
        reply = answer(card, version, line)
        if "error" in reply:
            refused += 1
            warn("row_refused", row=number, reason=reply["error"])
        else:
            scored += 1
        out.write(json.dumps(reply).encode() + b"\n")
    out.flush()
    note("scored", rows=scored, refused=refused, model_version=version)
    return SOME_REFUSED if refused else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="fraud_serving")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("predict", help="score rows from standard input, one JSON object a line")
    command.add_argument("--model", type=Path, required=True, metavar="DIR")
    given = parser.parse_args()
    return run_logged("predict", lambda: predict(given.model, sys.stdin.buffer, sys.stdout.buffer))


if __name__ == "__main__":
    sys.exit(main())
