"""The gate: makes a version the champion if it passes, and says every reason if it does not.

python3 promote.py --version N --data DIR

Exit status: 0 promoted; 1 refused, the champion is as it was; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def promote(version: int, data: Path) -> dict[str, Any]:
    """Judge a version on the payments in `data`; write down what came of it; move the alias if it passed.

    The result is the JSON object of the contract: `version`, `champion_before`, `verdict`, `reasons`, and the figures.
    """
    raise NotImplementedError("promote")


def main() -> int:
    parser = argparse.ArgumentParser(prog="promote.py")
    parser.add_argument("--version", type=int, required=True, help="the version that wants to be champion")
    parser.add_argument("--data", type=Path, required=True, help="payments with final labels, to judge it on")
    given = parser.parse_args()
    try:
        result = promote(given.version, given.data)
    except NotImplementedError:
        print("promote: not started", file=sys.stderr)
        return 75  # the grader's word for "not started": delete these three lines when you begin
    print(json.dumps(result))
    return 1 if result["reasons"] else 0


if __name__ == "__main__":
    sys.exit(main())
