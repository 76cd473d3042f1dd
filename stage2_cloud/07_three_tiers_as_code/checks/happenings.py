"""What people do to an account by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crowd import place
from reality import Reality

Happening = tuple[str, str, str, Callable[[Reality], Any]]
"""Title, address to report ("": the id that it returns), kind, and what is done."""
BUCKET, VERSIONING = "module.data.aws_s3_bucket.this", "module.data.aws_s3_bucket_versioning.this"
WORLD = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def _rule(port: int, **sources: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **sources}]


def _of_database(key: str, **changes: Any) -> Callable[[Reality], Any]:
    return lambda real: real.rds.modify_db_instance(
        DBInstanceIdentifier=real.crowd.databases[key], ApplyImmediately=True, **changes
    )


def _delete_database(real: Reality) -> None:
    name = real.crowd.databases["gone"]
    real.rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    real.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def _tag_database(real: Reality) -> None:
    name = real.crowd.databases["tag"]
    arn = real.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceArn"]
    real.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "owner", "Value": "asha"}])


def _group(real: Reality, name: str) -> str:
    return real.ec2.create_security_group(GroupName=name, Description="by hand", VpcId=real.vpc)["GroupId"]


def _tagged(real: Reality, address: str) -> None:
    real.ec2.create_tags(Resources=[address], Tags=[{"Key": "owner", "Value": "asha"}])


# Fields change; then things come and go.
FIRST: list[Happening] = [
    (
        "after somebody let the world in by hand",
        "module.app.aws_security_group.app",
        "changed",
        lambda real: real.ec2.authorize_security_group_ingress(
            GroupId=real.app, IpPermissions=_rule(22, **WORLD)
        ),
    ),
    (
        "after somebody shortened the backups",
        "module.data.aws_db_instance.this",
        "changed",
        lambda real: real.rds.modify_db_instance(
            DBInstanceIdentifier=real.name, BackupRetentionPeriod=1, ApplyImmediately=True
        ),
    ),
    (
        "after somebody suspended versioning",
        VERSIONING,
        "changed",
        lambda real: real.s3.put_bucket_versioning(
            Bucket=real.bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    (
        "after somebody changed a tag",
        'module.network.aws_subnet.this["0"]',
        "changed",
        lambda real: real.ec2.create_tags(
            Resources=[real.subnets[0]], Tags=[{"Key": "environment", "Value": "staging"}]
        ),
    ),
    (
        "after somebody took a rule away",
        "module.data.aws_security_group.database",
        "changed",
        lambda real: real.ec2.revoke_security_group_ingress(
            GroupId=real.data, IpPermissions=_rule(5432, UserIdGroupPairs=[{"GroupId": real.app}])
        ),
    ),
    (
        "after somebody added a rule for traffic that leaves",
        place("aws_security_group", "egress"),
        "changed",
        lambda real: real.ec2.authorize_security_group_egress(
            GroupId=real.crowd.groups["egress"], IpPermissions=_rule(25, **WORLD)
        ),
    ),
    (
        "after somebody let the world in by IPv6",
        place("aws_security_group", "six"),
        "changed",
        lambda real: real.ec2.authorize_security_group_ingress(
            GroupId=real.crowd.groups["six"], IpPermissions=_rule(22, Ipv6Ranges=[{"CidrIpv6": "::/0"}])
        ),
    ),
    (
        "after somebody took away a rule that is a resource of its own",
        place("aws_security_group", "apart"),
        "changed",
        lambda real: real.ec2.revoke_security_group_ingress(
            GroupId=real.crowd.groups["apart"],
            IpPermissions=_rule(8080, UserIdGroupPairs=[{"GroupId": real.app}]),
        ),
    ),
    (
        "after somebody gave a security group one more tag",
        place("aws_security_group", "tag"),
        "changed",
        lambda real: _tagged(real, real.crowd.groups["tag"]),
    ),
    (
        "after somebody gave a subnet one more tag",
        place("aws_subnet", "tag"),
        "changed",
        lambda real: _tagged(real, real.crowd.subnets["tag"]),
    ),
    (
        "after somebody let a subnet give public addresses (map_public_ip_on_launch)",
        place("aws_subnet", "launch"),
        "changed",
        lambda real: real.ec2.modify_subnet_attribute(
            SubnetId=real.crowd.subnets["launch"], MapPublicIpOnLaunch={"Value": True}
        ),
    ),
    (
        "after somebody chose a smaller database (instance_class)",
        place("aws_db_instance", "smaller"),
        "changed",
        _of_database("smaller", DBInstanceClass="db.t4g.small"),
    ),
    (
        "after somebody took deletion_protection away",
        place("aws_db_instance", "unguarded"),
        "changed",
        _of_database("unguarded", DeletionProtection=False),
    ),
    (
        "after somebody made a database public (publicly_accessible)",
        place("aws_db_instance", "public"),
        "changed",
        _of_database("public", PubliclyAccessible=True),
    ),
    (
        "after somebody saved a zone (multi_az)",
        place("aws_db_instance", "single"),
        "changed",
        _of_database("single", MultiAZ=False),
    ),
    (
        "after somebody gave a database one more tag",
        place("aws_db_instance", "tag"),
        "changed",
        _tag_database,
    ),
    (
        "after somebody gave a bucket one more tag",
        place("aws_s3_bucket", "tag"),
        "changed",
        lambda real: real.s3.put_bucket_tagging(
            Bucket=real.crowd.bucket, Tagging={"TagSet": real.listed_tags(owner="asha")}
        ),
    ),
]
THEN: list[Happening] = [
    (
        "after the bucket was deleted",
        BUCKET,
        "vanished",
        lambda real: real.s3.delete_bucket(Bucket=real.bucket),
    ),
    (
        "after a subnet was deleted",
        place("aws_subnet", "gone"),
        "vanished",
        lambda real: real.ec2.delete_subnet(SubnetId=real.crowd.subnets["gone"]),
    ),
    (
        "after a security group was deleted",
        place("aws_security_group", "gone"),
        "vanished",
        lambda real: real.ec2.delete_security_group(GroupId=real.crowd.groups["gone"]),
    ),
    ("after a database was deleted", place("aws_db_instance", "gone"), "vanished", _delete_database),
    ("after somebody made a security group", "", "added", lambda real: _group(real, "by-hand")),
    (
        "after somebody made a security group with the name default-web",
        "",
        "added",
        lambda real: _group(real, "default-web"),
    ),
    (
        "after somebody made a subnet",
        "",
        "added",
        lambda real: real.ec2.create_subnet(VpcId=real.vpc, CidrBlock="10.30.99.0/24")["Subnet"]["SubnetId"],
    ),
]


def happen(real: Reality, happening: Happening) -> tuple[str, str]:
    """Let it happen. Returns address and kind to report."""
    _, address, kind, does = happening
    returned = does(real)
    return address or str(returned), kind
