"""What must hold of subnets, routes and security groups in every environment."""

from __future__ import annotations

import doors
import network_rules as net
from hcl_values import reference
from submission import Described


def has_its_subnets(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)
        wrong = net.misplaced(graph)
        seen.require(
            not wrong,
            wanted="subnets inside of the VPC, none over another",
            got=wrong,
            hint="cidrsubnet() does the arithmetic.",
        )
        third = described.third
        if name == third.name:
            blocks = {str(each.get("cidr_block")) for each in graph.of("aws_vpc")}
            seen.require(
                blocks == {third.vpc_cidr},
                wanted=f"a VPC with {third.vpc_cidr}",
                got=" ".join(blocks),
                hint="It is an input.",
            )
            wanted, got = (
                sorted(third.app_instances.values()),
                sorted(str(each.get("availability_zone")) for each in net.app_subnets(graph)),
            )
            seen.require(
                got == wanted,
                wanted=f"servers in the zones that app_instances says: {', '.join(wanted)}",
                got=", ".join(got) or "no subnet",
            )
        kinds = (("load balancer", net.public_subnets(graph)), ("database", net.data_subnets(graph)))
        for what, found in kinds:
            zones = net.zones(found)
            fine = zones == set(third.zones) if name == third.name else len(zones) == 2
            seen.require(
                fine,
                wanted=f"subnets of the {what} in two zones"
                + (f", {' and '.join(third.zones)}" if name == third.name else ""),
                got=", ".join(sorted(zones)) or "no subnet",
                hint="A subnet lies in one zone. Which ones does the input name?",
            )
        tiers = [
            {each.address for each in found}
            for found in (net.public_subnets(graph), net.app_subnets(graph), net.data_subnets(graph))
        ]
        shared = (tiers[0] & tiers[1]) | (tiers[0] & tiers[2]) | (tiers[1] & tiers[2])
        seen.require(
            not shared,
            wanted="subnets of its own for each tier",
            got=f"two tiers in {', '.join(sorted(shared))}",
        )


def keeps_data_inside(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)
        for what, found in (
            ("database", net.data_subnets(graph)),
            ("app servers", net.app_subnets(graph)),
            ("load balancer", net.public_subnets(graph)),
        ):
            seen.require(found, wanted=f"subnets of the {what}", got="none in this description")
        for subnet in net.data_subnets(graph):
            out = net.leads_out(graph, subnet)
            seen.require(
                not out,
                wanted=f"no route out of the VPC from {subnet.address}",
                got="; ".join(f"{r.destination} to {r.said}" for r in out),
                hint="Which route table does this subnet use? Who else uses the same one?",
            )
            seen.require(
                subnet.get("map_public_ip_on_launch") is not True,
                wanted="no public addresses",
                got=f"map_public_ip_on_launch in {subnet.address}",
            )
        for subnet in net.app_subnets(graph):
            seen.require(
                not net.leads_to(graph, subnet, "aws_internet_gateway"),
                wanted=f"no route from {subnet.address} to an internet gateway",
                got="there is one",
                hint="App servers go out through the NAT gateway.",
            )
            nat = net.leads_to(graph, subnet, "aws_nat_gateway")
            seen.require(nat, wanted=f"a route from {subnet.address} to a NAT gateway", got="none")
            for route in nat:
                home = graph.target(route.target.get("subnet_id")) if route.target else None
                seen.require(
                    home and net.leads_to(graph, home, "aws_internet_gateway"),
                    wanted="a NAT gateway in a public subnet",
                    got=f"{route.said} in {home.address if home else 'no subnet'}",
                    hint="A NAT gateway needs a way out itself.",
                )
        for subnet in net.public_subnets(graph):
            seen.require(
                net.leads_to(graph, subnet, "aws_internet_gateway"),
                wanted=f"a route from {subnet.address} to an internet gateway",
                got="none",
            )


def guards_database(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)
        app, balancer = doors.app_groups(graph), doors.balancer_groups(graph)
        for database in graph.of("aws_db_instance"):
            groups = doors.groups(graph, database.get("vpc_security_group_ids"))
            seen.require(
                groups,
                wanted="a security group for the database",
                got="none: it gets the VPC's default group",
            )
            port, allowed = doors.port_of(database), 0
            for opening in [one for group in groups for one in doors.openings(graph, group)]:
                fine = opening.group in app - balancer and (
                    opening.protocol,
                    opening.first,
                    opening.last,
                ) == ("tcp", port, port)
                seen.require(
                    fine,
                    wanted=f"the database reachable from the app servers' group on tcp {port}, and from nowhere else",
                    got=f"it is reachable from {opening}"
                    + (
                        ", a group that the load balancer has as well"
                        if opening.group in app & balancer
                        else ""
                    ),
                    hint="Addresses change and are shared. Which source says “the app servers” and nothing else?",
                )
                allowed += 1
            seen.require(
                allowed,
                wanted=f"the app servers' group may reach the database on tcp {port}",
                got="nobody may",
            )
            both = {each.address for each in groups} & (app | balancer)
            seen.require(
                not both,
                wanted="a security group of its own for the database",
                got=f"{', '.join(both)} is that of another tier",
            )
            seen.require(
                database.get("publicly_accessible") is not True,
                wanted="a database without a public address",
                got="publicly_accessible",
            )


def guards_app(described: Described) -> None:
    for name, graph in described.all().items():
        seen = described.evidence(name)
        balancer = doors.balancer_groups(graph)
        ports = {int(each.get("port", 0)) for each in graph.of("aws_lb_target_group")}
        for server in graph.of("aws_instance"):
            groups = doors.groups(graph, server.get("vpc_security_group_ids"))
            found = [one for group in groups for one in doors.openings(graph, group)]
            seen.require(
                found,
                wanted="the load balancer may reach the app servers",
                got=f"nobody may reach {server.address}",
            )
            for opening in found:
                fine = (
                    opening.group in balancer
                    and opening.protocol == "tcp"
                    and opening.first == opening.last
                    and opening.first in ports
                )
                seen.require(
                    fine,
                    wanted="app servers reachable from the load balancer on its target group's port alone",
                    got=f"{server.address} is reachable from {opening}",
                    hint="Who needs to speak with an app server, and on which port?",
                )
            public = net.public_address(graph, server)
            seen.require(
                not public,
                wanted="app servers without public addresses",
                got=f"{server.address} gets one by {public}",
                hint="An address can be given by the server, by its subnet, and by a resource that points to it.",
            )
        listeners = list(graph.of("aws_lb_listener"))
        seen.require(listeners, wanted="a listener for HTTPS on 443", got="no listener")
        for listener in listeners:
            seen.require(
                listener.get("protocol") == "HTTPS" and listener.get("port") == 443,
                wanted="a listener for HTTPS on 443",
                got=f"{listener.get('protocol')} on {listener.get('port')}",
            )
        for group in balancer:
            for opening in doors.openings(graph, graph.resources[group]):
                seen.require(
                    (opening.protocol, opening.first, opening.last) == ("tcp", 443, 443),
                    wanted="a load balancer that is open on tcp 443 alone",
                    got=f"it is reachable from {opening}",
                )
        attached = {
            found[0]
            for each in graph.of("aws_lb_target_group_attachment")
            if (found := reference(each.get("target_id")))
        }
        loose = [each.address for each in graph.of("aws_instance") if each.address not in attached]
        seen.require(
            not loose,
            wanted="every app server behind the load balancer",
            got=f"{', '.join(loose)} in no target group",
        )
