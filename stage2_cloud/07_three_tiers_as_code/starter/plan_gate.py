"""Refuses plans with surprises.

python3 plan_gate.py PLAN.json --environment ENV [--approvals FOLDER] [--max-changes N]
python3 plan_gate.py PLAN.json --digest

PLAN.json is what `terraform show -json PLAN` prints, format 1.x.
Status 0: apply it. 1: refused. 2: it cannot be judged.
The report on standard output is JSON: {"refused": [{"address": …, "why": …}, …]}.
"""

import sys


def main() -> int:
    print("plan_gate.py is not started", file=sys.stderr)
    return 75


if __name__ == "__main__":
    sys.exit(main())
