"""The learner's backend in a real Terraform: two applies at the same time, and a lock that nobody holds any more."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config

from labs.grading.evidence import Evidence

MAIN = """
terraform {{
  backend "s3" {{
    bucket                      = "{bucket}"
    key                         = "{key}"
    region                      = "ap-south-1"
    encrypt                     = {encrypt}
    use_lockfile                = {lockfile}
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }}
}}
variable "who" {{ type = string }}
resource "terraform_data" "slow" {{
  input            = var.who
  triggers_replace = var.who
  provisioner "local-exec" {{ command = "sleep 4" }}
}}
"""


def hcl(value: Any) -> str:
    return "true" if value is True else "false"


def two_applies(work, running, backend: dict[str, Any]) -> None:
    """Two applies at once: one waits or fails. Then a lock is planted, and has to be reported."""
    keys = {
        "aws_access_key_id": running.variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": running.variables["AWS_SECRET_ACCESS_KEY"],
    }
    s3 = boto3.client(
        "s3",
        endpoint_url=running.url,
        region_name="ap-south-1",
        config=Config(s3={"addressing_style": "path"}),
        **keys,
    )
    bucket, key = "nukkad-state-graded", str(backend["key"])
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    running.give_to(work)
    env = {
        "AWS_ENDPOINT_URL_S3": running.variables["AWS_ENDPOINT_URL"],
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }
    text = MAIN.format(bucket=bucket, key=key, encrypt="false", lockfile=hcl(backend.get("use_lockfile")))
    for name in ("one", "two"):
        work.put(f"_real/{name}/main.tf", text)
        done = work.run(
            "terraform", f"-chdir=_real/{name}", "init", "-input=false", "-no-color", env=env, timeout=60
        )
        done.did = "terraform init, with the backend of prod, on the S3 of the embedded AWS API"
        done.require(
            done.status == 0,
            wanted="status 0",
            got=f"status {done.status}",
            hint="Terraform says which setting it does not take. Run it yourself.",
        )
    started = [
        work.start(
            "terraform",
            f"-chdir=_real/{name}",
            "apply",
            "-auto-approve",
            "-input=false",
            "-no-color",
            "-lock-timeout=0s",
            f"-var=who={name}",
            env=env,
        )
        for name in ("one", "two")
    ]
    ended = [each.wait(90) for each in started]
    seen = Evidence("two real applies at the same time, on the S3 of the embedded AWS API")
    seen.require(
        sorted(each.status for each in ended) == [0, 1],
        wanted="one that succeeds, and one that is told that the state is locked",
        got=" and ".join(f"status {each.status}" for each in ended),
        hint="What tells the second one that there is a first?",
    )
    winner = "one" if ended[0].status == 0 else "two"
    state = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    said = [each["instances"][0]["attributes"]["input"]["value"] for each in state["resources"]]
    seen.require(said == [winner], wanted="the state of the one that succeeded", got=str(said))
    s3.put_object(
        Bucket=bucket,
        Key=f"{key}.tflock",
        Body=json.dumps(
            {
                "ID": "5f1c0de4-0000-4000-8000-000000000000",
                "Who": "asha@laptop",
                "Operation": "OperationTypeApply",
            }
        ).encode(),
    )
    stale = work.run(
        "terraform",
        f"-chdir=_real/{winner}",
        "plan",
        "-input=false",
        "-no-color",
        f"-var=who={winner}",
        env=env,
        timeout=60,
    )
    stale.did = "terraform plan, while a lock of a run that died lies there"
    stale.require(
        stale.status != 0 and "asha@laptop" in stale.stdout + stale.stderr,
        wanted="a refusal that names who holds the lock",
        got=f"status {stale.status}",
    )
