"""More resources beside those of `reality`, one for each thing that can be changed by hand, in a module of a module.

Source of the state: https://developer.hashicorp.com/terraform/internals/json-format#state-representation. A group whose
rules are resources of their own has a list of rules in the state that was read before they were made:
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_security_group_ingress_rule
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REGION = "ap-south-1"
MODULE = "module.more.module.inner"
SUBNETS = ("launch", "tag", "gone")
GROUPS = ("egress", "six", "tag", "apart", "gone")
DATABASES = ("smaller", "unguarded", "public", "single", "tag", "gone")
PARTNERS = ["10.81.0.0/16", "10.82.0.0/16"]
SIX = "2001:db8:9::/48"

Make = Callable[..., dict[str, Any]]


def place(kind: str, key: str) -> str:
    """The address of one of them."""
    return f'{MODULE}.{kind}.this["{key}"]'


class Crowd:
    """Ids and names of what was made, by key: `subnets`, `groups`, `databases`, and one `bucket`."""

    def __init__(self, real: Any) -> None:
        self.name, self.app = real.name, real.app
        self.bucket = f"{real.name}-reports"
        self.subnets = {key: _subnet(real, 10 + at) for at, key in enumerate(SUBNETS)}
        self.groups = {key: _group(real, key) for key in GROUPS}
        self.databases = {key: f"{real.name}-{key}" for key in DATABASES}
        real.ec2.create_tags(
            Resources=[*self.subnets.values(), *self.groups.values()], Tags=real.listed_tags()
        )
        for name in self.databases.values():
            real.make_database(name)
        real.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        real.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": real.listed_tags()})
        _allow(real, self.groups["six"], 443, Ipv6Ranges=[{"CidrIpv6": SIX}])
        _allow(real, self.groups["apart"], 8080, UserIdGroupPairs=[{"GroupId": self.app}])
        _allow(real, self.groups["apart"], 9090, IpRanges=[{"CidrIp": block} for block in PARTNERS])

    def state(self, one: Make, rule: Make, database: Make, tags: dict[str, Any], vpc: str) -> dict[str, Any]:
        """The module in the state. `one`, `rule` and `database` make values as those of `reality` are."""
        everywhere = [rule(0, ["0.0.0.0/0"], [], "-1")]
        found = [
            one(
                place("aws_subnet", key),
                id=subnet,
                vpc_id=vpc,
                cidr_block=f"10.30.{10 + at}.0/24",
                availability_zone=f"{REGION}a",
                map_public_ip_on_launch=False,
                **tags,
            )
            for at, (key, subnet) in enumerate(self.subnets.items())
        ]
        found += [
            one(
                place("aws_security_group", key),
                id=group,
                name=f"{self.name}-{key}",
                vpc_id=vpc,
                ingress=[{**rule(443, [], []), "ipv6_cidr_blocks": [SIX]}] if key == "six" else [],
                egress=everywhere,
                **tags,
            )
            for key, group in self.groups.items()
        ]
        found += [database(place("aws_db_instance", key), name) for key, name in self.databases.items()]
        found.append(one(place("aws_s3_bucket", "tag"), id=self.bucket, bucket=self.bucket, **tags))
        apart = self.groups["apart"]
        found.append(
            one(
                place("aws_vpc_security_group_ingress_rule", "app"),
                id="sgr-1",
                security_group_id=apart,
                referenced_security_group_id=self.app,
                cidr_ipv4=None,
                cidr_ipv6=None,
                prefix_list_id=None,
                ip_protocol="tcp",
                from_port=8080,
                to_port=8080,
            )
        )
        found.append(
            one(
                place("aws_security_group_rule", "partners"),
                id="sgrule-1",
                type="ingress",
                security_group_id=apart,
                source_security_group_id=None,
                cidr_blocks=PARTNERS,
                ipv6_cidr_blocks=None,
                prefix_list_ids=None,
                protocol="tcp",
                from_port=9090,
                to_port=9090,
                self=False,
            )
        )
        return {
            "address": "module.more",
            "child_modules": [{"address": MODULE, "resources": found}],
        }


def _subnet(real: Any, number: int) -> str:
    made = real.ec2.create_subnet(
        VpcId=real.vpc, CidrBlock=f"10.30.{number}.0/24", AvailabilityZone=f"{REGION}a"
    )
    return made["Subnet"]["SubnetId"]


def _group(real: Any, key: str) -> str:
    return real.ec2.create_security_group(GroupName=f"{real.name}-{key}", Description=key, VpcId=real.vpc)[
        "GroupId"
    ]


def _allow(real: Any, group: str, port: int, **sources: Any) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **sources}
    real.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
