"""Functions of Terraform about blocks of addresses.

Source: https://developer.hashicorp.com/terraform/language/functions/cidrsubnet and its neighbours.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from hcl_values import Wrong, known, to_number


def cidrsubnet(prefix: Any, newbits: Any, number: Any) -> str:
    """https://developer.hashicorp.com/terraform/language/functions/cidrsubnet"""
    try:
        network = ipaddress.ip_network(known(prefix, "cidrsubnet"), strict=False)
    except ValueError:
        raise Wrong(f"cidrsubnet: {prefix!r} is no CIDR block") from None
    bits, which = int(to_number(newbits, "cidrsubnet")), int(to_number(number, "cidrsubnet"))
    length = network.prefixlen + bits
    if bits < 0 or length > network.max_prefixlen:
        raise Wrong(f"cidrsubnet: {prefix} has no room for {bits} more bits")
    if not 0 <= which < 2**bits:
        raise Wrong(f"cidrsubnet: {bits} bits do not hold the number {which}")
    address = int(network.network_address) + (which << (network.max_prefixlen - length))
    return f"{ipaddress.ip_address(address)}/{length}"


def cidrsubnets(prefix: Any, *newbits: Any) -> list[str]:
    network = ipaddress.ip_network(known(prefix, "cidrsubnets"), strict=False)
    found, at = [], int(network.network_address)
    for bits in newbits:
        length = network.prefixlen + int(to_number(bits, "cidrsubnets"))
        size = 1 << (network.max_prefixlen - length)
        at = (at + size - 1) // size * size
        if at + size > int(network.network_address) + network.num_addresses:
            raise Wrong(f"cidrsubnets: {prefix} has no room")
        found.append(f"{ipaddress.ip_address(at)}/{length}")
        at += size
    return found


def cidrhost(prefix: Any, number: Any) -> str:
    network = ipaddress.ip_network(known(prefix, "cidrhost"), strict=False)
    return str(network[int(to_number(number, "cidrhost"))])


def cidrnetmask(prefix: Any) -> str:
    return str(ipaddress.ip_network(known(prefix, "cidrnetmask"), strict=False).netmask)
