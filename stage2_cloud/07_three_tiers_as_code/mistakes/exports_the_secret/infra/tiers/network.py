"""One VPC, with public, private and data subnets in each zone."""

import ipaddress
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_aws import ec2

TIERS = ("public", "private", "data")


class Network(pulumi.ComponentResource):
    """`subnets[tier][zone]` are the subnets; `vpc` is the VPC."""

    def __init__(
        self, label: str, name: str, cidr: str, zones: Sequence[str], tags: Mapping[str, str]
    ) -> None:
        super().__init__("nukkad:tiers:Network", label)
        mine = pulumi.ResourceOptions(parent=self)

        def called(suffix: str) -> dict[str, str]:
            return {**tags, "Name": f"{name}-{suffix}"}

        self.vpc = ec2.Vpc("vpc", cidr_block=cidr, enable_dns_hostnames=True, tags=called("vpc"), opts=mine)
        gateway = ec2.InternetGateway("internet", vpc_id=self.vpc.id, tags=called("internet"), opts=mine)
        blocks = iter(ipaddress.ip_network(cidr).subnets(new_prefix=ipaddress.ip_network(cidr).prefixlen + 4))
        self.subnets: dict[str, dict[str, ec2.Subnet]] = {}
        tables = {}
        for tier in TIERS:
            tables[tier] = ec2.RouteTable(tier, vpc_id=self.vpc.id, tags=called(tier), opts=mine)
            self.subnets[tier] = {}
            for zone in zones:
                key = f"{tier}-{zone}"
                subnet = ec2.Subnet(
                    key,
                    vpc_id=self.vpc.id,
                    cidr_block=str(next(blocks)),
                    availability_zone=zone,
                    tags=called(key),
                    opts=mine,
                )
                ec2.RouteTableAssociation(key, subnet_id=subnet.id, route_table_id=tables[tier].id, opts=mine)
                self.subnets[tier][zone] = subnet
        address = ec2.Eip("nat", domain="vpc", tags=called("nat"), opts=mine)
        nat = ec2.NatGateway(
            "nat",
            allocation_id=address.id,
            subnet_id=self.subnets["public"][zones[0]].id,
            tags=called("nat"),
            opts=mine,
        )
        everywhere = "0.0.0.0/0"
        ec2.Route(
            "public",
            route_table_id=tables["public"].id,
            destination_cidr_block=everywhere,
            gateway_id=gateway.id,
            opts=mine,
        )
        ec2.Route(
            "private",
            route_table_id=tables["private"].id,
            destination_cidr_block=everywhere,
            nat_gateway_id=nat.id,
            opts=mine,
        )
        self.register_outputs({"vpc_id": self.vpc.id})
