"""Rotates the database password of `fraud` while it serves. The contract is in the brief.

python3 rotate.py --to NAME [--timeout SECONDS] [--poll SECONDS] [-v] [-vv]
"""

import sys

print("rotate.py: not started", file=sys.stderr)
sys.exit(75)
