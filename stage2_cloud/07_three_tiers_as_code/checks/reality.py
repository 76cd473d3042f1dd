"""A small environment that is really there, in an AWS API, and the state that describes it.

Source of the state: https://developer.hashicorp.com/terraform/internals/json-format#state-representation
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import boto3
import numpy as np
from botocore.config import Config

from crowd import Crowd
from labs.checks import Finished

REGION = "ap-south-1"
SECONDS = 90
FEW_TRIES = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}, read_timeout=60)
PEERS = [f"10.{number}.0.0/16" for number in (4, 9, 17, 42)]


class Reality:
    """A VPC, two subnets, two security groups, a database, a bucket and a crowd, with names of this check's own."""

    def __init__(self, variables: Mapping[str, str], rng: np.random.Generator) -> None:
        self.variables, self.rng, self._session = variables, rng, boto3.Session()
        self._connect()
        self.name = f"nukkad-{rng.bytes(4).hex()}"
        self.secret = f"pw-{rng.bytes(8).hex()}"
        self.peers = [str(each) for each in rng.permutation(PEERS)[:3]]
        self._build()

    def in_a_fork(self) -> Reality:
        """The same, with connections of its own. (The session keeps the descriptions of the APIs that it has read.)"""
        other = copy.copy(self)
        other._connect()
        return other

    def _connect(self) -> None:
        variables = self.variables
        keys = {
            "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
        }
        self.ec2, self.rds, self.s3, self.iam = (
            self._session.client(
                name, endpoint_url=variables["AWS_ENDPOINT_URL"], config=FEW_TRIES, region_name=REGION, **keys
            )
            for name in ("ec2", "rds", "s3", "iam")
        )

    @property
    def tags(self) -> dict[str, str]:
        return {"environment": "prod", "service": "fraud"}

    def listed_tags(self, **more: str) -> list[dict[str, str]]:
        """As EC2 and RDS take them."""
        return [{"Key": key, "Value": value} for key, value in {**self.tags, **more}.items()]

    def _build(self) -> None:
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.30.{at}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for at, zone in enumerate("ab")
        ]
        self.app, self.data = (
            ec2.create_security_group(GroupName=f"{self.name}-{tier}", Description=tier, VpcId=self.vpc)[
                "GroupId"
            ]
            for tier in ("app", "data")
        )
        # What AWS calls a platform here: a landing zone that puts tags of its own on everything.
        ec2.create_tags(
            Resources=[*self.subnets, self.app, self.data],
            Tags=self.listed_tags(**{"platform:cost-centre": "risk-17"}),
        )
        pair = {"GroupId": self.app}
        ec2.authorize_security_group_ingress(
            GroupId=self.data,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair]}
            ],
        )
        ranges = [{"CidrIp": block, "Description": "a partner"} for block in self.peers]
        ec2.authorize_security_group_ingress(
            GroupId=self.app,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": ranges}],
        )
        self.rds.create_db_subnet_group(
            DBSubnetGroupName=self.name, DBSubnetGroupDescription="data", SubnetIds=self.subnets
        )
        self.make_database(self.name)
        self.bucket = f"{self.name}-decisions"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": self.listed_tags()})

        self.crowd = Crowd(self)

    def make_database(self, name: str) -> None:
        """A database of this name, as all of them are."""
        self.rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            DBInstanceClass="db.r6g.large",
            AllocatedStorage=100,
            MasterUsername="fraud",
            MasterUserPassword=self.secret,
            BackupRetentionPeriod=30,
            DeletionProtection=True,
            PubliclyAccessible=False,
            MultiAZ=True,
            DBSubnetGroupName=self.name,
            Tags=self.listed_tags(),
        )

    # What Terraform would know of it

    def state(self, whole: bool = True) -> dict[str, Any]:
        """As `terraform show -json` prints it: other orders, defaults as nulls and empty lists, no platform tags.

        Without `whole`: without the crowd.
        """

        def rule(port: int, blocks: list[str], groups: list[str], protocol: str = "tcp") -> dict[str, Any]:
            return {
                "cidr_blocks": blocks,
                "description": "",
                "from_port": port,
                "ipv6_cidr_blocks": [],
                "prefix_list_ids": [],
                "protocol": protocol,
                "security_groups": groups,
                "self": False,
                "to_port": port,
            }

        def one(address: str, **values: Any) -> dict[str, Any]:
            kind, name = address.split("[")[0].rsplit(".", 2)[-2:]
            return {
                "address": address,
                "mode": "managed",
                "type": kind,
                "name": name,
                "values": values,
                "sensitive_values": {},
            }

        def database(address: str, name: str) -> dict[str, Any]:
            return one(
                address,
                id=f"db-{name}",
                identifier=name,
                instance_class="db.r6g.large",
                engine="postgres",
                backup_retention_period=30,
                deletion_protection=True,
                publicly_accessible=False,
                multi_az=True,
                password=self.secret,
                performance_insights_enabled=None,
                **tags,
            )

        everywhere = [rule(0, ["0.0.0.0/0"], [], "-1")]
        tags = {"tags": self.tags, "tags_all": self.tags}
        network = [one("module.network.aws_vpc.this", id=self.vpc, cidr_block="10.30.0.0/16")]
        network += [
            one(
                f'module.network.aws_subnet.this["{at}"]',
                id=subnet,
                vpc_id=self.vpc,
                cidr_block=f"10.30.{at}.0/24",
                availability_zone=f"{REGION}{zone}",
                map_public_ip_on_launch=False,
                ipv6_cidr_block="",
                outpost_arn=None,
                **tags,
            )
            for (at, zone), subnet in zip(enumerate("ab"), self.subnets, strict=True)
        ]
        one_each = [rule(8080, [block], []) for block in reversed(self.peers)]
        app = [
            one(
                "module.app.aws_security_group.app",
                id=self.app,
                name=f"{self.name}-app",
                vpc_id=self.vpc,
                ingress=one_each,
                egress=everywhere,
                **tags,
            )
        ]
        data = [
            one(
                "module.data.aws_security_group.database",
                id=self.data,
                name=f"{self.name}-data",
                vpc_id=self.vpc,
                ingress=[rule(5432, [], [self.app])],
                egress=everywhere,
                **tags,
            ),
            database("module.data.aws_db_instance.this", self.name),
            one("module.data.aws_s3_bucket.this", id=self.bucket, bucket=self.bucket, **tags),
            one(
                "module.data.aws_s3_bucket_versioning.this",
                id=self.bucket,
                bucket=self.bucket,
                versioning_configuration=[{"mfa_delete": "", "status": "Enabled"}],
            ),
            {**one("module.data.data.aws_kms_alias.x", id="alias/x"), "mode": "data"},
            one("module.data.aws_kms_alias.this", id="alias/none", name="alias/none"),
        ]
        children = [
            {"address": f"module.{name}", "resources": found}
            for name, found in (("data", data), ("app", app), ("network", network))
        ]
        if whole:
            children.append(self.crowd.state(one, rule, database, tags, self.vpc))
        return copy.deepcopy(
            {
                "format_version": "1.0",
                "terraform_version": "1.11.4",
                "values": {"outputs": {}, "root_module": {"resources": [], "child_modules": children}},
            }
        )

    def user(self, actions: list[str]) -> dict[str, str]:
        """Variables of a user who may do these things and nothing else."""
        name = f"{self.name}-{self.rng.bytes(3).hex()}"
        self.iam.create_user(UserName=name)
        said = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        self.iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=json.dumps(said))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def look(self, work, did: str, state: Any = None, env: Mapping[str, str] | None = None) -> Finished:
        """Run the learner's `drift.py` on the state."""
        text = state if isinstance(state, str) else json.dumps(self.state() if state is None else state)
        path = work.put("_state.json", text)
        done = work.run(
            "python3",
            "drift.py",
            path,
            warm=True,
            timeout=SECONDS,
            env={"AWS_MAX_ATTEMPTS": "2", **(env or {})},
        )
        done.did = f"run drift.py {did}"
        if done.killed:
            done.fail(wanted=f"an end within {SECONDS} s", got=f"it was stopped: {done.killed}")
        return done


def found(done: Finished) -> list[tuple[str, str]]:
    """(address, kind) of what it reports."""
    try:
        said = json.loads(done.stdout)
        return sorted({(str(each["address"]), str(each["kind"])) for each in said["drift"]})
    except (ValueError, KeyError, TypeError):
        done.fail(
            wanted='a report as JSON: {"drift": [{"address": …, "kind": …, "what": …}, …]}',
            got=done.stdout.strip()[:80] or "nothing",
            hint="On standard output, and nothing else there.",
        )
