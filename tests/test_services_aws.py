"""The embedded AWS API does what IAM allows, and refuses what it would get wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
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

    def session(self, answer: dict[str, Any]) -> Any:
        """S3, as whoever AWS STS gave these keys to."""
        keys = answer["Credentials"]
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
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


def allow(action: str, resource: str | None, **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action}
    statement |= {"Resource": resource} if resource else {}
    return {
        "Version": "2012-10-17",
        "Statement": [statement | ({"Condition": condition} if condition else {})],
    }


def said(client: Any, headers: dict[str, str]) -> Any:
    """The client, with these headers on every request; they are not signed."""
    client.meta.events.register("before-send", lambda request, **_: request.headers.update(headers))
    return client


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


def test_a_condition_on_where_a_request_comes_from(account: Account) -> None:
    office = account.user("office", FROM_THE_OFFICE)
    assert refused(account.client("s3", office).list_objects_v2, Bucket="models")[:2] == (403, "AccessDenied")
    inside = said(account.client("s3", office), {"X-Labs-Source-Ip": "203.0.113.9"})
    assert inside.list_objects_v2(Bucket="models")["KeyCount"] >= 2
    outside = said(account.client("s3", office), {"X-Labs-Source-Ip": "198.51.100.9"})
    assert refused(outside.list_objects_v2, Bucket="models")[:2] == (403, "AccessDenied")


def test_a_listing_is_allowed_for_one_prefix(account: Account) -> None:
    one_prefix = allow(
        "s3:ListBucket", "arn:aws:s3:::models", StringLike={"s3:prefix": ["fraud/*", "fraud/"]}
    )
    lister = account.client("s3", account.user("lister", one_prefix))
    assert lister.list_objects_v2(Bucket="models", Prefix="fraud/")["KeyCount"] == 1
    assert refused(lister.list_objects_v2, Bucket="models", Prefix="offers/")[0] == 403
    assert refused(lister.list_objects_v2, Bucket="models")[0] == 403


def test_a_bucket_policy_asks_for_tls_and_encryption(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="sealed", CreateBucketConfiguration={"LocationConstraint": REGION})
    deny = {"Effect": "Deny", "Principal": "*", "Resource": ["arn:aws:s3:::sealed", "arn:aws:s3:::sealed/*"]}
    encryption = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    statements = [
        {**deny, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**deny, "Action": "s3:PutObject", "Condition": encryption},
        {**deny, "Action": "s3:*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        {**deny, "Action": "s3:GetObjectAcl", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.4"}}},
    ]
    s3.put_bucket_policy(
        Bucket="sealed", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    sealed = {"Bucket": "sealed", "Key": "a", "Body": b"1", "ServerSideEncryption": "aws:kms"}
    s3.put_object(**sealed)
    assert refused(s3.put_object, Bucket="sealed", Key="b", Body=b"1")[:2] == (403, "AccessDenied")
    assert refused(said(account.client("s3"), {"X-Labs-Transport": "http"}).put_object, **sealed)[0] == 403
    assert s3.get_object(Bucket="sealed", Key="a")["Body"].read() == b"1"
    assert refused(s3.get_object_acl, Bucket="sealed", Key="a")[0] == 403


def test_a_bucket_policy_lets_a_user_in_who_has_no_policy(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="shared", Key="a", Body=b"1")
    guest = account.client("s3", account.user("guest", allow("iam:GetUser", "*")))
    assert refused(guest.get_object, Bucket="shared", Key="a")[0] == 403
    arn = "arn:aws:iam::123456789012:user/guest"
    one = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::shared/*",
    }
    s3.put_bucket_policy(Bucket="shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [one]}))
    assert guest.get_object(Bucket="shared", Key="a")["Body"].read() == b"1"
    assert refused(guest.delete_object, Bucket="shared", Key="a")[0] == 403
    assert httpx.get(f"{account.endpoint}/shared/a").status_code == 403


def test_actions_of_s3_that_are_not_called_like_their_operations(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket="versioned", Key="a", Body=b"1")["VersionId"]
    everything_in = "arn:aws:s3:::versioned/*"
    reader = account.client("s3", account.user("reader", allow("s3:GetObject", everything_in)))
    assert reader.head_object(Bucket="versioned", Key="a")["ContentLength"] == 1
    assert refused(reader.get_object, Bucket="versioned", Key="a", VersionId=old)[0] == 403
    copier = account.client("s3", account.user("copier", allow("s3:PutObject", everything_in)))
    copy = {"Bucket": "versioned", "Key": "b", "CopySource": "models/fraud/1"}
    assert refused(copier.copy_object, **copy)[0] == 403, "the source must be readable"
    assert refused(copier.put_object, Bucket="versioned", Key="c", Body=b"", Tagging="a=b")[0] == 403
    upload = copier.create_multipart_upload(Bucket="versioned", Key="big")["UploadId"]
    part = {"Bucket": "versioned", "Key": "big", "UploadId": upload}
    copier.upload_part(**part, PartNumber=1, Body=b"1")
    assert refused(copier.list_parts, **part)[0] == 403
    assert refused(copier.abort_multipart_upload, **part)[0] == 403
    many = {"Objects": [{"Key": "a"}, {"Key": "z"}]}
    assert refused(reader.delete_objects, Bucket="versioned", Delete=many)[0] == 403
    s3.delete_objects(Bucket="versioned", Delete=many)
    for operation in ("get_bucket_policy", "get_bucket_encryption", "get_public_access_block"):
        assert refused(getattr(reader, operation), Bucket="versioned")[0] == 403


def test_a_presigned_address_does_what_its_maker_may(account: Account) -> None:
    maker = account.client("s3", account.user("maker", READS_FRAUD))
    for key, status in (("fraud/1", 200), ("offers/1", 403)):
        address = maker.generate_presigned_url(
            "get_object", Params={"Bucket": "models", "Key": key}, ExpiresIn=60
        )
        assert httpx.get(address).status_code == status
        assert httpx.get(address.replace("fraud/1", "fraud/2")).status_code == 403
    late = maker.generate_presigned_url(
        "get_object", Params={"Bucket": "models", "Key": "fraud/1"}, ExpiresIn=-1
    )
    assert httpx.get(late).status_code == 403


def test_a_role_is_assumed_by_those_it_trusts_and_limited_by_session_and_boundary(account: Account) -> None:
    iam = account.client("iam")
    trainer = account.user("trainer", allow("iam:GetUser", "*"))
    trust = allow("sts:AssumeRole", None, StringEquals={"sts:ExternalId": "nukkad-7"})
    trust["Statement"][0]["Principal"] = {"AWS": "arn:aws:iam::123456789012:user/trainer"}
    iam.create_role(RoleName="publisher", AssumeRolePolicyDocument=json.dumps(trust))
    everything = json.dumps(allow("s3:*", "*"))
    iam.put_role_policy(RoleName="publisher", PolicyName="all", PolicyDocument=everything)
    ask = {"RoleArn": "arn:aws:iam::123456789012:role/publisher", "RoleSessionName": "night"}
    sts = account.client("sts", trainer)
    assert refused(sts.assume_role, **ask)[:2] == (403, "AccessDenied")
    assert refused(account.client("sts").assume_role, **ask, ExternalId="nukkad-7")[0] == 403, (
        "not even the admin"
    )
    missing = {**ask, "RoleArn": "arn:aws:iam::123456789012:role/no-such"}
    assert refused(account.client("sts").assume_role, **missing)[:2] == (403, "AccessDenied")
    session = account.session(sts.assume_role(**ask, ExternalId="nukkad-7"))
    assert session.get_object(Bucket="models", Key="offers/1")
    limited = account.session(sts.assume_role(**ask, ExternalId="nukkad-7", Policy=json.dumps(READS_FRAUD)))
    assert limited.get_object(Bucket="models", Key="fraud/1")
    assert refused(limited.get_object, Bucket="models", Key="offers/1")[0] == 403
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(READS_FRAUD))["Policy"][
        "Arn"
    ]
    iam.put_role_permissions_boundary(RoleName="publisher", PermissionsBoundary=boundary)
    assert refused(session.get_object, Bucket="models", Key="offers/1")[0] == 403
    iam.delete_role_policy(RoleName="publisher", PolicyName="all")
    assert refused(session.get_object, Bucket="models", Key="fraud/1")[0] == 403


def test_a_token_of_an_identity_provider_is_checked(account: Account) -> None:
    iam, host = account.client("iam"), "token.actions.githubusercontent.com"
    arn = iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]
    sub = "repo:nukkad/fraud:ref:refs/heads/main"
    trust = allow("sts:AssumeRoleWithWebIdentity", None, StringEquals={f"{host}:sub": sub})
    trust["Statement"][0]["Principal"] = {"Federated": arn}
    iam.create_role(RoleName="ci", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="ci", PolicyName="p", PolicyDocument=json.dumps(READS_FRAUD))

    def token(**claims: Any) -> str:
        whole = {"iss": f"https://{host}", "sub": sub, "aud": "sts.amazonaws.com", **claims}
        return str(httpx.post(f"{account.endpoint}/labs/v1/tokens", json=whole).json()["token"])

    def ask(token: str) -> dict[str, str]:
        role = "arn:aws:iam::123456789012:role/ci"
        return {"RoleArn": role, "RoleSessionName": "run-7", "WebIdentityToken": token}

    sts = account.client("sts")
    session = account.session(sts.assume_role_with_web_identity(**ask(token())))
    assert session.get_object(Bucket="models", Key="fraud/1")["Body"].read() == b"model"
    assert refused(session.get_object, Bucket="models", Key="offers/1")[0] == 403
    good = token()
    for wrong, code in (
        (token(sub="repo:evil/fraud:pull_request"), "AccessDenied"),
        (token(aud="other"), "InvalidIdentityToken"),
        (token(iss="https://evil.example"), "InvalidIdentityToken"),
        (token(exp=1), "ExpiredTokenException"),
        (good[:-8] + "AAAAAAAA", "InvalidIdentityToken"),
        ("any.token.at-all", "InvalidIdentityToken"),
    ):
        assert refused(sts.assume_role_with_web_identity, **ask(wrong))[1] == code


def test_other_services_are_judged_by_what_they_name(account: Account) -> None:
    """Each by its own protocol: query, JSON, CBOR."""
    ecr, sns = account.client("ecr"), account.client("sns")
    ecr.create_repository(repositoryName="fraud")
    ecr.create_repository(repositoryName="offers")
    topic = sns.create_topic(Name="on-call")["TopicArn"]
    other = sns.create_topic(Name="everybody")["TopicArn"]
    secrets = account.client("secretsmanager")
    secret = secrets.create_secret(Name="redis", SecretString="fake")["ARN"]
    secrets.create_secret(Name="payments", SecretString="fake")
    stem = f"{REGION}:123456789012"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "ecr:*", "Resource": f"arn:aws:ecr:{stem}:repository/fraud"},
            {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic},
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret[:-6] + "??????"},
            {"Effect": "Allow", "Action": "cloudwatch:PutMetricAlarm",
             "Resource": f"arn:aws:cloudwatch:{stem}:alarm:fraud-*"},
            {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
             "Condition": {"StringEquals": {"cloudwatch:namespace": "Fraud"}}},
            {"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": f"arn:aws:logs:{stem}:log-group:/fraud/*"},
        ],
    }  # fmt: skip
    keys = account.user("deployer", policy)
    ecr, sns, secrets = (account.client(name, keys) for name in ("ecr", "sns", "secretsmanager"))
    ecr.list_images(repositoryName="fraud")
    assert refused(ecr.list_images, repositoryName="offers")[:2] == (403, "AccessDeniedException")
    assert refused(ecr.describe_repositories)[0] == 403
    sns.publish(TopicArn=topic, Message="hello")
    assert refused(sns.delete_topic, TopicArn=topic)[0] == 403
    assert refused(sns.publish, TopicArn=other, Message="hello")[:2] == (403, "AccessDenied")
    assert secrets.get_secret_value(SecretId="redis")["SecretString"] == "fake"
    assert refused(secrets.get_secret_value, SecretId="payments")[:2] == (403, "AccessDeniedException")
    cloudwatch, logs = account.client("cloudwatch", keys), account.client("logs", keys)
    alarm = {
        "Namespace": "Fraud", "MetricName": "errors", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum",
    }  # fmt: skip
    cloudwatch.put_metric_alarm(AlarmName="fraud-errors", **alarm)
    assert refused(cloudwatch.put_metric_alarm, AlarmName="offers-errors", **alarm)[0] == 403
    data = [{"MetricName": "errors", "Value": 1.0}]
    cloudwatch.put_metric_data(Namespace="Fraud", MetricData=data)
    assert refused(cloudwatch.put_metric_data, Namespace="Offers", MetricData=data)[0] == 403
    logs.create_log_group(logGroupName="/fraud/api")
    assert refused(logs.create_log_group, logGroupName="/offers/api")[:2] == (403, "AccessDeniedException")


def test_what_it_would_get_wrong_is_refused(account: Account) -> None:
    iam, s3 = account.client("iam"), account.client("s3")
    strange = json.dumps(allow("s3:*", "*", Bool={"aws:ViaAWSService": "true"}))
    iam.create_user(UserName="strange")
    provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    audience = {"OpenIDConnectProviderArn": provider, "ClientID": "sts.amazonaws.com"}
    for action, arguments in (
        (iam.put_user_policy, {"UserName": "strange", "PolicyName": "p", "PolicyDocument": strange}),
        (iam.create_policy, {"PolicyName": "p", "PolicyDocument": strange}),
        (s3.put_bucket_policy, {"Bucket": "models", "Policy": strange}),
        (account.client("cloudformation").create_stack, {"StackName": "s", "TemplateBody": "{}"}),
        (account.client("sts").get_session_token, {}),
        (iam.add_client_id_to_open_id_connect_provider, audience),
        (iam.remove_client_id_from_open_id_connect_provider, audience),
    ):
        status, code, message = refused(action, **arguments)
        assert (status, code) == (501, "NotImplemented")
        assert "docs/services.md" in message
    assert httpx.get(f"{account.endpoint}/moto-api/data.json").status_code == 403
    assert httpx.post(f"{account.endpoint}/moto-api/reset").status_code == 403


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


def test_budgets_change_in_place_and_say_who_is_told(account: Account) -> None:
    budgets, ours = account.client("budgets"), {"AccountId": "123456789012", "BudgetName": "monthly"}
    limit = {"BudgetName": "monthly", "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    told = [{"SubscriptionType": "SNS", "Address": f"arn:aws:sns:{REGION}:123456789012:finance"}]
    half = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 50.0}
    budgets.create_budget(
        AccountId=ours["AccountId"],
        Budget=limit | {"BudgetLimit": {"Amount": "100", "Unit": "USD"}},
        NotificationsWithSubscribers=[{"Notification": half, "Subscribers": told}],
    )
    more = limit | {"BudgetLimit": {"Amount": "200", "Unit": "USD"}}
    budgets.update_budget(AccountId=ours["AccountId"], NewBudget=more)
    assert budgets.describe_budget(**ours)["Budget"]["BudgetLimit"]["Amount"] == "200"
    assert len(budgets.describe_notifications_for_budget(**ours)["Notifications"]) == 1
    assert budgets.describe_subscribers_for_notification(**ours, Notification=half)["Subscribers"] == told
    assert refused(budgets.create_notification, **ours, Notification=half, Subscribers=told)[1] == (
        "DuplicateRecordException"
    )
    whole = {**half, "Threshold": 100.0}
    assert refused(budgets.create_notification, **ours, Notification=whole, Subscribers=told * 2)[1] == (
        "CreationLimitExceededException"
    )
    assert (
        refused(
            budgets.update_budget, AccountId=ours["AccountId"], NewBudget={**more, "BudgetName": "other"}
        )[1]
        == "NotFoundException"
    )
    budgets.delete_budget(**ours)


def test_percentiles_come_from_values_and_not_from_a_statistic_set(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    hides = {"SampleCount": 3.0, "Sum": 60.0, "Minimum": 10.0, "Maximum": 30.0}
    same = {"SampleCount": 3.0, "Sum": 60.0, "Minimum": 20.0, "Maximum": 20.0}
    values = {"Values": [float(value) for value in range(1, 101)], "Counts": [2.0] * 100}
    for minute, what in enumerate((values, {"StatisticValues": hides}, {"StatisticValues": same})):
        datum = {"MetricName": "Latency", "Timestamp": at + timedelta(minutes=minute), **what}
        cloudwatch.put_metric_data(Namespace="Fraud", MetricData=[datum])
    asked = {"Namespace": "Fraud", "MetricName": "Latency", "StartTime": at, "EndTime": at + timedelta(minutes=5),
             "Period": 60}  # fmt: skip
    points = cloudwatch.get_metric_statistics(
        **asked, Statistics=["Sum"], ExtendedStatistics=["p50", "p98.5"]
    )
    got = [(one["Sum"], one.get("ExtendedStatistics")) for one in points["Datapoints"]]
    assert got[0] == (10100.0, {"p50": 50.0, "p98.5": 99.0})
    assert not got[1][1]
    assert got[2][1] == {"p50": 20.0, "p98.5": 20.0}
    wrong = refused(cloudwatch.get_metric_statistics, **asked, ExtendedStatistics=["tm99"])
    assert wrong[1] == "InvalidParameterValue"


def test_composite_alarms_are_kept_as_aws_keeps_them(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    alarm = {"Namespace": "Fraud", "MetricName": "errors", "Statistic": "Sum", "Period": 60, "Threshold": 1.0,
             "EvaluationPeriods": 5, "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
    page = {"AlarmName": "page", "AlarmRule": 'ALARM("high") OR OK(low)'}
    cloudwatch.put_metric_alarm(AlarmName="high", **alarm)
    assert refused(cloudwatch.put_composite_alarm, **page)[1] == "ValidationError"
    cloudwatch.put_metric_alarm(AlarmName="low", **alarm)
    cloudwatch.put_composite_alarm(**page, AlarmActions=["arn:aws:sns:ap-south-1:123456789012:oncall"])
    kept = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [(one["AlarmName"], one["AlarmRule"], one["ActionsEnabled"]) for one in kept] == [
        ("page", page["AlarmRule"], True)
    ]
    assert refused(cloudwatch.put_composite_alarm, **page | {"AlarmRule": "ALARM("})[1] == "ValidationError"
    assert refused(cloudwatch.delete_alarms, AlarmNames=["high"])[1] == "ValidationError"
    cloudwatch.delete_alarms(AlarmNames=["page"])
    cloudwatch.delete_alarms(AlarmNames=["high", "low"])
    for wrong in ({"Period": 90}, {"EvaluationPeriods": 1441}, {"Period": 3600, "EvaluationPeriods": 169}):
        assert refused(cloudwatch.put_metric_alarm, AlarmName="long", **alarm | wrong)[1] == "ValidationError"
    many = {"MetricName": "latency", "Values": [float(value) for value in range(151)]}
    assert (
        refused(cloudwatch.put_metric_data, Namespace="Fraud", MetricData=[many])[1]
        == "InvalidParameterValue"
    )
