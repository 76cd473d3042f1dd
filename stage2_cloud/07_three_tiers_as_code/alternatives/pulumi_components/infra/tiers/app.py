"""A load balancer, and app servers behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, lb

from tiers.network import Network

PORT = 8080


@dataclass(frozen=True)
class Size:
    """`instances`: name of a server → its zone."""

    instances: Mapping[str, str]
    type: str
    ami: str


class App(pulumi.ComponentResource):
    """`balancer` is the load balancer, `security_group` that of the servers."""

    def __init__(
        self,
        label: str,
        name: str,
        network: Network,
        size: Size,
        certificate_arn: str,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__("nukkad:tiers:App", label)
        mine = pulumi.ResourceOptions(parent=self)
        outside = ec2.SecurityGroup(
            "balancer",
            name=f"{name}-balancer",
            description="HTTPS from everywhere",
            vpc_id=network.vpc.id,
            ingress=[{"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]}],
            egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
            tags=tags,
            opts=mine,
        )
        self.security_group = ec2.SecurityGroup(
            "app",
            name=f"{name}-app",
            description="From the load balancer alone",
            vpc_id=network.vpc.id,
            ingress=[
                {"protocol": "tcp", "from_port": PORT, "to_port": PORT, "security_groups": [outside.id]}
            ],
            egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
            tags=tags,
            opts=mine,
        )
        self.balancer = lb.LoadBalancer(
            "balancer",
            name=name,
            load_balancer_type="application",
            subnets=[subnet.id for subnet in network.subnets["public"].values()],
            security_groups=[outside.id],
            tags=tags,
            opts=mine,
        )
        group = lb.TargetGroup(
            "app",
            name=name,
            port=PORT,
            protocol="HTTP",
            vpc_id=network.vpc.id,
            health_check={"path": "/readyz"},
            tags=tags,
            opts=mine,
        )
        lb.Listener(
            "https",
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            certificate_arn=certificate_arn,
            default_actions=[{"type": "forward", "target_group_arn": group.arn}],
            opts=mine,
        )
        for each, zone in size.instances.items():
            server = ec2.Instance(
                each,
                ami=size.ami,
                instance_type=size.type,
                subnet_id=network.subnets["private"][zone].id,
                vpc_security_group_ids=[self.security_group.id],
                metadata_options={"http_tokens": "required"},
                user_data=f"#!/bin/sh\nexec fraud --port {PORT} --feature-store-secret {name}/feature-store-url\n",
                tags={**tags, "Name": f"{name}-{each}"},
                opts=mine,
            )
            lb.TargetGroupAttachment(each, target_group_arn=group.arn, target_id=server.id, opts=mine)
        self.register_outputs({"dns_name": self.balancer.dns_name})
