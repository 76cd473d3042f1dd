"""`python3 -m fraud_training train --config FILE --data DIR --out DIR [--set KEY=VALUE]…`
`python3 -m fraud_training gate --champion DIR --candidate DIR`

Exit status of train: 0 trained; 1 failed; 2 wrong usage or settings.
Exit status of gate: 0 promote; 1 refuse; 2 no decision can be made.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from fraud_serving.json_log import Stopped, complain, note, run_logged
from fraud_training.gate import CannotCompare, Evaluation, reasons_against
from fraud_training.settings import WrongSettings, settings_from

WRONG_USAGE = 2
PROMOTE, REFUSE, NO_DECISION = 0, 1, 2


def run_training(given: argparse.Namespace) -> int:
    try:
        settings = settings_from(given.config, os.environ, given.set)
    except WrongSettings as error:
        raise Stopped("wrong_settings", WRONG_USAGE, reason=str(error)) from error
    from fraud_training.train import train  # scikit-learn takes a second to import: the gate needs none of it

    metrics = train(settings, given.data, given.out)
    print(json.dumps({"model_version": metrics["model_version"], **metrics["holdout"]}))
    return 0


def run_gate(given: argparse.Namespace) -> int:
    try:
        champion, candidate = Evaluation.load(given.champion), Evaluation.load(given.candidate)
        reasons = list(reasons_against(champion, candidate))
    except Exception as error:  # whatever broke: 1 would read as a decision, and 0 as the wrong one
        if isinstance(error, CannotCompare):
            raise Stopped("cannot_compare", NO_DECISION, reason=str(error)) from error
        raise Stopped("gate_crashed", NO_DECISION, reason=repr(error)) from error
    decision = "refuse" if reasons else "promote"
    (complain if reasons else note)("decided", decision=decision, reasons=reasons)
    print(json.dumps({"decision": decision, "reasons": reasons}))
    return PROMOTE


def main() -> int:
    parser = argparse.ArgumentParser(prog="fraud_training")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="train a model and evaluate it on the last days")
    command.add_argument("--config", type=Path, required=True, metavar="FILE")
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    command.set_defaults(run=run_training)
    command = commands.add_parser("gate", help="decide whether a candidate may replace the champion")
    command.add_argument("--champion", type=Path, required=True, metavar="DIR")
    command.add_argument("--candidate", type=Path, required=True, metavar="DIR")
    command.set_defaults(run=run_gate)
    given = parser.parse_args()
    return run_logged(given.command, lambda: given.run(given))


if __name__ == "__main__":
    sys.exit(main())
