"""Says whether reality is still what the state describes.

python3 drift.py STATE.json

STATE.json is what `terraform show -json` prints. The standard variables (AWS_ENDPOINT_URL, …) lead to the account.
Status 0: no drift. 2: drift. 1: it could not be found out, which is not the same as "no drift".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drift_account import Account
from drift_rules import Apart, rules, rules_apart

SAME, TROUBLE, DRIFT = 0, 1, 2
OF_THE_PLATFORM = ("aws:", "platform:")


def resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Managed resources of a module and of those below it."""
    yield from (each for each in module.get("resources", []) if each.get("mode", "managed") == "managed")
    for child in module.get("child_modules", []):
        yield from resources(child)


def tags(found: dict[str, str] | None) -> dict[str, str]:
    """Without those that the platform adds by itself."""
    return {key: value for key, value in (found or {}).items() if not key.startswith(OF_THE_PLATFORM)}


def wanted(resource: dict[str, Any], apart: Apart) -> dict[str, Any] | None:
    """What the state says of a resource, in the form of drift_account; None: a type that is not compared."""
    values, kind = resource["values"], resource["type"]
    plain = {
        "aws_subnet": ("cidr_block", "availability_zone", "map_public_ip_on_launch"),
        "aws_db_instance": (
            "instance_class",
            "backup_retention_period",
            "deletion_protection",
            "publicly_accessible",
            "multi_az",
        ),
        "aws_s3_bucket": (),
    }
    if kind == "aws_s3_bucket_versioning":
        status = (values.get("versioning_configuration") or [{}])[0].get("status")
        return {"status": "Disabled" if status in (None, "Suspended") else status}
    said: dict[str, Any] = {}
    if kind in plain:
        said = {name: values[name] for name in plain[kind] if values.get(name) is not None}
    elif kind == "aws_security_group":
        said = {
            name: rules(values[name]) | apart.get((values["id"], name), set())
            for name in ("ingress", "egress")
            if values.get(name) is not None
        }
    else:
        return None
    return {**said, "tags": tags(values.get("tags_all") or values.get("tags"))}


def compare(state: dict[str, Any], account: Account) -> Iterator[dict[str, str]]:
    """Everything that is not as described."""
    described = list(resources(state["values"].get("root_module", {})))
    ids = {each["values"].get("id") for each in described}
    apart = rules_apart(described)
    for each in described:
        expected = wanted(each, apart)
        if expected is None:
            continue
        real = account.look(each["type"], each["values"])
        if real is None:
            yield {"address": each["address"], "kind": "vanished", "what": "it is not in the account"}
            continue
        real["tags"] = tags(real.get("tags"))
        for name, value in expected.items():
            if real.get(name) != value:
                yield {"address": each["address"], "kind": "changed", "what": name}
    for vpc in [each["values"]["id"] for each in described if each["type"] == "aws_vpc"]:
        for found in account.inside(vpc):
            if found not in ids:
                yield {"address": found, "kind": "added", "what": f"nobody described it, and it is in {vpc}"}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return TROUBLE
    try:
        state = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        if str(state["format_version"]).split(".")[0] != "1":
            raise ValueError("an unknown format")
        found = list(compare(state, Account()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"the state cannot be read: {type(error).__name__}", file=sys.stderr)
        return TROUBLE
    except ClientError:
        found = []
    except BotoCoreError as error:
        print(f"the account cannot be asked: {type(error).__name__}", file=sys.stderr)
        return TROUBLE
    print(json.dumps({"drift": found}, indent=1))
    return DRIFT if found else SAME


if __name__ == "__main__":
    sys.exit(main())
