"""Makes the artifact bucket and its roles, or mends them:  python storage.py apply platform.json

Run it as often as you like. It says what should be and changes what is not so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3

import policies
from bucket import Bucket
from platform_config import Platform
from roles import Boundary, Role, Roles


def apply(platform: Platform) -> None:
    """Bring the account to what `platform` describes, with the credentials of the environment (an administrator's)."""
    session = boto3.Session(region_name=platform.region)
    Bucket(session.client("s3"), platform.bucket).apply(
        platform.region, policies.bucket_policy(platform), [model.name for model in platform.models]
    )
    roles = Roles(session.client("iam"), platform.account)
    for role in wanted_roles(platform):
        roles.apply(role)


def wanted_roles(platform: Platform) -> list[Role]:
    bucket, ci = platform.bucket, platform.ci
    wanted = []
    for model in platform.models:
        training = policies.trainer(bucket, model.name)
        wanted.append(
            Role(
                name=f"artifacts-trainer-{model.name}",
                trust=policies.trusts_user(model.trainer),
                may=training,
                boundary=Boundary(f"artifacts-boundary-{model.name}", training),
            )
        )
        wanted.append(
            Role(
                name=f"artifacts-server-{model.name}",
                trust=policies.trusts_user(model.server),
                may=policies.server(bucket, model.name),
            )
        )
    names = [model.name for model in platform.models]
    wanted.append(Role("artifacts-ci", policies.trusts_branch(ci), policies.ci(bucket, names)))
    wanted.append(
        Role(
            "artifacts-auditor",
            policies.trusts_user(platform.auditor, platform.external_id),
            policies.auditor(bucket, platform.account),
        )
    )
    return wanted


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["apply"])
    parser.add_argument("config", type=Path, help="platform.json")
    arguments = parser.parse_args(argv)
    platform = Platform.read(arguments.config)
    apply(platform)
    print(f"{platform.bucket}: {len(wanted_roles(platform))} roles are as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
