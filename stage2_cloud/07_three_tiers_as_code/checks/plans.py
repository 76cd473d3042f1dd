"""Draws plans, as `terraform show -json` prints them: harmless ones, and those of a night at which somebody is called.

Source: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

Change = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A plan, and what the gate has to say: status, and the addresses that it has to name (`plan`: the whole).

    `words` are more of the command: `("--max-changes", "60")`.
    """

    title: str
    plan: Any
    status: int
    refused: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


@dataclass
class Drawn:
    """What the plans of one grading have in common."""

    rng: np.random.Generator
    environment: str = "prod"
    secret: str = ""
    names: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secret = f"pw-{self.rng.bytes(10).hex()}"
        self.environment = f"prod-{self.rng.bytes(2).hex()}"
        word = self.rng.choice(["this", "main", "fraud", "core"])
        self.names = {
            "database": f"module.data.aws_db_instance.{word}",
            "bucket": f"module.data.aws_s3_bucket.{word}",
            "key": f"module.data.aws_kms_key.{word}",
            "server": f'module.app.aws_instance.{word}["basil"]',
            "other server": f'module.app.aws_instance.{word}["cedar"]',
            "listener": f"module.app.aws_lb_listener.{word}",
            "group": f"module.app.aws_security_group.{word}",
            "rule": "module.data.aws_vpc_security_group_ingress_rule.x",
            "versioning": f"module.data.aws_s3_bucket_versioning.{word}",
            "block": f"module.data.aws_s3_bucket_public_access_block.{word}",
            "data rule": f"module.data.aws_security_group_rule.{word}",
            "encryption": f"module.data.aws_s3_bucket_server_side_encryption_configuration.{word}",
        }

    # Values of resources, as they are before a plan

    def database(self, **other: Any) -> dict[str, Any]:
        return {
            "identifier": "nukkad-fraud",
            "engine": "postgres",
            "instance_class": "db.r6g.large",
            "storage_encrypted": True,
            "kms_key_id": "arn:aws:kms:ap-south-1:123456789012:key/1",
            "backup_retention_period": 30,
            "multi_az": True,
            "deletion_protection": True,
            "publicly_accessible": False,
            "skip_final_snapshot": False,
            "password": self.secret,
            "tags": {"environment": self.environment},
            **other,
        }

    def group(self, *rules: dict[str, Any], **other: Any) -> dict[str, Any]:
        return {"name": "app", "ingress": list(rules), "egress": [], "tags": {}, **other}

    def rule(self, blocks: list[str], port: int | tuple[int, int], protocol: str = "tcp") -> dict[str, Any]:
        first, last = (port, port) if isinstance(port, int) else port
        six = [each for each in blocks if ":" in each]
        four = [each for each in blocks if ":" not in each]
        return {
            "cidr_blocks": four,
            "ipv6_cidr_blocks": six,
            "from_port": first,
            "to_port": last,
            "protocol": protocol,
            "security_groups": [],
            "prefix_list_ids": [],
            "self": False,
            "description": "",
        }

    def change(
        self, where: str, actions: list[str], before: Any, after: Any, unknown: Any = None, **other: Any
    ) -> Change:
        address = self.names.get(where, where)
        hidden = (
            {"password": True}
            if isinstance(before or after, dict) and "password" in (before or after)
            else {}
        )
        return {
            "address": address,
            "mode": "managed",
            "type": address.split("[")[0].split(".")[-2],
            "name": "x",
            "change": {
                "actions": actions,
                "before": before,
                "after": after,
                "after_unknown": unknown or {},
                "before_sensitive": hidden,
                "after_sensitive": hidden,
            },
            **other,
        }

    def quiet(self) -> list[Change]:
        """What is in every plan: resources that stay as they are."""
        server = {"instance_type": "c6i.large", "tags": {"Name": "basil"}}
        found = [
            self.change("database", ["no-op"], self.database(), self.database()),
            self.change("bucket", ["no-op"], {"bucket": "decisions"}, {"bucket": "decisions"}),
            self.change("server", ["no-op"], server, server),
            self.change("data.aws_caller_identity.me", ["read"], None, {}, {"account_id": True}),
        ]
        return [found[at] for at in self.rng.permutation(len(found))]

    def plan(self, *changes: Change, **other: Any) -> dict[str, Any]:
        loud = {each["address"] for each in changes}
        return copy.deepcopy(
            {
                "format_version": "1.2",
                "terraform_version": "1.11.4",
                "variables": {
                    "environment": {"value": self.environment},
                    "feature_store_url": {"value": self.secret},
                },
                "planned_values": {"root_module": {}},
                "resource_changes": [
                    *(each for each in self.quiet() if each["address"] not in loud),
                    *changes,
                ],
                "prior_state": {"format_version": "1.0", "values": {"root_module": {}}},
                "configuration": {},
                "timestamp": self.time(minutes=-int(self.rng.integers(1, 60))),
                "applyable": bool(changes),
                "complete": True,
                "errored": False,
                **other,
            }
        )

    def configuration(self, written: Mapping[str, list[str]]) -> dict[str, Any]:
        """The plan's `configuration`. `written`: address of a resource in one module → arguments that it is given."""
        calls: dict[str, Any] = {}
        for address, arguments in written.items():
            _, module, kind, name = address.split("[")[0].split(".")
            call = calls.setdefault(module, {"source": f"./modules/{module}", "module": {"resources": []}})
            call["module"]["resources"].append(
                {
                    "address": f"{kind}.{name}",
                    "mode": "managed",
                    "type": kind,
                    "name": name,
                    "provider_config_key": "aws",
                    "expressions": {argument: {} for argument in arguments},
                    "schema_version": 1,
                }
            )
        return {"provider_config": {}, "root_module": {"module_calls": calls}}

    def time(self, **ago: float) -> str:
        return (datetime.now(UTC) + timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
