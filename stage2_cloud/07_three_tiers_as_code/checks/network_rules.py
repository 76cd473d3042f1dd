"""What a graph says about subnets and routes.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html (a subnet without an
association uses the main table), …/configure-subnets.html (blocks of subnets lie in the VPC and do not overlap).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graph import Graph, Resource
from hcl_values import reference

WORLD = ("0.0.0.0/0", "::/0")
TARGETS = (
    "gateway_id",
    "nat_gateway_id",
    "egress_only_gateway_id",
    "network_interface_id",
    "transit_gateway_id",
    "vpc_peering_connection_id",
    "vpc_endpoint_id",
    "carrier_gateway_id",
    "local_gateway_id",
    "core_network_arn",
)


@dataclass(frozen=True)
class Route:
    """Where packets go. `target` is the resource, or None for one that the graph does not hold."""

    destination: str
    target: Resource | None
    said: str


def subnets(graph: Graph, ids: Iterable[Any]) -> list[Resource]:
    """The subnets that these values refer to."""
    found = [graph.target(each) for each in ids]
    return [each for each in found if each is not None and each.type == "aws_subnet"]


def data_subnets(graph: Graph) -> list[Resource]:
    """Those of the databases' subnet groups."""
    groups = [
        graph.target(each.get("db_subnet_group_name"), "aws_db_subnet_group")
        for each in graph.of("aws_db_instance")
    ]
    return subnets(graph, (one for group in groups if group for one in group.get("subnet_ids", [])))


def app_subnets(graph: Graph) -> list[Resource]:
    return subnets(graph, (each.get("subnet_id") for each in graph.of("aws_instance")))


def public_subnets(graph: Graph) -> list[Resource]:
    found = [one for each in graph.of("aws_lb") for one in each.get("subnets", [])]
    found += [one.get("subnet_id") for each in graph.of("aws_lb") for one in each.blocks("subnet_mapping")]
    return subnets(graph, found)


def zones(found: Iterable[Resource]) -> set[str]:
    return {str(each.get("availability_zone")) for each in found}


def misplaced(graph: Graph) -> str:
    """What is wrong with the blocks of the subnets, or ""."""
    blocks = []
    for subnet in graph.of("aws_subnet"):
        vpc = graph.target(subnet.get("vpc_id"))
        if vpc is None or vpc.type != "aws_vpc":
            return f"{subnet.address} is in no VPC of this description"
        try:
            block = ipaddress.ip_network(str(subnet.get("cidr_block")))
            whole = ipaddress.ip_network(str(vpc.get("cidr_block")))
        except ValueError:
            return f"{subnet.address} has the block {subnet.get('cidr_block')}"
        if block.version != whole.version or not block.subnet_of(whole):  # type: ignore[arg-type]
            return f"{subnet.address}: {block} is not inside of {whole}"
        blocks.append((subnet, vpc.address, block))
    for (one, first, a), (two, second, b) in itertools.combinations(blocks, 2):
        if first == second and a.overlaps(b):
            return f"{one.address} ({a}) and {two.address} ({b}) overlap"
    return ""


def routes(graph: Graph, subnet: Resource) -> list[Route]:
    """All routes of a subnet, but the local one."""
    tables = [
        graph.target(each.get("route_table_id"))
        for each in graph.about("aws_route_table_association", "subnet_id", subnet)
    ]
    if not tables:
        tables = _main_tables(graph, subnet)
    if not tables:
        return _main_routes(graph, subnet)
    return [route for table in tables if table for route in _routes_of(graph, table)]


def _main_tables(graph: Graph, subnet: Resource) -> list[Resource | None]:
    vpc = graph.target(subnet.get("vpc_id"))
    chosen = [
        each
        for each in graph.of("aws_main_route_table_association")
        if vpc and graph.refers(each.get("vpc_id"), vpc)
    ]
    if chosen:
        return [graph.target(each.get("route_table_id")) for each in chosen]
    defaults = []
    for each in graph.of("aws_default_route_table"):
        found = reference(each.get("default_route_table_id"))
        if vpc and found and found[0] == vpc.address:
            defaults.append(each)
    return list(defaults)


def _main_routes(graph: Graph, subnet: Resource) -> list[Route]:
    """Routes that were put into the table which a VPC has from its beginning."""
    vpc, found = graph.target(subnet.get("vpc_id")), []
    for each in graph.of("aws_route"):
        said = reference(each.get("route_table_id"))
        if (
            vpc
            and said
            and said[0] == vpc.address
            and said[1] in ("main_route_table_id", "default_route_table_id")
        ):
            found.append(_route(graph, each.inputs))
    return found


def _routes_of(graph: Graph, table: Resource) -> list[Route]:
    found = [_route(graph, each) for each in table.blocks("route")]
    for each in graph.of("aws_route"):
        said = reference(each.get("route_table_id"))
        main = said and said[1] in ("main_route_table_id", "default_route_table_id")
        if (said and said[0] == table.address) or (main and table.type == "aws_default_route_table"):
            found.append(_route(graph, each.inputs))
    return found


def _route(graph: Graph, written: dict[str, Any]) -> Route:
    destination = next(
        (
            str(written[key])
            for key in (
                "destination_cidr_block",
                "cidr_block",
                "destination_ipv6_cidr_block",
                "ipv6_cidr_block",
                "destination_prefix_list_id",
            )
            if written.get(key)
        ),
        "nowhere",
    )
    value = next((written[key] for key in TARGETS if written.get(key)), None)
    target = graph.target(value)
    return Route(destination, target, target.address if target else str(value))


def leads_out(graph: Graph, subnet: Resource) -> list[Route]:
    """Routes that lead out of the VPC. (A gateway endpoint adds its routes itself.)"""
    return [route for route in routes(graph, subnet) if route.said != "local"]


def leads_to(graph: Graph, subnet: Resource, kind: str) -> list[Route]:
    return [
        route
        for route in routes(graph, subnet)
        if route.target is not None and route.target.type == kind and route.destination in WORLD
    ]


def public_address(graph: Graph, server: Resource) -> str:
    """What gives a public address to a server, or "".

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html: the server's own
    setting goes before that of its subnet, and an elastic address comes on top of both.
    """
    own = server.get("associate_public_ip_address")
    subnet = graph.target(server.get("subnet_id"))
    if own is True:
        return "associate_public_ip_address"
    if own is None and subnet is not None and subnet.get("map_public_ip_on_launch") is True:
        return f"map_public_ip_on_launch of {subnet.address}"
    for address in graph.of("aws_eip"):
        if any(graph.refers(address.get(name), server) for name in ("instance", "network_interface")):
            return address.address
    return ""
