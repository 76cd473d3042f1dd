"""Given: makes of `pulumi preview --json` what `terraform show -json` prints, as far as plan_gate.py reads it.

python3 ci/pulumi_plan.py PREVIEW.json: the plan, on standard output. Source of the preview's form:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/display/json.go (PreviewDigest).
"""

import json
import re
import sys
from datetime import UTC, datetime

ACTIONS = {
    "same": ["no-op"],
    "create": ["create"],
    "update": ["update"],
    "delete": ["delete"],
    "read": ["read"],
    "replace": ["delete", "create"],
    "create-replacement": [],
    "delete-replaced": [],
    "refresh": ["no-op"],
}
UNKNOWN = (
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what the engine writes for a value that is known after the apply
)
SECRET = "4dabf18193072939515e22adb298388d"
TYPES = {
    "rds/instance": "aws_db_instance",
    "s3/bucket": "aws_s3_bucket",
    "kms/key": "aws_kms_key",
    "ec2/instance": "aws_instance",
    "ec2/securityGroup": "aws_security_group",
    "ec2/securityGroupRule": "aws_security_group_rule",
    "vpc/securityGroupIngressRule": "aws_vpc_security_group_ingress_rule",
    "secretsmanager/secret": "aws_secretsmanager_secret",
    "s3/bucketVersioning": "aws_s3_bucket_versioning",
    "s3/bucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
    "s3/bucketServerSideEncryptionConfiguration": "aws_s3_bucket_server_side_encryption_configuration",
}
LISTS = {
    "versioning_configuration": "versioning_configuration",
    "rules": "rule",
    "apply_server_side_encryption_by_default": "apply_server_side_encryption_by_default",
}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def values(given):
    """Arguments in Terraform's names."""
    if isinstance(given, list):
        return [values(each) for each in given]
    if not isinstance(given, dict) or SECRET in given:
        return None if isinstance(given, dict) else given
    found = {}
    for key, value in given.items():
        name, inner = snake(key), value if key == "tags" else values(value)
        if name in LISTS:
            name, inner = LISTS[name], inner if isinstance(inner, list) else [inner]
        found[name] = inner
    return found


def unknown(given):
    """The same shape, with `true` where a value is known only after the apply."""
    if isinstance(given, dict):
        found = {key: unknown(value) for key, value in given.items()}
        return {key: value for key, value in found.items() if value}
    if isinstance(given, list):
        found = [unknown(each) for each in given]
        return found if any(found) else False
    return isinstance(given, str) and UNKNOWN in given


def change(step):
    """One step of the preview, as a change of a resource; None for what is no resource of AWS."""
    urn, op = step["urn"], step["op"]
    if op not in ACTIONS:
        raise SystemExit(f"an operation that is not known: {op}")
    *above, kind = urn.split("::")[2].split("$")
    if not kind.startswith("aws:") or not ACTIONS[op]:
        return None
    short = kind.split(":")[1]
    type_ = TYPES.get(short, "aws_" + snake(short.replace("/", "_")))
    modules = [
        f"module.{each.rsplit(':', 1)[-1].lower()}" for each in above if not each.startswith("pulumi:")
    ]
    before, after = (
        values((step.get(key) or {}).get("inputs")) if step.get(key) else None
        for key in ("oldState", "newState")
    )
    return {
        "address": ".".join([*modules, type_, urn.rsplit("::", 1)[-1]]),
        "mode": "managed",
        "type": type_,
        "change": {
            "actions": ACTIONS[op],
            "before": before,
            "after": None if op == "delete" else after,
            "after_unknown": unknown(after) or {},
            "before_sensitive": {},
            "after_sensitive": {},
        },
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        preview = json.load(file)
    environment = preview.get("config", {}).get("nukkad:environment")
    failed = any(each.get("severity") == "error" for each in preview.get("diagnostics", []))
    changes = [found for step in preview["steps"] if (found := change(step))]
    print(
        json.dumps(
            {
                "format_version": "1.2",
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "errored": failed,
                "complete": True,
                "variables": {"environment": {"value": environment}},
                "resource_changes": changes,
            },
            indent=1,
        )
    )


main()
