"""What must survive everything: a database, a bucket, their key, one secret."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, kms, rds, s3, secretsmanager

from tiers.network import Network

PORT = 5432


@dataclass(frozen=True)
class Durability:
    """`backup_days`: for how many days a backup is kept."""

    database_class: str
    multi_az: bool
    backup_days: int


class Data(pulumi.ComponentResource):
    """`database` is the database."""

    def __init__(
        self,
        label: str,
        name: str,
        network: Network,
        app_security_group: pulumi.Input[str],
        durability: Durability,
        feature_store_url: pulumi.Input[str],
        tags: Mapping[str, str],
    ) -> None:
        super().__init__("nukkad:tiers:Data", label)
        mine = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=True)

        key = kms.Key("data", description=f"Data of {name}", enable_key_rotation=True, tags=tags, opts=kept)
        group = ec2.SecurityGroup(
            "database",
            name=f"{name}-database",
            description="From app servers alone",
            vpc_id=network.vpc.id,
            tags=tags,
            opts=mine,
        )
        ec2.SecurityGroupRule(
            "database-from-app",
            type="ingress",
            security_group_id=group.id,
            source_security_group_id=app_security_group,
            protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=mine,
        )
        places = rds.SubnetGroup(
            "data",
            name=name,
            subnet_ids=[subnet.id for subnet in network.subnets["data"].values()],
            tags=tags,
            opts=mine,
        )
        self.database = rds.Instance(
            "fraud",
            identifier=name,
            engine="postgres",
            engine_version="16",
            instance_class=durability.database_class,
            allocated_storage=100,
            port=PORT,
            username="fraud",
            manage_master_user_password=True,
            db_subnet_group_name=places.name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            multi_az=durability.multi_az,
            storage_encrypted=True,
            kms_key_id=key.arn,
            backup_retention_period=durability.backup_days,
            deletion_protection=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{name}-final",
            tags=tags,
            opts=kept,
        )
        bucket = s3.Bucket("decisions", bucket=f"{name}-decisions", tags=tags, opts=kept)
        s3.BucketVersioning(
            "decisions", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=mine
        )
        encryption = {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}
        s3.BucketServerSideEncryptionConfiguration(
            "decisions",
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": encryption, "bucket_key_enabled": True}],
            opts=mine,
        )
        s3.BucketPublicAccessBlock(
            "decisions",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=mine,
        )
        secret = secretsmanager.Secret(
            "feature-store", name=f"{name}/feature-store-url", kms_key_id=key.arn, tags=tags, opts=mine
        )
        secretsmanager.SecretVersion(
            "feature-store", secret_id=secret.id, secret_string=feature_store_url, opts=mine
        )
        self.register_outputs({"address": self.database.address})
