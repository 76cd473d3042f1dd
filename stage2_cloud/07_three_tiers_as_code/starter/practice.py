"""Plans to practise with, made now: nothing is asked of any cloud.

python3 practice.py plan server ENV     an app server gets another image: harmless
python3 practice.py plan rename ENV     a module was renamed, and nobody wrote a `moved` block
python3 practice.py plan door ENV       port 22 for everybody
"""

import json
import sys
from datetime import UTC, datetime

DATABASE = {"identifier": "nukkad-fraud", "deletion_protection": True, "backup_retention_period": 30}
SSH = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0"}


def change(address: str, actions: list[str], before: object, after: object) -> dict[str, object]:
    """One resource of a plan."""
    about = {"actions": actions, "before": before, "after": after, "after_unknown": {}}
    return {"address": address, "mode": "managed", "type": address.split(".")[-2], "change": about}


CHANGES = {
    "server": [
        change("module.app.aws_instance.this", ["delete", "create"], {"ami": "ami-1"}, {"ami": "ami-2"})
    ],
    "rename": [
        change("module.data.aws_db_instance.this", ["delete"], DATABASE, None),
        change(
            "module.storage.aws_db_instance.this", ["create"], None, {**DATABASE, "storage_encrypted": True}
        ),
    ],
    "door": [change("module.app.aws_vpc_security_group_ingress_rule.debug", ["create"], None, SSH)],
}


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] != "plan" or sys.argv[2] not in CHANGES:
        print(__doc__, file=sys.stderr)
        return 1
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    plan = {
        "format_version": "1.2",
        "timestamp": made,
        "errored": False,
        "complete": True,
        "variables": {"environment": {"value": sys.argv[3]}},
        "resource_changes": CHANGES[sys.argv[2]],
    }
    print(json.dumps(plan, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
