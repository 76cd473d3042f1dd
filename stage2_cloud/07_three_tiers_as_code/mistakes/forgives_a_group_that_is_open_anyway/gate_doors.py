"""Ways in from the whole Internet, before a change and after it.

Source: https://developer.hashicorp.com/terraform/internals/json-format (`after_unknown`, `configuration`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, NamedTuple

from gate_plan import Change

INLINE = ("aws_security_group", "aws_default_security_group")
LARGEST = {4: 8, 6: 16}  # a block with fewer fixed bits counts as the whole Internet
PROTOCOLS = {"6": "tcp", "17": "udp", "all": "-1"}
WHO = ("cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks", "type")


class Door(NamedTuple):
    """Open to everybody: `family` 4 or 6 (0: a block that cannot be read), ports from `first` to `last`."""

    family: int
    protocol: str
    first: int
    last: int

    def is_in(self, other: Door) -> bool:
        """Whether the other one lets everything through that this one does."""
        same = self.family == other.family and other.protocol in (self.protocol, "-1")
        return same and other.first <= self.first and self.last <= other.last


def opened(change: Change, is_data: bool) -> Iterator[str]:
    """Why this change is refused: a door that was not open before, or that may be one."""
    if change.type not in INLINE and not _is_rule(change):
        return
    if _is_unknown(change):
        yield "who may come in is known only after the apply"
    before = _doors(change.type, change.before) if _same_group(change) else set()
    for door in _doors(change.type, change.after):
        allowed = door[1:] == ("tcp", 443, 443) and not is_data
        if not allowed and not before:
            yield "it would let the whole Internet in"
            return


def _is_rule(change: Change) -> bool:
    return change.type == "aws_vpc_security_group_ingress_rule" or (
        change.type == "aws_security_group_rule" and change.after.get("type", "ingress") == "ingress"
    )


def _same_group(change: Change) -> bool:
    """A rule that moves to another group opens that one."""
    return change.before.get("security_group_id") == change.after.get("security_group_id")


def _is_unknown(change: Change) -> bool:
    if change.type not in INLINE:
        return any(_holds_unknown(change.after_unknown.get(field)) for field in WHO)
    ingress = change.after_unknown.get("ingress")
    if ingress is True:  # nobody wrote a rule into this group: then there is none, and AWS will say so
        return change.arguments is None or "ingress" in change.arguments
    return any(
        rule is True or any(_holds_unknown(rule.get(field)) for field in WHO if isinstance(rule, dict))
        for rule in (ingress if isinstance(ingress, list) else [])
    )


def _holds_unknown(written: Any) -> bool:
    return written is True or (isinstance(written, list) and True in written)


def _doors(kind: str, side: dict[str, Any]) -> set[Door]:
    rules = side.get("ingress") or [] if kind in INLINE else [side]
    return {door for rule in rules if isinstance(rule, dict) for door in _doors_of(rule)}


def _doors_of(rule: dict[str, Any]) -> Iterator[Door]:
    blocks = [
        rule.get("cidr_ipv4"),
        rule.get("cidr_ipv6"),
        *(rule.get("cidr_blocks") or []),
        *(rule.get("ipv6_cidr_blocks") or []),
    ]
    written = str(rule.get("ip_protocol") or rule.get("protocol") or "").lower()
    protocol = PROTOCOLS.get(written, written)
    first, last = rule.get("from_port"), rule.get("to_port")
    if protocol == "-1" or not isinstance(first, int) or not isinstance(last, int):
        first, last = 0, 65535
    for block in blocks:
        family = _family(block) if block else None
        if family is not None:
            yield Door(family, protocol, first, last)


def _family(block: str) -> int | None:
    """4 or 6, if the block is the whole Internet; 0 for what is no block; None for a small one."""
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError:
        return 0
    return network.version if network.prefixlen < LARGEST[network.version] else None
