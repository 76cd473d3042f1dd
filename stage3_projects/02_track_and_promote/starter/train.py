"""Trains `fraud`, leaves a whole record of it in MLflow, and registers it as the challenger.

python3 train.py --data DIR [--seed N] [--learning-rate X] [--max-leaf-nodes N] [--max-iter N]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def train(data: Path, options: argparse.Namespace) -> str:
    """Train on the payments in `data`, record and register; the new version.

    A plan that works:
    1. read the payments in order; put the last fifth aside;
    2. fit, and choose the threshold, on the others;
    3. measure on the last fifth;
    4. in a run: params, data set, metrics, code, card;
    5. the model with signature, example and threshold; its fingerprint; the alias.
    """
    raise NotImplementedError("train")


def main() -> int:
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--data", type=Path, required=True, help="folder of payments, one Parquet file a day")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-leaf-nodes", type=int, default=15)
    parser.add_argument("--max-iter", type=int, default=60)
    options = parser.parse_args()
    try:
        version = train(options.data, options)
    except NotImplementedError:
        print("train: not started", file=sys.stderr)
        return 75  # the grader's word for "not started": delete these three lines when you begin
    print(f"version {version} is the challenger")
    return 0


if __name__ == "__main__":
    sys.exit(main())
