"""Says whether reality is still what the state describes.

python3 drift.py STATE.json

STATE.json is what `terraform show -json` prints. The standard variables (AWS_ENDPOINT_URL, …) lead to the account.
Status 0: no drift. 2: drift. 1: it could not be found out.
On standard output: {"drift": [{"address": …, "kind": …, "what": …}, …]}.
"""

import sys


def main() -> int:
    print("drift.py is not started", file=sys.stderr)
    return 75


if __name__ == "__main__":
    sys.exit(main())
