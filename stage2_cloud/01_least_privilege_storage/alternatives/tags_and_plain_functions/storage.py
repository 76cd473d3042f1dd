"""Another way: three managed policies for all models, which read the model's name from a tag of the role.

Each managed policy is the permission of its roles and, for trainers, their boundary too.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

MODEL = "${aws:PrincipalTag/model}"
GITHUB = "token.actions.githubusercontent.com"


def main():
    _, action, path = sys.argv
    if action != "apply":
        return "usage: storage.py apply platform.json"
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    s3 = boto3.client("s3", region_name=config["region"])
    iam = boto3.client("iam", region_name=config["region"])
    make_bucket(s3, config)
    bucket = f"arn:aws:s3:::{config['bucket']}"
    account = config["account"]
    models = list(config["models"])
    train = managed(
        iam,
        account,
        "artifacts-trainer",
        [*reading(bucket, [MODEL]), *creating(bucket), *pointing(bucket, [MODEL])],
    )
    serve = managed(iam, account, "artifacts-server", reading(bucket, [MODEL]))
    check = managed(iam, account, "artifacts-ci", [*reading(bucket, models), *pointing(bucket, models)])
    audit = managed(iam, account, "artifacts-auditor", auditing(bucket, account))
    for model, users in config["models"].items():
        tags = [{"Key": "model", "Value": model}]
        role(iam, f"artifacts-trainer-{model}", by_user(users["trainer"]), train, tags, boundary=train)
        role(iam, f"artifacts-server-{model}", by_user(users["server"]), serve, tags)
    role(iam, "artifacts-ci", by_token(config["ci"]), check, [])
    who = config["auditor"]
    role(iam, "artifacts-auditor", by_user(who["user"], {"sts:ExternalId": who["external_id"]}), audit, [])
    return 0


def make_bucket(s3, config):
    name = config["bucket"]
    if name not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": config["region"]})
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
            ]
        },
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "everything",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"ExpiredObjectDeleteMarker": True},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 20},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                }
            ]
        },
    )
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "NotAction": "s3:NothingAtAll",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"BoolIfExists": {"aws:SecureTransport": False}},
    }
    s3.put_bucket_policy(Bucket=name, Policy=as_text([statement]))


def reading(bucket, models):
    return [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{bucket}/{model}/*" for model in models],
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {
                "StringLike": {"s3:prefix": [f"{model}/{rest}" for model in models for rest in ("", "*")]}
            },
        },
    ]


def creating(bucket):
    return [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": [f"{bucket}/{MODEL}/blobs/*", f"{bucket}/{MODEL}/versions/*"],
            "Condition": {"Null": {"s3:if-none-match": "false"}},
        }
    ]


def pointing(bucket, models):
    where = [f"{bucket}/{model}/latest.json" for model in models]
    return [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": where,
            "Condition": {"StringLike": {key: "?*"}},
        }
        for key in ("s3:if-match", "s3:if-none-match")
    ]


def auditing(bucket, account):
    settings = ("BucketPolicy", "BucketPublicAccessBlock", "BucketVersioning", "EncryptionConfiguration")
    settings += ("LifecycleConfiguration",)
    return [
        {
            "Effect": "Allow",
            "Action": [f"s3:Get{what}" for what in settings],
            "Resource": bucket,
        },
        {
            "Effect": "Allow",
            "Action": [
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListRolePolicies",
                "iam:ListAttachedRolePolicies",
            ],
            "Resource": f"arn:aws:iam::{account}:role/artifacts-*",
        },
        {
            "Effect": "Allow",
            "Action": ["iam:GetPolicy", "iam:GetPolicyVersion"],
            "Resource": f"arn:aws:iam::{account}:policy/artifacts-*",
        },
    ]


def by_user(arn, says=None):
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    if says:
        statement["Condition"] = {"StringEquals": says}
    return as_text([statement])


def by_token(ci):
    subject = f"repo:{ci['repository']}:ref:refs/heads/{ci['branch']}"
    trusted = {
        "Effect": "Allow",
        "Principal": {"Federated": ci["provider"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "ForAllValues:StringEquals": {f"{GITHUB}:aud": ci["audience"]},
            "Null": {f"{GITHUB}:aud": "false"},
            "StringEquals": {f"{GITHUB}:sub": subject},
        },
    }
    return as_text([trusted])


def as_text(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def managed(iam, account, name, statements):
    arn = f"arn:aws:iam::{account}:policy/{name}"
    text = as_text(statements)
    try:
        default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        iam.create_policy(PolicyName=name, PolicyDocument=text)
        return arn
    found = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]["Document"]
    if found != json.loads(text):
        for old in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not old["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=old["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    return arn


def role(iam, name, trust, policy, tags, boundary=None):
    try:
        iam.get_role(RoleName=name)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    if tags:
        iam.tag_role(RoleName=name, Tags=tags)
    if boundary:
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    for extra in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=extra)
    attached = {
        one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    }
    for arn in attached - {policy}:
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    if policy not in attached:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)


if __name__ == "__main__":
    sys.exit(main())
