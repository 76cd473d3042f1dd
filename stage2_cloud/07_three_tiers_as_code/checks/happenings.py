"""What people do to an account by hand."""

from __future__ import annotations

from reality import Reality

CASES: list[tuple[str, str, str]] = [
    ("after somebody let the world in by hand", "module.app.aws_security_group.app", "changed"),
    ("after somebody shortened the backups", "module.data.aws_db_instance.this", "changed"),
    ("after somebody suspended versioning", "module.data.aws_s3_bucket_versioning.this", "changed"),
    ("after somebody changed a tag", 'module.network.aws_subnet.this["0"]', "changed"),
    ("after somebody took a rule away", "module.data.aws_security_group.database", "changed"),
    ("after the bucket was deleted", "module.data.aws_s3_bucket.this", "vanished"),
    ("after somebody made a security group", "", "added"),
    ("after somebody made a subnet", "", "added"),
]


def happen(real: Reality, number: int) -> str:
    """Let the case of this number happen. Returns the address to report."""
    address = CASES[number][1]
    ec2 = real.ec2
    if number == 0:
        ec2.authorize_security_group_ingress(
            GroupId=real.app,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ],
        )
    elif number == 1:
        real.rds.modify_db_instance(
            DBInstanceIdentifier=real.name, BackupRetentionPeriod=1, ApplyImmediately=True
        )
    elif number == 2:
        real.s3.put_bucket_versioning(Bucket=real.bucket, VersioningConfiguration={"Status": "Suspended"})
    elif number == 3:
        ec2.create_tags(Resources=[real.subnets[0]], Tags=[{"Key": "environment", "Value": "staging"}])
    elif number == 4:
        pair = {"GroupId": real.app}
        ec2.revoke_security_group_ingress(
            GroupId=real.data,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair]}
            ],
        )
    elif number == 5:
        real.s3.delete_bucket(Bucket=real.bucket)
    elif number == 6:
        address = ec2.create_security_group(GroupName="by-hand", Description="by hand", VpcId=real.vpc)[
            "GroupId"
        ]
    else:
        address = ec2.create_subnet(VpcId=real.vpc, CidrBlock="10.30.99.0/24")["Subnet"]["SubnetId"]
    return address
