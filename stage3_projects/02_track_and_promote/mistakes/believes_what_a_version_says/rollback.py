"""Makes an earlier champion the champion again: the one before, or the one that --to names.

python3 rollback.py [--to N]

It makes sure that the model can be loaded, and moves the alias.
Exit status: 0 done; 1 there is no such champion, nothing has changed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys

import httpx

from quick_mlflow import mlflow
from registry import Registry, up_to
from settings import model_name


def roll_back(registry: Registry, to: int | None) -> dict[str, int]:
    """Move the alias; which version it left and which it names now.

    Raises:
        LookupError: no such version was champion before the present one.
    """
    now = registry.champion()
    if now is None:
        raise LookupError(f"{registry.model} has no champion")
    earlier = up_to(registry.history(), now)[:-1]
    if not earlier:
        raise LookupError(f"nothing was champion before version {now}")
    target = earlier[-1] if to is None else to
    mlflow.pyfunc.load_model(f"models:/{registry.model}/{target}")  # if it can be loaded, it can be used
    registry.make_champion(target)
    return {"from": now, "champion": target}


def main() -> int:
    parser = argparse.ArgumentParser(prog="rollback.py")
    parser.add_argument("--to", type=int, help="an earlier champion; without it, the one before the present")
    given = parser.parse_args()
    try:
        print(json.dumps(roll_back(Registry(model_name()), given.to)))
    except (LookupError, httpx.HTTPError, mlflow.MlflowException) as error:
        print(f"rollback: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
