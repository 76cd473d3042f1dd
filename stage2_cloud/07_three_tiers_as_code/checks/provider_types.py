"""What the AWS provider's types make of an argument: `"true"` is a boolean for it, and `"443"` a number.

Sources: https://developer.hashicorp.com/terraform/language/expressions/types#type-conversion and the arguments of each
resource at https://registry.terraform.io/providers/hashicorp/aws/latest/docs. The provider of Pulumi is made from the
same schemas, and converts in the same way.
"""

from __future__ import annotations

from typing import Any

from hcl_values import Wrong, to_bool, to_number, unknown

# Of all resources that this lab's checks judge: a name has the same type in each of them.
BOOLEANS = frozenset(
    [
        "associate_public_ip_address",
        "block_public_acls",
        "block_public_policy",
        "delete_automated_backups",
        "deletion_protection",
        "enable_key_rotation",
        "encrypt",
        "force_destroy",
        "ignore_public_acls",
        "manage_master_user_password",
        "map_public_ip_on_launch",
        "multi_az",
        "publicly_accessible",
        "restrict_public_buckets",
        "self",
        "skip_final_snapshot",
        "storage_encrypted",
        "use_lockfile",
    ]
)
NUMBERS = frozenset(["backup_retention_period", "from_port", "to_port"])
NUMBERS_OF = {("aws_db_instance", "port"), ("aws_lb_listener", "port"), ("aws_lb_target_group", "port")}
BLOCKS = frozenset(["ingress"])


def converted(kind: str, inputs: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments of a resource of type `kind` as its provider sees them.

    Raises:
        Wrong: the provider would refuse a value, such as "yes" for a boolean.
    """
    return {name: _one(kind, name, value, f"{name} of {where}") for name, value in inputs.items()}


def _one(kind: str, name: str, value: Any, where: str) -> Any:
    if name in BLOCKS and isinstance(value, (list, tuple)):
        return [converted(kind, each, where) if isinstance(each, dict) else each for each in value]
    if value is None or isinstance(value, (list, tuple, dict)) or unknown(value):
        return value
    if name in BOOLEANS:
        return to_bool(value, where)
    if name in NUMBERS or (kind, name) in NUMBERS_OF:
        try:
            return to_number(value, where)
        except Wrong:
            raise Wrong(f"{where}: a number is wanted") from None
    return value
