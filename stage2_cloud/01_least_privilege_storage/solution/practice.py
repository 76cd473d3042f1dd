"""An account to practise in, and commands run with the keys of a role. For the embedded AWS API only (`labs up aws`).

python practice.py account                    users, GitHub's identity provider, platform.json
python practice.py model DIR                  a folder that looks like a model
python practice.py as trainer fraud -- COMMAND…
python practice.py as server fraud -- COMMAND…
python practice.py as ci [--sub SUB] [--aud AUD] -- COMMAND…
python practice.py as auditor -- COMMAND…
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

CONFIG, USERS = Path("platform.json"), Path("users.json")
ACCOUNT, REGION = "123456789012", "ap-south-1"
ISSUER = "token.actions.githubusercontent.com"
MAY_BECOME_ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
}
MODELS = ("fraud", "fraud-v2", "offers")


def arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


def account() -> None:
    """Run it again after `labs down`: the embedded API keeps everything in memory."""
    iam = boto3.client("iam", region_name=REGION)
    users = {}
    for name in [f"{model}-{job}" for model in MODELS for job in ("training", "serving")] + ["partner-audit"]:
        _unless_there(lambda name=name: iam.create_user(UserName=name))
        iam.put_user_policy(UserName=name, PolicyName="roles", PolicyDocument=json.dumps(MAY_BECOME_ANYBODY))
        for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
    audiences = ["sts.amazonaws.com", "https://vault.nukkad-pay.example"]
    _unless_there(
        lambda: iam.create_open_id_connect_provider(
            Url=f"https://{ISSUER}", ClientIDList=audiences, ThumbprintList=["a" * 40]
        )
    )
    USERS.write_text(json.dumps(users, indent=1), encoding="utf-8")
    USERS.chmod(0o600)
    said = {
        "account": ACCOUNT,
        "region": REGION,
        "bucket": "nukkad-artifacts-practice",
        "models": {
            model: {"trainer": arn("user", f"{model}-training"), "server": arn("user", f"{model}-serving")}
            for model in MODELS
        },
        "ci": {
            "provider": arn("oidc-provider", ISSUER),
            "repository": "nukkad-pay/fraud-models",
            "branch": "main",
            "audience": audiences[0],
        },
        "auditor": {"user": arn("user", "partner-audit"), "external_id": "audit-practice"},
    }
    CONFIG.write_text(json.dumps(said, indent=1), encoding="utf-8")
    print(f"{len(users)} users, one identity provider, {CONFIG}")


def _unless_there(make: Any) -> None:
    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise


def model(folder: Path) -> None:
    for name, content in (
        ("model.onnx", secrets.token_bytes(40_000)),
        ("features.json", b'{"features": ["hour_ist", "amount_paise"]}'),
        ("vocabulary/channels.txt", b"qr\nintent\ncollect\nautopay\n"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{folder}: 3 files")


def run_as(asked: argparse.Namespace, command: list[str]) -> int:
    """Run `command` with the keys of a session of a role."""
    said = json.loads(CONFIG.read_text(encoding="utf-8"))
    users = json.loads(USERS.read_text(encoding="utf-8"))
    role = "-".join(
        ["artifacts", asked.role, *([asked.model] if asked.role in ("trainer", "server") else [])]
    )
    ask: dict[str, Any] = {"RoleArn": arn("role", role), "RoleSessionName": "practice"}
    if asked.role == "ci":
        ci = said["ci"]
        sub = asked.sub or f"repo:{ci['repository']}:ref:refs/heads/{ci['branch']}"
        token = _token({"iss": f"https://{ISSUER}", "sub": sub, "aud": asked.aud or ci["audience"]})
        sts = boto3.client("sts", region_name=REGION)
        assume, ask = sts.assume_role_with_web_identity, {**ask, "WebIdentityToken": token}
    else:
        user = {"trainer": f"{asked.model}-training", "server": f"{asked.model}-serving"}.get(
            asked.role, "partner-audit"
        )
        assume = boto3.client("sts", region_name=REGION, **users[user]).assume_role
        if asked.role == "auditor":
            ask["ExternalId"] = said["auditor"]["external_id"]
    try:
        keys = assume(**ask)["Credentials"]
    except ClientError as error:
        print(f"{role}: {error.response['Error']['Code']}", file=sys.stderr)
        return 1
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "ARTIFACTS_BUCKET": said["bucket"],
    }
    return subprocess.run(command, env=env, check=False).returncode


def _token(claims: dict[str, str]) -> str:
    """The embedded API plays the identity provider: it signs a token with any claims."""
    url = os.environ["AWS_ENDPOINT_URL"] + "/labs/v1/tokens"
    asked = urllib.request.Request(url, json.dumps(claims).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        return str(json.load(answer)["token"])


def main() -> int:
    words, command = sys.argv[1:], []
    if "--" in words:
        place = words.index("--")
        words, command = words[:place], words[place + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("account")
    actions.add_parser("model").add_argument("folder", type=Path)
    becomes = actions.add_parser("as")
    becomes.add_argument("role", choices=["trainer", "server", "ci", "auditor"])
    becomes.add_argument("model", nargs="?", default="fraud")
    becomes.add_argument("--sub")
    becomes.add_argument("--aud")
    asked = parser.parse_args(words)
    if asked.action == "account":
        account()
    elif asked.action == "model":
        model(asked.folder)
    else:
        return run_as(asked, command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
