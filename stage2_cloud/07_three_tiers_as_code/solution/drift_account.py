"""What is really in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

Rule = tuple[str, int, int, str]
"""Protocol, first port, last port, source."""
GONE = {
    "InvalidSubnetID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidGroupId.NotFound",
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "NoSuchBucket",
    "404",
    "NoSuchTagSet",
}


class Account:
    """The account of the standard variables. Every method raises ClientError where it may not look."""

    def __init__(self) -> None:
        self.ec2, self.rds, self.s3 = (boto3.client(name) for name in ("ec2", "rds", "s3"))

    def look(self, kind: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """How a resource is; None: it is gone."""
        ways: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "aws_subnet": self._subnet,
            "aws_security_group": self._group,
            "aws_db_instance": self._database,
            "aws_s3_bucket": self._bucket,
            "aws_s3_bucket_versioning": self._versioning,
        }
        return _or_none(lambda: ways[kind](values))

    def inside(self, vpc: str) -> Iterator[str]:
        """Ids of the subnets and security groups of a VPC, but its default one."""
        asked: Any = [{"Name": "vpc-id", "Values": [vpc]}]
        for page in self.ec2.get_paginator("describe_subnets").paginate(Filters=asked):
            yield from (each["SubnetId"] for each in page["Subnets"])
        for page in self.ec2.get_paginator("describe_security_groups").paginate(Filters=asked):
            yield from (each["GroupId"] for each in page["SecurityGroups"] if each["GroupName"] != "default")

    def _subnet(self, values: dict[str, Any]) -> dict[str, Any]:
        found = self.ec2.describe_subnets(SubnetIds=[values["id"]])["Subnets"][0]
        return {
            "cidr_block": found["CidrBlock"],
            "availability_zone": found["AvailabilityZone"],
            "map_public_ip_on_launch": found["MapPublicIpOnLaunch"],
            "tags": _tags(found.get("Tags")),
        }

    def _group(self, values: dict[str, Any]) -> dict[str, Any]:
        found = self.ec2.describe_security_groups(GroupIds=[values["id"]])["SecurityGroups"][0]
        return {
            "ingress": set(_rules(found["IpPermissions"], values["id"])),
            "egress": set(_rules(found["IpPermissionsEgress"], values["id"])),
            "tags": _tags(found.get("Tags")),
        }

    def _database(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("identifier") or values["id"]
        found = self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return {
            "instance_class": found["DBInstanceClass"],
            "backup_retention_period": found["BackupRetentionPeriod"],
            "deletion_protection": found["DeletionProtection"],
            "publicly_accessible": found["PubliclyAccessible"],
            "multi_az": found["MultiAZ"],
            "tags": _tags(found.get("TagList")),
        }

    def _bucket(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("bucket") or values["id"]
        self.s3.head_bucket(Bucket=name)
        tagging = _or_none(lambda: self.s3.get_bucket_tagging(Bucket=name)["TagSet"])
        return {"tags": _tags(tagging)}

    def _versioning(self, values: dict[str, Any]) -> dict[str, Any]:
        found = self.s3.get_bucket_versioning(Bucket=values["bucket"]).get("Status")
        return {"status": "Enabled" if found == "Enabled" else "Disabled"}


def _tags(found: list[dict[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found or []}


def _rules(permissions: list[dict[str, Any]], own: str) -> Iterator[Rule]:
    for each in permissions:
        protocol = each["IpProtocol"]
        first, last = (0, 0) if protocol == "-1" else (each.get("FromPort", 0), each.get("ToPort", 0))
        sources = [
            *(one["CidrIp"] for one in each.get("IpRanges", [])),
            *(one["CidrIpv6"] for one in each.get("Ipv6Ranges", [])),
            *(one["PrefixListId"] for one in each.get("PrefixListIds", [])),
            *(
                "self" if one["GroupId"] == own else one["GroupId"]
                for one in each.get("UserIdGroupPairs", [])
            ),
        ]
        for source in sources:
            yield protocol, first, last, source


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise
