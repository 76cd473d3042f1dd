"""Makes the artifact bucket and its roles, or mends them:  python storage.py apply platform.json

Nothing is written yet: `apply` says "not started" (exit status 75). The README's Contract says what it must do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def apply(platform: dict[str, Any]) -> None:
    """Bring the account to what `platform` describes, with the credentials of the environment.

    boto3 reads AWS_ENDPOINT_URL and the keys by itself:

        s3 = boto3.client("s3", region_name=platform["region"])
        iam = boto3.client("iam")

    One way through: the bucket; its five settings; for each role its trust, its policy and, for trainers, a boundary.
    Think of each step as "how should it be?", not as "what must be done now?".
    """
    raise NotImplementedError("apply")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["apply"])
    parser.add_argument("config", type=Path, help="platform.json")
    arguments = parser.parse_args()
    try:
        apply(json.loads(arguments.config.read_text(encoding="utf-8")))
    except NotImplementedError:
        print("not started", file=sys.stderr)
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
