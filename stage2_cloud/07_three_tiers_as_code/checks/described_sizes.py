"""What differs between environments, and what must not."""

from __future__ import annotations

import network_rules as net
from submission import GROWN, THIRD, Described


def sizes(described: Described) -> None:
    prod, staging = described.graphs["prod"], described.graphs["staging"]
    seen = described.evidence("prod")
    servers = list(prod.of("aws_instance"))
    seen.require(len(servers) >= 3, wanted="at least 3 app servers", got=str(len(servers)))
    zones = net.zones(net.app_subnets(prod))
    seen.require(len(zones) == 2, wanted="app servers in both zones", got=", ".join(sorted(zones)))
    for database in prod.of("aws_db_instance"):
        seen.require(
            database.get("multi_az") is True,
            wanted="a database in two zones (multi_az)",
            got=str(database.get("multi_az")),
        )
        days = database.get("backup_retention_period", 0)
        seen.require(days >= 14, wanted="backups for 14 days or more", got=f"{days:g} days")
        small = {each.get("instance_class") for each in staging.of("aws_db_instance")}
        seen.require(
            database.get("instance_class") not in small,
            wanted="a larger database than in staging",
            got=f"{database.get('instance_class')} in both",
        )
    cheap = described.evidence("staging")
    cheap.require(
        len(list(staging.of("aws_instance"))) < len(servers),
        wanted="fewer app servers than in prod",
        got=str(len(list(staging.of("aws_instance")))),
    )
    for database in staging.of("aws_db_instance"):
        cheap.require(
            database.get("multi_az") is not True,
            wanted="a database in one zone: nobody pays for two in staging",
            got="multi_az",
        )
    one, two = ({str(each.get("cidr_block")) for each in graph.of("aws_vpc")} for graph in (prod, staging))
    seen.require(not one & two, wanted="other addresses than in staging", got=" ".join(one))


def leaves_the_others(described: Described) -> None:
    before, after = described.graphs[THIRD].resources, described.graphs[GROWN].resources
    more = described.third.more
    seen = described.evidence(described.third.name)
    seen.did += f", and then with {more} between them"
    for address, old in before.items():
        seen.require(
            address in after, wanted="every other resource left as it is", got=f"{address} would be destroyed"
        )
        new = after[address]
        moved = [
            field for field in {*old.inputs, *new.inputs} if old.inputs.get(field) != new.inputs.get(field)
        ]
        seen.require(
            not moved,
            wanted="every other resource left as it is",
            got=f"{address} would get another {sorted(moved)[0] if moved else ''}",
            hint="What is the identity of a server: its place in a list, or its name?",
        )
    new_ones = [each for address, each in after.items() if address not in before]
    servers = [each for each in new_ones if each.type == "aws_instance"]
    seen.require(len(servers) == 1, wanted=f"one new app server, {more}", got=f"{len(servers)} new ones")
