"""Makes an earlier champion the champion again: the one before, or the one that --to names.

python3 rollback.py [--to N]

Exit status: 0 done; 1 there is no such champion, nothing has changed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys


def roll_back(to: int | None) -> int:
    """Move the alias `champion` to an earlier champion; its version.

    Raises:
        LookupError: no such version was champion before the present one.
    """
    raise NotImplementedError("roll_back")


def main() -> int:
    parser = argparse.ArgumentParser(prog="rollback.py")
    parser.add_argument("--to", type=int, help="an earlier champion; without it, the one before the present")
    given = parser.parse_args()
    try:
        print(f"champion: version {roll_back(given.to)}")
    except NotImplementedError:
        print("rollback: not started", file=sys.stderr)
        return 75  # the grader's word for "not started": delete these three lines when you begin
    except LookupError as error:
        print(f"rollback: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
