"""The embedded AWS API enforces IAM, and refuses what it would get wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from labs.services import Supervisor

REGION = "ap-south-1"
READS_FRAUD = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/fraud/*"}],
}
FROM_THE_OFFICE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        }
    ],
}


class Account:
    """Clients of one AWS API, as any of its users."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.endpoint = variables["AWS_ENDPOINT_URL"]
        self.admin = (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])

    def client(self, service: str, keys: tuple[str, str] | None = None) -> Any:
        key, secret = keys or self.admin
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def user(self, name: str, policy: dict[str, Any]) -> tuple[str, str]:
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    services = Supervisor(tmp_path_factory.mktemp("services"), usual_ports=False)
    account = Account(services.up("aws").variables)
    s3 = account.client("s3")
    s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("fraud/1", "offers/1"):
        s3.put_object(Bucket="models", Key=key, Body=b"model")
    yield account
    services.down("aws")


def refused(action: Any, **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        action(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_a_user_may_do_what_its_policy_allows_and_nothing_else(account: Account) -> None:
    server = account.client("s3", account.user("server", READS_FRAUD))
    assert server.get_object(Bucket="models", Key="fraud/1")["Body"].read() == b"model"
    assert refused(server.get_object, Bucket="models", Key="offers/1")[:2] == (403, "AccessDenied")
    assert refused(server.put_object, Bucket="models", Key="fraud/2", Body=b"")[:2] == (403, "AccessDenied")


def test_nobody_is_let_in_without_keys_of_the_account(account: Account) -> None:
    stranger = account.client("s3", ("AKIAIOSFODNN7EXAMPLE", "wrong"))
    assert refused(stranger.list_buckets)[0] == 403
    assert refused(account.client("s3", (account.admin[0], "wrong")).list_buckets)[0] == 403


def test_a_condition_is_refused_and_not_ignored(account: Account) -> None:
    iam, policy = account.client("iam"), json.dumps(FROM_THE_OFFICE)
    iam.create_user(UserName="office")
    for action, arguments in (
        (iam.put_user_policy, {"UserName": "office", "PolicyName": "p", "PolicyDocument": policy}),
        (iam.create_policy, {"PolicyName": "p", "PolicyDocument": policy}),
        (account.client("s3").put_bucket_policy, {"Bucket": "models", "Policy": policy}),
    ):
        status, code, message = refused(action, **arguments)
        assert (status, code) == (501, "NotImplemented")
        assert "Condition" in message
        assert "docs/services.md" in message


def test_what_it_would_get_wrong_is_refused(account: Account) -> None:
    sts, cloud = account.client("sts"), account.client("cloudformation")
    role = "arn:aws:iam::123456789012:role/ci"
    arguments = {"RoleArn": role, "RoleSessionName": "ci", "WebIdentityToken": "any.token.at-all"}
    assert refused(sts.assume_role_with_web_identity, **arguments)[:2] == (501, "NotImplemented")
    assert refused(cloud.create_stack, StackName="s", TemplateBody="{}")[:2] == (501, "NotImplemented")


STATE = """
terraform {
  backend "s3" {
    bucket                      = "terraform-state"
    key                         = "fraud/terraform.tfstate"
    region                      = "ap-south-1"
    use_lockfile                = true
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
  }
}

resource "terraform_data" "tier" {
  input = "data"
}
"""


@pytest.mark.skipif(not shutil.which("terraform"), reason="no terraform on this machine")
def test_a_real_terraform_keeps_its_state_there_and_waits_for_the_lock(
    account: Account, tmp_path: Path
) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="terraform-state", CreateBucketConfiguration={"LocationConstraint": REGION})
    (tmp_path / "main.tf").write_text(STATE)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL_S3": account.endpoint,
        "AWS_ACCESS_KEY_ID": account.admin[0],
        "AWS_SECRET_ACCESS_KEY": account.admin[1],
        "CHECKPOINT_DISABLE": "1",
    }

    def terraform(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", *words, "-no-color"]
        return subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120
        )

    first = terraform("init", "-input=false")
    assert first.returncode == 0, first.stderr
    assert terraform("apply", "-auto-approve", "-input=false").returncode == 0
    state = json.loads(s3.get_object(Bucket="terraform-state", Key="fraud/terraform.tfstate")["Body"].read())
    assert [resource["name"] for resource in state["resources"]] == ["tier"]
    assert "No changes" in terraform("plan", "-input=false").stdout
    lock = {"ID": "1", "Who": "another", "Operation": "OperationTypeApply"}
    s3.put_object(
        Bucket="terraform-state", Key="fraud/terraform.tfstate.tflock", Body=json.dumps(lock).encode()
    )
    second = terraform("apply", "-auto-approve", "-input=false", "-lock-timeout=0s")
    assert second.returncode == 1
    assert "state lock" in second.stderr
    reader = account.client("s3", account.user("intern", READS_FRAUD))
    assert refused(reader.get_object, Bucket="terraform-state", Key="fraud/terraform.tfstate")[0] == 403
