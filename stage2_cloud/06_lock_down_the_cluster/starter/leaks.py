"""Looks for secrets in git repositories, images and plain files. The contract is in the brief.

python3 leaks.py --secrets FILE PLACE [PLACE …]
"""

import sys

print("leaks.py: not started", file=sys.stderr)
sys.exit(75)
